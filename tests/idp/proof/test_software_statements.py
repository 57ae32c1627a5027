"""Software statements: whose word counts, and for how long."""

import json

import pytest
from joserfc.jwk import ECKey

from idp.config import IdpConfig
from idp.errors import InvalidSoftwareStatement, UnapprovedSoftwareStatement
from idp.jose.compact import sign_compact
from idp.proof.software_statements import issuer_keys, join_software_statement
from tests.support.idp import AT, ISSUER

DIRECTORY = "https://directory.test"
KEY = ECKey.generate_key("P-256", {"kid": "d"})
CONFIG = IdpConfig(
    issuer=ISSUER, software_statement_issuers=((DIRECTORY, json.dumps({"keys": [KEY.as_dict(private=False)]})),)
)
NOW = int(AT.timestamp())
CLAIMS = {"iss": DIRECTORY, "iat": NOW, "jti": "s1", "software_id": "bank-app", "client_name": "Bank (verified)"}
PLAIN = {"client_name": "Ministry of Everything", "redirect_uris": ["https://bank.test/cb"]}


def joined(statement: object, config: IdpConfig = CONFIG) -> dict:
    return join_software_statement({**PLAIN, "software_statement": statement}, config, at=AT)


def made(key: ECKey = KEY, typ: str = "JWT", **changes: object) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return sign_compact(key, "ES256", typ, claims)


def test_its_word_counts_more_than_the_plain_members() -> None:
    assert joined(made()) == {
        "client_name": "Bank (verified)", "software_id": "bank-app", "redirect_uris": ["https://bank.test/cb"],
    }  # fmt: skip


def test_without_one_nothing_changes() -> None:
    assert join_software_statement(PLAIN, CONFIG, at=AT) == PLAIN
    assert joined(None) == PLAIN


@pytest.mark.parametrize(
    "changes", [{"exp": NOW + 1}, {"nbf": NOW - 5}, {"aud": ISSUER}, {"aud": ["https://x.test", ISSUER]}]
)
def test_in_its_time_and_for_us(changes: dict) -> None:
    assert joined(made(**changes))["software_id"] == "bank-app"


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW}, {"exp": NOW - 1}, {"exp": "x"}, {"exp": True}, {"nbf": NOW + 60}, {"iat": NOW + 60}, {"iat": -1},
        {"aud": "https://x.test"}, {"aud": []}, {"aud": 5}, {"typ": "at+jwt"}, {"key": ECKey.generate_key("P-256", {"kid": "d"})},
    ],
)  # fmt: skip
def test_what_does_not_hold(changes: dict) -> None:
    with pytest.raises(InvalidSoftwareStatement):
        joined(made(**changes))


@pytest.mark.parametrize("statement", ["", "x", "a.b.c", 5, {}, [], "x" * 9000])
def test_what_is_none(statement: object) -> None:
    with pytest.raises(InvalidSoftwareStatement):
        joined(statement)


@pytest.mark.parametrize("issuer", ["https://other.test", None, 5, ["https://directory.test"]])
def test_issuers_that_nobody_named(issuer: object) -> None:
    with pytest.raises(UnapprovedSoftwareStatement):
        joined(made(iss=issuer))
    with pytest.raises(UnapprovedSoftwareStatement):
        joined(made(), IdpConfig(issuer=ISSUER))


def test_a_statement_inside_a_statement_means_nothing() -> None:
    assert "software_statement" not in joined(made(software_statement="x"))


@pytest.mark.parametrize("jwks", ["", "{}", "[]", '{"keys":[{}]}', '{"keys":[{"kty":"oct","k":"AA"}]}', '{"keys":5}'])
def test_keys_of_the_configuration_must_be_public_keys(jwks: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        issuer_keys(jwks)

"""Signed authorization requests: who, for whom, when, and the exact text of their parameters."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from idp.config import IdpConfig
from idp.errors import InvalidRequestObject
from idp.jose.compact import sign_compact
from idp.proof.request_objects import open_request_object
from idp.relying_parties import RelyingParty, parse_registration
from tests.support.dpop import signed
from tests.support.idp import AT, ISSUER

CONFIG = IdpConfig(issuer=ISSUER)
EC = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed", "use": "sig"})
KEYS = {"ES256": EC, "RS256": RSA, "PS256": RSA, "EdDSA": ED, "Ed25519": ED}
NOW = int(AT.timestamp())


def party(client_id: str = "bank", **members: object) -> RelyingParty:
    document = {
        "client_name": "Bank", "redirect_uris": ["https://bank.test/cb"], "gba_region": "gd",
        "jwks": {"keys": [key.as_dict(private=False) for key in (EC, RSA, ED)]}, **members,
    }  # fmt: skip
    return parse_registration(document, client_id=client_id)


BASIC = party()
FAPI2 = party(gba_profile="fapi2", dpop_bound_access_tokens=True, require_signed_request_object=True)


def claims(**changes: object) -> dict[str, object]:
    values = {
        "iss": "bank", "aud": ISSUER, "exp": NOW + 300, "nbf": NOW, "iat": NOW, "jti": "j", "client_id": "bank",
        "response_type": "code", "redirect_uri": "https://bank.test/cb", "scope": "openid", "state": "s", **changes,
    }  # fmt: skip
    return {name: value for name, value in values.items() if value is not None}


def made(algorithm: str = "ES256", typ: str = "oauth-authz-req+jwt", **changes: object) -> str:
    return sign_compact(KEYS[algorithm], algorithm, typ, claims(**changes))


def opened(text: str, registered: RelyingParty = FAPI2):
    return open_request_object(text, registered, CONFIG, at=AT)


@pytest.mark.parametrize("registered", [BASIC, FAPI2])
@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "EdDSA", "Ed25519"])
def test_its_claims_become_parameters(registered: RelyingParty, algorithm: str) -> None:
    parameters = opened(made(algorithm), registered)
    assert dict(parameters.values) == {
        "client_id": "bank", "response_type": "code", "redirect_uri": "https://bank.test/cb", "scope": "openid", "state": "s",
    }  # fmt: skip
    assert parameters.repeated == frozenset()


def test_as_another_library_makes_it() -> None:
    for header in ({"alg": "ES256", "kid": "ec"}, {"alg": "ES256", "kid": "ec", "typ": "JWT"}):
        assert opened(jwt.encode(header, claims(), EC)).get("state") == "s"


def test_rs256_only_in_the_basic_profile_and_the_registered_algorithm_alone() -> None:
    assert opened(made("RS256"), BASIC)
    pinned = party(request_object_signing_alg="PS256")
    assert opened(made("PS256"), pinned)
    for text, registered in ((made("RS256"), FAPI2), (made("RS256"), pinned), (made("ES256"), pinned)):
        with pytest.raises(InvalidRequestObject):
            opened(text, registered)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": None}, {"iss": "other"}, {"iss": ["bank"]}, {"aud": None}, {"aud": f"{ISSUER}/par"}, {"aud": []}, {"aud": {"x": ISSUER}},
        {"aud": "https://elsewhere.test"}, {"exp": None}, {"exp": NOW}, {"exp": NOW - 1}, {"exp": NOW + 70 * 60}, {"exp": str(NOW + 60)},
        {"exp": True}, {"nbf": None}, {"nbf": NOW + 60}, {"nbf": NOW - 70 * 60}, {"nbf": "now"}, {"iat": NOW + 60}, {"sub": "bank"},
        {"client_id": None}, {"client_id": "other"}, {"client_id": ["bank"]}, {"request": "x.y.z"}, {"request_uri": "https://x.test/"},
        {"client_assertion": "x"}, {"client_secret": "x"}, {"max_age": 1.5}, {"scope": ["openid"]}, {"prompt": {"a": 1}},
        {"resource": ["https://a.test", 5]}, {"state": "x" * 9000}, {"p" * 129: "x"}, {f"p{i}": "x" for i in range(65)},
    ],
)  # fmt: skip
def test_claims_that_are_refused(changes: dict) -> None:
    with pytest.raises(InvalidRequestObject):
        opened(made(**changes))


@pytest.mark.parametrize("typ", ["at+jwt", "client-authentication+jwt", "dpop+jwt", "logout+jwt", ""])
def test_other_kinds_of_objects(typ: str) -> None:
    with pytest.raises(InvalidRequestObject):
        opened(made(typ=typ))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["https://elsewhere.test", ISSUER]}, {"nbf": NOW + 8, "iat": NOW + 8}, {"exp": NOW + 3600}, {"nbf": NOW - 3600},
        {"sub": "somebody"}, {"iat": None}, {"jti": None},
    ],
)  # fmt: skip
def test_claims_that_are_taken(changes: dict) -> None:
    assert opened(made(**changes)).get("client_id") == "bank"


def test_basic_needs_no_nbf_but_keeps_one() -> None:
    assert opened(made(nbf=None), BASIC)
    with pytest.raises(InvalidRequestObject):
        opened(made(nbf=NOW + 60), BASIC)


def test_numbers_objects_and_lists_become_their_text() -> None:
    details = [{"type": "sign_document", "hash": "阿"}]
    parameters = opened(made(
        max_age=0, claims={"id_token": {"name": None}}, authorization_details=details, require=True, empty="", nothing=None,
        resource=["https://a.test/", "https://b.test/"],
    ))  # fmt: skip
    assert parameters.get("max_age") == "0"
    assert parameters.get("claims") == '{"id_token":{"name":null}}'
    assert json.loads(parameters.get("authorization_details")) == details
    assert (parameters.get("require"), parameters.get("empty"), parameters.get("nothing")) == ("true", None, None)
    assert parameters.all("resource") == ("https://a.test/", "https://b.test/")
    assert (parameters.get("resource"), parameters.repeated) == ("https://a.test/", {"resource"})


def test_text_that_already_is_json_stays() -> None:
    assert opened(made(claims='{"id_token":{}}')).get("claims") == '{"id_token":{}}'


def test_key_of_another_relying_party() -> None:
    stranger = ECKey.generate_key("P-256", {"kid": "ec"})
    with pytest.raises(InvalidRequestObject):
        opened(sign_compact(stranger, "ES256", "JWT", claims()))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.one_of(st.text(), st.binary().map(lambda data: data.decode("latin-1"))))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestObject):
        opened(text)


@settings(deadline=None)
@given(st.dictionaries(st.one_of(st.sampled_from(sorted(claims())), st.text(max_size=8)), json_values, min_size=1))
def test_any_signed_claims_are_taken_as_text_or_refused(changes: dict) -> None:
    text = signed(EC, {"alg": "ES256", "kid": "ec"}, {**claims(), **changes})
    try:
        parameters = opened(text)
    except InvalidRequestObject as refusal:
        assert refusal.code == "invalid_request_object"
    else:
        assert all(isinstance(value, str) and value for value in parameters.values.values())

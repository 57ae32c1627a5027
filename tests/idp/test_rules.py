"""The pure rules one by one: registration, redirect URIs, assurance, claims requests, releases, records, limits, words."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, RSAKey

from idp import errors
from idp.assurance import assess, load_table
from idp.claims import ReleaseSource, release
from idp.claims_request import parse_claims_request
from idp.config import IdpConfig, RateLimit
from idp.errors import IdpError, InvalidClientMetadata, InvalidRedirectUri, InvalidRequest, TooManyRequests
from idp.login_pages import ERROR_TEXTS, ITEM_LABELS, NOTICES, OTHER_NOTICE, REGION_NAMES
from idp.model import AuthorizationRequest, CheckDetail, Identity, LoginTransaction, PermitEvidence, SignIn
from idp.page_errors import MalformedRequest
from idp.parameters import parse_parameters
from idp.rate_limits import RateLimiter
from idp.records import dump_record, load_record
from idp.redirect_uris import check_registrable
from idp.relying_parties import parse_registration, registration_document
from tests.support.idp import AT, ROOT, Client
from trust_lists.vocabulary import AssuranceLevel, Region

LOW, SUBSTANTIAL, HIGH = AssuranceLevel
SIGN_IN = SignIn(
    "s", "p", "iam_smart", Region.HK, "hk_iam_smart", "sign", "fido_app", ("hwk",), AT, AT + timedelta(hours=8)
)
IDENTITY = Identity("iam_smart", "p", "CHAN, Ka Yan", "陳嘉欣", "19900115", "F", "hkid", "A1234563")
PERMIT = PermitEvidence(
    "p",
    AT,
    "jti-1",
    "mainland_travel_permit",
    "CHN",
    "ref",
    (CheckDetail("data", "authority", "t", "2026-11-24T09:00:00Z"),),
)


# --- assurance -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("connector", "account", "method", "minutes", "permit", "level"),
    [
        ("iam_smart", "sign", "fido_app", 0, False, SUBSTANTIAL),
        ("iam_smart", "sign", "fido_app", 0, True, SUBSTANTIAL),
        ("iam_smart", "anything", "fido_app", 0, False, SUBSTANTIAL),
        ("iam_smart", "sign", "fido_app_fr", 0, False, HIGH),
        ("iam_smart", "sign", "fido_app_fr", 6, False, SUBSTANTIAL),
        ("iam_smart", "basic", "fido_app_fr", 0, False, SUBSTANTIAL),
        ("iam_smart", "basic", "fido_app_fr", 0, True, HIGH),
        ("iam_smart", "sign", "unheard-of", 0, False, LOW),
        ("iam_smart", "sign", "fido_app", 60 * 13, False, LOW),
        ("guangdong", "L0", "face", 0, False, LOW),
        ("guangdong", "L1", "face", 0, True, SUBSTANTIAL),
        ("guangdong", "L1", "password", 0, True, LOW),
        ("guangdong", "L2", "face", 0, False, SUBSTANTIAL),
        ("guangdong", "L3", "face", 0, False, SUBSTANTIAL),
        ("guangdong", "L3", "certificate", 0, False, HIGH),
        ("guangdong", "L9", "certificate", 0, False, LOW),
        ("macao_one", "face", "pwd", 0, False, LOW),
        ("macao_one", "pwd", "otp", 0, True, SUBSTANTIAL),
        ("macao_one", "eid", "eid", 0, False, SUBSTANTIAL),
        ("nobody", "sign", "fido_app", 0, False, LOW),
    ],
)
def test_level_is_the_least_axis_of_the_table(
    connector: str, account: str, method: str, minutes: int, permit: bool, level: AssuranceLevel
) -> None:
    sign_in = replace(SIGN_IN, connector=connector, account_level=account, session_method=method)
    assert assess(load_table(), sign_in, with_permit=permit, at=AT + timedelta(minutes=minutes)).level is level


def test_permit_raises_proofing_only_and_one_step() -> None:
    sign_in = replace(SIGN_IN, connector="guangdong", account_level="L0", session_method="password")
    without, with_permit = (assess(load_table(), sign_in, with_permit=permit, at=AT) for permit in (False, True))
    assert (without.proofing, with_permit.proofing) == (LOW, SUBSTANTIAL)
    assert (without.method, with_permit.method) == (LOW, LOW)


def test_broken_table_is_refused(tmp_path: Path) -> None:
    for content in ("{}", "[]", '{"version":"1"}'):
        path = tmp_path / f"{len(content)}.json"
        path.write_text(content)
        with pytest.raises(ValueError, match="not an assurance mapping table"):
            load_table(path)


# --- registration --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    [
        "http://portal.test/cb", "https://portal.test/cb#f", "https://portal.test/*", "https://u@portal.test/cb",
        "https://portal.test/a/../b", "https://portal.test/a/%2e%2e/b", "https://pоrtal.test/cb", "portal.test/cb", "", None, 5,
        "javascript:alert(1)", "com.example.app:/cb", "https://portal.test/c b", "https://portal.test:99999/cb", "https:///cb",
    ],
)  # fmt: skip
def test_redirect_uris_that_may_not_be_registered(uri: object) -> None:
    with pytest.raises(InvalidRedirectUri):
        check_registrable(uri, native=False)


def test_redirect_uris_that_may() -> None:
    assert check_registrable("https://portal.test/cb?x=1", native=False)
    assert check_registrable("http://127.0.0.1:8100/portal/callback", native=False)
    assert check_registrable("com.example.app:/cb", native=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"client_name": ""}, {"client_name": None}, {"client_name": "x" * 121}, {"client_name": "a\nb"},
        {"redirect_uris": []}, {"redirect_uris": "https://portal.test/cb"}, {"gba_region": "tw"}, {"gba_region": None},
        {"scope": "openid email"}, {"scope": "profile"}, {"token_endpoint_auth_method": "client_secret_jwt"},
        {"token_endpoint_auth_method": "none"}, {"jwks": None}, {"jwks": {"keys": []}}, {"jwks": {"keys": ["x"]}},
        {"jwks_uri": "https://portal.test/jwks"}, {"grant_types": ["implicit"]}, {"response_types": ["token"]},
        {"subject_type": "public"}, {"id_token_signed_response_alg": "none"}, {"gba_profile": "nonsense"},
        {"application_type": "tv"}, {"sector_identifier_uri": "http://portal.test/s"},
        {"redirect_uris": ["https://a.test/cb", "https://b.test/cb"]},
    ],
)  # fmt: skip
def test_registrations_that_are_refused(changes: dict) -> None:
    document = {name: value for name, value in {**Client().registration(), **changes}.items() if value is not None}
    with pytest.raises(InvalidClientMetadata):
        parse_registration(document, client_id="gd-bank")


@pytest.mark.parametrize(
    "key",
    [
        lambda: ECKey.generate_key("P-256").as_dict(private=True),
        lambda: ECKey.generate_key("P-384").as_dict(private=False),
        lambda: RSAKey.generate_key(1024).as_dict(private=False),
        lambda: {"kty": "oct", "k": "c2VjcmV0"},
        lambda: {**ECKey.generate_key("P-256").as_dict(private=False), "use": "enc"},
        lambda: {**ECKey.generate_key("P-256").as_dict(private=False), "x": "AA"},
    ],
)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_keys_that_are_private_weak_or_unsuitable(key) -> None:
    document = {**Client().registration(), "jwks": {"keys": [key()]}}
    with pytest.raises(InvalidClientMetadata):
        parse_registration(document, client_id="gd-bank")


def test_registration_survives_its_own_document() -> None:
    party = parse_registration(
        {**Client().registration(), "sector_identifier_uri": "https://sector.test/s"}, client_id="gd-bank"
    )
    assert parse_registration(registration_document(party), client_id="gd-bank") == party
    assert party.sector == "sector.test"
    assert party.named("zh-Hans") == "广东示例银行"
    assert party.named("pt") == "Guangdong Sample Bank"


@pytest.mark.parametrize(
    "issuer",
    ["http://login.test", "https://login.test/", "https://u@login.test", "https://login.test?x", "login.test", ""],
)
def test_issuers_that_stop_the_start(issuer: str) -> None:
    with pytest.raises(ValueError, match="issuer"):
        IdpConfig(issuer=issuer, loopback_http=True)


def test_http_issuer_needs_loopback_and_leave() -> None:
    assert IdpConfig(issuer="http://127.0.0.1:8000", loopback_http=True).login_cookie == "gba-login"
    with pytest.raises(ValueError, match="issuer"):
        IdpConfig(issuer="http://127.0.0.1:8000")


# --- claims --------------------------------------------------------------------------------------------------------------


def requested(**claims: object) -> AuthorizationRequest:
    return AuthorizationRequest(
        "c", "https://portal.test/cb", ("openid",), "x" * 43, claims=parse_claims_request(json.dumps(claims))
    )


def verified(
    element: object, *, permit: PermitEvidence | None = PERMIT, granted=("name", "birthdate", "permit")
) -> list:
    source = ReleaseSource(IDENTITY, SIGN_IN, permit, SUBSTANTIAL, AT + timedelta(seconds=100))
    return release(requested(id_token={"verified_claims": element}), granted, source).id_token.get(
        "verified_claims", []
    )


def element(framework: object = None, claims: object = None, **verification: object) -> dict:
    return {
        "verification": {"trust_framework": framework, **verification},
        "claims": {"name": None} if claims is None else claims,
    }


def test_any_framework_gives_all_that_fit() -> None:
    found = [one["verification"]["trust_framework"] for one in verified(element())]
    assert found == ["hk_iam_smart", "gba_mutual_recognition"]


@pytest.mark.parametrize(
    "asked",
    [
        element({"value": "eidas"}),
        element({"value": "mo_one_account"}),
        element({"value": "gba_mutual_recognition"}, time={"max_age": 99}),
        element({"value": "gba_mutual_recognition"}, assurance_level={"value": "high"}),
        element({"value": "hk_iam_smart"}, assurance_level={"value": "high"}),
        element({"value": "hk_iam_smart"}, evidence=[{"type": {"value": "document"}}]),
        element({"value": "gba_mutual_recognition"}, evidence=[{"type": {"value": "electronic_signature"}}]),
        element({"value": "gba_mutual_recognition"}, assurance_process={"policy": {"value": "x"}}),
        element({"value": "gba_mutual_recognition"}, {"name": {"value": "Somebody Else"}}),
        element({"value": "gba_mutual_recognition"}, {"nationalities": None}),
        element({"value": "gba_mutual_recognition"}, {"gender": None}),
        element({"value": "gba_mutual_recognition"}, verification_process={"value": "another"}),
        element(
            {"value": "gba_mutual_recognition"},
            evidence=[{"type": {"value": "document"}, "document_details": {"type": {"value": "passport"}}}],
        ),
        element(
            {"value": "gba_mutual_recognition"}, evidence=[{"check_details": [{"check_method": {"value": "pipp"}}]}]
        ),
        element({"value": "gba_mutual_recognition"}, evidence=[{"check_details": [{"time": {"max_age": 50}}]}]),
        element({"value": "gba_mutual_recognition"}, time={"value": "2020-01-01T00:00:00Z"}),
    ],
)
def test_what_does_not_meet_the_request_is_omitted_never_faked(asked: dict) -> None:
    assert verified(asked, granted=("name", "permit")) == []


GBA = {"value": "gba_mutual_recognition"}
DOCUMENT, SIGNATURE = {"type": {"value": "document"}}, {"type": {"value": "electronic_signature"}}


@pytest.mark.parametrize(
    ("asked", "verification"),
    [
        ({}, {}),
        ({"foo": None, "assurance_process": {"policy": None}}, {}),
        ({"assurance_level": None, "time": {"essential": True}}, {"assurance_level": "substantial", "time": "2026-11-24T09:00:00Z"}),
        ({"verification_process": {"values": ["jti-1", "jti-2"]}}, {"verification_process": "jti-1"}),
        ({"evidence": [DOCUMENT]}, {"evidence": [{"type": "document"}]}),
        ({"evidence": [SIGNATURE, DOCUMENT]}, {"evidence": [{"type": "document"}]}),
        (
            {"evidence": [{**DOCUMENT, "check_details": [{"check_method": {"value": "data"}, "txn": None}]}]},
            {"evidence": [{"type": "document", "check_details": [{"check_method": "data", "txn": "t"}]}]},
        ),
        (
            {"evidence": [{**DOCUMENT, "document_details": {"issuer": {"country_code": {"value": "CHN"}}}}]},
            {"evidence": [{"type": "document", "document_details": {"issuer": {"country_code": "CHN"}}}]},
        ),
    ],
)  # fmt: skip
def test_of_the_verification_so_much_is_told_as_was_asked(asked: dict, verification: dict) -> None:
    (found,) = verified(element(GBA, **asked))
    assert found["verification"] == {"trust_framework": GBA["value"], **verification}


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"name": None, "birthdate": {"essential": True}}, {"name": "CHAN, Ka Yan", "name#zh-Hant": "陳嘉欣"}),
        ({"name": {"value": "Somebody Else"}, "exit_entry_permit_holder": {"value": True}}, {"exit_entry_permit_holder": True}),
        ({"exit_entry_permit_holder": {"values": [True, False]}}, {"exit_entry_permit_holder": True}),
    ],
)  # fmt: skip
def test_a_claim_that_cannot_be_told_as_asked_is_left_out_alone(claims: dict, told: dict) -> None:
    (found,) = verified(element(GBA, claims), granted=("name", "permit"))
    assert found["claims"] == told


def test_no_permit_no_permit_framework() -> None:
    assert verified(element({"value": "gba_mutual_recognition"}), permit=None) == []


def test_within_the_asked_age_and_level_it_is_there() -> None:
    asked = element(
        {"value": "gba_mutual_recognition"}, time={"max_age": 100}, assurance_level={"value": "substantial"}
    )
    assert len(verified(asked)) == 1


@pytest.mark.parametrize(
    ("known", "told"), [("19900115", "1990-01-15"), ("199001", "1990"), ("1990", "1990"), ("", None)]
)
def test_birthdate_is_as_precise_as_the_source(known: str, told: str | None) -> None:
    source = ReleaseSource(replace(IDENTITY, birthdate=known), SIGN_IN, None, SUBSTANTIAL, AT)
    assert release(requested(userinfo={"birthdate": None}), ("birthdate",), source).userinfo.get("birthdate") == told


def test_document_number_is_in_no_release() -> None:
    source = ReleaseSource(IDENTITY, SIGN_IN, PERMIT, SUBSTANTIAL, AT)
    request = replace(
        requested(id_token={"verified_claims": element()}), scope=("openid", "profile", "permit", "signing")
    )
    assert "A1234563" not in repr(release(request, ("name", "birthdate", "gender", "permit", "signing"), source))


WORDS = (
    "id_token userinfo verified_claims verification trust_framework claims name value values evidence type time max_age acr essential"
    " check_details document_details sub"
).split()
SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=20,
)


@given(SHAPES)
def test_claims_parameter_of_any_shape_is_parsed_or_refused(document: object) -> None:
    try:
        asked = parse_claims_request(json.dumps(document))
    except InvalidRequest:
        return
    source = ReleaseSource(IDENTITY, SIGN_IN, PERMIT, SUBSTANTIAL, AT)
    release(AuthorizationRequest("c", "u", ("openid",), "x", claims=asked), ("name",), source)


# --- parameters, records, limits ------------------------------------------------------------------------------------------


@given(st.binary(max_size=300))
def test_any_bytes_are_parameters_or_refused(raw: bytes) -> None:
    config = IdpConfig(issuer="https://login.test")
    try:
        found = parse_parameters(raw, config, max_bytes=250)
    except MalformedRequest:
        return
    assert all(found.values.values())


def test_records_come_back_as_they_were_and_nothing_else_does() -> None:
    transaction = LoginTransaction("t", requested(id_token={"verified_claims": element()}), AT, AT, "c")
    for value in (replace(SIGN_IN, permit=PERMIT), transaction, IDENTITY):
        assert load_record(type(value), dump_record(value)) == value
    for raw in (b"", b"{}", b"[]", b"null", b'{"connector":5}', dump_record(IDENTITY).replace(b'"p"', b"5")):
        with pytest.raises(ValueError, match="not a record"):
            load_record(Identity, raw)


class Caller:
    class client:
        host = "203.0.113.7"


def test_limits_are_honest_about_when_to_come_back() -> None:
    limiter = RateLimiter(RateLimit(burst=2, per_second=0.5))
    limiter.check(Caller, at=AT)
    limiter.check(Caller, at=AT)
    with pytest.raises(TooManyRequests) as refusal:
        limiter.check(Caller, at=AT)
    assert refusal.value.retry_after_s == 2
    limiter.check(Caller, at=AT + timedelta(seconds=refusal.value.retry_after_s))
    with pytest.raises(TooManyRequests):
        limiter.check(Caller, at=AT + timedelta(seconds=2))
    limiter.check(Caller, at=AT, key="client:another")


# --- words ----------------------------------------------------------------------------------------------------------------


def every_error(kind: type[IdpError] = IdpError) -> list[type[IdpError]]:
    return [kind, *(sub for child in kind.__subclasses__() for sub in every_error(child))]


def test_every_error_has_a_code_and_stands_in_the_drawn_tree() -> None:
    for kind in every_error():
        assert kind.code
        if kind.__module__ == "idp.errors":
            assert kind.__name__ in errors.__doc__


def test_every_visible_string_is_translated() -> None:
    import re

    texts = {OTHER_NOTICE, *NOTICES.values(), *REGION_NAMES.values()}
    texts |= {text for pair in (*ERROR_TEXTS.values(), *ITEM_LABELS.values()) for text in pair}
    for page in (ROOT / "idp" / "pages").glob("*.html"):
        texts |= set(re.findall(r"""_\(["'](.+?)["'](?:,|\))""", page.read_text(encoding="utf-8")))
    for locale in ("zh_Hant", "zh_Hans", "pt"):
        with (ROOT / "idp" / "translations" / f"{locale}.po").open("rb") as file:
            known = {message.id: message.string for message in read_po(file) if message.id}
        assert {text for text in texts if not known.get(text)} == set()
        for text, translated in known.items():
            assert set(re.findall(r"%\(\w+\)s", text)) == set(re.findall(r"%\(\w+\)s", translated)), text

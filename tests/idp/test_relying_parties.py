"""Registrations, member by member: what is taken, what is refused, and the exact way back."""

import base64
import warnings
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey, RSAKey

from idp.errors import IdpRefused, InvalidClientMetadata, InvalidRedirectUri
from idp.protocol import ClientAuthMethod, GrantType
from idp.registration_members import MEMBERS
from idp.relying_parties import (
    Encryption,
    RelyingParty,
    TlsSubject,
    TlsSubjectKind,
    parse_registration,
    registration_document,
)

SIGNING = ECKey.generate_key("P-256", {"kid": "s", "use": "sig"}).as_dict(private=False)
ENC_EC = ECKey.generate_key("P-256", {"kid": "e1", "use": "enc"}).as_dict(private=False)
ENC_OKP = OKPKey.generate_key("X25519", {"kid": "e2", "use": "enc"}).as_dict(private=False)
ENC_RSA = RSAKey.generate_key(2048, {"kid": "e3", "use": "enc"}).as_dict(private=False)
DEVICE, EXCHANGE, CIBA = (grant.value for grant in (GrantType.DEVICE_CODE, GrantType.TOKEN_EXCHANGE, GrantType.CIBA))
BASE = {
    "client_name": "Bank",
    "redirect_uris": ["https://bank.test/cb"],
    "gba_region": "gd",
    "jwks": {"keys": [SIGNING, ENC_EC, ENC_OKP, ENC_RSA]},
}
FAPI2 = {**BASE, "gba_profile": "fapi2", "dpop_bound_access_tokens": True}


def parse(document: dict = BASE, **changes: object) -> RelyingParty:
    return parse_registration({**document, **changes}, client_id="bank")


WELL_FORMED = {
    "id_token_signed_response_alg": ("PS256", "id_token_alg", "PS256"),
    "userinfo_signed_response_alg": ("RS256", "userinfo_alg", "RS256"),
    "introspection_signed_response_alg": ("EdDSA", "introspection_alg", "EdDSA"),
    "authorization_signed_response_alg": ("EdDSA", "authorization_response_alg", "EdDSA"),
    "id_token_encrypted_response_alg": ("ECDH-ES", "id_token_encryption", Encryption("ECDH-ES", "A128CBC-HS256")),
    "userinfo_encrypted_response_alg": (
        "RSA-OAEP-256", "userinfo_encryption", Encryption("RSA-OAEP-256", "A128CBC-HS256"),
    ),
    "authorization_encrypted_response_alg": (
        "ECDH-ES+A256KW", "authorization_response_encryption", Encryption("ECDH-ES+A256KW", "A128CBC-HS256"),
    ),
    "request_object_signing_alg": ("RS256", "request_object_alg", "RS256"),
    "require_signed_request_object": (True, "require_signed_request", True),
    "token_endpoint_auth_signing_alg": ("PS256", "auth_alg", "PS256"),
    "require_pushed_authorization_requests": (True, "require_par", True),
    "dpop_bound_access_tokens": (True, "dpop_bound", True),
    "tls_client_certificate_bound_access_tokens": (True, "mtls_bound", True),
    "default_max_age": (0, "default_max_age_s", 0),
    "require_auth_time": (True, "require_auth_time", True),
    "default_acr_values": (["urn:gba-trust:acr:high"], "default_acr_values", ("urn:gba-trust:acr:high",)),
    "backchannel_logout_uri": ("https://hear.test/out", "backchannel_logout_uri", "https://hear.test/out"),
    "frontchannel_logout_uri": ("https://bank.test:443/o", "frontchannel_logout_uri", "https://bank.test:443/o"),
    "gba_access_token_format": ("opaque", "access_token_format", "opaque"),
    "initiate_login_uri": ("https://bank.test/start", "initiate_login_uri", "https://bank.test/start"),
    "logo_uri": ("https://bank.test/logo", "logo_uri", "https://bank.test/logo"),
    "policy_uri": ("https://bank.test/p", "policy_uri", "https://bank.test/p"),
    "tos_uri": ("https://bank.test/t", "tos_uri", "https://bank.test/t"),
    "client_uri": ("https://bank.test/", "client_uri", "https://bank.test/"),
    "contacts": (["ops@bank.test"], "contacts", ("ops@bank.test",)),
    "software_id": ("4NRB1-0XZABZI9E6-5SM3R", "software_id", "4NRB1-0XZABZI9E6-5SM3R"),
    "software_version": ("1.2", "software_version", "1.2"),
    "authorization_details_types": (["sign_document"], "authorization_details_types", ("sign_document",)),
    "gba_delegates": (["registry", "tax-office"], "delegates", ("registry", "tax-office")),
    "sector_identifier_uri": ("https://sector.test/s", "sector_identifier_uri", "https://sector.test/s"),
    "gba_purpose": ("", "purpose", ""),
}  # fmt: skip


@pytest.mark.parametrize("member", WELL_FORMED)
def test_member_is_read_and_written_back(member: str) -> None:
    value, field, expected = WELL_FORMED[member]
    party = parse(**{member: value})
    assert getattr(party, field) == expected
    document = registration_document(party)
    assert value == "" or document[member] == value
    assert parse_registration(document, client_id="bank") == party


def test_all_members_together_come_back_exactly() -> None:
    party = parse(**{member: value for member, (value, _, _) in WELL_FORMED.items()})
    assert parse_registration(registration_document(party), client_id="bank") == party


def test_every_field_has_its_row() -> None:
    rows = [row.field for row in MEMBERS]
    assert len(rows) == len(set(rows))
    assert set(rows) == set(RelyingParty.__dataclass_fields__) - {"client_id", "secret_hash"}


def test_defaults_are_ours_and_written_where_a_reader_needs_them() -> None:
    document = registration_document(parse())
    assert document["token_endpoint_auth_method"] == "private_key_jwt"
    assert document["id_token_signed_response_alg"] == document["authorization_signed_response_alg"] == "ES256"
    assert (document["grant_types"], document["response_types"]) == (["authorization_code"], ["code"])
    assert (document["subject_type"], document["gba_access_token_format"]) == ("pairwise", "jwt")
    assert not {"client_secret", "secret_hash", "request_object_signing_alg", "logo_uri"} & document.keys()


def test_null_is_absent_and_strangers_are_dropped() -> None:
    party = parse(logo_uri=None, jwks_uri=None, response_types=None, some_extension={"a": 1}, request_uris=[])
    assert party == parse()


@pytest.mark.parametrize(
    "changes",
    [
        {"id_token_signed_response_alg": "HS256"}, {"id_token_signed_response_alg": ["ES256"]},
        {"userinfo_signed_response_alg": "none"}, {"token_endpoint_auth_signing_alg": "RS256"},
        {"token_endpoint_auth_signing_alg": "HS256"}, {"request_object_signing_alg": "none"},
        {"id_token_encrypted_response_alg": "RSA1_5"}, {"id_token_encrypted_response_alg": "RSA-OAEP"},
        {"id_token_encrypted_response_alg": "dir"}, {"userinfo_encrypted_response_enc": "A128GCM"},
        {"userinfo_encrypted_response_alg": "ECDH-ES", "userinfo_encrypted_response_enc": "A192GCM"},
        {"require_pushed_authorization_requests": "true"}, {"dpop_bound_access_tokens": 1},
        {"default_max_age": -1}, {"default_max_age": True}, {"default_max_age": "60"}, {"default_max_age": 2**31},
        {"default_acr_values": ["gold"]}, {"default_acr_values": "urn:gba-trust:acr:high"},
        {"backchannel_logout_uri": "http://hear.test/out"}, {"backchannel_logout_uri": "https://hear.test/out#f"},
        {"backchannel_logout_uri": "https://u:p@hear.test/out"}, {"backchannel_logout_uri": "https://hear.test:99999/"},
        {"backchannel_logout_session_required": True}, {"frontchannel_logout_session_required": True},
        {"frontchannel_logout_uri": "https://bank.test:8443/o"}, {"frontchannel_logout_uri": "https://other.test/o"},
        {"initiate_login_uri": "http://bank.test/start"}, {"logo_uri": "javascript:alert(1)"}, {"tos_uri": "https://x y/"},
        {"policy_uri": "https://бank.test/"}, {"client_uri": 'https://bank.test/"onload="x'}, {"client_uri": "https:///x"},
        {"logo_uri": "http://127.0.0.1/logo"}, {"logo_uri": "https://bank.test/" + "x" * 500},
        {"contacts": "ops@bank.test"}, {"contacts": [""]}, {"contacts": ["a"] * 21}, {"software_id": "a\nb"},
        {"authorization_details_types": ["payment"]}, {"gba_access_token_format": "paseto"},
        {"gba_delegates": ["bank"]}, {"gba_delegates": ["../etc"]}, {"subject_type": "public"},
        {"backchannel_token_delivery_mode": "push"}, {"backchannel_user_code_parameter": True},
        {"request_object_encryption_alg": "ECDH-ES"}, {"introspection_encrypted_response_alg": "ECDH-ES"},
        {"request_uris": ["https://bank.test/r"]}, {"jwks_uri": "https://bank.test/jwks"},
        {"grant_types": []}, {"grant_types": ["refresh_token"]}, {"grant_types": ["client_credentials", "refresh_token"]},
        {"grant_types": ["implicit"]}, {"grant_types": "authorization_code"}, {"response_types": ["code", "token"]},
        {"response_types": []}, {"grant_types": ["client_credentials"], "response_types": ["code"]},
        {"redirect_uris": []}, {"grant_types": [DEVICE], "redirect_uris": []}, {"client_name#": "x"},
        {"client_name#<script>": "x"}, {"scope": "profile"}, {"gba_profile": "fapi1"},
        {"tls_client_auth_subject_dn": "CN=bank"}, {"token_endpoint_auth_method": "tls_client_auth"},
        {"token_endpoint_auth_method": "none", "application_type": "native", "grant_types": ["client_credentials"]},
        {"token_endpoint_auth_method": "none", "application_type": "native", "grant_types": [EXCHANGE]},
        {"token_endpoint_auth_method": "none", "application_type": "native", "grant_types": [CIBA]},
        {"jwks": None, "token_endpoint_auth_method": "self_signed_tls_client_auth"},
        {"jwks": None, "token_endpoint_auth_method": "client_secret_post", "require_signed_request_object": True},
        {"jwks": {"keys": [ENC_EC]}}, {"jwks": {"keys": [SIGNING, ENC_EC]}, "id_token_encrypted_response_alg": "RSA-OAEP-256"},
        {"jwks": {"keys": [SIGNING, {**ENC_EC, "alg": "ECDH-ES+A128KW"}]}, "id_token_encrypted_response_alg": "ECDH-ES"},
    ],
)  # fmt: skip
def test_what_is_refused(changes: dict) -> None:
    with pytest.raises(InvalidClientMetadata):
        parse(**changes)


def test_client_secret_post_needs_no_key() -> None:
    party = parse(jwks=None, token_endpoint_auth_method="client_secret_post")
    assert party.auth_method is ClientAuthMethod.CLIENT_SECRET_POST
    assert party.keys.keys == party.encryption_keys.keys == []


def test_keys_for_encryption_do_not_verify_signatures() -> None:
    party = parse()
    assert [key.kid for key in party.keys] == ["s"]
    assert [key.kid for key in party.encryption_keys] == ["e1", "e2", "e3"]


@pytest.mark.parametrize(
    "key",
    [
        {**ENC_OKP, "use": "sig"}, {name: value for name, value in ENC_OKP.items() if name != "use"},
        {**SIGNING, "use": "tls"}, {**SIGNING, "use": ["sig"]}, {**SIGNING, "kty": ["EC"]}, {**SIGNING, "crv": "secp256k1"},
        {**SIGNING, "kid": "x" * 201}, {**SIGNING, "kid": 5}, {**SIGNING, "alg": "\x00"}, {**SIGNING, "x5u": "https://x.test/"},
        {**SIGNING, "x5c": []}, {**SIGNING, "x5c": ["!"]}, {**SIGNING, "x5c": "MIIB"}, {**SIGNING, "d": "AA"},
        {**SIGNING, "y": SIGNING["x"]}, {"kty": "RSA", "n": "AQAB", "e": "AQAB"}, {"kty": "oct", "k": "AA"}, [], None,
        {**SIGNING, "note": "x" * 33_000},
    ],
)  # fmt: skip
def test_keys_that_are_not_taken(key: object) -> None:
    with pytest.raises(InvalidClientMetadata):
        parse(jwks={"keys": [key]})


def certificate(key: ECKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bank")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=365))
    return base64.b64encode(builder.sign(key.private_key, hashes.SHA256()).public_bytes(Encoding.DER)).decode()


def test_x5c_must_be_the_keys_own_certificate() -> None:
    one, other = (ECKey.generate_key("P-256", {"kid": "s"}) for _ in range(2))
    own = {**one.as_dict(private=False), "x5c": [certificate(one)]}
    assert parse(jwks={"keys": [own]}).keys.keys
    with pytest.raises(InvalidClientMetadata, match="another key"):
        parse(jwks={"keys": [{**own, "x5c": [certificate(other)]}]})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (TlsSubjectKind.DN, "CN=bank,O=Sample Bank,C=CN"), (TlsSubjectKind.DNS, "bank.test"),
        (TlsSubjectKind.URI, "spiffe://bank.test/portal"), (TlsSubjectKind.IP, "2001:db8::1"),
        (TlsSubjectKind.EMAIL, "ops@bank.test"),
    ],
)  # fmt: skip
def test_tls_subject_of_every_kind(kind: TlsSubjectKind, value: str) -> None:
    party = parse(jwks=None, token_endpoint_auth_method="tls_client_auth", **{kind.value: value})
    assert party.tls_subject == TlsSubject(kind, value)
    assert parse_registration(registration_document(party), client_id="bank") == party


@pytest.mark.parametrize(
    "subject",
    [
        {}, {"tls_client_auth_subject_dn": "not a name"}, {"tls_client_auth_subject_dn": ""},
        {"tls_client_auth_san_dns": "bank..test"}, {"tls_client_auth_san_dns": "*.bank.test"},
        {"tls_client_auth_san_dns": "-bank.test"}, {"tls_client_auth_san_ip": "1.2.3"},
        {"tls_client_auth_san_ip": "10.0.0.0/8"}, {"tls_client_auth_san_uri": "no-scheme"},
        {"tls_client_auth_san_email": "nobody"}, {"tls_client_auth_san_email": ["a@b.test"]},
        {"tls_client_auth_san_dns": "a.test", "tls_client_auth_san_ip": "10.0.0.1"},
    ],
)  # fmt: skip
def test_tls_subjects_that_are_refused(subject: dict) -> None:
    with pytest.raises(InvalidClientMetadata):
        parse(jwks=None, token_endpoint_auth_method="tls_client_auth", **subject)


# --- grants and sectors --------------------------------------------------------------------------------------------------


def test_machines_need_neither_redirect_nor_sector() -> None:
    party = parse(redirect_uris=None, grant_types=["client_credentials"], scope="signing")
    assert registration_document(party)["response_types"] == []
    assert (party.has_users, party.sector) == (False, "client:bank")
    assert parse_registration(registration_document(party), client_id="bank") == party


@pytest.mark.parametrize("grant", [DEVICE, CIBA])
def test_people_without_redirect_need_a_sector(grant: str) -> None:
    kiosk = {"redirect_uris": None, "grant_types": [grant, "refresh_token"]}
    with pytest.raises(InvalidClientMetadata, match="sector_identifier_uri"):
        parse(**kiosk)
    party = parse(**kiosk, sector_identifier_uri="https://kiosk.test/sector")
    assert (party.has_users, party.sector) == (True, "kiosk.test")
    assert parse_registration(registration_document(party), client_id="bank") == party


def test_ciba_is_told_its_delivery_mode() -> None:
    party = parse(grant_types=["authorization_code", CIBA], backchannel_token_delivery_mode="poll")
    assert registration_document(party)["backchannel_token_delivery_mode"] == "poll"
    assert registration_document(parse()).get("backchannel_token_delivery_mode") is None


# --- fapi2 ---------------------------------------------------------------------------------------------------------------


def test_fapi2_pushes_whether_it_says_so_or_not() -> None:
    for stated in (None, True, False):
        assert parse(FAPI2, require_pushed_authorization_requests=stated).require_par is True
    party = parse(FAPI2)
    assert parse_registration(registration_document(party), client_id="bank") == party


@pytest.mark.parametrize(
    "changes",
    [
        {"dpop_bound_access_tokens": False}, {"dpop_bound_access_tokens": None},
        {"token_endpoint_auth_method": "client_secret_basic"}, {"token_endpoint_auth_method": "client_secret_post"},
        {"token_endpoint_auth_method": "none", "application_type": "native"},
        {"id_token_signed_response_alg": "RS256"}, {"request_object_signing_alg": "RS256"},
        {"userinfo_signed_response_alg": "RS256"}, {"introspection_signed_response_alg": "RS256"},
        {"authorization_signed_response_alg": "RS256"},
    ],
)  # fmt: skip
def test_fapi2_refuses(changes: dict) -> None:
    with pytest.raises(InvalidClientMetadata):
        parse(FAPI2, **changes)


@pytest.mark.parametrize("uri", ["http://127.0.0.1:8100/cb", "com.example.app:/cb"])
def test_fapi2_redirects_over_https_only(uri: str) -> None:
    with pytest.raises(InvalidRedirectUri):
        parse(FAPI2, redirect_uris=[uri], application_type="native")


def test_fapi2_takes_mutual_tls() -> None:
    party = parse(
        FAPI2,
        jwks=None,
        dpop_bound_access_tokens=None,
        tls_client_certificate_bound_access_tokens=True,
        token_endpoint_auth_method="tls_client_auth",
        tls_client_auth_san_dns="bank.test",
    )
    assert (party.mtls_bound, party.dpop_bound, party.require_par) == (True, False, True)


# --- anything at all -----------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
NAMES = sorted({name for name in registration_document(parse(**{m: v for m, (v, _, _) in WELL_FORMED.items()})) | BASE})


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), json_values, max_size=4))
def test_any_value_is_taken_or_refused_in_the_standards_words(changes: dict) -> None:
    try:
        party = parse(**changes)
    except IdpRefused as refusal:
        assert refusal.code in {"invalid_client_metadata", "invalid_redirect_uri"}
    else:
        assert parse_registration(registration_document(party), client_id="bank") == party


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "use", "alg", "x5c", "key_ops"]), json_values
    )
)
def test_any_key_is_taken_or_refused(changes: dict) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            parse(jwks={"keys": [{**SIGNING, **changes}]})
        except InvalidClientMetadata as refusal:
            assert refusal.description

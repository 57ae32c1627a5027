"""Certificates that a proxy reports: read strictly, believed from it alone, and only as the registered client's."""

import hashlib
from base64 import urlsafe_b64encode
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey
from starlette.datastructures import Headers

from idp.errors import InvalidClient
from idp.proof.mutual_tls import read_client_certificate, verify_self_signed_client, verify_tls_client
from idp.relying_parties import RelyingParty, parse_registration
from tests.support.client_certificates import (
    PROXY,
    SAN,
    ClientAuthority,
    client_cert,
    config,
    escaped_pem,
    reported,
    self_signed,
)
from tests.support.idp import AT

CA = ClientAuthority(AT)
DN = "CN=portal,O=Sample Bank,C=CN"
LEAF = CA.issue(DN)


def party(**members: object) -> RelyingParty:
    document = {"client_name": "Bank", "redirect_uris": ["https://bank.test/cb"], "gba_region": "gd", **members}
    return parse_registration({"token_endpoint_auth_method": "tls_client_auth", **document}, client_id="bank")


def shown(certificate: x509.Certificate):
    return read_client_certificate(reported(certificate), PROXY, config())


@pytest.mark.parametrize("header", ["client-cert", "x-ssl-client-cert"])
@pytest.mark.parametrize("peer", [PROXY, "::ffff:10.1.9.9", "fd00::1"])
def test_certificate_of_a_trusted_proxy(header: str, peer: str) -> None:
    read = read_client_certificate(reported(LEAF, header), peer, config(header))
    der = LEAF.public_bytes(Encoding.DER)
    assert (read.der, read.certificate) == (der, LEAF)
    assert read.thumbprint == urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "peer", ["10.2.0.1", "127.0.0.1", "::1", "", "proxy", "10.1.2.3:443", "10.1.2.3 ", "::ffff:10.2.0.1"]
)
def test_header_from_anybody_else_is_not_there(peer: str) -> None:
    assert read_client_certificate(reported(LEAF), peer, config()) is None


def test_nothing_reported() -> None:
    assert read_client_certificate(Headers({}), PROXY, config()) is None
    assert read_client_certificate(Headers({"x-ssl-client-cert": ""}), PROXY, config("x-ssl-client-cert")) is None
    assert read_client_certificate(reported(LEAF, "x-ssl-client-cert"), PROXY, config("client-cert")) is None
    from idp.config import IdpConfig

    assert read_client_certificate(reported(LEAF), PROXY, IdpConfig(issuer="https://login.test")) is None


GOOD_FIELD, GOOD_PEM = client_cert(LEAF), escaped_pem(LEAF)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("client-cert", GOOD_FIELD[1:]), ("client-cert", GOOD_FIELD[:-1]), ("client-cert", GOOD_FIELD + ";a=1"), ("client-cert", "::"),
        ("client-cert", ":AAAA:"), ("client-cert", GOOD_FIELD.replace(":", "")), ("client-cert", GOOD_FIELD + "," + GOOD_FIELD),
        ("client-cert", ":" + GOOD_FIELD[5:]), ("client-cert", GOOD_FIELD[:-1] + "AAAA:"), ("client-cert", ":" + "A" * 16_001 + ":"),
        ("client-cert", "x" * 20_000), ("client-cert", GOOD_PEM), ("x-ssl-client-cert", GOOD_FIELD), ("x-ssl-client-cert", "%"),
        ("x-ssl-client-cert", "%ff"), ("x-ssl-client-cert", GOOD_PEM + GOOD_PEM), ("x-ssl-client-cert", "garbage" + GOOD_PEM),
        ("x-ssl-client-cert", GOOD_PEM.replace("CERTIFICATE", "TRUSTED%20CERTIFICATE")), ("x-ssl-client-cert", "é" + GOOD_PEM),
    ],
)  # fmt: skip
def test_what_a_proxy_never_sends_is_refused(header: str, value: str) -> None:
    with pytest.raises(InvalidClient):
        read_client_certificate(Headers(raw=[(header.encode(), value.encode())]), PROXY, config(header))


def test_two_headers_are_refused() -> None:
    raw = [(b"client-cert", client_cert(CA.issue("CN=evil")).encode()), (b"client-cert", GOOD_FIELD.encode())]
    with pytest.raises(InvalidClient):
        read_client_certificate(Headers(raw=raw), PROXY, config())


@pytest.mark.parametrize(
    "changes",
    [
        {"header": "x-forwarded-client-cert"}, {"mtls_trusted_proxies": ()}, {"mtls_trusted_proxies": ("10.0.0.1/8",)},
        {"mtls_trusted_proxies": ("everybody",)}, {"mtls_anchors": b"nonsense"},
    ],
)  # fmt: skip
def test_nonsense_stops_the_start(changes: dict) -> None:
    from idp.config import IdpConfig

    values = {"mtls_header": changes.pop("header", "client-cert"), "mtls_trusted_proxies": ("10.0.0.0/8",), **changes}
    with pytest.raises(ValueError, match=r".+"):
        IdpConfig(issuer="https://login.test", **values)


# --- tls_client_auth -----------------------------------------------------------------------------------------------------


def test_registered_dn() -> None:
    assert verify_tls_client(shown(LEAF), party(tls_client_auth_subject_dn=DN), CA.pem, at=AT).certificate == LEAF
    spaced = party(tls_client_auth_subject_dn="CN=portal,O=Sample\\20Bank,C=CN")
    assert verify_tls_client(shown(LEAF), spaced, CA.pem, at=AT)


@pytest.mark.parametrize("kind", SAN)
def test_registered_alternative_name(kind: str) -> None:
    value = {"dns": "BANK.test", "ip": "2001:DB8:0::1", "email": "ops@BANK.test"}.get(kind, "spiffe://bank.test/portal")
    leaf = CA.issue("CN=anything", x509.DNSName("other.test"), SAN[kind])
    named = party(**{f"tls_client_auth_san_{kind}": value})
    assert verify_tls_client(shown(leaf), named, CA.pem, at=AT).certificate == leaf
    for other in (CA.issue("CN=bank.test"), CA.issue("CN=bank.test", *(SAN[name] for name in SAN if name != kind))):
        with pytest.raises(InvalidClient):
            verify_tls_client(shown(other), named, CA.pem, at=AT)


def test_path_must_lead_to_an_anchor() -> None:
    named = party(tls_client_auth_subject_dn=DN)
    namesake = ClientAuthority(AT)
    for certificate, anchors in ((namesake.issue(DN), CA.pem), (LEAF, namesake.pem), (LEAF, b"")):
        with pytest.raises(InvalidClient):
            verify_tls_client(shown(certificate), named, anchors, at=AT)
    assert verify_tls_client(shown(LEAF), named, namesake.pem + CA.pem, at=AT)


@pytest.mark.parametrize("moment", [timedelta(days=-2), timedelta(days=31)])
def test_dates_of_the_certificate(moment: timedelta) -> None:
    with pytest.raises(InvalidClient):
        verify_tls_client(shown(LEAF), party(tls_client_auth_subject_dn=DN), CA.pem, at=AT + moment)


def test_certificates_for_something_else() -> None:
    named = party(tls_client_auth_subject_dn=DN)
    for certificate in (CA.issue(DN, usage=ExtendedKeyUsageOID.SERVER_AUTH), CA.issue(DN, ca=True), CA.certificate):
        with pytest.raises(InvalidClient):
            verify_tls_client(shown(certificate), named, CA.pem, at=AT)
    with pytest.raises(InvalidClient):
        verify_tls_client(None, named, CA.pem, at=AT)
    with pytest.raises(InvalidClient):
        verify_tls_client(shown(LEAF), party(token_endpoint_auth_method="client_secret_basic"), CA.pem, at=AT)


# --- self_signed_tls_client_auth ---------------------------------------------------------------------------------------


def test_self_signed_by_its_key() -> None:
    key = ECKey.generate_key("P-256", {"kid": "k"})
    registered = party(
        token_endpoint_auth_method="self_signed_tls_client_auth", jwks={"keys": [key.as_dict(private=False)]}
    )
    own = self_signed(key.private_key, at=AT)
    assert verify_self_signed_client(shown(own), registered, at=AT).certificate == own
    stranger = self_signed(ec.generate_private_key(ec.SECP256R1()), at=AT)
    for certificate, at in ((stranger, AT), (own, AT + timedelta(days=31)), (own, AT - timedelta(days=2)), (None, AT)):
        with pytest.raises(InvalidClient):
            verify_self_signed_client(certificate and shown(certificate), registered, at=at)


def test_key_for_encryption_does_not_authenticate() -> None:
    sig, enc = ECKey.generate_key("P-256", {"kid": "s"}), ECKey.generate_key("P-256", {"kid": "e", "use": "enc"})
    keys = [key.as_dict(private=False) for key in (sig, enc)]
    registered = party(token_endpoint_auth_method="self_signed_tls_client_auth", jwks={"keys": keys})
    with pytest.raises(InvalidClient):
        verify_self_signed_client(shown(self_signed(enc.private_key, at=AT)), registered, at=AT)


# --- anything at all -----------------------------------------------------------------------------------------------------

DER = LEAF.public_bytes(Encoding.DER)


@settings(deadline=None)
@given(st.sampled_from(["client-cert", "x-ssl-client-cert"]), st.binary(max_size=200), st.text(max_size=40))
def test_any_header_and_peer(header: str, value: bytes, peer: str) -> None:
    headers = Headers(raw=[(header.encode(), value)])
    assert read_client_certificate(headers, peer, config(header)) is None
    try:
        assert read_client_certificate(headers, PROXY, config(header)) is None
    except InvalidClient as refusal:
        assert refusal.code == "invalid_client"


@settings(deadline=None)
@given(st.integers(0, len(DER) - 1), st.integers(1, 255), st.integers(0, 3))
def test_any_altered_certificate_is_refused_somewhere(position: int, flip: int, cut: int) -> None:
    import base64

    altered = bytearray(DER)
    altered[position] ^= flip
    value = f":{base64.b64encode(bytes(altered)[: len(altered) - cut]).decode()}:"
    with pytest.raises(InvalidClient):
        verify_tls_client(
            read_client_certificate(Headers({"client-cert": value}), PROXY, config()),
            party(tls_client_auth_subject_dn=DN), CA.pem, at=AT,
        )  # fmt: skip

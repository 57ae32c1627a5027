"""The header in which a proxy reports the client certificate: sent by somebody else, sent twice, and names that only look alike."""

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from starlette.datastructures import Headers

from idp.errors import InvalidClient
from idp.proof.mutual_tls import read_client_certificate, verify_tls_client
from idp.relying_parties import parse_registration
from tests.support.client_certificates import PROXY, ClientAuthority, client_cert, config, reported
from tests.support.idp import AT

CA = ClientAuthority(AT)
DN = "CN=portal,O=Sample Bank,C=CN"
VICTIM = CA.issue(DN)
COMMON_NAME, ORGANIZATION, COUNTRY = NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.COUNTRY_NAME


def party(**members: object):
    document = {"client_name": "Bank", "redirect_uris": ["https://bank.test/cb"], "gba_region": "gd", **members}
    return parse_registration({"token_endpoint_auth_method": "tls_client_auth", **document}, client_id="bank")


def name(*parts: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts])


@pytest.mark.parametrize(
    "peer",
    ["203.0.113.9", "10.2.0.1", "127.0.0.1", "::1", "", "unix:", "10.1.2.3, 203.0.113.9", "0x0a010203", "167838211"],
)
def test_header_from_an_untrusted_peer(peer: str) -> None:
    assert read_client_certificate(reported(VICTIM), peer, config()) is None


def test_header_that_the_proxy_passed_on_beside_its_own() -> None:
    mine = CA.issue("CN=attacker")
    for order in ((VICTIM, mine), (mine, VICTIM)):
        raw = [(b"client-cert", client_cert(certificate).encode()) for certificate in order]
        with pytest.raises(InvalidClient):
            read_client_certificate(Headers(raw=raw), PROXY, config())
    joined = ", ".join(client_cert(certificate) for certificate in (VICTIM, mine))
    with pytest.raises(InvalidClient):
        read_client_certificate(Headers({"client-cert": joined}), PROXY, config())


def test_other_headers_are_not_believed() -> None:
    for header in (
        "x-client-cert",
        "x-forwarded-client-cert",
        "x-ssl-client-cert",
        "ssl-client-cert",
        "client-cert-chain",
    ):
        headers = Headers({header: client_cert(VICTIM)})
        assert read_client_certificate(headers, PROXY, config("client-cert")) is None


@pytest.mark.parametrize(
    "subject",
    [
        name((COUNTRY, "CN"), (ORGANIZATION, "Other"), (COMMON_NAME, "portal,O=Sample Bank,C=CN")),
        name((COMMON_NAME, "portal,O=Sample Bank,C=CN")),
        name((COMMON_NAME, "portal"), (ORGANIZATION, "Sample Bank"), (COUNTRY, "CN")),
        name((COUNTRY, "CN"), (ORGANIZATION, "Sample Bank"), (COMMON_NAME, "portal"), (COMMON_NAME, "portal")),
        name((COUNTRY, "CN"), (ORGANIZATION, "Sample Bank"), (COMMON_NAME, "attacker"), (COMMON_NAME, "portal")),
        name((COUNTRY, "CN"), (ORGANIZATION, "Sample Bank"), (COMMON_NAME, "portal"), (NameOID.ORGANIZATIONAL_UNIT_NAME, "x")),
        name((COUNTRY, "CN"), (COMMON_NAME, "portal")),
        name((COUNTRY, "CN"), (ORGANIZATION, "Sample Bank"), (COMMON_NAME, "portal ")),
        name((COUNTRY, "CN"), (ORGANIZATION, "Sample  Bank"), (COMMON_NAME, "portal")),
        name((COUNTRY, "CN"), (ORGANIZATION, "sample bank"), (COMMON_NAME, "portal")),
        name((COUNTRY, "CN"), (ORGANIZATION, "Sample Bank"), (COMMON_NAME, "portal\x00.evil.test")),
        name((COUNTRY, "CN"), (ORGANIZATION, "Sample Bank"), (COMMON_NAME, "pоrtal")),
        name((COUNTRY, "CN"), (NameOID.ORGANIZATIONAL_UNIT_NAME, "Sample Bank"), (COMMON_NAME, "portal")),
        x509.Name([x509.RelativeDistinguishedName([x509.NameAttribute(COUNTRY, "CN")]), x509.RelativeDistinguishedName([
            x509.NameAttribute(ORGANIZATION, "Sample Bank"), x509.NameAttribute(COMMON_NAME, "portal")])]),
        x509.Name([]),
    ],
    ids=lambda subject: subject.rfc4514_string(),
)  # fmt: skip
def test_names_that_only_look_alike(subject: x509.Name) -> None:
    """All from the trusted CA: an honest CA may give any of them to somebody else."""
    certificate = read_client_certificate(reported(CA.issue(subject)), PROXY, config())
    with pytest.raises(InvalidClient):
        verify_tls_client(certificate, party(tls_client_auth_subject_dn=DN), CA.pem, at=AT)


def test_the_name_itself_is_taken() -> None:
    certificate = read_client_certificate(reported(CA.issue(DN)), PROXY, config())
    assert verify_tls_client(certificate, party(tls_client_auth_subject_dn=DN), CA.pem, at=AT)


@pytest.mark.parametrize(
    "alternative",
    [
        x509.DNSName("*.test"), x509.DNSName("bank.test.evil.test"), x509.DNSName("evil.bank.test"), x509.DNSName("bank.test."),
        x509.RFC822Name("bank.test"), x509.UniformResourceIdentifier("https://bank.test"),
        x509.DirectoryName(name((COMMON_NAME, "bank.test"))),
        x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x09bank.test"),
    ],
    ids=str,
)  # fmt: skip
def test_alternative_names_that_only_look_alike(alternative: x509.GeneralName) -> None:
    certificate = read_client_certificate(reported(CA.issue("CN=bank.test", alternative)), PROXY, config())
    with pytest.raises(InvalidClient):
        verify_tls_client(certificate, party(tls_client_auth_san_dns="bank.test"), CA.pem, at=AT)


def test_certificate_of_a_ca_with_the_same_name() -> None:
    forged = ClientAuthority(AT).issue(DN)
    with pytest.raises(InvalidClient):
        verify_tls_client(
            read_client_certificate(reported(forged), PROXY, config()),
            party(tls_client_auth_subject_dn=DN),
            CA.pem,
            at=AT,
        )


def test_client_that_issues_for_itself() -> None:
    """A client's certificate is no CA: what it signs has no path."""
    mine = ClientAuthority(AT)
    mine.name = VICTIM.subject
    with pytest.raises(InvalidClient):
        verify_tls_client(
            read_client_certificate(reported(mine.issue(DN)), PROXY, config()),
            party(tls_client_auth_subject_dn=DN),
            CA.pem,
            at=AT,
        )

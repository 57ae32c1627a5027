"""Mutual TLS: which client certificate a trusted proxy reports, and whether it is the relying party's.

Owns:    reading the proxy's header, `tls_client_auth` and `self_signed_tls_client_auth`.
Leaves:  the TLS handshake (possession of the key) to the proxy, the revocation of certificates to the CA's short lifetimes:
         a certificate is as good as its registration, which can be changed at once.
Rules:   1 the header counts only from a configured proxy; from anybody else it is as if it were not there
         2 a proxy must replace the header, not append to it: two of them are refused
         3 PKI method: a path to a configured anchor that permits client authentication, and exactly the registered subject
         4 self-signed method: the key is a registered one, within the certificate's dates
Spec:    RFC 8705 cl. 2, 3; RFC 9440 cl. 2; RFC 5280 cl. 6; RFC 4514
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Protocol
from urllib.parse import unquote

from cryptography import x509
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from idp.config import IdpConfig
from idp.errors import InvalidClient, JoseRefused
from idp.jose.certificates import BAD_CERTIFICATE, key_of_certificate, load_certificate
from idp.jose.public_keys import public_key_of
from idp.registration_values import RelyingParty, TlsSubject, TlsSubjectKind

MAX_HEADER_CHARS: Final = 16_384
_FIELD: Final = re.compile(r":([A-Za-z0-9+/]{1,16000}={0,2}):")  # RFC 9440 cl. 2.1: a byte sequence of RFC 8941
_PEM: Final = re.compile(r"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]{1,16000})-----END CERTIFICATE-----\s*")


class HeaderList(Protocol):
    """Request headers that may repeat."""

    def getlist(self, key: str, /) -> list[str]:
        """Return every value of a header."""
        ...


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """The certificate whose key the caller proved in the TLS handshake; not yet judged."""

    der: bytes
    thumbprint: str
    """`x5t#S256` (RFC 8705 cl. 3.1)."""
    certificate: x509.Certificate


def read_client_certificate(headers: HeaderList, peer_host: str, config: IdpConfig) -> ClientCertificate | None:
    """Return the certificate that a trusted proxy reports.

    Args:
        headers: the request's.
        peer_host: the address of the TCP peer itself, not one that a forwarding header claims.
        config: names the header and the proxies.

    Returns:
        None when mutual TLS is off, the peer is no trusted proxy, or the client showed no certificate.

    Raises:
        InvalidClient: a trusted proxy's header cannot be read.
    """
    if not config.mtls_header or not _is_trusted(peer_host, config.mtls_trusted_proxies):
        return None
    values = headers.getlist(config.mtls_header)
    if not values or values == [""]:
        return None
    if len(values) > 1 or len(values[0]) > MAX_HEADER_CHARS:
        raise InvalidClient
    der = _der(values[0], config.mtls_header)
    try:
        certificate = load_certificate(der)
    except JoseRefused as refusal:
        raise InvalidClient from refusal
    thumbprint = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode("ascii")
    return ClientCertificate(der, thumbprint, certificate)


def verify_tls_client(
    certificate: ClientCertificate | None, party: RelyingParty, anchors: bytes, *, at: datetime
) -> ClientCertificate:
    """Verify that the certificate is the relying party's (RFC 8705 cl. 2.1).

    Raises:
        InvalidClient: none was shown, it has no path to an anchor, or its subject is not exactly the registered one.
    """
    if certificate is None or party.tls_subject is None or not anchors:
        raise InvalidClient
    try:
        _check_path(certificate.certificate, anchors, at)
        names_it = _names(certificate.certificate, party.tls_subject)
    except (VerificationError, *BAD_CERTIFICATE) as error:
        raise InvalidClient from error
    if not names_it:
        raise InvalidClient
    return certificate


def verify_self_signed_client(
    certificate: ClientCertificate | None, party: RelyingParty, *, at: datetime
) -> ClientCertificate:
    """Verify that the certificate's key is a registered one (RFC 8705 cl. 2.2).

    Raises:
        InvalidClient: none was shown, it is out of its dates, or its key is not registered.
    """
    if certificate is None:
        raise InvalidClient
    try:
        shown = key_of_certificate(certificate.certificate)
        dates = certificate.certificate.not_valid_before_utc, certificate.certificate.not_valid_after_utc
    except (JoseRefused, *BAD_CERTIFICATE) as error:
        raise InvalidClient from error
    if not dates[0] <= at <= dates[1]:
        raise InvalidClient
    if not any(hmac.compare_digest(shown, public_key_of(key)) for key in party.keys):
        raise InvalidClient
    return certificate


def _is_trusted(peer_host: str, proxies: tuple[str, ...]) -> bool:
    try:
        address = ipaddress.ip_address(peer_host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in _networks(proxies))


@lru_cache(maxsize=8)
def _networks(proxies: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(proxy) for proxy in proxies)


def _der(value: str, header: str) -> bytes:
    pattern = _FIELD if header == "client-cert" else _PEM
    try:
        # nginx `$ssl_client_escaped_cert` is PEM, percent-encoded
        text = value if header == "client-cert" else unquote(value, errors="strict")
        match = pattern.fullmatch(text)
        if match is None:
            raise InvalidClient
        return base64.b64decode("".join(match[1].split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidClient from error


def _check_path(certificate: x509.Certificate, anchors: bytes, at: datetime) -> None:
    """RFC 5280 cl. 6 by the cryptography library; a client certificate needs no alternative name of its own."""
    verifier = (
        PolicyBuilder()
        .store(_store(anchors))
        .time(at.astimezone(UTC))
        .extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=_END_ENTITY)
        .build_client_verifier()
    )
    verifier.verify(certificate, [])


_END_ENTITY: Final = (
    ExtensionPolicy.webpki_defaults_ee()
    .may_be_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
    .may_be_present(x509.AuthorityKeyIdentifier, Criticality.AGNOSTIC, None)
)


@lru_cache(maxsize=8)
def _store(anchors: bytes) -> Store:
    return Store(x509.load_pem_x509_certificates(anchors))


def _names(certificate: x509.Certificate, subject: TlsSubject) -> bool:
    """Compare parsed names, never their texts: a comma inside one attribute is no second attribute."""
    if subject.kind is TlsSubjectKind.DN:
        return certificate.subject == x509.Name.from_rfc4514_string(subject.value)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if subject.kind is TlsSubjectKind.DNS:
        return subject.value.lower() in {name.lower() for name in names.get_values_for_type(x509.DNSName)}
    if subject.kind is TlsSubjectKind.URI:
        return subject.value in names.get_values_for_type(x509.UniformResourceIdentifier)
    if subject.kind is TlsSubjectKind.IP:
        return ipaddress.ip_address(subject.value) in names.get_values_for_type(x509.IPAddress)
    return _address(subject.value) in {_address(name) for name in names.get_values_for_type(x509.RFC822Name)}


def _address(email: str) -> str:
    """RFC 5280 cl. 7.5: the part before the @ is compared exactly, the host without case."""
    local, _, host = email.rpartition("@")
    return f"{local}@{host.lower()}"

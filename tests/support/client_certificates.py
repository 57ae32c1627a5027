"""A small PKI for client certificates: one CA, certificates of every shape, and the headers in which proxies report them."""

import base64
import ipaddress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from starlette.datastructures import Headers

from idp.config import IdpConfig
from tests.support.idp_client import ISSUER

PROXY = "10.1.2.3"


def common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass
class ClientAuthority:
    """A CA that issues client certificates."""

    at: datetime
    name: x509.Name = field(default_factory=lambda: common_name("Client CA"))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def certificate(self) -> x509.Certificate:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        return (
            self._builder(self.name, self.key.public_key(), days=1000)
            .add_extension(x509.BasicConstraints(True, None), True)
            .add_extension(usage, True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
            .sign(self.key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(
        self, subject: x509.Name | str, *names: x509.GeneralName, usage=ExtendedKeyUsageOID.CLIENT_AUTH, days: int = 30,
        ca: bool = False, key: ec.EllipticCurvePrivateKey | None = None,
    ) -> x509.Certificate:  # fmt: skip
        subject = x509.Name.from_rfc4514_string(subject) if isinstance(subject, str) else subject
        key = key or ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(subject, key.public_key(), days=days).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False
        )
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        if ca:
            builder = builder.add_extension(x509.BasicConstraints(True, None), True)
        return builder.sign(self.key, hashes.SHA256())

    def _builder(self, subject: x509.Name, key, *, days: int) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.at - timedelta(days=1))
            .not_valid_after(self.at + timedelta(days=days))
        )


def self_signed(key: ec.EllipticCurvePrivateKey, *, at: datetime, days: int = 30) -> x509.Certificate:
    return ClientAuthority(at, common_name("self"), key).issue(common_name("self"), key=key, days=days)


def client_cert(certificate: x509.Certificate) -> str:
    """RFC 9440."""
    return f":{base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()}:"


def escaped_pem(certificate: x509.Certificate) -> str:
    """nginx's `$ssl_client_escaped_cert`."""
    return quote(certificate.public_bytes(Encoding.PEM).decode(), safe="")


def reported(certificate: x509.Certificate, header: str = "client-cert") -> Headers:
    return Headers({header: client_cert(certificate) if header == "client-cert" else escaped_pem(certificate)})


def config(header: str = "client-cert", **changes) -> IdpConfig:
    return IdpConfig(issuer=ISSUER, mtls_header=header, mtls_trusted_proxies=("10.1.0.0/16", "fd00::/8"), **changes)


SAN = {
    "dns": x509.DNSName("bank.test"),
    "uri": x509.UniformResourceIdentifier("spiffe://bank.test/portal"),
    "ip": x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
    "email": x509.RFC822Name("ops@bank.test"),
}

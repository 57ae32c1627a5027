"""What a citizen's signing certificate must be, and whether a signature is under it. Pure.

Owns:    reading, choosing and using the certificate. Leaves fetching to `certificate_repository`; trust in its issuer, its path
         and its revocation to `signing` and the trust list.
Rules:   1 RSA of at least 2048 bits, valid at the time, and issued for signing: keyUsage nonRepudiation, not a CA
         2 among several of one holder the newest counts; several holders of one name are not told apart, and refused
Spec:    RFC 5280 cl. 4.2.1.3, 4.2.1.9; fact sheet upstreams.md §1.4.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from idp.connectors.iam_smart.errors import (
    AmbiguousCertificate,
    ContentMalformed,
    NoSigningCertificate,
    SignatureMismatch,
)

MIN_RSA_BITS = 2048
MAX_CERTIFICATE_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class SigningCertificate:
    """A certificate that has been found fit for a citizen's signature."""

    der: bytes = field(repr=False)
    subject: str = field(repr=False)
    """The whole subject name: one holder."""
    common_name: str = field(repr=False)
    not_before: datetime
    public_key: RSAPublicKey = field(repr=False)


def parse_signing_certificate(der: bytes, *, at: datetime) -> SigningCertificate:
    """Read a certificate that must be one for signing now.

    Raises:
        ContentMalformed: not a certificate, not RSA, not for signing, or not valid at `at`.
    """
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise ContentMalformed
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        is_ca = _is_ca(certificate)
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        subject = certificate.subject.rfc4514_string()
        if certificate.public_bytes(Encoding.DER) != der:
            raise ContentMalformed
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.ExtensionNotFound, x509.DuplicateExtension) as error:
        raise ContentMalformed from error
    if not isinstance(key, RSAPublicKey) or key.key_size < MIN_RSA_BITS or is_ca or not usage.content_commitment:
        raise ContentMalformed
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise ContentMalformed
    common_name = str(names[0].value) if len(names) == 1 else ""
    return SigningCertificate(der, subject, common_name, certificate.not_valid_before_utc, key)


def choose_certificate(candidates: Sequence[bytes], *, name: str, at: datetime) -> SigningCertificate:
    """Choose the one certificate that a citizen of this name signs with.

    Raises:
        NoSigningCertificate: none is fit and of this name.
        AmbiguousCertificate: there are several holders of this name.
    """
    fit: list[SigningCertificate] = []
    for der in candidates:
        try:
            certificate = parse_signing_certificate(der, at=at)
        except ContentMalformed:
            continue
        if names_match(certificate.common_name, name):
            fit.append(certificate)
    if not fit:
        raise NoSigningCertificate
    if len({certificate.subject for certificate in fit}) > 1:
        raise AmbiguousCertificate
    return max(fit, key=lambda certificate: certificate.not_before)


def names_match(one: str, other: str) -> bool:
    """Compare two written forms of a name: case, commas and spacing differ between registers."""
    return _plain(one) == _plain(other) != ""


def verify_digest_signature(certificate: SigningCertificate, signature: bytes, digest: bytes) -> None:
    """Hold a signature against a SHA-256 digest: RSA PKCS #1 v1.5 (RFC 8017 cl. 8.2.2).

    Raises:
        SignatureMismatch: it is not one.
    """
    try:
        certificate.public_key.verify(signature, digest, PKCS1v15(), Prehashed(hashes.SHA256()))
    except (InvalidSignature, ValueError) as error:
        raise SignatureMismatch from error


def find_issuer(certificate: bytes, authorities: Sequence[bytes]) -> bytes | None:
    """Return the authority's certificate whose key signed this one, or None when it is not among them."""
    child = x509.load_der_x509_certificate(certificate)
    for der in authorities:
        try:
            child.verify_directly_issued_by(x509.load_der_x509_certificate(der))
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            continue  # another issuer, or a key (SM2) that this library does not know
        return der
    return None


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _plain(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).replace(",", " ").split()).casefold()

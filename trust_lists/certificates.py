"""Facts of one X.509 certificate, as the list and the recognition rule need them.

Owns:    the exact bytes that identify a key, and the few fields of an end-entity certificate that the rule looks at.
Leaves:  paths, revocation and validity periods to `signing.path`; names for people to the pages.
Rules:   bytes that are not exactly one DER certificate are refused. Names never select a key: only the public key does.
Spec:    RFC 5280 cl. 4.1, 4.2.1.3 (key usage), 4.2.1.4 (policies), 4.2.1.9 (basic constraints).
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from asn1crypto import x509

from trust_lists import asn1_oids
from trust_lists.algorithms import SignatureAlgorithm
from trust_lists.errors import CertificateMalformed

MAX_CERTIFICATE_BYTES = 16 * 1024
MAX_POLICIES = 64

_SEQUENCE = 0x30
_VERSION_TAG = 0xA0  # [0] EXPLICIT Version, absent in v1 certificates
_HIGH_TAG = 0x1F
_LONG_FORM = 0x80
_MAX_LENGTH_BYTES = 3
_FIELDS_BEFORE_KEY = 5  # serialNumber, signature, issuer, validity, subject


def public_key_info(certificate: bytes) -> bytes:
    """Return the DER SubjectPublicKeyInfo inside a certificate, without parsing the rest.

    This is the hot path of every look-up in the list: it walks eight headers.

    Raises:
        CertificateMalformed: the bytes are not one DER certificate.
    """
    if len(certificate) > MAX_CERTIFICATE_BYTES:
        raise CertificateMalformed("the certificate is too long")
    try:
        tag, start, end = _header(certificate, 0)
        tbs_tag, position, tbs_end = _header(certificate, start)
        if (tag, tbs_tag, end) != (_SEQUENCE, _SEQUENCE, len(certificate)) or tbs_end > end:
            raise ValueError("not one certificate")
        tag, _, field_end = _header(certificate, position)
        if tag == _VERSION_TAG:
            position = field_end
        for _ in range(_FIELDS_BEFORE_KEY):
            _, _, position = _header(certificate, position)
        tag, _, end = _header(certificate, position)
    except (ValueError, IndexError) as error:
        raise CertificateMalformed("the certificate cannot be read") from error
    if tag != _SEQUENCE or end > tbs_end:
        raise CertificateMalformed("the certificate carries no public key")
    return certificate[position:end]


def _header(der: bytes, position: int) -> tuple[int, int, int]:
    """Return tag, start and end of the content of the element at a position: one-byte tags and definite lengths, as X.509 has."""
    tag, length = der[position], der[position + 1]
    start = position + 2
    if length >= _LONG_FORM:
        count = length - _LONG_FORM
        if not 1 <= count <= _MAX_LENGTH_BYTES:
            raise ValueError("an indefinite or enormous length")
        length = int.from_bytes(der[start : start + count], "big")
        start += count
    if tag & _HIGH_TAG == _HIGH_TAG or start + length > len(der):
        raise ValueError("the element runs over the end")
    return tag, start, start + length


def key_hash(spki: bytes) -> str:
    """Return the SHA-256 of a SubjectPublicKeyInfo in hexadecimal: the name of a key in the list."""
    return hashlib.sha256(spki).hexdigest()


def certificate_key_hash(certificate: bytes) -> str:
    """Return the name of the certificate's key."""
    return key_hash(public_key_info(certificate))


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What the recognition rule may ask of a certificate."""

    subject: str
    issuer_name: bytes
    subject_name: bytes
    serial_number: int
    spki: bytes
    policies: tuple[str, ...]
    key_usage: frozenset[str]
    """RFC 5280 names in asn1crypto's spelling (`digital_signature`, `non_repudiation`, …); empty without the extension."""
    is_ca: bool
    algorithm: SignatureAlgorithm
    digest: str | None
    """Digest of the signature algorithm where its OID fixes one."""
    signature: bytes
    signed_bytes: bytes


@lru_cache(maxsize=256)  # issuers come back for every certificate; values are immutable
def parse_certificate(der: bytes) -> CertificateFacts:
    """Read the facts; the signature is not verified here.

    Raises:
        CertificateMalformed: the bytes are not one DER certificate, or its extensions cannot be read.
    """
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise CertificateMalformed("the certificate is too long")
    try:
        return _facts(x509.Certificate.load(der, strict=True))
    except Exception as error:
        raise CertificateMalformed("the certificate cannot be read") from error


def _facts(certificate: Any) -> CertificateFacts:  # noqa: ANN401 - asn1crypto has no types
    tbs = certificate["tbs_certificate"]
    algorithm = certificate["signature_algorithm"]
    if algorithm.dump() != tbs["signature"].dump():  # RFC 5280 cl. 4.1.1.2: the two must be the same
        raise ValueError("inner and outer signature algorithm differ")
    policies = certificate.certificate_policies_value or []
    if len(policies) > MAX_POLICIES:
        raise ValueError("too many policies")
    usage = certificate.key_usage_value
    constraints = certificate.basic_constraints_value
    return CertificateFacts(
        subject=certificate.subject.human_friendly,
        issuer_name=certificate.issuer.dump(),
        subject_name=certificate.subject.dump(),
        serial_number=certificate.serial_number,
        spki=tbs["subject_public_key_info"].dump(),
        policies=tuple(policy["policy_identifier"].dotted for policy in policies),
        key_usage=frozenset(usage.native) if usage is not None else frozenset(),
        is_ca=bool(constraints["ca"].native) if constraints is not None else False,
        algorithm=SignatureAlgorithm.from_asn1(algorithm),
        digest=_digest_name(algorithm),
        signature=certificate.signature,
        signed_bytes=tbs.dump(),
    )


def _digest_name(algorithm: Any) -> str | None:  # noqa: ANN401 - asn1crypto has no types
    if algorithm["algorithm"].dotted == asn1_oids.SM2_WITH_SM3:
        return "sm3"
    try:
        return str(algorithm.hash_algo)
    except ValueError:  # Ed25519 has its digest inside
        return None

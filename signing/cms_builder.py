"""CMS SignedData for PAdES, written as DER directly.

Owns:    signed attributes, the SignedData around a signature value, and its largest size before the value is known.
Leaves:  reading and checking to `cms`; keys to whoever signs the attributes.
Rules:   certificates go in as the bytes they came in; nothing is decoded or encoded twice; the size is exact up to the
         signature's own spread and the room kept for a time stamp.
Spec:    RFC 5652 sec. 5, RFC 5035 sec. 3, ETSI EN 319 142-1 table 1 (no signing-time attribute), RFC 8419 (Ed25519 in CMS)
"""

import hashlib
from dataclasses import dataclass
from enum import Enum

from signing.certificates import Certificate, parse_certificate
from signing.errors import KeyRefused
from trust_lists.algorithms import key_kind
from trust_lists.errors import KeyRefused as TrustListKeyRefused


def tlv(tag: int, *parts: bytes) -> bytes:
    """Encode one DER value."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def oid(dotted: str) -> bytes:
    """Encode an object identifier."""
    arcs = [int(part) for part in dotted.split(".")]
    content = bytearray()
    for arc in (arcs[0] * 40 + arcs[1], *arcs[2:]):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(0x80 | arc & 0x7F)
        content += bytes(reversed(digits))
    return tlv(0x06, bytes(content))


_NULL = b"\x05\x00"
_SEQUENCE, _SET, _OCTETS = 0x30, 0x31, 0x04
_SIGNED_DATA = oid("1.2.840.113549.1.7.2")
_DATA = oid("1.2.840.113549.1.7.1")
_CONTENT_TYPE = oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST = oid("1.2.840.113549.1.9.4")
_SIGNING_CERTIFICATE_V2 = oid("1.2.840.113549.1.9.16.2.47")
_SIGNATURE_TIMESTAMP = oid("1.2.840.113549.1.9.16.2.14")
_VERSION_1 = b"\x02\x01\x01"
_SHA256 = oid("2.16.840.1.101.3.4.2.1")
_SHA384 = oid("2.16.840.1.101.3.4.2.2")
_SHA512 = oid("2.16.840.1.101.3.4.2.3")
_SM3 = oid("1.2.156.10197.1.401")
_PSS_SHA256 = tlv(
    _SEQUENCE,
    tlv(0xA0, tlv(_SEQUENCE, _SHA256, _NULL)),
    tlv(0xA1, tlv(_SEQUENCE, oid("1.2.840.113549.1.1.8"), tlv(_SEQUENCE, _SHA256, _NULL))),
    tlv(0xA2, b"\x02\x01\x20"),
)


class Suite(Enum):
    """A digest with a signature algorithm: hashlib's name, and both AlgorithmIdentifiers in DER."""

    RSA_SHA256 = "sha256", tlv(_SEQUENCE, _SHA256, _NULL), tlv(_SEQUENCE, oid("1.2.840.113549.1.1.11"), _NULL)
    RSA_PSS_SHA256 = "sha256", tlv(_SEQUENCE, _SHA256), tlv(_SEQUENCE, oid("1.2.840.113549.1.1.10"), _PSS_SHA256)
    ECDSA_SHA256 = "sha256", tlv(_SEQUENCE, _SHA256), tlv(_SEQUENCE, oid("1.2.840.10045.4.3.2"))
    ECDSA_SHA384 = "sha384", tlv(_SEQUENCE, _SHA384), tlv(_SEQUENCE, oid("1.2.840.10045.4.3.3"))
    ED25519 = "sha512", tlv(_SEQUENCE, _SHA512), tlv(_SEQUENCE, oid("1.3.101.112"))
    SM2_SM3 = "sm3", tlv(_SEQUENCE, _SM3), tlv(_SEQUENCE, oid("1.2.156.10197.1.501"))

    @property
    def digest(self) -> str:
        """The digest's name for hashlib."""
        return self.value[0]


@dataclass(frozen=True, slots=True)
class SignerMaterial:
    """What goes into the SignedData besides the value: the certificate, its chain, the suite."""

    certificate: bytes
    chain: tuple[bytes, ...]
    suite: Suite


def suite_for(certificate: bytes, *, pss: bool = False) -> Suite:
    """Choose the suite for a certificate's key.

    Raises:
        KeyRefused: not a key that signs here.
        CmsMalformed: the certificate cannot be read.
    """
    try:
        kind = key_kind(parse_certificate(certificate).spki)
    except TrustListKeyRefused as error:
        raise KeyRefused(str(error)) from error
    match kind.family:
        case "rsa" if kind.bits >= 2048:
            return Suite.RSA_PSS_SHA256 if pss else Suite.RSA_SHA256
        case "ecdsa" if kind.bits in (256, 384):
            return Suite.ECDSA_SHA256 if kind.bits == 256 else Suite.ECDSA_SHA384
        case "ed25519":
            return Suite.ED25519
        case "sm2":
            return Suite.SM2_SM3
    raise KeyRefused(f"a {kind.family} key of {kind.bits} bits does not sign documents here")


def signed_attributes(document_digest: bytes, certificate: bytes) -> bytes:
    """Return the DER SET OF attributes: exactly the bytes that the key signs."""
    # RFC 5035 sec. 4: the digest algorithm is SHA-256 by default and then left out.
    ess = tlv(_SEQUENCE, tlv(_SEQUENCE, tlv(_SEQUENCE, tlv(_OCTETS, hashlib.sha256(certificate).digest()))))
    attributes = [
        tlv(_SEQUENCE, _CONTENT_TYPE, tlv(_SET, _DATA)),
        tlv(_SEQUENCE, _MESSAGE_DIGEST, tlv(_SET, tlv(_OCTETS, document_digest))),
        tlv(_SEQUENCE, _SIGNING_CERTIFICATE_V2, tlv(_SET, ess)),
    ]
    return tlv(_SET, *sorted(attributes))  # X.690 cl. 11.6


def signed_data(material: SignerMaterial, attributes: bytes, signature: bytes, timestamp: bytes | None = None) -> bytes:
    """Return the ContentInfo for /Contents.

    Args:
        material: certificate, chain and suite.
        attributes: as `signed_attributes` gave them.
        signature: over the attributes.
        timestamp: RFC 3161 token over the signature, or None.
    """
    certificate = parse_certificate(material.certificate)
    _, digest_algorithm, signature_algorithm = material.suite.value
    unsigned = b""
    if timestamp is not None:
        unsigned = tlv(0xA1, tlv(_SEQUENCE, _SIGNATURE_TIMESTAMP, tlv(_SET, timestamp)))
    signer = tlv(
        _SEQUENCE,
        _VERSION_1,
        tlv(_SEQUENCE, certificate.issuer, _integer(certificate.serial)),
        digest_algorithm,
        b"\xa0" + attributes[1:],  # [0] IMPLICIT in place of SET OF
        signature_algorithm,
        tlv(_OCTETS, signature),
        unsigned,
    )
    certificates = sorted(dict.fromkeys((material.certificate, *material.chain)))
    content = tlv(
        _SEQUENCE,
        _VERSION_1,
        tlv(_SET, digest_algorithm),
        tlv(_SEQUENCE, _DATA),
        tlv(0xA0, *certificates),
        tlv(_SET, signer),
    )
    return tlv(_SEQUENCE, _SIGNED_DATA, tlv(0xA0, content))


def largest_size(material: SignerMaterial, timestamp_bytes: int) -> int:
    """Return how many bytes `signed_data` can take at most.

    Args:
        material: certificate, chain and suite.
        timestamp_bytes: room for a token; 0 for none.
    """
    digest = bytes(hashlib.new(material.suite.digest).digest_size)
    attributes = signed_attributes(digest, material.certificate)
    token = tlv(_OCTETS, bytes(timestamp_bytes)) if timestamp_bytes else None
    return len(signed_data(material, attributes, bytes(_largest_signature(material)), token)) + 16


def _largest_signature(material: SignerMaterial) -> int:
    certificate: Certificate = parse_certificate(material.certificate)
    match material.suite:
        case Suite.RSA_SHA256 | Suite.RSA_PSS_SHA256:
            return (key_kind(certificate.spki).bits + 7) // 8
        case Suite.ED25519:
            return 64
        case Suite.ECDSA_SHA384:
            return 104  # SEQUENCE of two INTEGERs of at most 49 octets
        case _:
            return 72


def _integer(value: int) -> bytes:
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))

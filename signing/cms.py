"""CMS SignedData as it stands in a PDF: read strictly, then checked piece by piece.

Owns:    reading the one SignerInfo with its attributes and certificates; digest, signature value and ESS certificate checks.
Leaves:  building to `cms_builder`, the certificate's worth to `path`, time-stamp tokens to `timestamp`.
Rules:   `parse_signed_data` gives something unverified; each `verify_…` returns nothing or raises `Unsatisfied` with the
         sub-indication; exactly one SignerInfo; attributes occur once with one value.
Spec:    RFC 5652 sec. 5, RFC 5035 (ESS), ETSI EN 319 142-1 cl. 4.2 and table 1, EN 319 102-1 cl. 5.2.2, 5.2.3, 5.2.7
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from asn1crypto import cms, core, parser, tsp

from signing.certificates import Certificate, parse_certificate
from signing.errors import CmsMalformed
from signing.model import SubIndication, Unsatisfied
from trust_lists.algorithms import SUITABLE_DIGESTS, SignatureAlgorithm, verify_signature
from trust_lists.errors import AlgorithmRefused, KeyRefused, SignatureInvalid

SIGNED_DATA = "1.2.840.113549.1.7.2"
DATA = "1.2.840.113549.1.7.1"
TST_INFO = "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
_SIGNING_TIME = "1.2.840.113549.1.9.5"
_ESS_V1 = "1.2.840.113549.1.9.16.2.12"
_ESS_V2 = "1.2.840.113549.1.9.16.2.47"
_SIGNATURE_TIMESTAMP = "1.2.840.113549.1.9.16.2.14"
_ADOBE_REVOCATION = "1.2.840.113583.1.1.8"
_MAX_CERTIFICATES = 60
_MAX_TIMESTAMPS = 10
_KNOWN_DIGESTS = SUITABLE_DIGESTS | {"md5", "sha1", "sha224"}


@dataclass(frozen=True, slots=True)
class EssCertId:
    """One certificate identifier of the signing-certificate attribute."""

    digest_algorithm: str
    digest: bytes
    serial: int | None


@dataclass(frozen=True, slots=True)
class SignerIdentifier:
    """How the SignerInfo names its certificate: issuer and serial, or key identifier."""

    issuer: bytes | None
    serial: int | None
    key_identifier: bytes | None


@dataclass(frozen=True, slots=True)
class ParsedSignedData:
    """A SignedData with one signer; nothing of it is verified.

    Attributes:
        content_type: of the encapsulated content, dotted.
        content: the encapsulated content, or None (detached).
        signed_attributes: DER as it is signed (tag SET OF), or None when there are none.
        content_type_attribute: dotted, or None.
        message_digest: attribute value, or None.
        claimed_time: signing-time attribute, a claim.
        ess: signing-certificate attribute (v2, else v1).
        digest_algorithm: asn1crypto's name or a dotted OID.
        algorithm: of the signature.
        algorithm_name: for reports.
        signature: value.
        signer: identifier of the signing certificate.
        certificates: readable ones.
        timestamps: signature-time-stamp tokens, DER.
        crls: of the SignedData and of Adobe's attribute, DER.
        ocsp_responses: of Adobe's attribute, DER.
    """

    content_type: str
    content: bytes | None
    signed_attributes: bytes | None
    content_type_attribute: str | None
    message_digest: bytes | None
    claimed_time: datetime | None
    ess: tuple[EssCertId, ...]
    digest_algorithm: str
    algorithm: SignatureAlgorithm
    algorithm_name: str
    signature: bytes
    signer: SignerIdentifier
    certificates: tuple[Certificate, ...]
    timestamps: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    ocsp_responses: tuple[bytes, ...]


def unpadded(contents: bytes) -> bytes:
    """Cut the zero padding of /Contents off.

    Raises:
        CmsMalformed: not one SEQUENCE followed by zeros.
    """
    if len(contents) < 4 or contents[0] != 0x30:
        raise CmsMalformed("the signature value is not a SEQUENCE")
    end = _encoded_length(contents)
    if end > len(contents) or contents[end:].strip(b"\x00"):
        raise CmsMalformed("the signature value is cut off or followed by other bytes")
    return contents[:end]


def _encoded_length(contents: bytes) -> int:
    head, length = 2, contents[1]
    if length == 0x80:
        # DER is required (EN 319 142-1 cl. 4.2); indefinite lengths are seen in valid files of the field and are read.
        try:
            _, _, _, header, content, trailer = parser.parse(contents, strict=False)
        except ValueError as error:
            raise CmsMalformed("the signature value cannot be read") from error
        return len(header) + len(content) + len(trailer)
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4 or len(contents) < 2 + size:
            raise CmsMalformed("the signature value has no usable length")
        head, length = 2 + size, int.from_bytes(contents[2 : 2 + size], "big")
    return head + length


def parse_signed_data(der: bytes) -> ParsedSignedData:
    """Read a ContentInfo with a SignedData of one signer.

    Raises:
        CmsMalformed: anything else.
    """
    try:
        info = cms.ContentInfo.load(der, strict=True)
        if info["content_type"].dotted != SIGNED_DATA:
            raise CmsMalformed("the signature value is not SignedData")
        return _read(info["content"])
    except CmsMalformed:
        raise
    except Exception as error:
        raise CmsMalformed("the signature value cannot be read") from error


def _read(signed: cms.SignedData) -> ParsedSignedData:
    if len(signed["signer_infos"]) != 1:
        raise CmsMalformed("the signature value must have exactly one signer")  # EN 319 142-1 cl. 4.2
    signer = signed["signer_infos"][0]
    attributes = _attributes(signer["signed_attrs"])
    unsigned = _attributes(signer["unsigned_attrs"])
    content = signed["encap_content_info"]["content"]
    digest_algorithm = signer["digest_algorithm"]["algorithm"]
    revocation = _adobe_revocation(attributes)
    return ParsedSignedData(
        content_type=signed["encap_content_info"]["content_type"].dotted,
        content=None if isinstance(content, core.Void) else bytes(content),
        signed_attributes=b"\x31" + signer["signed_attrs"].dump()[1:] if attributes else None,
        content_type_attribute=_single_dotted(attributes, _CONTENT_TYPE),
        message_digest=_single_bytes(attributes, _MESSAGE_DIGEST),
        claimed_time=_signing_time(attributes),
        ess=_ess(attributes),
        digest_algorithm=digest_algorithm.native,
        algorithm=SignatureAlgorithm.from_asn1(signer["signature_algorithm"]),
        algorithm_name=signer["signature_algorithm"]["algorithm"].native,
        signature=signer["signature"].native,
        signer=_signer(signer["sid"]),
        certificates=_certificates(signed["certificates"]),
        timestamps=_timestamps(unsigned),
        crls=_crls(signed["crls"]) + revocation[0],
        ocsp_responses=revocation[1],
    )


def verify_digest(parsed: ParsedSignedData, parts: Iterable[bytes | memoryview], content_type: str = DATA) -> None:
    """Check that the signed attributes speak of this content (RFC 5652 sec. 5.6, 11.1).

    Raises:
        Unsatisfied: FORMAT_FAILURE, CRYPTO_CONSTRAINTS_FAILURE or HASH_FAILURE.
    """
    if parsed.signed_attributes is None or parsed.message_digest is None:
        raise Unsatisfied(SubIndication.FORMAT_FAILURE, "the signature has no message-digest attribute")
    if parsed.content_type != content_type or parsed.content_type_attribute != content_type:
        raise Unsatisfied(SubIndication.FORMAT_FAILURE, "the content-type attribute does not name the signed content")
    if parsed.digest_algorithm not in _KNOWN_DIGESTS:
        raise Unsatisfied(SubIndication.CRYPTO_CONSTRAINTS_FAILURE, "the digest algorithm is unknown")
    engine = hashlib.new(parsed.digest_algorithm, usedforsecurity=False)
    for part in parts:
        engine.update(part)
    if not hmac.compare_digest(engine.digest(), parsed.message_digest):
        raise Unsatisfied(SubIndication.HASH_FAILURE, "the signed bytes were changed")


def verify_value(parsed: ParsedSignedData, certificate: Certificate) -> None:
    """Check the signature value over the signed attributes with the certificate's key.

    Raises:
        Unsatisfied: SIG_CRYPTO_FAILURE, or CRYPTO_CONSTRAINTS_FAILURE where the algorithm or key is not accepted.
    """
    if parsed.signed_attributes is None:
        raise Unsatisfied(SubIndication.FORMAT_FAILURE, "the signature has no signed attributes")
    try:
        verify_signature(
            certificate.spki,
            parsed.algorithm,
            parsed.signature,
            parsed.signed_attributes,
            digest=None if parsed.algorithm_name == "ed25519" else parsed.digest_algorithm,
        )
    except SignatureInvalid as error:
        raise Unsatisfied(SubIndication.SIG_CRYPTO_FAILURE, "the signature value does not verify") from error
    except (AlgorithmRefused, KeyRefused) as error:
        raise Unsatisfied(SubIndication.CRYPTO_CONSTRAINTS_FAILURE, str(error)) from error


def identify_signer(parsed: ParsedSignedData, further: Iterable[Certificate] = ()) -> Certificate:
    """Return the signing certificate (EN 319 102-1 cl. 5.2.3), without judging it.

    Raises:
        Unsatisfied: NO_SIGNING_CERTIFICATE_FOUND, also where the ESS attribute names another certificate.
    """
    candidates = [item for item in (*parsed.certificates, *further) if _is_named(item, parsed.signer)]
    if not candidates:
        raise Unsatisfied(SubIndication.NO_SIGNING_CERTIFICATE_FOUND, "the signing certificate is not in the document")
    if not parsed.ess:
        return candidates[0]
    for candidate in candidates:
        if _matches(parsed.ess[0], candidate):
            return candidate
    raise Unsatisfied(
        SubIndication.NO_SIGNING_CERTIFICATE_FOUND, "the signing-certificate attribute names another certificate"
    )


def _is_named(certificate: Certificate, signer: SignerIdentifier) -> bool:
    if signer.key_identifier is not None:
        return certificate.key_identifier == signer.key_identifier
    return certificate.serial == signer.serial and certificate.issuer == signer.issuer


def _matches(ess: EssCertId, certificate: Certificate) -> bool:
    if ess.digest_algorithm not in _KNOWN_DIGESTS:
        return False
    digest = hashlib.new(ess.digest_algorithm, certificate.der, usedforsecurity=False).digest()
    return hmac.compare_digest(digest, ess.digest) and ess.serial in (None, certificate.serial)


def _attributes(attributes: core.SetOf) -> dict[str, core.SetOf]:
    result: dict[str, core.SetOf] = {}
    if isinstance(attributes, core.Void):
        return result
    for attribute in attributes:
        name = attribute["type"].dotted
        if name in result:
            raise CmsMalformed("an attribute occurs twice")  # RFC 5652 sec. 11: one AttributeValue set
        result[name] = attribute["values"]
    return result


def _single(attributes: dict[str, core.SetOf], name: str) -> core.Asn1Value | None:
    values = attributes.get(name)
    if values is None:
        return None
    if len(values) != 1:
        raise CmsMalformed("an attribute must have exactly one value")
    return values[0]


def _single_dotted(attributes: dict[str, core.SetOf], name: str) -> str | None:
    value = _single(attributes, name)
    return None if value is None else str(value.dotted)


def _single_bytes(attributes: dict[str, core.SetOf], name: str) -> bytes | None:
    value = _single(attributes, name)
    return None if value is None else bytes(value.native)


def _signing_time(attributes: dict[str, core.SetOf]) -> datetime | None:
    value = _single(attributes, _SIGNING_TIME)
    moment = None if value is None else value.native
    return moment.astimezone(UTC) if isinstance(moment, datetime) else None


def _ess(attributes: dict[str, core.SetOf]) -> tuple[EssCertId, ...]:
    second, first = _single(attributes, _ESS_V2), _single(attributes, _ESS_V1)
    if second is not None:
        found = tsp.SigningCertificateV2.load(second.dump())["certs"]
        return tuple(
            EssCertId(item["hash_algorithm"]["algorithm"].native, item["cert_hash"].native, _ess_serial(item))
            for item in found
        )
    if first is not None:
        found = tsp.SigningCertificate.load(first.dump())["certs"]
        return tuple(EssCertId("sha1", item["cert_hash"].native, _ess_serial(item)) for item in found)
    return ()


def _ess_serial(item: core.Sequence) -> int | None:
    named = item["issuer_serial"]
    return None if isinstance(named, core.Void) else int(named["serial_number"].native)


def _signer(identifier: cms.SignerIdentifier) -> SignerIdentifier:
    chosen = identifier.chosen
    if identifier.name == "subject_key_identifier":
        return SignerIdentifier(None, None, chosen.native)
    return SignerIdentifier(chosen["issuer"].dump(), chosen["serial_number"].native, None)


def _certificates(found: cms.CertificateSet) -> tuple[Certificate, ...]:
    if isinstance(found, core.Void):
        return ()
    if len(found) > _MAX_CERTIFICATES:
        raise CmsMalformed("the signature value carries too many certificates")
    return tuple(parse_certificate(item.chosen.dump()) for item in found if item.name == "certificate")


def _timestamps(attributes: dict[str, core.SetOf]) -> tuple[bytes, ...]:
    values = attributes.get(_SIGNATURE_TIMESTAMP)
    if values is None:
        return ()
    if len(values) > _MAX_TIMESTAMPS:
        raise CmsMalformed("the signature value carries too many time stamps")
    return tuple(item.dump() for item in values)


def _crls(found: cms.RevocationInfoChoices) -> tuple[bytes, ...]:
    if isinstance(found, core.Void):
        return ()
    return tuple(item.chosen.dump() for item in found if item.name == "")


def _adobe_revocation(attributes: dict[str, core.SetOf]) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Read adbe-revocationInfoArchival (ISO 32000-1 cl. 12.8.3.3.2): CRLs and OCSP responses."""
    value = _single(attributes, _ADOBE_REVOCATION)
    if value is None:
        return (), ()
    archival = cms.RevocationInfoArchival.load(value.dump())
    crls, answers = archival["crl"], archival["ocsp"]
    return (
        () if isinstance(crls, core.Void) else tuple(item.dump() for item in crls),
        () if isinstance(answers, core.Void) else tuple(item.dump() for item in answers),
    )

"""X.509 certificates as values.

Owns:    `Certificate`: the facts of one DER certificate that validation asks for, read once. Leaves judging to `path`.
Rules:   everything is read when the value is made, so that a broken certificate fails here and nowhere later;
         a certificate is looked up by its bytes in a bounded cache.
Spec:    RFC 5280 sec. 4
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from asn1crypto import x509

import trust_lists.asn1_oids  # noqa: F401 - registers the SM names before anything is parsed
from signing.errors import CmsMalformed
from trust_lists.algorithms import SignatureAlgorithm

MAX_CERTIFICATE_BYTES = 100_000
_MAX_URLS = 8
_HANDLED_CRITICAL = frozenset(
    {"basic_constraints", "key_usage", "extended_key_usage", "certificate_policies", "crl_distribution_points",
     "key_identifier", "authority_key_identifier", "subject_alt_name", "issuer_alt_name", "qc_statements"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Certificate:
    """One parsed certificate; nothing of it is verified.

    Attributes:
        der: the bytes.
        subject: DER of the Name.
        issuer: DER of the Name.
        subject_text: for reports.
        issuer_text: for reports.
        serial: serialNumber.
        spki: SubjectPublicKeyInfo, DER.
        tbs: the signed bytes.
        algorithm: of the issuer's signature.
        signature: its value.
        not_before: begin of validity.
        not_after: end of validity.
        is_ca: basicConstraints cA.
        path_length: pathLenConstraint, or None.
        key_usage: asn1crypto's names, or None when the extension is absent.
        extended_key_usage: dotted OIDs, or None when the extension is absent.
        extended_key_usage_critical: its criticality.
        key_identifier: subjectKeyIdentifier, or None.
        authority_key_identifier: or None.
        crl_urls: http(s) URLs of the CRL distribution points.
        ocsp_urls: http(s) URLs of OCSP responders.
        ocsp_no_check: id-pkix-ocsp-nocheck is present.
        unhandled_critical: names of critical extensions that are not processed here.
        common_name: of the subject.
    """

    der: bytes
    subject: bytes
    issuer: bytes
    subject_text: str
    issuer_text: str
    serial: int
    spki: bytes
    tbs: bytes
    algorithm: SignatureAlgorithm
    signature: bytes
    not_before: datetime
    not_after: datetime
    is_ca: bool
    path_length: int | None
    key_usage: frozenset[str] | None
    extended_key_usage: frozenset[str] | None
    extended_key_usage_critical: bool
    key_identifier: bytes | None
    authority_key_identifier: bytes | None
    crl_urls: tuple[str, ...]
    ocsp_urls: tuple[str, ...]
    ocsp_no_check: bool
    unhandled_critical: tuple[str, ...]
    common_name: str | None

    @property
    def is_self_issued(self) -> bool:
        """Subject and issuer are the same name."""
        return self.subject == self.issuer

    def covers(self, at: datetime) -> bool:
        """Tell whether an instant lies in the validity period (RFC 5280 sec. 4.1.2.5, inclusive)."""
        return self.not_before <= at <= self.not_after


@lru_cache(maxsize=2048)
def parse_certificate(der: bytes) -> Certificate:
    """Read a certificate.

    Raises:
        CmsMalformed: not one DER certificate.
    """
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise CmsMalformed("a certificate is too long")
    try:
        return _read(x509.Certificate.load(der, strict=True), der)
    except CmsMalformed:
        raise
    except Exception as error:
        raise CmsMalformed("a certificate cannot be read") from error


def _read(parsed: x509.Certificate, der: bytes) -> Certificate:
    tbs = parsed["tbs_certificate"]
    if tbs["signature"].dump() != parsed["signature_algorithm"].dump():
        raise CmsMalformed("a certificate names two signature algorithms")  # RFC 5280 sec. 4.1.1.2
    constraints = parsed.basic_constraints_value
    usage = parsed.key_usage_value
    extended = parsed.extended_key_usage_value
    identifier, authority = parsed.key_identifier_value, parsed.authority_key_identifier_value
    common_name = parsed.subject.native.get("common_name")
    return Certificate(
        der=der,
        subject=parsed.subject.dump(),
        issuer=parsed.issuer.dump(),
        subject_text=parsed.subject.human_friendly,
        issuer_text=parsed.issuer.human_friendly,
        serial=parsed.serial_number,
        spki=tbs["subject_public_key_info"].dump(),
        tbs=tbs.dump(),
        algorithm=SignatureAlgorithm.from_asn1(parsed["signature_algorithm"]),
        signature=parsed["signature_value"].native,
        not_before=parsed.not_valid_before.astimezone(UTC),
        not_after=parsed.not_valid_after.astimezone(UTC),
        is_ca=bool(constraints is not None and constraints["ca"].native),
        path_length=None if constraints is None else constraints["path_len_constraint"].native,
        key_usage=None if usage is None else frozenset(usage.native),
        extended_key_usage=None if extended is None else frozenset(item.dotted for item in extended),
        extended_key_usage_critical="extended_key_usage" in parsed.critical_extensions,
        key_identifier=None if identifier is None else identifier.native,
        authority_key_identifier=None if authority is None else authority["key_identifier"].native,
        crl_urls=_urls(point.url for point in parsed.crl_distribution_points),
        ocsp_urls=_urls(parsed.ocsp_urls),
        ocsp_no_check=parsed.ocsp_no_check_value is not None,
        unhandled_critical=tuple(sorted(parsed.critical_extensions - _HANDLED_CRITICAL)),
        common_name=common_name if isinstance(common_name, str) else None,
    )


def _urls(found: object) -> tuple[str, ...]:
    items = [item for item in found if isinstance(item, str)]  # type: ignore[attr-defined]  # asn1crypto is untyped
    return tuple(item for item in items if item.startswith(("http://", "https://")) and len(item) < 2000)[:_MAX_URLS]

"""The words of signature validation.

Owns:    levels, indications, sub-indications, evidence, and the values that pass between the layers. Leaves JSON to `report`.
Rules:   every value is frozen; instants are aware UTC; certificates and CMS are DER bytes.
Spec:    ETSI EN 319 102-1 V1.4.1 cl. 5.1.3 (tables 5 and 6), EN 319 142-1 cl. 6 (baseline levels)
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum

from trust_lists.recognition import StandingRow


class SignatureLevel(StrEnum):
    """PAdES baseline levels (EN 319 142-1 cl. 6.1)."""

    B_B = "B-B"
    B_T = "B-T"
    B_LT = "B-LT"
    B_LTA = "B-LTA"


class SignatureFormat(StrEnum):
    """What the /SubFilter says the signature is."""

    PADES = "PAdES"
    PADES_SM2 = "PAdES structure, SM2 suite (GM/T)"
    PKCS7 = "PKCS7"
    DOCUMENT_TIMESTAMP = "document timestamp"
    UNKNOWN = "unknown"


class Indication(StrEnum):
    """EN 319 102-1 table 5; `NO_SIGNATURE` is ours, for a file without any."""

    TOTAL_PASSED = "TOTAL_PASSED"
    TOTAL_FAILED = "TOTAL_FAILED"
    INDETERMINATE = "INDETERMINATE"
    NO_SIGNATURE = "NO_SIGNATURE"


class SubIndication(Enum):
    """EN 319 102-1 table 6, each with the indication it belongs to."""

    FORMAT_FAILURE = Indication.TOTAL_FAILED, "FORMAT_FAILURE"
    HASH_FAILURE = Indication.TOTAL_FAILED, "HASH_FAILURE"
    SIG_CRYPTO_FAILURE = Indication.TOTAL_FAILED, "SIG_CRYPTO_FAILURE"
    REVOKED = Indication.TOTAL_FAILED, "REVOKED"
    EXPIRED = Indication.TOTAL_FAILED, "EXPIRED"
    NOT_YET_VALID = Indication.TOTAL_FAILED, "NOT_YET_VALID"
    SIG_CONSTRAINTS_FAILURE = Indication.INDETERMINATE, "SIG_CONSTRAINTS_FAILURE"
    CHAIN_CONSTRAINTS_FAILURE = Indication.INDETERMINATE, "CHAIN_CONSTRAINTS_FAILURE"
    CERTIFICATE_CHAIN_GENERAL_FAILURE = Indication.INDETERMINATE, "CERTIFICATE_CHAIN_GENERAL_FAILURE"
    CRYPTO_CONSTRAINTS_FAILURE = Indication.INDETERMINATE, "CRYPTO_CONSTRAINTS_FAILURE"
    POLICY_PROCESSING_ERROR = Indication.INDETERMINATE, "POLICY_PROCESSING_ERROR"
    SIGNATURE_POLICY_NOT_AVAILABLE = Indication.INDETERMINATE, "SIGNATURE_POLICY_NOT_AVAILABLE"
    TIMESTAMP_ORDER_FAILURE = Indication.INDETERMINATE, "TIMESTAMP_ORDER_FAILURE"
    NO_SIGNING_CERTIFICATE_FOUND = Indication.INDETERMINATE, "NO_SIGNING_CERTIFICATE_FOUND"
    NO_CERTIFICATE_CHAIN_FOUND = Indication.INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND"
    NO_CERTIFICATE_CHAIN_FOUND_NO_POE = Indication.INDETERMINATE, "NO_CERTIFICATE_CHAIN_FOUND_NO_POE"
    REVOKED_NO_POE = Indication.INDETERMINATE, "REVOKED_NO_POE"
    REVOKED_CA_NO_POE = Indication.INDETERMINATE, "REVOKED_CA_NO_POE"
    OUT_OF_BOUNDS_NO_POE = Indication.INDETERMINATE, "OUT_OF_BOUNDS_NO_POE"
    OUT_OF_BOUNDS_NOT_REVOKED = Indication.INDETERMINATE, "OUT_OF_BOUNDS_NOT_REVOKED"
    REVOCATION_OUT_OF_BOUNDS_NO_POE = Indication.INDETERMINATE, "REVOCATION_OUT_OF_BOUNDS_NO_POE"
    CRYPTO_CONSTRAINTS_FAILURE_NO_POE = Indication.INDETERMINATE, "CRYPTO_CONSTRAINTS_FAILURE_NO_POE"
    NO_POE = Indication.INDETERMINATE, "NO_POE"
    TRY_LATER = Indication.INDETERMINATE, "TRY_LATER"
    SIGNED_DATA_NOT_FOUND = Indication.INDETERMINATE, "SIGNED_DATA_NOT_FOUND"

    @property
    def indication(self) -> Indication:
        """The main indication that this one refines."""
        return self.value[0]

    @property
    def word(self) -> str:
        """The standard's word."""
        return self.value[1]


class IntegrityVerdict(StrEnum):
    """What can be said without any trust anchor."""

    OK = "ok"
    MODIFIED = "modified"
    BROKEN = "broken"
    MALFORMED = "malformed"
    NONE = "none"


class Coverage(StrEnum):
    """How much of the file the signature's ByteRange covers."""

    WHOLE_FILE = "whole_file"
    WHOLE_REVISION = "whole_revision"
    """The file as it was when signed; later revisions follow."""
    UNCLEAR = "unclear"


class Modification(StrEnum):
    """What later revisions changed."""

    NONE = "none"
    VALIDATION_DATA = "validation_data"
    """Only validation data and document time stamps were added."""
    SIGNATURES = "further_signatures"
    """Further signatures were made."""
    FORM_FILLING = "form_filling"
    """Form fields were filled."""
    OTHER = "other"
    """Something else, or it cannot be told."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a signature does not pass: the sub-indication and one sentence."""

    sub_indication: SubIndication
    detail: str


class Unsatisfied(Exception):
    """A rule of the validation process that is not satisfied; caught where the signature's verdict is formed."""

    def __init__(self, sub_indication: SubIndication, detail: str) -> None:
        super().__init__(detail)
        self.finding = Finding(sub_indication, detail)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Revocation data and certificates that came from outside the document.

    Attributes:
        crls: CertificateList, DER.
        ocsp_responses: OCSPResponse, DER.
        certificates: further certificates, DER.
        missing: URLs that were not fetched, each with the reason (offline, refused, failed).
    """

    crls: tuple[bytes, ...] = ()
    ocsp_responses: tuple[bytes, ...] = ()
    certificates: tuple[bytes, ...] = ()
    missing: tuple[str, ...] = ()

    def joined(self, other: "Evidence") -> "Evidence":
        """Return both together."""
        return Evidence(
            self.crls + other.crls,
            self.ocsp_responses + other.ocsp_responses,
            self.certificates + other.certificates,
            self.missing + other.missing,
        )


@dataclass(frozen=True, slots=True)
class TimestampReport:
    """One time stamp as it was judged."""

    kind: str
    time: datetime | None
    signer: str
    indication: Indication
    sub_indication: SubIndication | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SignerReport:
    """Who signed, from the certificate; `name` is the common name, else the whole subject."""

    name: str
    subject: str
    issuer: str
    serial: str
    region: str | None


@dataclass(frozen=True, slots=True)
class IntegrityReport:
    """The checks that need no trust anchor; each is `ok` or a short word for what failed."""

    digest: str
    signature_value: str
    byte_range: str
    coverage: Coverage
    modification: Modification
    verdict: IntegrityVerdict


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """One signature's verdict."""

    field: str
    indication: Indication
    sub_indication: SubIndication | None
    detail: str
    level: SignatureLevel | None
    format: SignatureFormat
    algorithm: str
    digest_algorithm: str
    integrity: IntegrityReport
    signer: SignerReport | None
    claimed_signing_time: datetime | None
    best_signature_time: datetime | None
    best_signature_time_proven: bool
    timestamps: tuple[TimestampReport, ...] = ()
    standing: tuple[StandingRow, ...] = ()
    warnings: tuple[str, ...] = ()
    signer_certificate: bytes = b""
    """DER, for qualification; not part of the JSON."""
    issuer_certificate: bytes = b""
    """DER of the certificate whose key signed it, empty when no path is known."""

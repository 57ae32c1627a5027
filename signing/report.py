"""The validation report: the value, its JSON, its sentence.

Owns:    `ValidationReport` and the promised JSON of `validate --json`. Leaves how the verdicts came about to `validation`.
Rules:   a report has no truth value; the file's indication is the worst of its signatures'.
Spec:    the project's interfaces, `validate --json`; words of ETSI EN 319 102-1 and TS 119 102-2
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

from signing.errors import RequestRefused
from signing.model import (
    Indication,
    IntegrityVerdict,
    SignatureReport,
    TimestampReport,
)

Json = dict[str, object]
_INDICATION_ORDER = (Indication.TOTAL_FAILED, Indication.INDETERMINATE, Indication.TOTAL_PASSED)
_INTEGRITY_ORDER = (
    IntegrityVerdict.MALFORMED,
    IntegrityVerdict.BROKEN,
    IntegrityVerdict.MODIFIED,
    IntegrityVerdict.OK,
    IntegrityVerdict.NONE,
)


@dataclass(frozen=True, slots=True)
class ReportError:
    """Why there is no verdict on the signatures."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class CitedSnapshot:
    """The trust list that the report rests on."""

    version: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """The verdict on one file.

    Attributes:
        indication: worst over the signatures.
        integrity_verdict: worst over signatures and document time stamps, without any anchor.
        signatures: in the order in which they were made.
        document_timestamps: likewise.
        at: validation time.
        policy: its name.
        missing: evidence that could not be had.
        snapshot: the list cited, or None.
        error: set when the file could not be judged.
    """

    indication: Indication
    integrity_verdict: IntegrityVerdict
    signatures: tuple[SignatureReport, ...]
    document_timestamps: tuple[TimestampReport, ...]
    at: datetime
    policy: str
    missing: tuple[str, ...] = ()
    snapshot: CitedSnapshot | None = None
    error: ReportError | None = None

    def __bool__(self) -> NoReturn:
        raise TypeError("a report has no truth value; look at its indication")

    @classmethod
    def of(
        cls,
        signatures: tuple[SignatureReport, ...],
        times: tuple[TimestampReport, ...],
        time_integrity: Sequence[IntegrityVerdict],
        at: datetime,
        policy: str,
        missing: tuple[str, ...],
    ) -> "ValidationReport":
        """Join the verdicts.

        A file with document time stamps alone has no signature: sound ones never make it TOTAL_PASSED, since a reader who asks
        for a signature would be told of one; bad ones are told.
        """
        bad_times = [item.indication for item in times if item.indication is not Indication.TOTAL_PASSED]
        indications = [item.indication for item in signatures] or bad_times
        verdicts = [item.integrity.verdict for item in signatures] + list(time_integrity)
        return cls(worst_indication(indications), worst_integrity(verdicts), signatures, times, at, policy, missing)

    @classmethod
    def unreadable(cls, error: ReportError, at: datetime, policy: str) -> "ValidationReport":
        """The report on a file that could not be read at all: nothing is known of it, so nothing passes."""
        return cls(Indication.INDETERMINATE, IntegrityVerdict.MALFORMED, (), (), at, policy, error=error)

    def to_json(self, file: str = "") -> Json:
        """Return the promised object."""
        return {
            "file": file,
            "indication": self.indication.value,
            "integrity_verdict": self.integrity_verdict.value,
            "signatures": [_signature(item) for item in self.signatures],
            "snapshot": {"version": self.snapshot.version, "sha256": self.snapshot.sha256} if self.snapshot else None,
            "error": {"code": self.error.code, "detail": self.error.detail} if self.error else None,
            "document_timestamps": [_timestamp(item) for item in self.document_timestamps],
            "validation_time": _instant(self.at),
            "policy": self.policy,
            "missing_evidence": list(self.missing),
            "sentence": self.sentence(),
        }

    def sentence(self) -> str:
        """Say the verdict in one English sentence."""
        if self.error is not None:
            return f"The file could not be judged: {self.error.detail}."
        if not self.signatures:
            return (
                "The file carries no signature."
                if not self.document_timestamps
                else "The file carries time stamps only."
            )
        return " ".join(_sentence(item) for item in self.signatures)


def narrowed(report: ValidationReport, purpose: str, file: str = "") -> Json:
    """Return the report's JSON; with a purpose, only its standing rows.

    Raises:
        RequestRefused: the trust list knows no such purpose.
    """
    found = report.to_json(file)
    if not purpose:
        return found
    signatures = found["signatures"]
    for signature in signatures if isinstance(signatures, list) else []:
        rows = [row for row in signature["standing"] if row["purpose"] == purpose]
        if signature["standing"] and not rows:
            raise RequestRefused("the trust list knows no such purpose")
        signature["standing"] = rows
    return found


def worst_indication(found: Iterable[Indication]) -> Indication:
    """Return the worst; NO_SIGNATURE for none."""
    return min(found, key=_INDICATION_ORDER.index, default=Indication.NO_SIGNATURE)


def worst_integrity(found: Iterable[IntegrityVerdict]) -> IntegrityVerdict:
    """Return the worst; `none` for none."""
    return min(found, key=_INTEGRITY_ORDER.index, default=IntegrityVerdict.NONE)


def _sentence(signature: SignatureReport) -> str:
    who = signature.signer.name if signature.signer else "an unknown signer"
    if signature.indication is not Indication.TOTAL_PASSED:
        code = signature.sub_indication.word if signature.sub_indication else ""
        return f"The signature by {who} does not pass ({signature.indication.value}, {code}): {signature.detail}."
    when = f"{signature.best_signature_time:%d %b %Y %H:%M UTC}" if signature.best_signature_time else ""
    proof = f"proven before {when}" if signature.best_signature_time_proven else "at a time that nothing proves"
    return f"Signed by {who}, {proof}; unchanged since."


def _signature(item: SignatureReport) -> Json:
    return {
        "field": item.field,
        "indication": item.indication.value,
        "sub_indication": item.sub_indication.word if item.sub_indication else None,
        "detail": item.detail,
        "level": item.level.value if item.level else None,
        "format": item.format.value,
        "algorithm": item.algorithm,
        "digest_algorithm": item.digest_algorithm,
        "integrity": {
            "digest": item.integrity.digest,
            "signature_value": item.integrity.signature_value,
            "byte_range": item.integrity.byte_range,
            "coverage": item.integrity.coverage.value,
            "modification": item.integrity.modification.value,
        },
        "signer": None
        if item.signer is None
        else {
            "name": item.signer.name,
            "subject": item.signer.subject,
            "issuer": item.signer.issuer,
            "serial": item.signer.serial,
            "region": item.signer.region,
        },
        "claimed_signing_time": _instant(item.claimed_signing_time),
        "best_signature_time": _instant(item.best_signature_time),
        "best_signature_time_proven": item.best_signature_time_proven,
        "timestamps": [_timestamp(stamp) for stamp in item.timestamps],
        "standing": [row.to_json() for row in item.standing],
        "warnings": list(item.warnings),
    }


def _timestamp(item: TimestampReport) -> Json:
    return {
        "kind": item.kind,
        "time": _instant(item.time),
        "signer": item.signer,
        "indication": item.indication.value,
        "sub_indication": item.sub_indication.word if item.sub_indication else None,
        "detail": item.detail,
    }


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")

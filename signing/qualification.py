"""What a signature is worth where: path and trust list joined.

Owns:    one row per region and purpose for every signature of a report. Leaves the rule to `trust_lists.recognition`.
Rules:   the rule is asked at the best-signature-time; a signature that does not pass is recognised nowhere;
         the snapshot is cited in the report.
Spec:    the shape of ETSI TS 119 615 cl. 4.4 over our three-region list
"""

from dataclasses import replace

from signing.model import Indication, SignatureReport
from signing.report import CitedSnapshot, ValidationReport
from trust_lists.errors import TrustListError
from trust_lists.recognition import Effect, StandingRow, standing
from trust_lists.snapshot import Snapshot


def qualify(report: ValidationReport, snapshot: Snapshot) -> ValidationReport:
    """Return the report with its standing rows and the snapshot that they come from."""
    cited = CitedSnapshot(snapshot.version, snapshot.sha256)
    signatures = tuple(replace(item, standing=_rows(item, snapshot)) for item in report.signatures)
    return replace(report, signatures=signatures, snapshot=cited)


def _rows(signature: SignatureReport, snapshot: Snapshot) -> tuple[StandingRow, ...]:
    rows = _asked(signature, snapshot)
    if signature.indication is Indication.TOTAL_PASSED:
        return rows
    code = signature.sub_indication.word if signature.sub_indication else signature.indication.value
    return tuple(
        row
        if row.effect is Effect.NOT_RECOGNISED
        else replace(row, effect=Effect.NOT_RECOGNISED, agreement=None, reason=f"The signature does not pass: {code}.")
        for row in rows
    )


def _asked(signature: SignatureReport, snapshot: Snapshot) -> tuple[StandingRow, ...]:
    if signature.issuer_certificate and signature.signer_certificate and signature.best_signature_time is not None:
        try:
            return standing(
                snapshot, signature.signer_certificate, signature.issuer_certificate, signature.best_signature_time
            )
        except TrustListError:
            pass  # a certificate that the list cannot read is recognised nowhere
    reason = "The issuer's key is not on the trust list."
    return tuple(
        StandingRow(purpose.region, purpose.name, Effect.NOT_RECOGNISED, None, None, reason)
        for purpose in snapshot.scheme.purposes
    )

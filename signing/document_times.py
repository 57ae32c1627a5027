"""Document time stamps: proofs of existence for everything they cover.

Owns:    judging them from the last to the first, each at the time that a later one proves. Leaves single tokens to `timestamps`.
Spec:    ETSI EN 319 142-1 cl. 5.4.3, EN 319 102-1 cl. 5.6.2 (proofs of existence)
"""

from collections.abc import Sequence
from dataclasses import dataclass

from signing import cms, modification
from signing.anchors import Anchor
from signing.chain import ProvenTime, TrustMaterial
from signing.changes import Changes
from signing.document import EmbeddedSignature, SignedDocument, digest_parts
from signing.errors import CmsMalformed
from signing.model import Indication, IntegrityVerdict, Modification, SubIndication, TimestampReport, Unsatisfied
from signing.timestamps import judge_token


@dataclass(frozen=True, slots=True)
class DocumentTime:
    """One judged document time stamp.

    Attributes:
        field: its field.
        covered_end: end of the bytes it covers.
        report: for readers.
        proof: what it proves, or None.
        integrity: what can be said of it without an anchor.
    """

    field: str
    covered_end: int
    report: TimestampReport
    proof: ProvenTime | None
    integrity: IntegrityVerdict

    def covers(self, signature: EmbeddedSignature) -> bool:
        """Tell whether the signature lies within what this one covers."""
        return 0 < signature.covered_end < self.covered_end


def judge_document_times(
    signed: SignedDocument, anchors: Sequence[Anchor], material: TrustMaterial
) -> tuple[DocumentTime, ...]:
    """Judge all document time stamps; returned in document order."""
    judged: list[DocumentTime] = []
    control = ProvenTime(material.now)
    for embedded in reversed([item for item in signed.signatures if item.is_document_timestamp]):
        found = _judge(signed, embedded, anchors, material, control)
        if found.proof is not None:
            control = found.proof
        judged.append(found)
    return tuple(reversed(judged))


def _judge(
    signed: SignedDocument,
    embedded: EmbeddedSignature,
    anchors: Sequence[Anchor],
    material: TrustMaterial,
    control: ProvenTime,
) -> DocumentTime:
    kind = f"document timestamp {embedded.field}"
    if embedded.problems or embedded.byte_range is None:
        problem = embedded.problems[0]
        report = TimestampReport(
            kind, None, "", Indication.TOTAL_FAILED, SubIndication.FORMAT_FAILURE, problem.sentence
        )
        return DocumentTime(embedded.field, embedded.covered_end, report, None, problem.verdict)
    try:
        der = cms.unpadded(embedded.contents)
    except CmsMalformed as error:
        report = TimestampReport(kind, None, "", Indication.TOTAL_FAILED, SubIndication.FORMAT_FAILURE, str(error))
        return DocumentTime(embedded.field, embedded.covered_end, report, None, IntegrityVerdict.MALFORMED)
    judged = judge_token(der, digest_parts(signed.data, embedded.byte_range), anchors, material, control, kind)
    integrity = IntegrityVerdict.OK if judged.intact else IntegrityVerdict.BROKEN
    change = modification.classify(signed, embedded) if judged.intact else Changes(Modification.NONE)
    try:
        modification.check_permitted(change, embedded, material.policy)
    except Unsatisfied as failure:
        finding = failure.finding
        report = TimestampReport(
            kind,
            judged.report.time,
            judged.report.signer,
            finding.sub_indication.indication,
            finding.sub_indication,
            finding.detail,
        )
        # The proof stands: the covered bytes did exist then. What came later is the matter of the signatures.
        return DocumentTime(embedded.field, embedded.covered_end, report, judged.proof, IntegrityVerdict.MODIFIED)
    return DocumentTime(embedded.field, embedded.covered_end, judged.report, judged.proof, integrity)

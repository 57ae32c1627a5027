"""Raising the level of the signatures in a document.

Owns:    the steps from B-B to B-LTA, each an incremental update. Leaves containers to the workers, tokens to `tsa`.
Rules:   1 a time stamp added now proves now: nothing is back-dated
         2 validation data is added only for signatures that pass our own validation
         3 the level that was asked for is reached, and our own validation finds it, or nothing is made
Spec:    ETSI EN 319 142-1 cl. 5.4 (DSS, document time stamp) and cl. 6.3 table 1
"""

import hashlib
from collections.abc import Callable
from datetime import datetime

from signing import cms
from signing.anchors import TrustAnchors
from signing.creation import TIMESTAMP_ROOM_BYTES, accept_output, fill
from signing.document import digest_parts, read
from signing.errors import CmsMalformed, RequestRefused, SignatureRejected
from signing.evidence import EvidenceSource
from signing.model import Evidence, Indication, IntegrityVerdict, SignatureLevel
from signing.policy import DEFAULT, Policy
from signing.report import ValidationReport
from signing.timestamp import parse_timestamp
from signing.tsa import TimestampClient
from signing.worker_client import PdfWorkers
from trust_lists.snapshot import Snapshot

Anchors = Snapshot | TrustAnchors


class Extender:
    """Raises levels; one object for many documents."""

    def __init__(
        self,
        workers: PdfWorkers,
        timestamps: TimestampClient,
        source: EvidenceSource,
        clock: Callable[[], datetime],
        policy: Policy = DEFAULT,
    ) -> None:
        self._workers = workers
        self._timestamps = timestamps
        self._source = source
        self._clock = clock
        self._policy = policy

    async def extend(self, document: bytes, level: SignatureLevel, anchors: Anchors) -> bytes:
        """Return the document with every signature at the level or above.

        Raises:
            RequestRefused: nothing to extend, or a level that cannot be asked for.
            SignatureRejected: a signature does not pass, with its sub-indication.
            TsaUnavailable: no time stamp.
        """
        if level is SignatureLevel.B_B:
            raise RequestRefused("B-B is the lowest level: there is nothing to add")
        trusted = bool(tuple(anchors.anchors()))
        report, _ = await self._judge(document, anchors)
        fields = _check_extendable(report, trusted=trusted)
        if any(item.level is SignatureLevel.B_B for item in report.signatures):
            document = await self.add_document_timestamp(document)
        if level in (SignatureLevel.B_LT, SignatureLevel.B_LTA):
            document = await self._add_validation_data(document, anchors, trusted=trusted)
        if level is SignatureLevel.B_LTA:
            document = await self.add_document_timestamp(document)
        report, _ = await self._judge(document, anchors)
        for field in fields:
            accept_output(report, field, level, trusted=trusted)
        return document

    async def add_document_timestamp(self, document: bytes) -> bytes:
        """Return the document with a document time stamp over all of it."""
        reserved = await self._workers.reserve_timestamp(document, TIMESTAMP_ROOM_BYTES, self._clock())
        covered = (0, reserved.gap_start, reserved.gap_end, len(reserved.data) - reserved.gap_end)
        engine = hashlib.sha256()
        for part in digest_parts(reserved.data, covered):
            engine.update(part)
        token = await self._timestamps.stamp_digest(engine.digest())
        return fill(reserved.data, reserved.gap_start, reserved.gap_end, token)

    async def _judge(self, document: bytes, anchors: Anchors) -> tuple[ValidationReport, Evidence]:
        return await self._workers.validate_and_gather(document, anchors, self._policy, self._clock(), self._source)

    async def _add_validation_data(self, document: bytes, anchors: Anchors, *, trusted: bool) -> bytes:
        if not trusted:
            raise RequestRefused("validation data can be gathered only with a trust list or trusted roots")
        report, evidence = await self._judge(document, anchors)
        _check_extendable(report, trusted=True)
        roots = tuple(item.certificate for item in anchors.anchors())
        certificates = tuple(dict.fromkeys((*_certificates_in(document), *roots, *evidence.certificates)))
        return await self._workers.add_validation_data(document, certificates, evidence.crls, evidence.ocsp_responses)


def _check_extendable(report: ValidationReport, *, trusted: bool) -> tuple[str, ...]:
    if report.error is not None:
        raise SignatureRejected(report.error.detail, report.error.code)
    if not report.signatures:
        raise RequestRefused("the document carries no signature")
    for item in report.signatures:
        passes = (
            item.indication is Indication.TOTAL_PASSED if trusted else item.integrity.verdict is IntegrityVerdict.OK
        )
        if not passes or item.level is None:
            code = item.sub_indication.word if item.sub_indication else "FORMAT_FAILURE"
            raise SignatureRejected(item.detail or "the signature is of no baseline level", code)
    return tuple(item.field for item in report.signatures)


def _certificates_in(document: bytes) -> tuple[bytes, ...]:
    """Return all certificates of signatures and time stamps; the document has passed our validation already."""
    found: dict[bytes, None] = {}
    for embedded in read(document).signatures:
        try:
            parsed = cms.parse_signed_data(cms.unpadded(embedded.contents))
            tokens = [parse_timestamp(token).signed_data for token in parsed.timestamps]
        except CmsMalformed:
            continue
        for item in (parsed, *tokens):
            found.update(dict.fromkeys(certificate.der for certificate in item.certificates))
    return tuple(found)

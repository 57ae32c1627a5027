"""Our side of the limited process.

Owns:    sending jobs, turning the end of a child without an answer into an error.
Leaves:  the jobs to `worker`, the process to `worker_process`.
Rules:   as many jobs at once as the limits say; a job that breaks its limits is `validation_limit`, and the next one works.
"""

import asyncio
import contextlib
import json
import pickle
import struct
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from signing import errors
from signing.anchors import TrustAnchors
from signing.config import DocumentLimits, WorkerLimits
from signing.creation import PreparedSignature, SigningOptions
from signing.engine import ReservedDocument
from signing.errors import SignatureRejected, SigningError, WorkerUnavailable
from signing.evidence import EvidenceSource
from signing.model import Evidence
from signing.policy import Policy
from signing.qualification import qualify
from signing.report import ReportError, ValidationReport
from signing.transport import decode
from signing.validation import Judgement
from signing.worker import JudgeJob, PrepareJob, TimestampJob, ValidationDataJob, plain_anchors
from signing.worker_process import WorkerProcess
from trust_lists.snapshot import Snapshot

_MAX_ANSWER_BYTES = 400_000_000
_EVIDENCE_ROUNDS = 4
"""The last one judges with everything that could be had."""
_HEADER = struct.Struct(">Q")
Anchors = Snapshot | TrustAnchors
Job = JudgeJob | PrepareJob | TimestampJob | ValidationDataJob


class PdfWorkers:
    """Reads hostile PDFs in limited processes."""

    def __init__(
        self,
        limits: WorkerLimits | None = None,
        document: DocumentLimits | None = None,
        process: WorkerProcess | None = None,
    ) -> None:
        """Start nothing yet; a process that is given stays its owner's, otherwise one is started and ended here."""
        self._limits = limits or WorkerLimits()
        self._document = document or DocumentLimits()
        self._slots = asyncio.Semaphore(self._limits.max_concurrent)
        self._process = process or WorkerProcess()
        self._owns_process = process is None

    async def __aenter__(self) -> "PdfWorkers":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the process, if it is ours."""
        if self._owns_process:
            await asyncio.to_thread(self._process.close)

    async def validate(
        self, document: bytes, anchors: Anchors, policy: Policy, at: datetime, source: EvidenceSource
    ) -> ValidationReport:
        """Validate a file, fetching the revocation data that turns out to be lacking; always returns a report."""
        return (await self.validate_and_gather(document, anchors, policy, at, source))[0]

    async def validate_and_gather(
        self, document: bytes, anchors: Anchors, policy: Policy, at: datetime, source: EvidenceSource
    ) -> tuple[ValidationReport, Evidence]:
        """The same; also return the evidence that was fetched."""
        gathered = Evidence()
        asked: set[tuple[bytes, bytes]] = set()
        travelling = plain_anchors(anchors)
        try:
            for _ in range(_EVIDENCE_ROUNDS):
                job = JudgeJob(document, gathered, travelling, policy, at, self._document)
                judged = decode(Judgement, (await self._run(job))[0])
                lacking = [pair for pair in judged.lacking if pair not in asked]
                if not lacking:
                    break
                asked.update(lacking)
                gathered = gathered.joined(await source.gather(lacking))
        except SigningError as error:
            return ValidationReport.unreadable(ReportError(error.code, str(error)), at, policy.name), gathered
        report = judged.report
        return (qualify(report, anchors) if isinstance(anchors, Snapshot) else report), gathered

    async def prepare(
        self,
        document: bytes,
        certificate: bytes,
        chain: Iterable[bytes],
        options: SigningOptions,
        at: datetime,
        engine: str = "auto",
    ) -> PreparedSignature:
        """Prepare a signature; see `creation.prepare`."""
        job = PrepareJob(document, certificate, tuple(chain), options, engine, at, self._document)
        state, written = await self._run(job)
        return PreparedSignature.from_state(state, written)

    async def reserve_timestamp(self, document: bytes, room_bytes: int, at: datetime) -> ReservedDocument:
        """Make room for a document time stamp; see `creation.reserve_timestamp`."""
        gap, written = await self._run(TimestampJob(document, room_bytes, at, self._document))
        return ReservedDocument(written, int(gap[0]), int(gap[1]))

    async def add_validation_data(
        self, document: bytes, certificates: tuple[bytes, ...], crls: tuple[bytes, ...], responses: tuple[bytes, ...]
    ) -> bytes:
        """Add validation data to the document's store."""
        return (await self._run(ValidationDataJob(document, certificates, crls, responses)))[1]

    async def warm(self) -> None:
        """Start the process now, so that the first file does not wait for its imports.

        Raises:
            WorkerUnavailable: it does not start.
        """
        await asyncio.to_thread(self._process.socket_path)

    async def _run(self, job: Job) -> tuple[Any, bytes]:
        async with self._slots:
            path = await asyncio.to_thread(self._process.socket_path)
            try:
                reader, writer = await asyncio.open_unix_connection(path, limit=1 << 20)
            except OSError as error:
                raise WorkerUnavailable("the limited process does not answer") from error
            try:
                payload = pickle.dumps((job, self._limits))
                writer.write(_HEADER.pack(len(payload)) + payload)
                await writer.drain()
                answer = json.loads(await _read_frame(reader))
                attachment = await _read_frame(reader)
            except (EOFError, OSError, ValueError) as error:
                raise WorkerUnavailable("the file could not be read within the limits of time and memory") from error
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
        if "error" in answer:
            raise _error(answer)
        return answer["result"], attachment


async def _read_frame(reader: asyncio.StreamReader) -> bytes:
    try:
        (length,) = _HEADER.unpack(await reader.readexactly(_HEADER.size))
        if length > _MAX_ANSWER_BYTES:
            raise EOFError
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        raise EOFError from error


def _error(answer: dict[str, str]) -> SigningError:
    kind = getattr(errors, answer["error"], None)
    if kind is SignatureRejected:
        return SignatureRejected(answer["detail"], answer["code"])
    if isinstance(kind, type) and issubclass(kind, SigningError):
        return kind(answer["detail"])
    return WorkerUnavailable("the limited process failed")

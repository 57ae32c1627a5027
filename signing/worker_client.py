"""Our side of the limited process.

Owns:    starting it once, sending jobs, turning its end without an answer into an error. Leaves the jobs to `worker`.
Rules:   as many jobs at once as the limits say; a job that breaks its limits is `validation_limit`, and the next one works;
         the socket lies in a private folder.
"""

import asyncio
import contextlib
import json
import pickle
import shutil
import struct
import sys
import tempfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from signing import errors
from signing.anchors import TrustAnchors
from signing.config import DocumentLimits, WorkerLimits
from signing.creation import PreparedSignature, SigningOptions
from signing.errors import SigningError, WorkerUnavailable
from signing.evidence import EvidenceSource
from signing.model import Evidence
from signing.policy import Policy
from signing.qualification import qualify
from signing.report import ReportError, ValidationReport
from signing.transport import decode
from signing.validation import Judgement
from signing.worker import JudgeJob, PrepareJob, plain_anchors
from trust_lists.snapshot import Snapshot

_MAX_ANSWER_BYTES = 400_000_000
_EVIDENCE_ROUNDS = 3
_HEADER = struct.Struct(">Q")


class PdfWorkers:
    """Reads hostile PDFs in limited processes."""

    def __init__(self, limits: WorkerLimits | None = None, document: DocumentLimits | None = None) -> None:
        """Start nothing yet."""
        self._limits = limits or WorkerLimits()
        self._document = document or DocumentLimits()
        self._slots = asyncio.Semaphore(self._limits.max_concurrent)
        self._starting = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._folder: Path | None = None

    async def __aenter__(self) -> "PdfWorkers":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the process; children end with their jobs."""
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 5)
            if process.returncode is None:
                process.kill()
                await process.wait()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    async def validate(
        self,
        document: bytes,
        anchors: Snapshot | TrustAnchors,
        policy: Policy,
        at: datetime,
        source: EvidenceSource,
        evidence: Evidence | None = None,
    ) -> ValidationReport:
        """Validate a file, fetching the revocation data that turns out to be lacking; always returns a report."""
        gathered = evidence or Evidence()
        asked: set[tuple[bytes, bytes]] = set()
        try:
            for _ in range(_EVIDENCE_ROUNDS):
                job = JudgeJob(document, gathered, plain_anchors(anchors), policy, at, self._document)
                judged = decode(Judgement, (await self._run(job))[0])
                lacking = [pair for pair in judged.lacking if pair not in asked]
                if not lacking:
                    break
                asked.update(lacking)
                gathered = gathered.joined(await source.gather(lacking))
            else:
                judged = decode(Judgement, (await self._run(_again(job, gathered)))[0])
        except SigningError as error:
            return ValidationReport.unreadable(ReportError(error.code, str(error)), at, policy.name)
        return qualify(judged.report, anchors) if isinstance(anchors, Snapshot) else judged.report

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

    async def _run(self, job: JudgeJob | PrepareJob) -> tuple[Any, bytes]:
        async with self._slots:
            path = await self._ready()
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

    async def _ready(self) -> str:
        async with self._starting:
            if self._process is None or self._process.returncode is not None:
                await self.close()
                self._folder = Path(tempfile.mkdtemp(prefix="gba-trust-"))
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "signing.worker",
                    str(self._folder / "socket"),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                )
                if self._process.stdout is None or await self._process.stdout.readline() != b"ready\n":
                    raise WorkerUnavailable("the limited process does not start")
            return str((self._folder or Path()) / "socket")


def _again(job: JudgeJob, evidence: Evidence) -> JudgeJob:
    return JudgeJob(job.document, evidence, job.anchors, job.policy, job.at, job.limits)


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
    if isinstance(kind, type) and issubclass(kind, SigningError):
        return kind(answer["detail"])
    return WorkerUnavailable("the limited process failed")

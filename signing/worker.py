"""The limited process in which hostile PDFs are read.

Owns:    the jobs, the limits, and a parent process that forks one child per job so that a start costs a few milliseconds.
Leaves:  starting it and talking to it to `worker_client`.
Rules:   1 one child, one file, then exit; limits on CPU, memory and time; no network is used here: evidence comes with the job
         2 in comes a pickle from our own process; out goes JSON, since the child has read hostile bytes
         3 the parent ends when its standard input closes, so that nothing outlives the service
Spec:    the project's interfaces: 30 s CPU and 1 GiB a file
"""

import json
import os
import pickle
import resource
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from signing.anchors import NamedRoot
from signing.config import DocumentLimits, WorkerLimits
from signing.creation import PreparedSignature, SigningOptions, prepare, reserve_timestamp
from signing.endesive_engine import EndesiveEngine
from signing.engine import PdfEngine
from signing.errors import EngineRefused, SigningError
from signing.model import Evidence
from signing.policy import Policy
from signing.pyhanko_engine import PyHankoEngine, add_validation_data
from signing.transport import encode
from signing.validation import judge
from trust_lists.model import TrustService

_HEADER = struct.Struct(">Q")
MAX_FRAME_BYTES = 400_000_000


@dataclass(frozen=True, slots=True)
class PlainAnchor:
    """An anchor that can travel."""

    certificate: bytes
    service: TrustService | None


@dataclass(frozen=True, slots=True)
class PlainAnchors:
    """Anchors that can travel: those of a snapshot, or roots."""

    items: tuple[PlainAnchor, ...]

    def anchors(self) -> tuple[PlainAnchor, ...]:
        """All of them."""
        return self.items


@dataclass(frozen=True, slots=True)
class JudgeJob:
    """Validate a file."""

    document: bytes
    evidence: Evidence
    anchors: PlainAnchors
    policy: Policy
    at: datetime
    limits: DocumentLimits


@dataclass(frozen=True, slots=True)
class PrepareJob:
    """Prepare a signature."""

    document: bytes
    certificate: bytes
    chain: tuple[bytes, ...]
    options: SigningOptions
    engine: str
    at: datetime
    limits: DocumentLimits


@dataclass(frozen=True, slots=True)
class TimestampJob:
    """Make room for a document time stamp."""

    document: bytes
    room_bytes: int
    at: datetime
    limits: DocumentLimits


@dataclass(frozen=True, slots=True)
class ValidationDataJob:
    """Add validation data to the document's store."""

    document: bytes
    certificates: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    ocsp_responses: tuple[bytes, ...]


def run_judge(job: JudgeJob) -> tuple[Any, bytes]:
    """Return the judgement as JSON data, and no attachment."""
    judged = judge(job.document, job.evidence, job.anchors, job.policy, job.at, job.limits)
    return encode(judged), b""


def run_prepare(job: PrepareJob) -> tuple[Any, bytes]:
    """Return the prepared state, and the document as attachment."""
    prepared = prepare_with_engines(job)
    return prepared.state(), prepared.document


def prepare_with_engines(job: PrepareJob) -> PreparedSignature:
    """Prepare with the engine of that name; `auto` is pyHanko, which takes every kind of file."""
    engine: PdfEngine
    if job.engine in ("auto", "pyhanko"):
        engine = PyHankoEngine()
    elif job.engine == "endesive":
        engine = EndesiveEngine()
    else:
        raise EngineRefused("there is no such engine; use auto, pyhanko or endesive")
    return prepare(job.document, job.certificate, job.chain, job.options, engine, job.at, job.limits)


def run_timestamp(job: TimestampJob) -> tuple[Any, bytes]:
    """Return the offsets of the gap, and the document as attachment."""
    reserved = reserve_timestamp(job.document, job.room_bytes, job.at, PyHankoEngine(), job.limits)
    return [reserved.gap_start, reserved.gap_end], reserved.data


def run_validation_data(job: ValidationDataJob) -> tuple[Any, bytes]:
    """Return the document as attachment."""
    return None, add_validation_data(job.document, job.certificates, job.crls, job.ocsp_responses)


_JOBS: dict[type, Callable[[Any], tuple[Any, bytes]]] = {
    JudgeJob: run_judge,
    PrepareJob: run_prepare,
    TimestampJob: run_timestamp,
    ValidationDataJob: run_validation_data,
}


def write_frame(stream: socket.socket, *parts: bytes) -> None:
    """Send each part with its length in front."""
    for part in parts:
        stream.sendall(_HEADER.pack(len(part)))
        stream.sendall(part)


def read_frame(stream: socket.socket) -> bytes:
    """Receive one part.

    Raises:
        EOFError: the other side ended, or the frame is too long.
    """
    (length,) = _HEADER.unpack(_receive(stream, _HEADER.size))
    if length > MAX_FRAME_BYTES:
        raise EOFError
    return _receive(stream, length)


def _receive(stream: socket.socket, length: int) -> bytes:
    received = bytearray()
    while len(received) < length:
        chunk = stream.recv(min(1 << 20, length - len(received)))
        if not chunk:
            raise EOFError
        received += chunk
    return bytes(received)


def _limit(limits: WorkerLimits) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (limits.address_space_bytes, limits.address_space_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    signal.alarm(int(limits.wall_time.total_seconds()))


def _serve_one(stream: socket.socket) -> None:
    job, limits = pickle.loads(read_frame(stream))  # noqa: S301 - from our own process over a private socket
    _limit(limits)
    try:
        answer, attachment = _JOBS[type(job)](job)
        write_frame(stream, json.dumps({"result": answer}).encode(), attachment)
    except SigningError as error:
        write_frame(
            stream, json.dumps({"error": type(error).__name__, "code": error.code, "detail": str(error)}).encode(), b""
        )
    except MemoryError:
        write_frame(
            stream, json.dumps({"error": "WorkerUnavailable", "detail": "the file needs too much memory"}).encode(), b""
        )


def _child(stream: socket.socket) -> NoReturn:
    status = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        _serve_one(stream)
        status = 0
    except (EOFError, OSError):
        status = 2
    finally:
        os._exit(status)


def serve(path: str) -> None:
    """Listen on a Unix socket and fork one child per connection, until standard input closes."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by the system
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the service's matter; it closes our standard input
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(64)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            stream, _ = listener.accept()
            with stream:
                if os.fork() == 0:
                    listener.close()
                    _child(stream)


def plain_anchors(items: Any) -> PlainAnchors:  # noqa: ANN401 - any `TrustAnchors`
    """Copy anchors into a form that can travel."""
    return PlainAnchors(
        tuple(
            PlainAnchor(item.certificate, None if isinstance(item, NamedRoot) else item.service)
            for item in items.anchors()
        )
    )

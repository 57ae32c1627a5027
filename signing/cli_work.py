"""The work behind the commands: the same parts as the service, joined for one run.

Owns:    reading anchors from files, lists and URLs, and the order of a local signature. Leaves printing to `cli_output`.
Rules:   keys and certificates are read here and go no further; every output is judged before it is written.
"""

import asyncio
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from asn1crypto import pem

from signing.anchors import TrustAnchors, TrustedRoots
from signing.certificates import parse_certificate
from signing.config import DocumentLimits
from signing.creation import SigningOptions, accept_output, appearance_lines, embed
from signing.errors import CmsMalformed, RequestRefused
from signing.evidence import EvidenceFetcher, EvidenceSource, Offline
from signing.extension import Extender
from signing.http import build_http_client
from signing.local_keys import LocalKey, load_pkcs12
from signing.model import SignatureLevel
from signing.policy import DEFAULT, Policy
from signing.report import Json, ReportError, ValidationReport, narrowed
from signing.tsa import TimestampClient
from signing.worker_client import PdfWorkers
from trust_lists.client import TrustListClient
from trust_lists.clock import utc_now
from trust_lists.snapshot import Snapshot
from trust_lists.workspace import Workspace

_MAX_ROOTS_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What `sign` shall make."""

    level: SignatureLevel
    reason: str | None
    location: str | None
    field: str | None
    box: tuple[int, int, int, int, int] | None
    pss: bool
    engine: str


@dataclass(frozen=True, slots=True)
class Trust:
    """Where trust comes from."""

    trust_list: str | None
    trust_list_root: Path | None
    trusted_roots: tuple[Path, ...]

    async def load(self) -> Snapshot | TrustAnchors:
        """Return the accepted list, or the roots; none of both is integrity alone.

        Raises:
            TrustListError: the list is not accepted.
            RequestRefused: files that cannot be read.
        """
        if self.trust_list is None:
            return TrustedRoots(tuple(root for path in self.trusted_roots for root in _read_roots(path)))
        source, root = _list_source(self.trust_list, self.trust_list_root)
        client = TrustListClient(source, None, root, utc_now)
        try:
            return await client.refresh()
        finally:
            await client.aclose()


@dataclass(frozen=True, slots=True)
class Question:
    """How `validate` shall judge."""

    at: datetime | None
    policy: Policy
    purpose: str | None
    offline: bool


async def sign_file(document: bytes, key_file: Path, password: str, wish: Wish, tsa: str | None, trust: Trust) -> bytes:
    """Return the signed document, accepted by our own validation."""
    key = load_pkcs12(key_file, password)
    anchors = await trust.load()
    async with build_http_client() as http, PdfWorkers() as workers:
        timestamps = TimestampClient(tsa, http) if tsa else None
        evidence = EvidenceFetcher(http)
        base = SignatureLevel.B_B if wish.level is SignatureLevel.B_B else SignatureLevel.B_T
        made, field = await _sign(document, key, wish, base, workers, timestamps)
        if wish.level in (SignatureLevel.B_LT, SignatureLevel.B_LTA) and timestamps is not None:
            made = await Extender(workers, timestamps, evidence, utc_now).extend(made, wish.level, anchors)
        report = await workers.validate(made, anchors, DEFAULT, utc_now(), evidence)
        accept_output(report, field, wish.level, trusted=bool(tuple(anchors.anchors())))
    return made


async def _sign(
    document: bytes,
    key: LocalKey,
    wish: Wish,
    level: SignatureLevel,
    workers: PdfWorkers,
    timestamps: TimestampClient | None,
) -> tuple[bytes, str]:
    appearance = appearance_lines(key.certificate, utc_now(), wish.reason)
    options = SigningOptions(level, wish.reason, wish.location, wish.field, wish.box, appearance, wish.pss)
    prepared = await workers.prepare(document, key.certificate, key.chain, options, utc_now(), wish.engine)
    signature = key.sign(prepared.attributes, prepared.signer.suite)
    token = await timestamps.stamp(signature) if timestamps and level is SignatureLevel.B_T else None
    return embed(prepared, signature, token), prepared.field


async def extend_file(document: bytes, level: SignatureLevel, tsa: str, trust: Trust) -> bytes:
    """Return the document with its signatures at the level."""
    anchors = await trust.load()
    async with build_http_client() as http, PdfWorkers() as workers:
        extender = Extender(workers, TimestampClient(tsa, http), EvidenceFetcher(http), utc_now)
        return await extender.extend(document, level, anchors)


def validate_files(files: list[Path], trust: Trust, question: Question, max_bytes: int) -> Iterator[tuple[Path, Json]]:
    """Yield one report per file, as it is done."""
    with asyncio.Runner() as runner:
        anchors = runner.run(trust.load())
        workers = PdfWorkers(document=DocumentLimits(max_pdf_bytes=max_bytes))
        http = build_http_client()
        source: EvidenceSource = Offline() if question.offline else EvidenceFetcher(http)
        try:
            for path in files:
                yield path, runner.run(_validate(path, workers, anchors, question, source, max_bytes))
        finally:
            runner.run(workers.close())
            runner.run(http.aclose())


async def _validate(
    path: Path,
    workers: PdfWorkers,
    anchors: Snapshot | TrustAnchors,
    question: Question,
    source: EvidenceSource,
    max_bytes: int,
) -> Json:
    at = question.at or utc_now()
    try:
        with path.open("rb") as stream:
            content = stream.read(max_bytes + 1)
    except OSError:
        error = ReportError("file_unreadable", "the file cannot be read")
        return ValidationReport.unreadable(error, at, question.policy.name).to_json(str(path))
    report = await workers.validate(content, anchors, question.policy, at, source)
    return narrowed(report, question.purpose or "", str(path))


def serves(report: Json, purpose: str | None) -> bool:
    """Tell whether every signature is recognised for a purpose; True where none is asked for."""
    signatures = report["signatures"]
    if purpose is None or not isinstance(signatures, list):
        return True
    return all(
        any(row["purpose"] == purpose and row["effect"] == "recognised" for row in signature["standing"])
        for signature in signatures
    )


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        RequestRefused: the place cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise RequestRefused(f"{path} cannot be written") from error


def _list_source(source: str, root: Path | None) -> tuple[str | Path, bytes]:
    """Return where the list is and which root is pinned; a directory may bring its own, as the caller vouches for it."""
    if source.startswith(("http://", "https://")):
        if root is None:
            raise RequestRefused("a list at a URL needs its pinned root: --trust-list-root FILE")
        return source, _read_root(root)
    directory = Path(source)
    workspace = Workspace(directory)
    published = workspace.published_directory if workspace.published_directory.is_dir() else directory
    if root is not None:
        return published, _read_root(root)
    first = workspace.first_root() or _first_root(directory)
    if first is None:
        raise RequestRefused("there is no published trust list in that directory")
    return published, first


def _first_root(directory: Path) -> bytes | None:
    path = directory / "metadata" / "1.root.json"
    return path.read_bytes() if path.is_file() else None


def _read_root(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RequestRefused("the pinned root cannot be read") from error


def _read_roots(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as stream:
            content = stream.read(_MAX_ROOTS_BYTES + 1)
        found = [der for _, _, der in pem.unarmor(content, multiple=True)] if pem.detect(content) else [content]
        for der in found:
            parse_certificate(der)
    except (OSError, ValueError, CmsMalformed) as error:
        raise RequestRefused(f"{path} holds no certificates") from error
    return found

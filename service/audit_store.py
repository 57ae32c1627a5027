"""The audit log as the packages and the operators use it: taking events, reading in order, verifying.

Owns:    `AuditLog`, which is the `AuditTrail` of all packages, and the reading of the file. Leaves appending to `audit_writer`,
         hashing and verification to `audit_log`.
Rules:   1 outside a request `record` and `record_all` return only when their entries are on disk; inside one, its answer waits for that
         2 an event that cannot be an entry is refused to its maker, before it can spoil a group
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from joserfc.jwk import KeySet

from service.audit_file import open_read_only
from service.audit_log import Entry, Head, Verified, canonical_detail, microseconds, read_checkpoint, verify_log
from service.audit_writer import MAX_GROUP, AuditWriter, UnlinkedEntry
from service.audited_answers import gathered
from service.errors import ServiceUnavailable
from service.key_ring import KeyRing
from trust_lists.audit_trail import AuditEvent, AuditValue
from trust_lists.clock import Clock

T = TypeVar("T")


class AuditLog:
    """The service's audit trail over its own file; `start` before use, `stop` signs a last checkpoint."""

    def __init__(self, path: Path, keys: KeyRing, clock: Clock, *, beside: Sequence[Path] = ()) -> None:
        """Name the file.

        Args:
            path: the audit file.
            keys: the ring whose audit key signs checkpoints.
            clock: the time.
            beside: databases in WAL mode whose commits are on disk when an event is: an answer never tells of what may be lost.
        """
        self._path = path
        self._beside = tuple(beside)
        self._keys = keys
        self._clock = clock
        self._writer: AuditWriter | None = None

    async def start(self) -> None:
        """Start taking events."""
        self._writer = AuditWriter(
            self._path, lambda: self._keys.jwt_keys("audit").current(), self._clock, beside=self._beside
        )

    async def stop(self) -> None:
        """Append what waits, sign a checkpoint, stop."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.close()

    async def record(
        self, event: str, *, correlation: str, outcome: str = "ok", detail: Mapping[str, AuditValue] | None = None
    ) -> None:
        """Append one event; it is durable when this returns, or when the answer of the request that it belongs to leaves."""
        await self._take([_unlinked(microseconds(self._clock()), event, outcome, correlation, detail)])

    async def record_all(self, events: Sequence[AuditEvent]) -> None:
        """Append the events of one request, in order, all or none; returns when they are durable.

        Raises:
            ValueError: more events than one request may have.
        """
        if len(events) > MAX_GROUP:
            raise ValueError("too many audit events at once")
        if not events:
            return
        at_us = microseconds(self._clock())
        await self._take([_unlinked(at_us, each.event, each.outcome, each.correlation, each.detail) for each in events])

    async def append(self, entries: list[UnlinkedEntry]) -> None:
        """Append what a request gathered; returns when it is durable.

        Raises:
            ServiceUnavailable: it cannot be kept.
        """
        for start in range(0, len(entries), MAX_GROUP):
            await self._running().put(entries[start : start + MAX_GROUP])

    async def _take(self, entries: list[UnlinkedEntry]) -> None:
        """Leave events to the answer of the present request (`audited_answers`); outside one, append them now."""
        events, writer = gathered.get(), self._running()
        if events is not None and events.open:
            events.entries += entries
        else:
            await writer.put(entries)

    async def checkpoint(self) -> Head:
        """Sign the present head and keep the signature; return the head."""
        return await self._running().put(())

    async def verify(self) -> Verified:
        """Verify every entry and every checkpoint.

        Raises:
            AuditBroken: naming what is wrong.
        """
        keys = self._keys.jwt_keys("audit").published()
        return await asyncio.to_thread(read_audit_file, self._path, lambda connection: verify_stored(connection, keys))

    async def entries(self, *, correlation: str | None = None, after: int = 0, limit: int = 1000) -> list[Entry]:
        """Return entries in order, of one correlation if asked."""
        return await asyncio.to_thread(
            read_audit_file,
            self._path,
            lambda connection: list(stored_entries(connection, correlation=correlation, after=after, limit=limit)),
        )

    def _running(self) -> AuditWriter:
        if self._writer is None:
            raise ServiceUnavailable("the audit log is closed")
        return self._writer


def read_audit_file(path: Path, work: Callable[[sqlite3.Connection], T]) -> T:
    """Run `work` on one consistent state of the stored log; the service may be appending meanwhile.

    Raises:
        ServiceUnavailable: the file cannot be read.
    """
    try:
        connection = open_read_only(path)
    except sqlite3.Error as error:
        raise ServiceUnavailable("the audit log cannot be read now") from error
    try:
        connection.execute("BEGIN")
        return work(connection)
    except sqlite3.OperationalError as error:
        raise ServiceUnavailable("the audit log cannot be read now") from error
    finally:
        connection.close()


def stored_entries(
    connection: sqlite3.Connection, *, correlation: str | None = None, after: int = 0, limit: int = -1
) -> Iterator[Entry]:
    """Yield stored entries in order of their sequence numbers."""
    where = "seq > ?" + ("" if correlation is None else " AND correlation = ?")
    values: tuple[int | str, ...] = (after, limit) if correlation is None else (after, correlation, limit)
    rows = connection.execute(
        f"SELECT seq, at_us, event, outcome, correlation, detail, prev, hash FROM audit_entries "  # noqa: S608 - fixed text
        f"WHERE {where} ORDER BY seq LIMIT ?",
        values,
    )
    for seq, at_us, event, outcome, its_correlation, detail, prev, digest in rows:
        yield Entry(seq, at_us, event, outcome, its_correlation, json.loads(detail), prev, digest)


def verify_stored(connection: sqlite3.Connection, keys: KeySet) -> Verified:
    """Verify the stored log on an open connection (also used by the command, without a running service)."""
    rows = connection.execute("SELECT checkpoint FROM audit_checkpoints ORDER BY seq")
    checkpoints = [read_checkpoint(row[0], keys) for row in rows]
    return verify_log(stored_entries(connection), checkpoints)


def _unlinked(
    at_us: int, event: str, outcome: str, correlation: str, detail: Mapping[str, AuditValue] | None
) -> UnlinkedEntry:
    """Return an event as it can be appended.

    Raises:
        ValueError: too large, or text that is no Unicode.
    """
    text = canonical_detail(detail) if detail else "{}"
    for part in (event, outcome, correlation, text):
        if not part.isascii():
            part.encode()
    return at_us, event, outcome, correlation, text

"""Appending to the audit log: in the event loop, one statement a request; the wait for the disk is shared.

Owns:    the one writing connection, the chain's head in memory, when a checkpoint is due. Leaves hashing to `audit_log`, the disk to
         `disk_barrier`, copying the log back to `wal_checkpoints`.
Rules:   1 a batch is appended whole or not at all, and told to be durable only when a sync that began after its commit has returned
         2 nothing is written between two events of a batch, for the loop does not turn while it is appended
         3 after a failure the head is read again from the file, never trusted
         4 a checkpoint is signed every `CHECKPOINT_EVERY` entries and at the end
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from joserfc.jwk import ECKey

from service.audit_file import open_for_writing
from service.audit_log import EMPTY, Head, entry_hash, sign_checkpoint
from service.disk_barrier import DiskBarrier
from service.errors import ServiceError, ServiceUnavailable
from service.wal_checkpoints import WalCheckpoints
from trust_lists.clock import Clock

CHECKPOINT_EVERY = 1000
MAX_GROUP = 64
"""Entries of one statement; also of one batch."""
MAX_WAITING = 10_000

UnlinkedEntry = tuple[int, str, str, str, str]
"""at_us, event, outcome, correlation, canonical detail."""


class AuditWriter:
    """The writing end; used from the event loop that made it."""

    def __init__(self, path: Path, key: Callable[[], ECKey], clock: Clock, *, beside: Sequence[Path] = ()) -> None:
        """Open the log.

        Args:
            path: the audit file.
            key: the key that signs checkpoints now.
            clock: the time.
            beside: other databases in WAL mode whose commits must be on disk when an event is told to be.
        """
        self._path = path
        self._key = key
        self._clock = clock
        self._beside = tuple(beside)
        self._head: Head | None = None
        self._waiting = 0
        self._closed = False
        self._connection: sqlite3.Connection | None = None
        self._barrier: DiskBarrier | None = None
        self._checkpoints: WalCheckpoints | None = None

    async def put(self, entries: Sequence[UnlinkedEntry]) -> Head:
        """Append a batch, or with nothing in it sign a checkpoint; return the head when it is on disk.

        Raises:
            ServiceUnavailable: the log is closed, cannot be written, or too many wait for the disk.
        """
        if self._closed or self._waiting >= MAX_WAITING:
            raise ServiceUnavailable("the audit log is closed" if self._closed else "the audit log does not keep up")
        head, barrier = self._append(entries)
        self._waiting += 1
        try:
            await barrier.wait()
        finally:
            self._waiting -= 1
        return head

    async def close(self) -> None:
        """Sign a checkpoint, wait for the disk, close the file."""
        if self._closed:
            return
        with contextlib.suppress(ServiceError):
            await self.put(())
        self._closed = True
        if self._barrier is not None:
            await self._barrier.close()
        if self._checkpoints is not None:
            await asyncio.to_thread(self._checkpoints.close)
        if self._connection is not None:
            self._connection.close()

    def _append(self, entries: Sequence[UnlinkedEntry]) -> tuple[Head, DiskBarrier]:
        try:
            connection, barrier = self._opened()
            due = self._insert(connection, entries) or not entries
            if due:
                self._checkpoint(connection)
        except (sqlite3.Error, ServiceError) as error:
            self._head = None
            raise ServiceUnavailable("the audit log cannot be written now") from error
        if self._checkpoints is not None:
            self._checkpoints.note_commit()
        return self._head or EMPTY, barrier

    def _opened(self) -> tuple[sqlite3.Connection, DiskBarrier]:
        """Open at the first use, again after a failure."""
        if self._connection is None:
            self._connection = open_for_writing(self._path, waits=False)
        if self._barrier is None:
            self._barrier = DiskBarrier((self._path, *self._beside))
            self._checkpoints = WalCheckpoints(self._path)
        return self._connection, self._barrier

    def _insert(self, connection: sqlite3.Connection, entries: Sequence[UnlinkedEntry]) -> bool:
        """Append all entries by one statement; tell whether a checkpoint is due."""
        head = self._head or stored_head(connection)
        seq, prev = head.seq, head.hash
        values: list[int | str] = []
        for at_us, event, outcome, correlation, detail in entries:
            seq += 1
            digest = entry_hash(seq, at_us, event, outcome, correlation, detail, prev)
            values += (seq, at_us, event, outcome, correlation, detail, prev, digest)
            prev = digest
        if entries:
            connection.execute(_insert(len(entries)), values)
        self._head = Head(seq, prev)
        return seq // CHECKPOINT_EVERY != head.seq // CHECKPOINT_EVERY

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        head = self._head = self._head or stored_head(connection)
        if head != EMPTY:
            connection.execute(
                "INSERT OR IGNORE INTO audit_checkpoints (seq, checkpoint) VALUES (?, ?)",
                (head.seq, sign_checkpoint(head, self._key(), at=self._clock())),
            )


def stored_head(connection: sqlite3.Connection) -> Head:
    """Return where the stored log ends."""
    row = connection.execute("SELECT seq, hash FROM audit_entries ORDER BY seq DESC LIMIT 1").fetchone()
    return EMPTY if row is None else Head(int(row[0]), str(row[1]))


_inserts: dict[int, str] = {}


def _insert(entries: int) -> str:
    """Return the INSERT for so many entries; there are few of them, and SQLite keeps each prepared."""
    if entries not in _inserts:
        rows = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?)"] * entries)
        _inserts[entries] = (
            f"INSERT INTO audit_entries (seq, at_us, event, outcome, correlation, detail, prev, hash) VALUES {rows}"  # noqa: S608 - fixed text
        )
    return _inserts[entries]

"""Appending to the audit log: one thread, one statement and one wait for the disk for all events that wait together.

Owns:    the thread, the chain's head in memory, groups, when a checkpoint is due. Leaves hashing to `audit_log`.
Rules:   1 a batch is told to be durable only when its COMMIT has returned (synchronous=FULL); a batch is appended whole or not at all
         2 what came while the disk was busy is the next group: one hop and one INSERT a group, few turns of Python's lock
         3 after a failure the head is read again from the file, never trusted
         4 a checkpoint is signed every `CHECKPOINT_EVERY` entries and at the end
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from joserfc.jwk import ECKey

from service.audit_file import open_for_writing
from service.audit_log import EMPTY, Head, entry_hash, sign_checkpoint
from service.errors import ServiceError, ServiceUnavailable
from trust_lists.clock import Clock

CHECKPOINT_EVERY = 1000
MAX_GROUP = 64
"""Entries of one statement; also of one batch."""
MAX_WAITING = 10_000

UnlinkedEntry = tuple[int, str, str, str, str]
"""at_us, event, outcome, correlation, canonical detail."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What waits to be appended together; none of it for a checkpoint alone."""

    entries: Sequence[UnlinkedEntry]
    done: "asyncio.Future[Head]"


class AuditWriter:
    """The thread; `put` from the event loop that made it."""

    def __init__(self, path: Path, key: Callable[[], ECKey], clock: Clock) -> None:
        self._path = path
        self._key = key
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._inbox: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._waiting = 0
        self._closed = False
        self._head: Head | None = None
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="audit-log", daemon=True)
        self._thread.start()

    def put(self, entries: Sequence[UnlinkedEntry]) -> "asyncio.Future[Head]":
        """Hand over a batch, or with nothing in it ask for a checkpoint; the future has the head when it is on disk.

        Raises:
            ServiceUnavailable: too many wait already, or the log is closed.
        """
        if self._closed or self._waiting >= MAX_WAITING:
            raise ServiceUnavailable("the audit log is closed" if self._closed else "the audit log does not keep up")
        done: asyncio.Future[Head] = self._loop.create_future()
        self._waiting += 1
        self._inbox.put(Batch(entries, done))
        return done

    async def close(self) -> None:
        """Append what waits, sign a checkpoint, end the thread."""
        if not self._closed:
            self._closed = True
            self._inbox.put(None)
        await asyncio.shield(self._ended)
        self._thread.join()

    def _run(self) -> None:
        try:
            connection = open_for_writing(self._path)
        except sqlite3.Error:
            connection = None
        try:
            while (group := self._next_group()) is not None:
                self._answer(connection, group)
            if connection is not None:
                with contextlib.suppress(sqlite3.Error, ServiceError):
                    self._checkpoint(connection)
        finally:
            if connection is not None:
                connection.close()
            self._tell(self._ended.set_result, None)

    def _next_group(self) -> list[Batch] | None:
        """Wait for a batch, and take along what else is there; None at the end."""
        first = self._inbox.get()
        if first is None:
            return None
        group, size = [first], len(first.entries)
        while size < MAX_GROUP:
            try:
                batch = self._inbox.get_nowait()
            except queue.Empty:
                break
            if batch is None:
                self._inbox.put(None)
                break
            group.append(batch)
            size += len(batch.entries)
        return group

    def _answer(self, connection: sqlite3.Connection | None, group: list[Batch]) -> None:
        """Append the group and tell who waits; then sign a checkpoint, if one is due or asked for."""
        asked = [batch for batch in group if not batch.entries]
        due = False
        try:
            if connection is None:
                raise sqlite3.OperationalError("the audit log could not be opened")
            due = self._append(connection, [entry for batch in group for entry in batch.entries])
            self._tell(self._settle, [batch for batch in group if batch.entries], self._head, None)
            group = asked
            if due or asked:
                self._checkpoint(connection)
            self._tell(self._settle, asked, self._head, None)
        except Exception as error:  # noqa: BLE001 - whoever waits must learn it, and the thread must live
            self._head = None
            self._tell(self._settle, group, None, error)

    def _append(self, connection: sqlite3.Connection, entries: list[UnlinkedEntry]) -> bool:
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

    def _settle(self, group: list[Batch], head: Head | None, error: Exception | None) -> None:
        self._waiting -= len(group)
        for batch in group:
            if batch.done.done():
                continue
            if head is not None:
                batch.done.set_result(head)
            else:
                refusal = ServiceUnavailable("the audit log cannot be written now")
                refusal.__cause__ = error
                batch.done.set_exception(refusal)

    def _tell(self, call: Callable[..., object], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is gone, and with it whoever waited
            self._loop.call_soon_threadsafe(call, *arguments)


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

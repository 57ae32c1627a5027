"""The audit log in SQL: durable appends in groups, reading in order, checkpoints.

Owns:    the tables `audit_entries` and `audit_checkpoints`, and `AuditLog`, which is the `AuditTrail` of all packages.
Leaves:  hashing and verification to `audit_log`.
Rules:   1 `record` returns only when its entry is on disk (SQLite synchronous=FULL); entries that wait together share one commit
         2 a checkpoint is signed every `CHECKPOINT_EVERY` entries and when the service stops
"""

import asyncio
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from joserfc.jwk import KeySet

from service.audit_log import (
    EMPTY,
    Entry,
    Head,
    Verified,
    canonical,
    link,
    read_checkpoint,
    sign_checkpoint,
    verify_log,
)
from service.database import SqliteDatabase
from service.errors import ServiceUnavailable
from service.key_ring import KeyRing
from trust_lists.audit_trail import AuditValue
from trust_lists.clock import Clock

CHECKPOINT_EVERY = 1000
MAX_QUEUE = 10_000
MAX_GROUP = 500


@dataclass(slots=True)
class _Waiting:
    event: str
    correlation: str
    outcome: str
    detail: Mapping[str, AuditValue]
    done: asyncio.Future[None] = field(repr=False)


class AuditLog:
    """The service's audit trail over one database; `start` before use, `stop` signs a last checkpoint."""

    def __init__(self, database: SqliteDatabase, keys: KeyRing, clock: Clock) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(MAX_QUEUE)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the one task that appends."""
        self._task = asyncio.create_task(self._append_forever(), name="audit-log")

    async def stop(self) -> None:
        """Append what waits, sign a checkpoint, stop."""
        if self._task is None:
            return
        await self._queue.join()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        await self.checkpoint()

    async def record(
        self, event: str, *, correlation: str, outcome: str = "ok", detail: Mapping[str, AuditValue] | None = None
    ) -> None:
        """Append one event; returns when it is durable (see `trust_lists.audit_trail.AuditTrail`)."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait(_Waiting(event, correlation, outcome, dict(detail or {}), done))
        except asyncio.QueueFull as error:
            raise ServiceUnavailable("the audit log does not keep up") from error
        await done

    async def checkpoint(self) -> Head:
        """Sign the present head and keep the signature; return the head."""
        at = self._clock()
        key = self._keys.jwt_keys("audit").current()

        def write(connection: sqlite3.Connection) -> Head:
            head = _head(connection)
            if head != EMPTY:
                connection.execute(
                    "INSERT OR IGNORE INTO audit_checkpoints (seq, checkpoint) VALUES (?, ?)",
                    (head.seq, sign_checkpoint(head, key, at=at)),
                )
            return head

        return await self._database.write(write)

    async def verify(self) -> Verified:
        """Verify every entry and every checkpoint.

        Raises:
            AuditBroken: naming what is wrong.
        """
        keys = self._keys.jwt_keys("audit").published()
        return await self._database.read(lambda connection: verify_stored(connection, keys))

    async def entries(self, *, correlation: str | None = None, after: int = 0, limit: int = 1000) -> list[Entry]:
        """Return entries in order, of one correlation if asked."""
        return await self._database.read(
            lambda connection: list(stored_entries(connection, correlation=correlation, after=after, limit=limit))
        )

    async def _append_forever(self) -> None:
        while True:
            group = [await self._queue.get()]
            while len(group) < MAX_GROUP and not self._queue.empty():
                group.append(self._queue.get_nowait())
            try:
                last = await self._database.write(lambda connection, group=group: self._append(connection, group))  # type: ignore[misc]  # lambda default
            except Exception as error:  # noqa: BLE001 - whoever waits must learn it, and the task must live
                _settle(group, error)
            else:
                _settle(group, None)
                if last // CHECKPOINT_EVERY != (last - len(group)) // CHECKPOINT_EVERY:
                    await self.checkpoint()
            finally:
                for _ in group:
                    self._queue.task_done()

    def _append(self, connection: sqlite3.Connection, group: list[_Waiting]) -> int:
        head = _head(connection)
        for waiting in group:
            entry = link(
                head,
                at=self._clock(),
                event=waiting.event,
                outcome=waiting.outcome,
                correlation=waiting.correlation,
                detail=waiting.detail,
            )
            connection.execute(
                "INSERT INTO audit_entries (seq, at_us, event, outcome, correlation, detail, prev, hash) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    entry.seq,
                    entry.at_us,
                    entry.event,
                    entry.outcome,
                    entry.correlation,
                    canonical(entry.detail).decode(),
                    entry.prev,
                    entry.hash,
                ),
            )
            head = Head(entry.seq, entry.hash)
        return head.seq


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


def _head(connection: sqlite3.Connection) -> Head:
    row = connection.execute("SELECT seq, hash FROM audit_entries ORDER BY seq DESC LIMIT 1").fetchone()
    return EMPTY if row is None else Head(int(row[0]), str(row[1]))


def _settle(group: list[_Waiting], error: Exception | None) -> None:
    for waiting in group:
        if waiting.done.done():
            continue
        if error is None:
            waiting.done.set_result(None)
        else:
            waiting.done.set_exception(error)

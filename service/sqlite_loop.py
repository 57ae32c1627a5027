"""SQLite in the event loop, behind `idp.ports.SqlDatabase`: a statement costs microseconds, a hop to a thread costs more.

Owns:    one writing and one reading connection, and their turns. Leaves checkpoints to `wal_checkpoints`, statements to the stores.
Rules:   1 a write is BEGIN IMMEDIATE … COMMIT; whatever ends its block otherwise rolls back
         2 one block at a time per connection: a block whose awaits never suspend runs through without a queue; should one suspend,
           whoever comes meanwhile waits for its end instead of speaking in its transaction
         3 a file that another connection holds is tried again between turns of the loop, never waited for inside it
         4 no sync of data in the loop (WAL, synchronous=NORMAL): a commit survives the process, not always a power cut
"""

import asyncio
import re
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NoReturn

from idp.ports import SqlConstraintViolated, SqlRow, SqlValue
from service.errors import ServiceUnavailable
from service.wal_checkpoints import WalCheckpoints

STATEMENTS_KEPT = 1024
BUSY_TIMEOUT_S = 5.0
RETRY_S = 0.001
RETRY_MAX_S = 0.02

_PARAMETER = re.compile(r"('(?:[^']|'')*')|\$(\d+)")
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_UNAVAILABLE = _BUSY | {
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
}


class LoopSqliteDatabase:
    """One SQLite file, used in the thread of the event loop."""

    dialect: Final = "sqlite"

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            ServiceUnavailable: it cannot be opened.
        """
        try:
            self._writer = _Side(_connect(path, read_only=False), "BEGIN IMMEDIATE")
            self._reader = _Side(_connect(path, read_only=True), "BEGIN")
        except sqlite3.Error as error:
            _raise_outside(error)
        self._checkpoints = WalCheckpoints(path)
        self._note_commit = self._checkpoints.note_commit

    async def start(self) -> None:
        """Do nothing: the file is open already."""

    def writing(self) -> "_Transaction":
        """Open a write transaction."""
        return _Transaction(self._writer, self._note_commit)

    def reading(self) -> "_Transaction":
        """Open a read transaction on one snapshot."""
        return _Transaction(self._reader, None)

    async def write_row(self, statement: str, *values: SqlValue) -> SqlRow | None:
        """Run one statement, committed by itself; return the first row of its RETURNING, or None."""
        rows = await self._writer.run_alone(statement, values)
        self._note_commit()
        return rows[0] if rows else None

    async def read_row(self, statement: str, *values: SqlValue) -> SqlRow | None:
        """Run one SELECT; return its first row, or None.

        On the writing connection, whose pages stay in its memory (another connection's are stale after every commit), unless a
        block holds it: then on the reading one, which sees what was committed before.
        """
        side = self._reader if self._writer.lock.locked() else self._writer
        rows = await side.run_alone(statement, values)
        return rows[0] if rows else None

    async def close(self) -> None:
        """Wait for an open block, then close; afterwards the file alone holds everything."""
        self._checkpoints.close()
        for side in (self._reader, self._writer):
            async with side.lock:
                side.connection.close()


class _Side:
    """One connection, whose block it is now, and who waits."""

    __slots__ = ("begin", "connection", "lock", "owner")

    def __init__(self, connection: sqlite3.Connection, begin: str) -> None:
        self.connection = connection
        self.begin = begin
        self.lock = asyncio.Lock()
        self.owner: asyncio.Task[Any] | None = None

    async def take(self) -> None:
        """Wait for one's turn, if need be."""
        task = asyncio.current_task()
        if self.lock.locked() and self.owner is task:
            raise RuntimeError("a transaction inside a transaction of the same task")
        await self.lock.acquire()
        self.owner = task

    def give(self) -> None:
        """End one's turn."""
        self.owner = None
        self.lock.release()

    async def run_alone(self, statement: str, values: Sequence[SqlValue]) -> list[Any]:
        """Run one statement in autocommit: at once when the connection is free, which it almost always is."""
        if not self.lock.locked():
            try:
                return self.connection.execute(_translated(statement), values).fetchall()
            except sqlite3.Error as error:
                if _code(error) not in _BUSY:
                    _raise_outside(error)
        await self.take()
        try:
            return await self.patiently(statement, values)
        finally:
            self.give()

    async def patiently(self, statement: str, values: Sequence[SqlValue]) -> list[Any]:
        """Run one statement; while another connection holds the file, let the loop turn and try again."""
        until, pause = time.monotonic() + BUSY_TIMEOUT_S, RETRY_S
        while True:
            try:
                return self.connection.execute(_translated(statement), values).fetchall()
            except sqlite3.Error as error:
                if _code(error) not in _BUSY or time.monotonic() > until:
                    _raise_outside(error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, RETRY_MAX_S)


class _Transaction:
    """One block: BEGIN at its start, COMMIT at its end, or ROLLBACK."""

    __slots__ = ("_abandoned", "_connection", "_failed", "_note_commit", "_side")

    def __init__(self, side: _Side, note_commit: Callable[[], None] | None) -> None:
        self._side = side
        self._connection: sqlite3.Connection | None = None
        self._note_commit = note_commit
        self._failed = False
        self._abandoned = False

    def abandon(self) -> None:
        """Let the end of the block roll back."""
        self._abandoned = True

    async def __aenter__(self) -> "_Transaction":
        side = self._side
        await side.take()
        try:
            await side.patiently(side.begin, ())
        except BaseException:
            side.give()
            raise
        self._connection = side.connection
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            if kind is None and not self._failed and not self._abandoned:
                connection.execute("COMMIT")
                if self._note_commit is not None:
                    self._note_commit()
        except sqlite3.Error as refused:
            _raise_outside(refused)
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._side.give()
        if kind is None and self._failed:
            raise RuntimeError("a statement failed, and its block went on: nothing was committed")

    async def fetch_row(self, statement: str, *values: SqlValue) -> SqlRow | None:
        """Return the first row, or None."""
        row: SqlRow | None = self._run(statement, values).fetchone()
        return row

    async def fetch_all(self, statement: str, *values: SqlValue) -> Sequence[SqlRow]:
        """Return every row."""
        return self._run(statement, values).fetchall()

    async def execute(self, statement: str, *values: SqlValue) -> int:
        """Return how many rows were changed."""
        cursor = self._run(statement, values)
        if cursor.description is not None:
            cursor.fetchall()
        return max(cursor.rowcount, 0)

    def _run(self, statement: str, values: Sequence[SqlValue]) -> sqlite3.Cursor:
        if self._connection is None:
            raise RuntimeError("this transaction has ended")
        try:
            return self._connection.execute(_translated(statement), values)
        except sqlite3.Error as error:
            self._failed = True
            _raise_outside(error)


def _connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS_KEPT
    )
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("PRAGMA cache_size=-16000")
    if read_only:
        connection.execute("PRAGMA query_only=ON")
    return connection


_translations: dict[str, str] = {}


def _translated(statement: str) -> str:
    """Return the statement with ?n for $n; each is translated once."""
    known = _translations.get(statement)
    if known is None:
        if len(_translations) >= STATEMENTS_KEPT:
            _translations.clear()
        known = _PARAMETER.sub(lambda found: found[1] or f"?{found[2]}", statement)
        _translations[statement] = known
    return known


def _code(error: sqlite3.Error) -> int:
    """Return the primary result code: https://sqlite.org/rescode.html keeps it in the low byte."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _raise_outside(error: sqlite3.Error) -> NoReturn:
    """Raise what the caller shall see: unavailable, a broken constraint, or the bug that it is."""
    code = _code(error)
    if code in _UNAVAILABLE or "closed database" in str(error):
        raise ServiceUnavailable("the database cannot be used now: busy, full or damaged") from error
    if code == sqlite3.SQLITE_CONSTRAINT:
        raise SqlConstraintViolated(str(error)) from error
    raise error

"""SQLite behind the packages' `SqlTransactions` protocols, and the schema version of a data folder.

Owns:    connections, one writer thread, WAL, the check and upgrade of the schema. Leaves every statement to the packages' stores.
Rules:   1 one writer at a time, each write one transaction: BEGIN IMMEDIATE … COMMIT
         2 readers never block the writer (WAL) and cannot write (query_only)
         3 a file that is no database, or of a newer schema, is refused before anything is written
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from migrations import HEAD
from service.errors import DataFolderRefused, ServiceUnavailable
from service.schema import check_version, refuse_newer, run_revisions

T = TypeVar("T")

READERS = 2
BUSY_TIMEOUT_MS = 5_000


class SqliteDatabase:
    """One SQLite file: `write` runs work in a transaction on the one writer thread, `read` on a pool of readers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite-write")
        self._readers = ThreadPoolExecutor(max_workers=READERS, thread_name_prefix="sqlite-read")
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._open_guard = threading.Lock()

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` inside one immediate transaction; an exception rolls back and is raised."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, self._run_write, work)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on a read-only connection that sees one consistent state."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._run_read, work)

    def close(self) -> None:
        """Finish what runs, then close every connection; afterwards the file alone holds everything."""
        self._writer.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        with self._open_guard:
            for connection in self._open:
                connection.close()
            self._open.clear()

    def _run_write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection(read_only=False)
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise ServiceUnavailable("the database cannot be written now") from error
        try:
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError):
                raise ServiceUnavailable("the database cannot be written now: disk full or locked") from error
            raise
        return result

    def _run_read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection(read_only=True)
        connection.execute("BEGIN")
        try:
            return work(connection)
        finally:
            connection.execute("ROLLBACK")

    def _connection(self, *, read_only: bool) -> sqlite3.Connection:
        existing: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if existing is not None:
            return existing
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, cached_statements=256)
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
        if read_only:
            connection.execute("PRAGMA query_only=ON")
        self._local.connection = connection
        with self._open_guard:
            self._open.append(connection)
        return connection


def schema_version(path: Path) -> str | None:
    """Return the schema revision of the file, or None when there is no file or it is empty.

    Raises:
        DataFolderRefused: the file is no SQLite database, is damaged, or carries no revision of ours.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise DataFolderRefused(f"{path.name} is not a database of this service: {error}") from error
    return None if row is None else str(row[0])


def check_schema(path: Path) -> None:
    """Refuse a database that is missing, older or newer than this program.

    Raises:
        DataFolderRefused: with the command that mends it.
    """
    check_version(schema_version(path))


def upgrade_schema(path: Path) -> str:
    """Bring the database to this program's revision, forward only; return the revision.

    Raises:
        DataFolderRefused: broken or newer file. Nothing is changed then.
    """
    version = schema_version(path)
    if version == HEAD:
        return HEAD
    refuse_newer(version)
    path.parent.mkdir(parents=True, exist_ok=True)
    run_revisions({"sqlite_path": path})
    return HEAD

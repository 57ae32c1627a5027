"""The audit log's own SQLite file, DATA/audit.db: apart from the service's tables, because every commit of it waits for the disk.

Owns:    its schema and version. Leaves rows to `audit_store`, the move out of an older service file to `audit_move`.
Rules:   1 append-only also for whoever holds the file open by mistake: UPDATE and DELETE are refused by triggers
         2 the one index is on the correlation: `seq` orders, and the chain itself finds doubles
         3 a file that is no audit log, or of a newer version, is refused before anything is written
"""

import sqlite3
from pathlib import Path

from service.errors import DataFolderRefused

APPLICATION_ID = 0x47424154
"""`GBAT`, in the file's header (https://sqlite.org/pragma.html#pragma_application_id)."""
VERSION = 1

TABLES = (
    """
    CREATE TABLE audit_entries (
        seq INTEGER PRIMARY KEY,
        at_us INTEGER NOT NULL,
        event TEXT NOT NULL,
        outcome TEXT NOT NULL,
        correlation TEXT NOT NULL,
        detail TEXT NOT NULL,
        prev TEXT NOT NULL,
        hash TEXT NOT NULL
    )
    """,
    "CREATE INDEX audit_entries_correlation ON audit_entries (correlation)",
    "CREATE TABLE audit_checkpoints (seq INTEGER PRIMARY KEY, checkpoint TEXT NOT NULL)",
    *(
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        for table in ("audit_entries", "audit_checkpoints")
        for verb in ("UPDATE", "DELETE")
    ),
)


def create_audit_file(path: Path) -> None:
    """Make the file where it is missing; one that is there is checked.

    Raises:
        DataFolderRefused: it is no audit log, damaged, or newer.
    """
    if audit_version(path) is not None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = open_for_writing(path)
    try:
        connection.execute("BEGIN IMMEDIATE")
        for statement in TABLES:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
    finally:
        connection.close()


def check_audit_file(path: Path) -> None:
    """Refuse an audit log that is missing, damaged or newer.

    Raises:
        DataFolderRefused: with the command that mends it.
    """
    if audit_version(path) is None:
        raise DataFolderRefused("the audit log is missing: run `gba-trust db upgrade`")


def audit_version(path: Path) -> int | None:
    """Return the version of the file, or None when there is none or it is empty.

    Raises:
        DataFolderRefused: it is no audit log, damaged, or newer.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None
    try:
        connection = open_read_only(path)
        try:
            ((application,), (version,), (tables,)) = (
                connection.execute(statement).fetchone()
                for statement in (
                    "PRAGMA application_id",
                    "PRAGMA user_version",
                    "SELECT count(*) FROM sqlite_schema",
                )
            )
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise DataFolderRefused(f"{path.name} is not an audit log: {error}") from error
    if application == 0 and version == 0 and tables == 0:
        return None
    if application != APPLICATION_ID:
        raise DataFolderRefused(f"{path.name} is not an audit log of this service")
    if version > VERSION:
        raise DataFolderRefused(f"{path.name} is of a newer version ({version}) than this program ({VERSION})")
    return int(version)


def open_for_writing(path: Path, *, waits: bool = True) -> sqlite3.Connection:
    """Return a connection whose COMMIT returns when the data is on disk (WAL, synchronous=FULL).

    With `waits=False` it does not wait, nor copy the log back: `disk_barrier` and `wal_checkpoints` do.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.execute("PRAGMA busy_timeout=5000")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={'FULL' if waits else 'NORMAL'}")
    connection.execute(f"PRAGMA wal_autocheckpoint={4000 if waits else 0}")
    return connection


def open_read_only(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot write, also beside a running service."""
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)

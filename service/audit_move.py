"""The move of the audit log out of the service's file, where versions up to 0005 kept it, into its own.

Owns:    one call of `gba-trust db upgrade`. Leaves both schemas to their owners.
Rules:   1 every row is copied as it is, in one transaction, and compared with its original in both directions; whether the chain
           holds is asked by `audit verify`, before and after alike: a move mends nothing and hides nothing
         2 the originals are dropped only after the copy is on disk; a move that was interrupted anywhere is simply done again
         3 a copy that differs from its originals stops the upgrade, and nothing is changed
"""

import sqlite3
from pathlib import Path

from service.audit_file import create_audit_file, open_for_writing
from service.errors import DataFolderRefused

_TABLES = {
    "audit_entries": "seq, at_us, event, outcome, correlation, detail, prev, hash",
    "audit_checkpoints": "seq, checkpoint",
}


def move_audit_log(service_file: Path, audit_file: Path) -> int:
    """Move every audit row from the service's file to its own; return how many entries were moved. The service is stopped.

    Raises:
        DataFolderRefused: the two files hold different logs, or one of them is damaged or full.
    """
    create_audit_file(audit_file)
    if not holds_audit_log(service_file):
        return 0
    try:
        connection = open_for_writing(audit_file)
        try:
            connection.execute("ATTACH DATABASE ? AS old", (str(service_file),))
            connection.execute("PRAGMA old.synchronous=FULL")
            moved = _copy(connection)
            connection.execute("PRAGMA main.wal_checkpoint(TRUNCATE)")
            _drop(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise DataFolderRefused(f"the audit log could not be moved to {audit_file.name}: {error}") from error
    return moved


def holds_audit_log(service_file: Path) -> bool:
    """Tell whether the service's file still holds audit tables."""
    if not service_file.exists():
        return False
    connection = sqlite3.connect(f"file:{service_file}?mode=ro", uri=True)
    try:
        found = connection.execute("SELECT 1 FROM sqlite_schema WHERE name IN ('audit_entries', 'audit_checkpoints')")
        return found.fetchone() is not None
    except sqlite3.DatabaseError as error:
        raise DataFolderRefused(f"{service_file.name} is not a database of this service: {error}") from error
    finally:
        connection.close()


def _copy(connection: sqlite3.Connection) -> int:
    connection.execute("BEGIN IMMEDIATE")
    try:
        present = [
            table
            for table in _TABLES
            if connection.execute("SELECT 1 FROM old.sqlite_schema WHERE name = ?", (table,)).fetchone()
        ]
        for table in present:
            columns = _TABLES[table]
            connection.execute(
                f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM old.{table} "  # noqa: S608 - fixed names
                f"WHERE NOT EXISTS (SELECT 1 FROM main.{table}) ORDER BY seq"
            )
            _check_equal(connection, table)
        moved = connection.execute("SELECT count(*) FROM main.audit_entries").fetchone()[0]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return int(moved)


def _check_equal(connection: sqlite3.Connection, table: str) -> None:
    columns = _TABLES[table]
    for one, other in (("old", "main"), ("main", "old")):
        difference = connection.execute(
            f"SELECT seq FROM (SELECT {columns} FROM {one}.{table} EXCEPT SELECT {columns} FROM {other}.{table}) LIMIT 1"  # noqa: S608 - fixed names
        ).fetchone()
        if difference is not None:
            raise DataFolderRefused(
                f"the service's file and the audit log's differ at {table} {difference[0]}: restore one folder from one backup"
            )


def _drop(connection: sqlite3.Connection) -> None:
    """Drop the originals in one transaction; their triggers speak of rows, and go with the tables."""
    connection.execute("BEGIN IMMEDIATE")
    for table in _TABLES:
        connection.execute(f"DROP TABLE IF EXISTS old.{table}")
    connection.execute("COMMIT")

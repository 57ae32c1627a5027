"""Fills a provider's SQLite file with N persons, each with an identity, a session, a consent and a grant, for `bench.login --fill`.

The persons that the logins draw were enrolled through the provider itself, sealed by its own cipher. The bulk is made by SQL: the
keys are random as real ones are (hashes, random identifiers), the sealed columns random bytes as long as the enrolled persons' own.
Nobody signs in as one of the bulk; they weigh on every index and page that a login reads or writes.
"""

import sqlite3
from pathlib import Path

CHUNK = 200_000
_TEXT = "lower(hex(randomblob({})))"  # as long as the real keys, and as badly sorted


def fill(database: Path, persons: int) -> None:
    """Add `persons` to the file; the server that owns it must be idle."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.executescript("PRAGMA cache_size=-1000000; PRAGMA synchronous=OFF; PRAGMA busy_timeout=20000;")
    connection.execute("CREATE TEMP TABLE bulk (person TEXT, session TEXT)")
    try:
        while persons > 0:
            rows = min(CHUNK, persons)
            _add(connection, rows)
            persons -= rows
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def _add(connection: sqlite3.Connection, rows: int) -> None:
    series = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM bulk")
    connection.execute(f"INSERT INTO bulk {series} SELECT {_TEXT.format(11)}, {_TEXT.format(11)} FROM n")
    for table, made in (
        ("idp_identities", {"subject_lookup": _TEXT.format(21), "person": "b.person", "connector": "t.connector"}),
        ("idp_sessions", {"session": "b.session", "person": "b.person"}),
        ("idp_consents", {"consent_id": _TEXT.format(8), "person": "b.person"}),
        ("idp_grants", {"grant_id": _TEXT.format(11), "person": "b.person", "session": "b.session"}),
    ):
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        values = [
            made.get(column, f"randomblob(length(t.{column}))" if column.startswith("sealed") else f"t.{column}")
            for column in columns
        ]
        connection.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM bulk b"
            f" CROSS JOIN (SELECT * FROM {table} LIMIT 1) t"
        )
    connection.execute("COMMIT")

"""The audit log: append-only entries in a hash chain, and signed checkpoints of its head."""

from alembic import op

revision = "0001"
down_revision = None

TABLES = (
    """
    CREATE TABLE audit_entries (
        seq INTEGER PRIMARY KEY,
        at_us INTEGER NOT NULL,
        event TEXT NOT NULL,
        outcome TEXT NOT NULL,
        correlation TEXT NOT NULL,
        detail TEXT NOT NULL,
        prev TEXT NOT NULL UNIQUE,
        hash TEXT NOT NULL UNIQUE
    )
    """,
    "CREATE INDEX audit_entries_correlation ON audit_entries (correlation)",
    """
    CREATE TABLE audit_checkpoints (
        seq INTEGER PRIMARY KEY,
        checkpoint TEXT NOT NULL
    )
    """,
)

# Append-only also for whoever holds the file open by mistake; a chain that was cut is still found by its checkpoints.
SQLITE_TRIGGERS = tuple(
    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
    f"BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
    for table in ("audit_entries", "audit_checkpoints")
    for verb in ("UPDATE", "DELETE")
)


def upgrade() -> None:
    """Create the tables."""
    for statement in TABLES:
        op.execute(statement)
    if op.get_bind().dialect.name == "sqlite":
        for statement in SQLITE_TRIGGERS:
            op.execute(statement)

"""Signing transactions and their sealed documents."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the tables."""
    op.execute(
        """
        CREATE TABLE signing_transactions (
            id TEXT PRIMARY KEY,
            client_id TEXT NOT NULL,
            client_name TEXT NOT NULL,
            region TEXT NOT NULL,
            citizen TEXT NOT NULL,
            document_name TEXT NOT NULL,
            document_sha256 TEXT NOT NULL,
            reason TEXT NOT NULL,
            level TEXT NOT NULL,
            status TEXT NOT NULL,
            changed_at_us BIGINT NOT NULL,
            created_at_us BIGINT NOT NULL,
            deadline_us BIGINT NOT NULL,
            connector TEXT,
            reference TEXT UNIQUE,
            comparison_code TEXT,
            approval_url TEXT,
            prepared_state TEXT,
            error_code TEXT,
            error_detail TEXT,
            report TEXT,
            idempotency_key TEXT,
            UNIQUE (client_id, idempotency_key)
        )
        """
    )
    op.execute("CREATE INDEX signing_transactions_deadline ON signing_transactions (deadline_us)")
    op.create_table(
        "signing_documents",
        sa.Column("transaction_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("transaction_id", "kind"),
    )

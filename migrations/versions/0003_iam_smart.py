"""The iAM Smart connector: timestamps by client id, requests that wait for a callback, citizens' upstream sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables; every time is in milliseconds, what can name a person is sealed."""
    op.create_table(
        "iam_smart_timestamps",
        sa.Column("client_id", sa.Text, primary_key=True),
        sa.Column("last_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "iam_smart_pending",
        sa.Column("reference", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("business_id", sa.Text, nullable=False, unique=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("transaction_id", sa.Text, nullable=False),
        sa.Column("deadline_ms", sa.BigInteger, nullable=False),
        sa.Column("sealed_context", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("sealed_answer", sa.LargeBinary, nullable=True),
        sa.Column("answer_digest", sa.Text, nullable=False),
        sa.Column("delivered", sa.Integer, nullable=False),
    )
    op.create_index("iam_smart_pending_deadline", "iam_smart_pending", ["deadline_ms"])
    op.create_table(
        "iam_smart_sessions",
        sa.Column("handle", sa.Text, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("iam_smart_sessions_expires", "iam_smart_sessions", ["expires_at_ms"])

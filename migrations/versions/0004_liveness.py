"""Permit checks: their state, the use of liveness sessions, one-time codes. No image and no plain personal data."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables. `*_key` columns are hashes of capabilities; `sealed_*` are AES-GCM."""
    op.create_table(
        "liveness_checks",
        sa.Column("check_key", sa.Text, primary_key=True),
        sa.Column("sealed_request", sa.LargeBinary, nullable=False),
        sa.Column("sealed_document", sa.LargeBinary),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("document_attempts", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at_s", sa.BigInteger, nullable=False),
        sa.Column("expires_at_s", sa.BigInteger, nullable=False),
    )
    op.create_index("liveness_checks_expiry", "liveness_checks", ["expires_at_s"])
    op.create_table(
        "liveness_sessions",
        sa.Column("session_key", sa.Text, primary_key=True),
        sa.Column("check_key", sa.Text, nullable=False),
        sa.Column("expires_at_s", sa.BigInteger, nullable=False),
        sa.Column("answered_at_s", sa.BigInteger),
    )
    op.create_index("liveness_sessions_expiry", "liveness_sessions", ["expires_at_s"])
    op.create_table(
        "liveness_attestations",
        sa.Column("code_key", sa.Text, primary_key=True),
        sa.Column("check_key", sa.Text, nullable=False),
        sa.Column("sealed_token", sa.LargeBinary, nullable=False),
        sa.Column("expires_at_s", sa.BigInteger, nullable=False),
    )
    op.create_index("liveness_attestations_expiry", "liveness_attestations", ["expires_at_s"])

"""The full provider: codes live in their grants, refresh generations, replay memory, pushed and decoupled requests, logout notices."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Change the provider's tables; what is short-lived (codes, assertions) starts anew, grants and consents stay."""
    op.add_column("idp_clients", sa.Column("registration_token_hash", sa.Text))
    _grants()
    op.add_column("idp_consents", sa.Column("subject", sa.Text))
    op.create_index("idp_consents_subject", "idp_consents", ["client_id", "subject"])
    op.drop_table("idp_codes")
    op.drop_table("idp_assertions")
    op.create_table(
        "idp_replays",
        sa.Column("space", sa.Text, primary_key=True),
        sa.Column("identifier_hash", sa.Text, primary_key=True),
        sa.Column("expires_at_s", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "idp_pushed_requests",
        sa.Column("uri_hash", sa.Text, primary_key=True),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("expires_at_s", sa.BigInteger, nullable=False),
    )
    _decoupled()
    op.create_table(
        "idp_logout_notices",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at_s", sa.BigInteger, nullable=False),
        sa.Column("expires_at_s", sa.BigInteger, nullable=False),
    )
    op.create_index("idp_logout_notices_due", "idp_logout_notices", ["due_at_s"])
    op.create_table(
        "idp_initial_tokens",
        sa.Column("token_hash", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("uses_left", sa.Integer, nullable=False),
        sa.Column("expires_at_s", sa.BigInteger, nullable=False),
    )
    for table in ("idp_replays", "idp_pushed_requests", "idp_decoupled"):
        op.create_index(f"{table}_expiry", table, ["expires_at_s"])


def _grants() -> None:
    """A grant carries its code's state and the generation of its refresh token: one row a login, found by its key."""
    for column in (
        sa.Column("created_at_s", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("code_hash", sa.Text),
        sa.Column("code_expires_at_us", sa.BigInteger),
        sa.Column("code_spent_at_us", sa.BigInteger),
        sa.Column("refresh_generation", sa.Integer, nullable=False, server_default="0"),
        sa.Column("offline", sa.Integer, nullable=False, server_default="0"),
    ):
        op.add_column("idp_grants", column)
    # a removed relying party's grants are told by their age (see `stores.grants`), so this index no longer earns its writes
    op.drop_index("idp_grants_client", "idp_grants")
    op.drop_index("idp_grants_person", "idp_grants")
    op.create_index("idp_grants_person", "idp_grants", ["person", "client_id"])
    op.create_index("idp_grants_session", "idp_grants", ["session"])
    # a grant of the first schema is younger than its relying party's registration, which removal took along
    op.execute("UPDATE idp_grants SET created_at_s = expires_at_s")


def _decoupled() -> None:
    op.create_table(
        "idp_decoupled",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.Text, nullable=False),
        sa.Column("user_code_lookup", sa.Text, unique=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("grant_id", sa.Text),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("interval_s", sa.Integer, nullable=False),
        sa.Column("polled_at_us", sa.BigInteger),
        sa.Column("expires_at_s", sa.BigInteger, nullable=False),
    )
    op.create_index("idp_decoupled_person", "idp_decoupled", ["person"])

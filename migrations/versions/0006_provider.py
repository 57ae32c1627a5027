"""The full provider: codes live in their grants, refresh generations, replay memory, pushed and decoupled requests, logout notices.

Rows are laid for the disk: small rows lie in their key's own tree (SQLite WITHOUT ROWID; rows of a kilobyte would spill there), and an
index is there only if something that happens often needs it: each costs a page a login.
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Change the provider's tables. What is short-lived (logins, sessions, grants) starts anew: people sign in once more."""
    op.add_column("idp_clients", sa.Column("registration_token_hash", sa.Text))
    op.add_column("idp_consents", sa.Column("subject", sa.Text))
    op.create_index("idp_consents_subject", "idp_consents", ["client_id", "subject"])
    for table in ("idp_codes", "idp_assertions", "idp_logins", "idp_sessions", "idp_grants"):
        op.drop_table(table)
    _logins_and_sessions()
    _grants()
    _requests()
    _notices_and_tokens()
    _identities()


def _logins_and_sessions() -> None:
    op.create_table(
        "idp_logins",
        sa.Column("handle_hash", sa.Text, primary_key=True),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("expires_at_s", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "idp_sessions",
        # the hash of the cookie's secret: found by it, and named by it
        sa.Column("session", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("expires_at_s", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("idp_sessions_person", "idp_sessions", ["person"])
    op.create_index("idp_sessions_expiry", "idp_sessions", ["expires_at_s"])


def _grants() -> None:
    """A grant carries its code's state and the generation of its refresh token: one row a login, found by its key."""
    op.create_table(
        "idp_grants",
        sa.Column("grant_id", sa.Text, primary_key=True),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("created_at_s", sa.BigInteger, nullable=False),
        sa.Column("expires_at_s", sa.BigInteger, nullable=False),
        sa.Column("revoked_at_s", sa.BigInteger),
        sa.Column("code_hash", sa.Text),
        sa.Column("code_expires_at_us", sa.BigInteger),
        sa.Column("code_spent_at_us", sa.BigInteger),
        sa.Column("refresh_generation", sa.Integer, nullable=False, server_default="0"),
        sa.Column("offline", sa.Integer, nullable=False, server_default="0"),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_index("idp_grants_person", "idp_grants", ["person"])
    op.create_index("idp_grants_expiry", "idp_grants", ["expires_at_s"])
    op.create_table(
        "idp_replays",
        sa.Column("space", sa.Text, primary_key=True),
        sa.Column("identifier_hash", sa.Text, primary_key=True),
        sa.Column("expires_at_s", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("idp_replays_expiry", "idp_replays", ["expires_at_s"])


def _requests() -> None:
    op.create_table(
        "idp_pushed_requests",
        sa.Column("uri_hash", sa.Text, primary_key=True),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("expires_at_s", sa.BigInteger, nullable=False),
    )
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


def _notices_and_tokens() -> None:
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


_IDENTITY = (
    "connector, subject_lookup, person, sealed_name_latin, sealed_name_chinese, sealed_birthdate, sealed_gender,"
    " sealed_document_type, sealed_document_number, updated_at_s"
)


def _identities() -> None:
    """In SQLite the rows move into their key's own tree; in PostgreSQL they lie well as they are."""
    if op.get_context().dialect.name != "sqlite":
        return
    op.rename_table("idp_identities", "idp_identities_before")
    op.drop_index("idp_identities_person", "idp_identities_before")
    op.create_table(
        "idp_identities",
        sa.Column("connector", sa.Text, primary_key=True),
        sa.Column("subject_lookup", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, nullable=False),
        *(sa.Column(name, sa.LargeBinary, nullable=False) for name in re.findall(r"sealed_\w+", _IDENTITY)),
        sa.Column("updated_at_s", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute(f"INSERT INTO idp_identities ({_IDENTITY}) SELECT {_IDENTITY} FROM idp_identities_before")
    op.drop_table("idp_identities_before")
    op.create_index("idp_identities_person", "idp_identities", ["person", "connector"])

"""The provider's tables: relying parties, persons' identities, sign-in sessions, logins, consents, grants, codes, assertions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables. `sealed*` columns are AES-GCM, bound to table and row; `*_hash` and `*_lookup` are (keyed) hashes."""
    op.create_table(
        "idp_clients",
        sa.Column("client_id", sa.Text, primary_key=True),
        sa.Column("registration", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.Text),
        sa.Column("created_at_s", sa.BigInteger, nullable=False),
        sa.Column("updated_at_s", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "idp_identities",
        sa.Column("connector", sa.Text, primary_key=True),
        sa.Column("subject_lookup", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("sealed_name_latin", sa.LargeBinary, nullable=False),
        sa.Column("sealed_name_chinese", sa.LargeBinary, nullable=False),
        sa.Column("sealed_birthdate", sa.LargeBinary, nullable=False),
        sa.Column("sealed_gender", sa.LargeBinary, nullable=False),
        sa.Column("sealed_document_type", sa.LargeBinary, nullable=False),
        sa.Column("sealed_document_number", sa.LargeBinary, nullable=False),
        sa.Column("updated_at_s", sa.BigInteger, nullable=False),
    )
    op.create_index("idp_identities_person", "idp_identities", ["person", "connector"])
    op.create_table(
        "idp_sessions",
        sa.Column("session_hash", sa.Text, primary_key=True),
        sa.Column("session", sa.Text, nullable=False, unique=True),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("expires_at_s", sa.BigInteger, nullable=False),
    )
    op.create_index("idp_sessions_person", "idp_sessions", ["person"])
    op.create_table(
        "idp_logins",
        sa.Column("handle_hash", sa.Text, primary_key=True),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("expires_at_s", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "idp_consents",
        sa.Column("consent_id", sa.Text, primary_key=True),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("given_at_us", sa.BigInteger, nullable=False),
        sa.Column("expires_at_s", sa.BigInteger, nullable=False),
        sa.Column("revoked_at_s", sa.BigInteger),
    )
    op.create_index("idp_consents_latest", "idp_consents", ["person", "client_id", "given_at_us"])
    op.create_table(
        "idp_grants",
        sa.Column("grant_id", sa.Text, primary_key=True),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("expires_at_s", sa.BigInteger, nullable=False),
        sa.Column("revoked_at_s", sa.BigInteger),
    )
    op.create_index("idp_grants_person", "idp_grants", ["person"])
    op.create_index("idp_grants_client", "idp_grants", ["client_id"])
    op.create_table(
        "idp_codes",
        sa.Column("code_hash", sa.Text, primary_key=True),
        sa.Column("grant_id", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("conditions", sa.Text, nullable=False),
        sa.Column("expires_at_us", sa.BigInteger, nullable=False),
        sa.Column("spent_at_us", sa.BigInteger),
    )
    op.create_table(
        "idp_assertions",
        sa.Column("client_id", sa.Text, primary_key=True),
        sa.Column("jti_hash", sa.Text, primary_key=True),
        sa.Column("expires_at_s", sa.BigInteger, nullable=False),
    )
    for table in ("idp_sessions", "idp_logins", "idp_grants", "idp_assertions"):
        op.create_index(f"{table}_expiry", table, ["expires_at_s"])
    op.create_index("idp_codes_expiry", "idp_codes", ["expires_at_us"])

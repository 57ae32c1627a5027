"""Nothing any more: the audit log that this revision once made has a file of its own (`service.audit_file`).

Files that were made before keep it until `gba-trust db upgrade` moves it (`service.audit_move`).
"""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Begin the line of revisions."""

"""The schema of the databases, as forward-only Alembic revisions; one per owner of tables.

`HEAD` is what this program needs; a test holds it against the revisions that are here.
"""

HEAD = "0006"

"""The schema's version, whatever the database: what this program takes, and the running of the revisions.

Owns:    the judgement of a version. Leaves reading one to `database` and `postgres_schema`, the revisions to `migrations`.
Rules:   a newer database is refused before anything is written, an older one names the command that brings it forward
"""

from collections.abc import Mapping
from pathlib import Path

from migrations import HEAD
from service.errors import DataFolderRefused


def check_version(version: str | None) -> None:
    """Refuse a database that is empty, older or newer than this program.

    Raises:
        DataFolderRefused: with the command that mends it.
    """
    if version is None:
        raise DataFolderRefused("the database is missing: run `gba-trust db upgrade`")
    refuse_newer(version)
    if version != HEAD:
        raise DataFolderRefused(f"the database is of an older version ({version}): run `gba-trust db upgrade`")


def refuse_newer(version: str | None) -> None:
    """Refuse a database of a newer version.

    Raises:
        DataFolderRefused: it is.
    """
    if version is not None and version > HEAD:
        raise DataFolderRefused(f"the database is of a newer version ({version}) than this program ({HEAD})")


def run_revisions(attributes: Mapping[str, object]) -> None:
    """Run every revision that is not applied yet; `migrations/env.py` says what the attributes are."""
    from alembic import command  # noqa: PLC0415 - slow import, only when the schema must change
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).resolve().parents[1] / "migrations"))
    config.attributes.update(attributes)
    command.upgrade(config, "head")

"""The schema of a PostgreSQL database: which version it is of, and its upgrade.

Owns:    reading the version, running the revisions. Leaves the revisions to `migrations`, the judgement to `schema`.
Rules:   1 forward only, one transaction: an upgrade that fails or is killed leaves what was there
         2 two upgrades at once wait for each other (an advisory lock), and the second finds nothing to do
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from migrations import HEAD
from service.errors import DataFolderRefused, ServiceError, ServiceUnavailable
from service.postgres import connect, raise_outside
from service.postgres_settings import PostgresSettings
from service.schema import check_version, refuse_newer, run_revisions

_NO_TABLE = "42P01"


def check_postgres_schema(settings: PostgresSettings) -> None:
    """Refuse a database that is empty, older or newer than this program.

    Raises:
        DataFolderRefused: with the command that mends it.
        ServiceUnavailable: the server cannot be reached.
    """
    check_version(asyncio.run(_fetch_version(settings)))


def upgrade_postgres_schema(settings: PostgresSettings) -> None:
    """Bring the database to this program's revision, forward only.

    Raises:
        DataFolderRefused: a newer or a foreign database. Nothing is changed then.
        ServiceUnavailable: the server cannot be reached, or refuses.
    """
    version = asyncio.run(_fetch_version(settings))
    refuse_newer(version)
    if version == HEAD:
        return

    async def open_connection() -> Any:  # noqa: ANN401 - asyncpg has no types
        return await connect(settings.url, settings.read_password, limits=False)

    opener: Callable[[], Awaitable[Any]] = open_connection
    try:
        run_revisions({"open_postgresql": opener})
    except ServiceError:
        raise
    except Exception as error:
        cause = _database_error(error)
        if cause is None:
            raise
        raise ServiceUnavailable(f"the PostgreSQL schema could not be upgraded: {type(cause).__name__}") from error


async def _fetch_version(settings: PostgresSettings) -> str | None:
    try:
        connection = await connect(settings.url, settings.read_password)
    except Exception as error:  # noqa: BLE001 - raised again
        raise_outside(error)
    try:
        rows = await connection.fetch("SELECT version_num FROM alembic_version")
    except asyncpg.PostgresError as error:
        if error.sqlstate == _NO_TABLE:
            return None
        raise_outside(error)
    finally:
        await connection.close()
    if len(rows) > 1:
        raise DataFolderRefused("the PostgreSQL database is not one of this service")
    return str(rows[0][0]) if rows else None


def _database_error(error: BaseException | None) -> BaseException | None:
    """Return what the server or the network said, under whatever SQLAlchemy wrapped it in."""
    while error is not None and not isinstance(error, OSError | asyncpg.PostgresError | asyncpg.InterfaceError):
        error = getattr(error, "orig", None) or error.__cause__
    return error

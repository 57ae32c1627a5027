"""The database of the provider's tables, as the settings choose it.

Owns:    the choice between SQLite and PostgreSQL, which needs an extra that not everyone has installed.
"""

from typing import TYPE_CHECKING

from service.database import check_schema, upgrade_schema
from service.errors import SettingsRefused
from service.settings import Settings
from service.sqlite_loop import LoopSqliteDatabase

if TYPE_CHECKING:
    from service.postgres import PostgresDatabase


def open_provider_database(settings: Settings) -> "LoopSqliteDatabase | PostgresDatabase":
    """Return the database; PostgreSQL is connected to by `start` or by the first use.

    Raises:
        SettingsRefused: PostgreSQL without its driver.
        ServiceUnavailable: the SQLite file cannot be opened.
    """
    if settings.postgres is None:
        return LoopSqliteDatabase(settings.database_path)
    try:
        from service.postgres import PostgresDatabase  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise _no_driver() from error
    chosen = settings.postgres
    return PostgresDatabase(chosen.url, read_password=chosen.read_password, pool_size=chosen.pool_size)


def check_schemas(settings: Settings) -> None:
    """Refuse an SQL database that is missing, older or newer than this program.

    Raises:
        DataFolderRefused: with the command that mends it.
        ServiceUnavailable: the PostgreSQL server cannot be reached.
        SettingsRefused: PostgreSQL without its driver.
    """
    check_schema(settings.database_path)
    if settings.postgres is not None:
        try:
            from service.postgres_schema import check_postgres_schema  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise _no_driver() from error
        check_postgres_schema(settings.postgres)


def upgrade_schemas(settings: Settings) -> None:
    """Bring every SQL database to this program's revision, forward only.

    Raises:
        DataFolderRefused: broken, newer or foreign. Nothing of that database is changed then.
        ServiceUnavailable: the PostgreSQL server cannot be reached.
        SettingsRefused: PostgreSQL without its driver.
    """
    upgrade_schema(settings.database_path)
    if settings.postgres is not None:
        try:
            from service.postgres_schema import upgrade_postgres_schema  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise _no_driver() from error
        upgrade_postgres_schema(settings.postgres)


def _no_driver() -> SettingsRefused:
    return SettingsRefused(
        "GBA_TRUST_DATABASE_URL is PostgreSQL, but its driver is missing: install gba-trust[postgresql]"
    )

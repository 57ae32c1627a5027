"""Alembic's entry: runs the revisions on the database that the caller names. Online only; one transaction per upgrade.

The caller's attributes: `sqlite_path`, or `open_postgresql`, an async function that returns an asyncpg connection.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from alembic import context
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

UPGRADE_LOCK = 0x4742415550
"""The advisory lock of PostgreSQL that keeps two upgrades apart."""


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=None, transactional_ddl=True)
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})")
        context.run_migrations()


async def run_on_postgresql(open_connection: Callable[[], Awaitable[Any]]) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - needs greenlet, which SQLite does not

    engine = create_async_engine("postgresql+asyncpg://", async_creator=open_connection, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


attributes = context.config.attributes
if "open_postgresql" in attributes:
    asyncio.run(run_on_postgresql(attributes["open_postgresql"]))
else:
    engine = create_engine(f"sqlite:///{attributes['sqlite_path']}")
    with engine.connect() as connection:
        run(connection)
    engine.dispose()

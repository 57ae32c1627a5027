"""Both drivers of `SqlDatabase` under one fixture: every test that takes `sql_database` runs once on each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from idp.ports import SqlDatabase
from service.postgres import PostgresDatabase
from service.sqlite_loop import LoopSqliteDatabase
from tests.support.postgres import postgres, postgres_url

__all__ = ["postgres", "postgres_url", "sql_database"]


@pytest.fixture(params=["sqlite", "postgresql"])
async def sql_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlDatabase]:
    """An empty database of each kind."""
    database = (
        LoopSqliteDatabase(tmp_path / "database.db")
        if request.param == "sqlite"
        else PostgresDatabase(request.getfixturevalue("postgres_url"))
    )
    yield database
    await database.close()

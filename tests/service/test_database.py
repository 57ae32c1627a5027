"""The data folder: upgraded forward, refused when broken or newer; one instance; transactions that are whole."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from migrations import HEAD
from service.database import SqliteDatabase, check_schema, schema_version, upgrade_schema
from service.errors import DataFolderInUse, DataFolderRefused
from service.instance_lock import InstanceLock

ROOT = Path(__file__).resolve().parents[2]


def test_head_is_the_last_revision_and_revisions_form_one_line() -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [HEAD]
    assert len(list(script.walk_revisions())) == int(HEAD)


def test_upgrade_makes_the_schema_once(tmp_path: Path) -> None:
    path = tmp_path / "service.db"
    with pytest.raises(DataFolderRefused, match="db upgrade"):
        check_schema(path)
    assert upgrade_schema(path) == HEAD
    before = path.read_bytes()
    assert upgrade_schema(path) == HEAD
    check_schema(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "service.db"
    path.write_bytes(b"this is not a database, but somebody's letter" * 100)
    before = path.read_bytes()
    for use in (check_schema, upgrade_schema):
        with pytest.raises(DataFolderRefused):
            use(path)
    assert path.read_bytes() == before


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "service.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE notes (text TEXT)")
    other.close()
    with pytest.raises(DataFolderRefused):
        schema_version(path)


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "service.db"
    upgrade_schema(path)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
    other.close()
    for use in (check_schema, upgrade_schema):
        with pytest.raises(DataFolderRefused, match="newer"):
            use(path)


def test_a_second_process_on_the_same_data_is_refused(tmp_path: Path) -> None:
    other = (
        "import sys; from pathlib import Path; from service.instance_lock import InstanceLock\n"
        "from service.errors import DataFolderInUse\n"
        "try:\n    InstanceLock(Path(sys.argv[1])).__enter__(); print('taken')\n"
        "except DataFolderInUse: print('refused')"
    )

    def run() -> str:
        done = subprocess.run(
            [sys.executable, "-c", other, str(tmp_path)], capture_output=True, text=True, check=True, cwd=ROOT
        )
        return done.stdout.strip()

    with InstanceLock(tmp_path):
        assert run() == "refused"
        with pytest.raises(DataFolderInUse), InstanceLock(tmp_path):
            pass
    assert run() == "taken"


async def test_a_failed_write_changes_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "x.db")
    await database.write(lambda c: c.execute("CREATE TABLE t (n INTEGER)"))

    def half(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (1)")
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        await database.write(half)
    await database.write(lambda c: c.execute("INSERT INTO t VALUES (2)"))
    assert await database.read(lambda c: c.execute("SELECT n FROM t").fetchall()) == [(2,)]
    database.close()


async def test_readers_cannot_write(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "x.db")
    await database.write(lambda c: c.execute("CREATE TABLE t (n INTEGER)"))
    with pytest.raises(sqlite3.OperationalError):
        await database.read(lambda c: c.execute("INSERT INTO t VALUES (1)"))
    database.close()


async def test_writes_from_many_tasks_are_one_after_another(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "x.db")
    await database.write(lambda c: c.execute("CREATE TABLE t (n INTEGER)"))
    await database.write(lambda c: c.execute("INSERT INTO t VALUES (0)"))

    def increment(connection: sqlite3.Connection) -> None:
        (value,) = connection.execute("SELECT n FROM t").fetchone()
        connection.execute("UPDATE t SET n = ?", (value + 1,))

    await asyncio.gather(*(database.write(increment) for _ in range(100)))
    assert await database.read(lambda c: c.execute("SELECT n FROM t").fetchone()) == (100,)
    database.close()

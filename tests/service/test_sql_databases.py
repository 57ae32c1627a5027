"""The contract of `SqlDatabase`, over both drivers."""

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from idp.ports import SqlConstraintViolated, SqlDatabase
from service.errors import ServiceUnavailable
from service.postgres import PostgresDatabase
from service.sqlite_loop import LoopSqliteDatabase
from tests.support.databases import postgres, postgres_url, sql_database  # noqa: F401 - fixtures
from tests.support.postgres import Cluster

ROOT = Path(__file__).resolve().parents[2]


TABLE = "CREATE TABLE t (id BIGINT PRIMARY KEY, text TEXT, blob {blob}, spent BIGINT)"


@pytest.fixture
async def database(sql_database: SqlDatabase) -> SqlDatabase:  # noqa: F811 - pytest's way
    blob = "BLOB" if sql_database.dialect == "sqlite" else "BYTEA"
    await sql_database.write_row(TABLE.format(blob=blob))
    return sql_database


async def count(database: SqlDatabase) -> int:
    row = await database.read_row("SELECT count(*) FROM t")
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize(
    "values", [(1, "中文 ' $1", b"\x00\xff", 2**53), (2, None, None, None), (-(2**63), "", b"", 0)]
)
async def test_values_come_back_as_they_went(database: SqlDatabase, values: tuple[object, ...]) -> None:
    async with database.writing() as transaction:
        assert await transaction.execute("INSERT INTO t (id, text, blob, spent) VALUES ($1, $2, $3, $4)", *values) == 1
    row = await database.read_row("SELECT id, text, blob, spent FROM t WHERE id = $1", values[0])
    assert row is not None
    assert tuple(row) == values
    assert type(row[2]) in (bytes, type(None))


async def test_a_value_used_twice_and_a_quoted_dollar(database: SqlDatabase) -> None:
    row = await database.write_row(
        "INSERT INTO t (id, spent, text) VALUES ($1, $1, 'costs $1') RETURNING id, spent, text", 5
    )
    assert row is not None
    assert tuple(row) == (5, 5, "costs $1")


async def test_statements_tell_what_they_found(database: SqlDatabase) -> None:
    async with database.writing() as transaction:
        for number in range(3):
            await transaction.execute("INSERT INTO t (id) VALUES ($1)", number)
        assert await transaction.execute("INSERT INTO t (id) VALUES (1) ON CONFLICT DO NOTHING") == 0
        assert await transaction.execute("UPDATE t SET spent = $1 WHERE id < $2", 9, 2) == 2
        assert await transaction.execute("UPDATE t SET spent = 8 WHERE id < 2 RETURNING id") == 2
        assert await transaction.execute("DELETE FROM t WHERE id = 99") == 0
        assert await transaction.fetch_row("SELECT id FROM t WHERE id = 99") is None
        assert [tuple(row) for row in await transaction.fetch_all("SELECT id FROM t ORDER BY id")] == [(0,), (1,), (2,)]
        assert len(await transaction.fetch_all("UPDATE t SET spent = 7 RETURNING id")) == 3
    assert await database.write_row("UPDATE t SET spent = 6") is None
    assert await database.read_row("SELECT id FROM t WHERE spent <> 6") is None


async def test_a_single_statement_changes_every_row_though_it_returns_one(database: SqlDatabase) -> None:
    for number in range(3):
        await database.write_row("INSERT INTO t (id) VALUES ($1)", number)
    assert await database.write_row("UPDATE t SET spent = 1 RETURNING id") is not None
    row = await database.read_row("SELECT count(*) FROM t WHERE spent = 1")
    assert row is not None
    assert row[0] == 3


async def test_an_exception_rolls_the_whole_block_back(database: SqlDatabase) -> None:
    with pytest.raises(LookupError):
        async with database.writing() as transaction:
            await transaction.execute("INSERT INTO t (id) VALUES (1)")
            await transaction.execute("INSERT INTO t (id) VALUES (2)")
            raise LookupError("in the middle")
    assert await count(database) == 0
    async with database.writing() as transaction:
        await transaction.execute("INSERT INTO t (id) VALUES (1)")
    assert await count(database) == 1


async def test_a_cancellation_rolls_the_whole_block_back(database: SqlDatabase) -> None:
    inside = asyncio.Event()

    async def stuck() -> None:
        async with database.writing() as transaction:
            await transaction.execute("INSERT INTO t (id) VALUES (1)")
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(stuck())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await count(database) == 0
    await database.write_row("INSERT INTO t (id) VALUES (1)")
    assert await count(database) == 1


async def test_a_task_cancelled_while_it_waits_harms_nobody(database: SqlDatabase) -> None:
    async def write(number: int) -> None:
        async with database.writing() as transaction:
            await transaction.execute("INSERT INTO t (id) VALUES ($1)", number)
            await asyncio.sleep(0)
            await transaction.execute("UPDATE t SET spent = 1 WHERE id = $1", number)

    tasks = [asyncio.create_task(write(number)) for number in range(40)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    kept = [number for number, result in enumerate(done) if result is None]
    assert len(kept) >= 20
    async with database.reading() as transaction:
        rows = await transaction.fetch_all("SELECT id, spent FROM t ORDER BY id")
    assert [tuple(row) for row in rows] == [(number, 1) for number in kept]


async def test_a_block_that_suspends_keeps_others_out_of_its_transaction(database: SqlDatabase) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with database.writing() as transaction:
            await transaction.execute("INSERT INTO t (id) VALUES (1)")
            entered.set()
            await go_on.wait()
            raise LookupError("and rolls back")

    slow_task = asyncio.create_task(slow())
    await entered.wait()
    alone = asyncio.create_task(database.write_row("INSERT INTO t (id) VALUES (2)"))

    async def block() -> None:
        async with database.writing() as transaction:
            await transaction.execute("INSERT INTO t (id) VALUES (3)")

    other = asyncio.create_task(block())
    await asyncio.sleep(0.01)
    assert await database.read_row("SELECT id FROM t WHERE id = 1") is None, "readers see committed rows only"
    go_on.set()
    with pytest.raises(LookupError):
        await slow_task
    await asyncio.gather(alone, other)
    async with database.reading() as transaction:
        assert [row[0] for row in await transaction.fetch_all("SELECT id FROM t ORDER BY id")] == [2, 3]


async def test_one_of_many_conditional_updates_wins(database: SqlDatabase) -> None:
    await database.write_row("INSERT INTO t (id) VALUES (1)")

    async def spend(number: int) -> bool:
        if number % 2:
            return await database.write_row(SPEND, number) is not None
        async with database.writing() as transaction:
            return await transaction.fetch_row(SPEND, number) is not None

    assert sum(await asyncio.gather(*(spend(number) for number in range(20)))) == 1


SPEND = "UPDATE t SET spent = $1 WHERE id = 1 AND spent IS NULL RETURNING id"


async def test_increments_from_many_tasks_are_not_lost(database: SqlDatabase) -> None:
    await database.write_row("INSERT INTO t (id, spent) VALUES (1, 0)")

    async def increment() -> None:
        async with database.writing() as transaction:
            await transaction.execute("UPDATE t SET spent = spent + 1 WHERE id = 1")
            await asyncio.sleep(0)
            await transaction.execute("UPDATE t SET spent = spent + 1 WHERE id = 1")

    await asyncio.gather(*(increment() for _ in range(50)))
    row = await database.read_row("SELECT spent FROM t")
    assert row is not None
    assert row[0] == 100


async def test_a_read_block_sees_one_state(database: SqlDatabase) -> None:
    async with database.reading() as transaction:
        assert await transaction.fetch_all("SELECT id FROM t") == []
        await database.write_row("INSERT INTO t (id) VALUES (1)")
        assert await transaction.fetch_all("SELECT id FROM t") == []
    assert await count(database) == 1


async def test_a_read_block_cannot_write(database: SqlDatabase) -> None:
    with pytest.raises(ServiceUnavailable):
        async with database.reading() as transaction:
            await transaction.execute("INSERT INTO t (id) VALUES (1)")
    assert await count(database) == 0


async def test_a_broken_constraint_is_named_and_loses_the_block(database: SqlDatabase) -> None:
    await database.write_row("INSERT INTO t (id) VALUES (1)")
    with pytest.raises(SqlConstraintViolated):
        await database.write_row("INSERT INTO t (id) VALUES (1)")
    with pytest.raises(RuntimeError, match="nothing was committed"):
        async with database.writing() as transaction:
            await transaction.execute("INSERT INTO t (id) VALUES (2)")
            with contextlib.suppress(SqlConstraintViolated):
                await transaction.execute("INSERT INTO t (id) VALUES (1)")
    assert await count(database) == 1


async def test_a_statement_that_is_wrong_is_a_bug_and_not_an_outage(database: SqlDatabase) -> None:
    with pytest.raises(Exception, match="nowhere") as caught:
        await database.read_row("SELECT 1 FROM nowhere")
    assert not isinstance(caught.value, ServiceUnavailable)
    assert await count(database) == 0


async def test_an_ended_transaction_does_nothing_more(database: SqlDatabase) -> None:
    async with database.writing() as transaction:
        pass
    with pytest.raises(RuntimeError, match="ended"):
        await transaction.execute("INSERT INTO t (id) VALUES (1)")


async def test_a_closed_database_is_unavailable(database: SqlDatabase) -> None:
    await database.close()  # type: ignore[attr-defined]  # the drivers' own
    with pytest.raises(ServiceUnavailable):
        await database.read_row("SELECT 1")
    with pytest.raises(ServiceUnavailable):
        async with database.writing():
            pass


async def test_transactions_do_not_nest(tmp_path: Path) -> None:
    database = LoopSqliteDatabase(tmp_path / "x.db")
    async with database.writing():
        with pytest.raises(RuntimeError, match="inside a transaction"):
            async with database.writing():
                pass
        with pytest.raises(RuntimeError, match="inside a transaction"):
            await database.write_row("CREATE TABLE t (id INTEGER)")
    await database.close()


async def test_a_file_that_another_process_holds_is_tried_again_while_the_loop_turns(tmp_path: Path) -> None:
    database = LoopSqliteDatabase(tmp_path / "x.db")
    await database.write_row("CREATE TABLE t (id INTEGER)")
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def block() -> None:
        async with database.writing() as transaction:
            await transaction.execute("INSERT INTO t VALUES (1)")

    writes = [asyncio.create_task(block()), asyncio.create_task(database.write_row("INSERT INTO t VALUES (2)"))]
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert not any(task.done() for task in writes)
    other.execute("COMMIT")
    await asyncio.gather(*writes)
    assert await database.read_row("SELECT count(*) FROM t") == (2,)
    other.close()
    await database.close()


async def test_a_file_held_too_long_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.sqlite_loop.BUSY_TIMEOUT_S", 0.01)
    database = LoopSqliteDatabase(tmp_path / "x.db")
    await database.write_row("CREATE TABLE t (id INTEGER)")
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ServiceUnavailable):
        await database.write_row("INSERT INTO t VALUES (2)")
    with pytest.raises(ServiceUnavailable):
        async with database.writing():
            pass
    other.close()
    await database.write_row("INSERT INTO t VALUES (3)")
    await database.close()


async def test_a_full_disk_is_unavailable_and_nothing_is_half_written(tmp_path: Path) -> None:
    database = LoopSqliteDatabase(tmp_path / "x.db")
    await database.write_row("CREATE TABLE t (id INTEGER, blob BLOB)")
    await database.write_row("INSERT INTO t VALUES (1, x'')")
    await database.write_row("PRAGMA max_page_count=12")
    with pytest.raises(ServiceUnavailable):
        async with database.writing() as transaction:
            await transaction.execute("UPDATE t SET id = 2")
            await transaction.execute("INSERT INTO t VALUES (3, $1)", bytes(200_000))
    assert await database.read_row("SELECT id FROM t") == (1,)
    await database.write_row("UPDATE t SET id = 4")
    await database.close()


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"somebody's letter" * 1000)
    with pytest.raises(ServiceUnavailable):
        LoopSqliteDatabase(tmp_path / "x.db")


async def test_after_close_the_file_alone_holds_everything(tmp_path: Path) -> None:
    database = LoopSqliteDatabase(tmp_path / "x.db")
    await database.write_row("CREATE TABLE t (id INTEGER)")
    await database.write_row("INSERT INTO t VALUES (1)")
    await database.close()
    assert [path.name for path in tmp_path.iterdir()] == ["x.db"]
    assert not [thread for thread in threading.enumerate() if thread.name == "sqlite-checkpoints"]


async def test_the_log_is_copied_back_beside_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.wal_checkpoints.CHECK_INTERVAL_S", 0.001)
    monkeypatch.setattr("service.wal_checkpoints.COMMITS_DUE", 10)
    monkeypatch.setattr("service.wal_checkpoints.TRUNCATE_BYTES", 10_000)
    database = LoopSqliteDatabase(tmp_path / "x.db")
    await database.write_row("CREATE TABLE t (id INTEGER, blob BLOB)")
    for number in range(50):
        await database.write_row("INSERT INTO t VALUES ($1, $2)", number, bytes(5000))
    for _ in range(2000):
        if (tmp_path / "x.db-wal").stat().st_size == 0:
            break
        await database.write_row("INSERT INTO t VALUES (0, NULL)")
        await asyncio.sleep(0.005)
    else:
        pytest.fail("the log was never cut")
    assert (tmp_path / "x.db").stat().st_size > 250_000
    await database.close()


async def test_a_killed_process_loses_no_commit(tmp_path: Path) -> None:
    program = (
        "import asyncio, os, sys; from pathlib import Path; from service.sqlite_loop import LoopSqliteDatabase\n"
        "async def main():\n"
        "    database = LoopSqliteDatabase(Path(sys.argv[1]))\n"
        "    await database.write_row('CREATE TABLE t (id INTEGER)')\n"
        "    for number in range(100): await database.write_row('INSERT INTO t VALUES ($1)', number)\n"
        "    async with database.writing() as transaction:\n"
        "        await transaction.execute('DELETE FROM t')\n"
        "        os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())"
    )
    path = tmp_path / "x.db"
    killed = subprocess.run([sys.executable, "-c", program, str(path)], cwd=ROOT, check=False)
    assert killed.returncode == -9
    database = LoopSqliteDatabase(path)
    assert await database.read_row("SELECT count(*) FROM t") == (100,)
    await database.close()


async def test_a_lost_server_connection_is_unavailable_and_the_next_use_opens_another(
    postgres: Cluster,  # noqa: F811 - pytest's way
    postgres_url: str,  # noqa: F811 - pytest's way
) -> None:
    database = PostgresDatabase(postgres_url)
    await database.write_row("CREATE TABLE t (id BIGINT)")

    def cut() -> None:
        postgres.run_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gba-trust'")

    with pytest.raises(ServiceUnavailable):
        async with database.writing() as transaction:
            await transaction.execute("INSERT INTO t VALUES (1)")
            cut()
            await transaction.execute("INSERT INTO t VALUES (2)")
    with pytest.raises(ServiceUnavailable):
        async with database.writing() as transaction:
            await transaction.execute("INSERT INTO t VALUES (3)")
            cut()
    await database.write_row("INSERT INTO t VALUES (4)")
    cut()
    await asyncio.sleep(0.05)
    assert [tuple(row) for row in await all_rows(database)] == [(4,)]
    await database.close()


async def all_rows(database: SqlDatabase) -> Sequence[Sequence[object]]:
    async with database.reading() as transaction:
        return await transaction.fetch_all("SELECT id FROM t ORDER BY id")


async def test_a_wait_for_a_lock_or_a_connection_has_a_limit(
    postgres_url: str,  # noqa: F811 - pytest's way
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service.postgres.LOCK_TIMEOUT_MS", 50)
    monkeypatch.setattr("service.postgres.ACQUIRE_TIMEOUT_S", 0.05)
    database = PostgresDatabase(postgres_url, pool_size=2)
    await database.write_row("CREATE TABLE t (id BIGINT)")
    await database.write_row("INSERT INTO t VALUES (1)")
    async with database.writing() as first:
        await first.execute("UPDATE t SET id = 2")
        with pytest.raises(ServiceUnavailable):
            await database.write_row("UPDATE t SET id = 3")
        async with database.reading():
            with pytest.raises(ServiceUnavailable, match="in use"):
                await database.read_row("SELECT 1")
    assert [tuple(row) for row in await all_rows(database)] == [(2,)]
    await database.close()


async def test_who_waits_for_a_connection_and_is_cancelled_takes_none_away(postgres_url: str) -> None:  # noqa: F811
    database = PostgresDatabase(postgres_url, pool_size=1)
    for _ in range(20):
        tasks = [asyncio.create_task(database.read_row("SELECT pg_sleep(0.001)")) for _ in range(6)]
        await asyncio.sleep(0.002)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await database.read_row("SELECT 1") is not None
    await database.close()


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    database = PostgresDatabase(f"postgresql://app@/none?host={tmp_path}")
    with pytest.raises(ServiceUnavailable):
        await database.start()
    await database.close()

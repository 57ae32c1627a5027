"""CPU per operation of the hot paths' databases, in this process alone. Prints figures; asserts nothing.

    .venv/bin/python -m bench.databases [--operations 5000] [--tasks 16] [--url postgresql://…]

Without `--url` a temporary PostgreSQL of the system's binaries is started; its server's CPU is not counted.
"""

import argparse
import asyncio
import json
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from idp.ports import SqlDatabase
from service.database import SqliteDatabase
from service.postgres import PostgresDatabase
from service.sqlite_loop import LoopSqliteDatabase
from tests.support.postgres import Cluster, find_binaries

INSERT = "INSERT INTO codes (id, client, record, spent) VALUES ($1, $2, $3, NULL)"
SPEND = "UPDATE codes SET spent = $1 WHERE id = $2 AND spent IS NULL RETURNING record"
SELECT = "SELECT record, client FROM codes WHERE id = $1"
RECORD = b"r" * 400


async def measure(
    name: str, work: Callable[[int], Awaitable[object]], operations: int, tasks: int
) -> dict[str, object]:
    async def some(first: int) -> None:
        for number in range(first, operations, tasks):
            await work(number)

    cpu, wall = cpu_seconds(), time.perf_counter()
    await asyncio.gather(*(some(first) for first in range(tasks)))
    cpu, wall = cpu_seconds() - cpu, time.perf_counter() - wall
    return {"operation": name, "cpu_us": round(cpu / operations * 1e6, 1), "per_second": round(operations / wall)}


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def measure_database(database: SqlDatabase, operations: int, tasks: int) -> list[dict[str, object]]:
    blob = "BLOB" if database.dialect == "sqlite" else "BYTEA"
    await database.write_row(
        f"CREATE TABLE codes (id TEXT PRIMARY KEY, client TEXT NOT NULL, record {blob} NOT NULL, spent BIGINT)"
    )

    async def insert_alone(number: int) -> None:
        await database.write_row(INSERT, f"code-{number}", "client", RECORD)

    async def select_alone(number: int) -> None:
        assert await database.read_row(SELECT, f"code-{number}") is not None

    async def read_block(number: int) -> None:
        async with database.reading() as transaction:
            assert await transaction.fetch_row(SELECT, f"code-{number}") is not None
            await transaction.fetch_row(SELECT, f"code-{number}")

    async def redeem(number: int) -> None:
        async with database.writing() as transaction:
            await transaction.execute(INSERT, f"assertion-{number}", "client", b"")
            assert await transaction.fetch_row(SPEND, number, f"code-{number}") is not None

    async def spend_alone(number: int) -> None:
        await database.write_row(SPEND, number, f"code-{number}")

    return [
        await measure("one INSERT", insert_alone, operations, tasks),
        await measure("one SELECT", select_alone, operations, tasks),
        await measure("read block of 2 SELECT", read_block, operations, tasks),
        await measure("write block of INSERT, UPDATE RETURNING", redeem, operations, tasks),
        await measure("one UPDATE RETURNING", spend_alone, operations, tasks),
    ]


async def measure_threads(path: Path, operations: int, tasks: int) -> list[dict[str, object]]:
    """The same by the thread-hopping database that other stores use, for comparison."""
    database = SqliteDatabase(path)

    async def select_alone(number: int) -> None:
        await database.read(lambda c: c.execute(SELECT.replace("$1", "?"), (f"code-{number}",)).fetchone())

    async def spend_alone(number: int) -> None:
        statement = SPEND.replace("$1", "?").replace("$2", "?")
        await database.write(lambda c: c.execute(statement, (number, f"code-{number}")).fetchone())

    figures = [
        await measure("one SELECT, by a thread", select_alone, operations, tasks),
        await measure("one UPDATE, by a thread", spend_alone, operations, tasks),
    ]
    database.close()
    return figures


async def main(operations: int, tasks: int, url: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        sqlite = LoopSqliteDatabase(path)
        show("sqlite", await measure_database(sqlite, operations, tasks))
        await sqlite.close()
        show("sqlite", await measure_threads(path, operations, tasks))
    if url is None:
        return
    postgres = PostgresDatabase(url)
    await postgres.start()
    show("postgresql", await measure_database(postgres, operations, tasks))
    await postgres.close()


def show(database: str, figures: list[dict[str, object]]) -> None:
    for figure in figures:
        print(json.dumps({"database": database, **figure}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=5000)
    parser.add_argument("--tasks", type=int, default=16)
    parser.add_argument("--url")
    parser.add_argument("--uvloop", action="store_true")
    chosen = parser.parse_args()
    binaries = find_binaries() if chosen.url is None else None
    cluster = None if binaries is None else Cluster(binaries)
    if cluster is not None:
        cluster.start()
    try:
        target = chosen.url if cluster is None else cluster.create_database()
        if chosen.uvloop:
            import uvloop

            uvloop.run(main(chosen.operations, chosen.tasks, target))
        else:
            asyncio.run(main(chosen.operations, chosen.tasks, target))
    finally:
        if cluster is not None:
            cluster.stop()

"""PostgreSQL behind `idp.ports.SqlDatabase`, by asyncpg.

Owns:    the pool, the limits of a statement, what an error means. Leaves statements to the stores, the schema to `migrations`.
Rules:   1 READ COMMITTED for writes: what must happen once is one conditional statement; reads of a block see one snapshot
         2 a statement is prepared once per connection; a connection goes back without a reset round trip, for nothing here
           leaves session state behind (no SET, no LISTEN, no advisory lock, no cursor)
         3 whatever ends a block before its COMMIT rolls back; a connection that cannot is thrown away
         4 no statement and no wait for a lock or a connection lasts longer than its limit
Spec:    PostgreSQL documentation, appendix A (error codes); TLS by the URL's sslmode and sslrootcert, as libpq reads them
"""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, cast

import asyncpg

from idp.ports import SqlConstraintViolated, SqlRow, SqlValue
from service.errors import ServiceUnavailable

STATEMENT_TIMEOUT_MS = 5_000
LOCK_TIMEOUT_MS = 3_000
ACQUIRE_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 8.0
"""Our own limit, for a server that no longer answers; longer than the server's."""
STATEMENTS_KEPT = 512
POOL_SIZE = 10

_BEGIN_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE"
_BEGIN_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_CHANGING = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
_UNAVAILABLE_CLASSES = frozenset({"08", "25", "28", "40", "53", "54", "55", "57", "58", "XX", "3D"})
"""Connection, read-only standby, authorization, rollback (deadlock), resources, limits, locks, operator, system, internal, no such database."""
_CONSTRAINT_CLASS = "23"
_OUTSIDE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""OSError includes TimeoutError."""


class PostgresDatabase:
    """A pool of connections to one database; it opens with the first use or by `start`, in the loop that then owns it."""

    dialect: Final = "postgresql"

    def __init__(self, url: str, *, password: str | None = None, pool_size: int = POOL_SIZE) -> None:
        self._url = url
        self._password = password
        self._pool_size = pool_size
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    async def start(self) -> None:
        """Open the pool.

        Raises:
            ServiceUnavailable: the server cannot be reached, or lets nobody in.
        """
        await self.pool()

    async def close(self) -> None:
        """Wait for open blocks, then close every connection."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                await asyncio.wait_for(pool.close(), COMMAND_TIMEOUT_S)
            except TimeoutError:
                pool.terminate()

    def writing(self) -> "_Transaction":
        """Open a write transaction."""
        return _Transaction(self, _BEGIN_WRITE)

    def reading(self) -> "_Transaction":
        """Open a read transaction on one snapshot."""
        return _Transaction(self, _BEGIN_READ)

    async def write_row(self, statement: str, *values: SqlValue) -> SqlRow | None:
        """Run one statement, committed by itself (one round trip); return the first row of its RETURNING, or None."""
        return await self._row(statement, values)

    async def read_row(self, statement: str, *values: SqlValue) -> SqlRow | None:
        """Run one SELECT (one round trip); return its first row, or None."""
        return await self._row(statement, values)

    async def pool(self) -> "asyncpg.Pool":
        """Return the open pool."""
        if self._pool is not None:
            return self._pool
        async with self._opening:
            if self._closed:
                raise ServiceUnavailable("the database is closed")
            if self._pool is None:
                try:
                    self._pool = await self._open()
                except _OUTSIDE as error:
                    raise outside(error) from error
        return self._pool

    async def _open(self) -> "asyncpg.Pool":
        return await asyncpg.create_pool(
            self._url,
            **({} if self._password is None else {"password": self._password}),
            min_size=1,
            max_size=self._pool_size,
            max_inactive_connection_lifetime=0,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            statement_cache_size=STATEMENTS_KEPT,
            max_cached_statement_lifetime=0,
            reset=_no_reset,
            server_settings={
                "application_name": "gba-trust",
                "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                "lock_timeout": str(LOCK_TIMEOUT_MS),
                "idle_in_transaction_session_timeout": str(2 * STATEMENT_TIMEOUT_MS),
                "timezone": "UTC",
            },
        )

    async def _row(self, statement: str, values: Sequence[SqlValue]) -> SqlRow | None:
        pool = self._pool or await self.pool()
        try:
            connection = await pool.acquire(timeout=ACQUIRE_TIMEOUT_S)
            try:
                row: SqlRow | None = await connection.fetchrow(statement, *values)
            finally:
                await pool.release(connection)
        except _OUTSIDE as error:
            raise outside(error) from error
        return row


class _Transaction:
    """One block on one connection."""

    __slots__ = ("_abandoned", "_begin", "_connection", "_database", "_failed", "_pool")

    def __init__(self, database: PostgresDatabase, begin: str) -> None:
        self._database = database
        self._begin = begin
        self._pool: asyncpg.Pool | None = None
        self._connection: Any = None
        self._failed = False
        self._abandoned = False

    def abandon(self) -> None:
        """Let the end of the block roll back."""
        self._abandoned = True

    async def __aenter__(self) -> "_Transaction":
        self._pool = pool = await self._database.pool()
        try:
            connection = await pool.acquire(timeout=ACQUIRE_TIMEOUT_S)
            try:
                await connection.execute(self._begin)
            except BaseException:
                await pool.release(connection)
                raise
        except _OUTSIDE as error:
            raise outside(error) from error
        self._connection = connection
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        pool = self._pool
        if connection is None or pool is None:
            return
        try:
            try:
                if kind is None and not self._failed and not self._abandoned:
                    await connection.execute("COMMIT")
                elif not connection.is_closed():
                    await connection.execute("ROLLBACK")
            finally:
                await pool.release(connection)
        except _OUTSIDE as refused:
            if kind is None:
                raise outside(refused) from refused
        if kind is None and self._failed:
            raise RuntimeError("a statement failed, and its block went on: nothing was committed")

    async def fetch_row(self, statement: str, *values: SqlValue) -> SqlRow | None:
        """Return the first row, or None."""
        return cast("SqlRow | None", await self._run("fetchrow", statement, values))

    async def fetch_all(self, statement: str, *values: SqlValue) -> Sequence[SqlRow]:
        """Return every row."""
        return cast("Sequence[SqlRow]", await self._run("fetch", statement, values))

    async def execute(self, statement: str, *values: SqlValue) -> int:
        """Return how many rows were changed."""
        verb, _, rest = str(await self._run("execute", statement, values)).partition(" ")
        return int(rest.rpartition(" ")[2]) if verb in _CHANGING else 0

    async def _run(self, method: str, statement: str, values: Sequence[SqlValue]) -> object:
        if self._connection is None:
            raise RuntimeError("this transaction has ended")
        try:
            return await getattr(self._connection, method)(statement, *values)
        except BaseException as error:
            self._failed = True
            if isinstance(error, _OUTSIDE):
                raise outside(error) from error
            raise


async def _no_reset(_: object) -> None:
    """Leave the session as it is: see rule 2."""


def outside(error: BaseException) -> BaseException:
    """Return what the caller shall see: unavailable, a broken constraint, or the bug that it is."""
    state = str(getattr(error, "sqlstate", None) or "")[:2]
    if state == _CONSTRAINT_CLASS:
        return SqlConstraintViolated(str(error))
    if state in _UNAVAILABLE_CLASSES:
        return ServiceUnavailable("the database cannot be used now: gone, overloaded or read-only")
    if isinstance(error, OSError) or (isinstance(error, asyncpg.InterfaceError) and "clos" in str(error)):
        return ServiceUnavailable("the database cannot be reached now")
    return error

"""PostgreSQL behind `idp.ports.SqlDatabase`, by asyncpg.

Owns:    sessions and transactions, their limits, what an error means. Leaves statements to the stores, the schema to `migrations`.
Rules:   1 READ COMMITTED for writes: what must happen once is one conditional statement; reads of a block see one snapshot
         2 a statement is prepared once per connection; the connections are kept by `postgres_pool`
         3 whatever ends a block before its COMMIT rolls back; a connection that cannot is thrown away
         4 no statement and no wait for a lock or a connection lasts longer than its limit
Spec:    PostgreSQL documentation, appendix A (error codes); TLS by the URL's sslmode and sslrootcert, as libpq reads them
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Final, NoReturn, cast

import asyncpg

from idp.ports import SqlConstraintViolated, SqlRow, SqlValue
from service.errors import ServiceUnavailable, SettingsRefused
from service.postgres_pool import PostgresPool

STATEMENT_TIMEOUT_MS = 5_000
LOCK_TIMEOUT_MS = 3_000
ACQUIRE_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 8.0
"""Our own limit, for a server that no longer answers; longer than the server's."""
STATEMENTS_KEPT = 512
POOL_SIZE = 10

ReadPassword = Callable[[], str | None]

_BEGIN_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE"
_BEGIN_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_CHANGING = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
_UNAVAILABLE_CLASSES = frozenset({"08", "25", "28", "40", "53", "54", "55", "57", "58", "XX", "3D"})
"""Connection, standby, authorization, deadlock, resources, limits, locks, operator, system, internal, no such database."""
_CONSTRAINT_CLASS = "23"


class PostgresDatabase:
    """Connections to one database; the first use opens the first one, in the event loop that then owns them all."""

    dialect: Final = "postgresql"

    def __init__(self, url: str, *, read_password: ReadPassword | None = None, pool_size: int = POOL_SIZE) -> None:
        """Take where the database lies, and how its password is read for each new connection."""
        self._url = url
        self._read_password = read_password
        self._pool = PostgresPool(self._connect, size=pool_size, wait_s=ACQUIRE_TIMEOUT_S)

    async def start(self) -> None:
        """Open a first connection.

        Raises:
            ServiceUnavailable: the server cannot be reached, or lets nobody in.
        """
        await self.read_row("SELECT 1")

    async def close(self) -> None:
        """Wait for open blocks, then close every connection."""
        await self._pool.close(timeout_s=COMMAND_TIMEOUT_S)

    def writing(self) -> "_Transaction":
        """Open a write transaction."""
        return _Transaction(self._pool, _BEGIN_WRITE)

    def reading(self) -> "_Transaction":
        """Open a read transaction on one snapshot."""
        return _Transaction(self._pool, _BEGIN_READ)

    async def write_row(self, statement: str, *values: SqlValue) -> SqlRow | None:
        """Run one statement, committed by itself (one round trip); return the first row of its RETURNING, or None."""
        connection = None
        clean = True
        try:
            connection = await self._pool.acquire()
            row: SqlRow | None = await connection.fetchrow(statement, *values)
        except BaseException as error:  # noqa: BLE001 - raised again
            clean = isinstance(error, asyncpg.PostgresError)
            raise_outside(error)
        finally:
            if connection is not None:
                self._pool.release(connection, clean=clean)
        return row

    async def read_row(self, statement: str, *values: SqlValue) -> SqlRow | None:
        """Run one SELECT (one round trip); return its first row, or None."""
        return await self.write_row(statement, *values)

    async def _connect(self) -> Any:  # noqa: ANN401 - asyncpg has no types
        return await connect(self._url, self._read_password)


async def connect(url: str, read_password: ReadPassword | None, *, limits: bool = True) -> Any:  # noqa: ANN401 - asyncpg has no types
    """Open one connection; without `limits` its statements may take as long as they need: a change of the schema.

    Raises:
        SettingsRefused: the URL asks for something that driver or server do not know, or for a file that is not there.
        ServiceUnavailable: the password cannot be read. What else the driver raises is for `raise_outside`.
    """
    password = None if read_password is None else read_password()
    waits = {
        "statement_timeout": str(STATEMENT_TIMEOUT_MS),
        "lock_timeout": str(LOCK_TIMEOUT_MS),
        "idle_in_transaction_session_timeout": str(2 * STATEMENT_TIMEOUT_MS),
    }
    try:
        return await asyncpg.connect(
            url,
            **({} if password is None else {"password": password}),
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S if limits else None,
            statement_cache_size=STATEMENTS_KEPT if limits else 0,
            max_cached_statement_lifetime=0,
            server_settings={"application_name": "gba-trust", "timezone": "UTC", **(waits if limits else {})},
        )
    except (asyncpg.ClientConfigurationError, asyncpg.UndefinedObjectError) as error:
        raise SettingsRefused(f"GBA_TRUST_DATABASE_URL: {error}") from error
    except FileNotFoundError as error:
        if error.filename is None and "sslrootcert=" in url:
            raise SettingsRefused("GBA_TRUST_DATABASE_URL names a file of certificates that is not there") from error
        raise


class _Transaction:
    """One block on one connection."""

    __slots__ = ("_abandoned", "_begin", "_connection", "_failed", "_pool")

    def __init__(self, pool: PostgresPool, begin: str) -> None:
        self._pool = pool
        self._begin = begin
        self._connection: Any = None
        self._failed = False
        self._abandoned = False

    def abandon(self) -> None:
        """Let the end of the block roll back."""
        self._abandoned = True

    async def __aenter__(self) -> "_Transaction":
        connection = None
        try:
            connection = await self._pool.acquire()
            await connection.execute(self._begin)
        except BaseException as error:  # noqa: BLE001 - raised again
            if connection is not None:
                self._pool.release(connection, clean=False)
            raise_outside(error)
        self._connection = connection
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        committing, clean = kind is None and not self._failed and not self._abandoned, False
        try:
            await connection.execute("COMMIT" if committing else "ROLLBACK")
            clean = True
        except BaseException as refused:  # noqa: BLE001 - raised again, or the block's own error is
            if committing or isinstance(refused, asyncio.CancelledError):
                raise_outside(refused)
        finally:
            self._pool.release(connection, clean=clean)
        if kind is None and self._failed:
            raise RuntimeError("a statement failed, and its block went on: nothing was committed")

    async def fetch_row(self, statement: str, *values: SqlValue) -> SqlRow | None:
        """Return the first row, or None."""
        return cast("SqlRow | None", await self._run(self._open().fetchrow(statement, *values)))

    async def fetch_all(self, statement: str, *values: SqlValue) -> Sequence[SqlRow]:
        """Return every row."""
        return cast("Sequence[SqlRow]", await self._run(self._open().fetch(statement, *values)))

    async def execute(self, statement: str, *values: SqlValue) -> int:
        """Return how many rows were changed."""
        verb, _, rest = str(await self._run(self._open().execute(statement, *values))).partition(" ")
        return int(rest.rpartition(" ")[2]) if verb in _CHANGING else 0

    def _open(self) -> Any:  # noqa: ANN401 - asyncpg has no types
        if self._connection is None:
            raise RuntimeError("this transaction has ended")
        return self._connection

    async def _run(self, answer: Awaitable[object]) -> object:
        try:
            return await answer
        except BaseException as error:  # noqa: BLE001 - raised again
            self._failed = True
            raise_outside(error)


def raise_outside(error: BaseException) -> NoReturn:
    """Raise what the caller shall see: unavailable, a broken constraint, or the bug that it is."""
    state = str(getattr(error, "sqlstate", None) or "")[:2]
    if state == _CONSTRAINT_CLASS:
        raise SqlConstraintViolated(str(error)) from error
    if state in _UNAVAILABLE_CLASSES:
        raise ServiceUnavailable("the database cannot be used now: gone, overloaded or read-only") from error
    if isinstance(error, OSError) or (isinstance(error, asyncpg.InterfaceError) and "clos" in str(error)):
        raise ServiceUnavailable("the database cannot be reached now") from error
    raise error

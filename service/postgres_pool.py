"""Connections to one PostgreSQL database, kept open and lent out, the one that came back last first.

Owns:    opening, lending, throwing away. Leaves transactions to `postgres`.
Rules:   1 never more than `size` connections; who finds none free waits in order, up to a limit
         2 a connection goes back clean or not at all: one that was interrupted, or is inside a transaction, is thrown away
         3 no reset round trip: nothing here leaves session state behind (no SET, no LISTEN, no advisory lock, no cursor)
Note:    asyncpg's own pool costs 14 to 25 µs of CPU a use, as much as half a statement (bench/databases.py); this one costs 1
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from service.errors import ServiceUnavailable


class PostgresPool:
    """Lends connections that `connect` opens."""

    def __init__(self, connect: Callable[[], Awaitable[Any]], *, size: int, wait_s: float) -> None:
        self._connect = connect
        self._size = size
        self._wait_s = wait_s
        self._idle: list[Any] = []
        self._open = 0
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._closed = False
        self._all_back = asyncio.Event()

    async def acquire(self) -> Any:  # noqa: ANN401 - asyncpg has no types
        """Return a connection to use alone.

        Raises:
            ServiceUnavailable: none was free in time, or the pool is closed. What `connect` raises is raised.
        """
        if self._closed:
            raise ServiceUnavailable("the database is closed")
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._open -= 1
        if self._open < self._size:
            self._open += 1
            return await self._open_one()
        return await self._wait()

    def release(self, connection: Any, *, clean: bool = True) -> None:  # noqa: ANN401 - asyncpg has no types
        """Take a connection back; one that is not clean is thrown away, and the server rolls back what it had begun."""
        if not clean or connection.is_closed() or connection.is_in_transaction():
            connection.terminate()
            self._lost()
            return
        waiting = self._next_waiting()
        if waiting is not None:
            waiting.set_result(connection)
            return
        self._idle.append(connection)
        if self._closed and len(self._idle) == self._open:
            self._all_back.set()

    async def close(self, *, timeout_s: float) -> None:
        """Lend no more, wait for what is lent, close everything."""
        self._closed = True
        while (waiting := self._next_waiting()) is not None:
            waiting.set_exception(ServiceUnavailable("the database is closed"))
        try:
            async with asyncio.timeout(timeout_s):
                if len(self._idle) < self._open:
                    await self._all_back.wait()
                await asyncio.gather(*(connection.close() for connection in self._idle), return_exceptions=True)
        except TimeoutError:
            for connection in self._idle:
                connection.terminate()
        self._idle.clear()
        self._open = 0

    async def _open_one(self) -> Any:  # noqa: ANN401 - asyncpg has no types
        """Open a connection for a place that is counted already."""
        try:
            return await self._connect()
        except BaseException:
            self._lost()
            raise

    async def _wait(self) -> Any:  # noqa: ANN401 - asyncpg has no types
        waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(self._wait_s):
                lent = await waiting
        except BaseException as error:
            self._give_on(waiting)
            if isinstance(error, TimeoutError):
                raise ServiceUnavailable("every connection to the database is in use") from error
            raise
        return await self._open_one() if lent is None else lent

    def _give_on(self, waiting: "asyncio.Future[Any]") -> None:
        """Pass on what was given to someone who no longer waits."""
        if not waiting.done():
            waiting.cancel()
        elif not waiting.cancelled() and waiting.exception() is None:
            lent = waiting.result()
            if lent is None:
                self._lost()
            else:
                self.release(lent)

    def _lost(self) -> None:
        """Give a lost connection's place to who waits first, or count one less."""
        if (waiting := self._next_waiting()) is not None:
            waiting.set_result(None)
            return
        self._open -= 1
        if self._closed and len(self._idle) == self._open:
            self._all_back.set()

    def _next_waiting(self) -> "asyncio.Future[Any] | None":
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                return waiting
        return None

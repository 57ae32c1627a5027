"""One wait for the disk for everybody who waits together.

Owns:    a thread that calls fdatasync on write-ahead logs, and who is told when it has returned.
Leaves:  what was written to the connections: SQLite in WAL mode with synchronous=NORMAL writes a commit's frames and does not wait;
         the wait is here, once for all commits of a turn of the loop, and the loop goes on meanwhile.
Rules:   1 whoever waits is told only by a sync that *began* after their commit: what came while the disk was busy has the next one
         2 a sync that fails is told to all who waited for it; nobody is told that something is on disk that may not be
         3 only logs (`-wal`) are opened here: closing a database file would drop SQLite's locks on it, a log carries none
Spec:    https://sqlite.org/wal.html cl. 3 (a log's frames survive once they are synced), https://sqlite.org/howtocorrupt.html cl. 2.2.1
"""

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from service.errors import ServiceUnavailable


def log_of(database: Path) -> Path:
    """Return the write-ahead log of a SQLite file."""
    return database.with_name(database.name + "-wal")


class DiskBarrier:
    """The thread; used from the event loop that made it, while the databases are open."""

    def __init__(self, databases: Sequence[Path]) -> None:
        """Open the logs of databases that are open in WAL mode; a log that is not there yet is made, as SQLite would.

        Raises:
            ServiceUnavailable: a log cannot be opened.
        """
        try:
            self._logs = [os.open(log_of(path), os.O_RDWR | os.O_CREAT, 0o600) for path in databases]
        except OSError as error:
            raise ServiceUnavailable("a database's write-ahead log cannot be opened") from error
        self._loop = asyncio.get_running_loop()
        self._waiting: list[asyncio.Future[None]] = []
        self._busy = False
        self._jobs: queue.SimpleQueue[list[asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="disk-barrier", daemon=True)
        self._thread.start()

    def wait(self) -> "asyncio.Future[None]":
        """Return a future that is done when everything committed until now is on disk."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(done)
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._begin)  # whoever else commits in this turn comes along
        return done

    async def close(self) -> None:
        """Wait for who waits, then end the thread."""
        while self._waiting or self._busy:
            await self.wait()
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        for log in self._logs:
            os.close(log)

    def _begin(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._jobs.put(waiting)

    def _settle(self, waiting: list["asyncio.Future[None]"], error: OSError | None) -> None:
        for done in waiting:
            if done.done():
                continue
            if error is None:
                done.set_result(None)
            else:
                refusal = ServiceUnavailable("the disk does not take what was written")
                refusal.__cause__ = error
                done.set_exception(refusal)
        self._busy = bool(self._waiting)
        if self._busy:
            self._begin()

    def _run(self) -> None:
        while (waiting := self._jobs.get()) is not None:
            error: OSError | None = None
            try:
                for log in self._logs:
                    os.fdatasync(log)
            except OSError as failed:
                error = failed
            self._tell(self._settle, waiting, error)

    def _tell(self, call: Callable[..., object], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is gone, and with it whoever waited
            self._loop.call_soon_threadsafe(call, *arguments)

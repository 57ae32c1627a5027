"""The threads that read faces, and the queue before them.

Owns:    a small pool, one `FaceReader` a thread, back-pressure. Leaves what runs there to `capture`.
Rules:   1 the nets release the interpreter lock, so threads are enough; each net has one thread
         2 work that would wait behind a full queue is refused at once, with a time to come back
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from liveness.errors import Busy
from liveness.landmarks import FaceReader

T = TypeVar("T")


class FaceWorkers:
    """Runs CPU work beside the event loop."""

    def __init__(self, build_reader: Callable[[], FaceReader], *, threads: int, queue: int) -> None:
        """Start the threads.

        Args:
            build_reader: makes one reader; called once in every thread.
            threads: how many.
            queue: how many pieces of work may wait or run.
        """
        self._local = threading.local()
        self._build_reader = build_reader
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="faces")
        self._limit = threads + queue
        self._pending = 0

    async def run(self, work: Callable[[FaceReader], T]) -> T:
        """Run `work` with a thread's own reader and return what it returns.

        Raises:
            Busy: the queue is full.
        """
        if self._pending >= self._limit:
            raise Busy("too many checks at this moment: try again", retry_after_s=2)
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._call, work)
        finally:
            self._pending -= 1

    async def warm(self) -> None:
        """Build the readers now, so that the first citizen does not wait for them."""
        await self.run(lambda _: None)

    def close(self) -> None:
        """Wait for running work and end the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _call(self, work: Callable[[FaceReader], T]) -> T:
        reader: FaceReader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = self._build_reader()
        return work(reader)

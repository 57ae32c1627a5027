"""The threads, their readers, and back-pressure."""

import asyncio
import threading

import pytest

from liveness.errors import Busy
from liveness.workers import FaceWorkers


async def test_one_reader_a_thread_and_made_once() -> None:
    made: list[int] = []

    def build() -> object:
        made.append(threading.get_ident())
        return object()

    workers = FaceWorkers(build, threads=1, queue=4)
    first = await workers.run(lambda reader: reader)
    assert await workers.run(lambda reader: reader) is first
    assert made != [threading.get_ident()] and len(made) == 1
    workers.close()


async def test_a_full_queue_says_when_to_come_back() -> None:
    gate = threading.Event()
    workers = FaceWorkers(object, threads=1, queue=1)
    held = [asyncio.ensure_future(workers.run(lambda _: gate.wait(5))) for _ in range(2)]
    await asyncio.sleep(0.05)
    with pytest.raises(Busy) as refusal:
        await workers.run(lambda _: None)
    assert refusal.value.retry_after_s >= 1
    gate.set()
    assert await asyncio.gather(*held) == [True, True]
    assert await workers.run(lambda _: 5) == 5
    workers.close()


async def test_a_failure_frees_its_place() -> None:
    workers = FaceWorkers(object, threads=1, queue=1)

    def fail(_: object) -> None:
        raise RuntimeError("broken")

    for _ in range(5):
        with pytest.raises(RuntimeError):
            await workers.run(fail)
    workers.close()

"""One wait for the disk: who waits is told by a sync that began after their commit, and of its failure."""

import asyncio
import os
from pathlib import Path

import pytest

from service.disk_barrier import DiskBarrier, log_of
from service.errors import ServiceUnavailable


@pytest.fixture
async def barrier(tmp_path: Path):
    made = DiskBarrier([tmp_path / "a.db", tmp_path / "b.db"])
    yield made
    await made.close()


async def test_who_comes_in_one_turn_shares_one_sync(barrier: DiskBarrier, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    await asyncio.gather(*(barrier.wait() for _ in range(20)))
    assert len(synced) == 2, "each log once"


async def test_who_comes_while_the_disk_is_busy_has_the_next_sync(
    barrier: DiskBarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, begun, go = asyncio.get_running_loop(), asyncio.Event(), __import__("threading").Event()
    count = 0

    def slow(_: int) -> None:
        nonlocal count
        count += 1
        loop.call_soon_threadsafe(begun.set)
        go.wait(5)

    monkeypatch.setattr(os, "fdatasync", slow)
    first = barrier.wait()
    await begun.wait()
    second = barrier.wait()
    await asyncio.sleep(0.01)
    assert not first.done()
    go.set()
    await first
    assert not second.done(), "it committed after that sync began"
    await second
    assert count == 4


async def test_a_failed_sync_is_told_to_all_who_waited_and_the_next_is_tried(
    barrier: DiskBarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    results = await asyncio.gather(barrier.wait(), barrier.wait(), return_exceptions=True)
    assert [type(result) for result in results] == [ServiceUnavailable, ServiceUnavailable]
    monkeypatch.undo()
    await barrier.wait()


async def test_a_log_is_opened_and_never_the_database(tmp_path: Path) -> None:
    barrier = DiskBarrier([tmp_path / "a.db"])
    assert log_of(tmp_path / "a.db").exists()
    assert not (tmp_path / "a.db").exists()
    await barrier.close()


async def test_a_log_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(ServiceUnavailable):
        DiskBarrier([tmp_path / "missing" / "a.db"])

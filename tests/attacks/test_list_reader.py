"""Attacks on a reader's start: what it finds on its own disk, and a source that is silent or older."""

import shutil
from pathlib import Path

import pytest

from tests.support.trust_lists import Ticker, operators, refusal
from trust_lists.client import TrustListClient
from trust_lists.errors import ListRollback


async def test_stale_cache_at_start(tmp_path: Path) -> None:
    """The copy ran out while the reader was off, and its source is kept silent: it fails closed, told apart from "not trusted"."""
    clock = Ticker()
    made = operators(tmp_path / "operators", clock)
    await TrustListClient(made.repository, tmp_path / "cache", made.trusted_root(), clock).refresh()
    clock.forward(days=3)
    reader = TrustListClient(tmp_path / "silent", tmp_path / "cache", made.trusted_root(), clock)
    assert (await reader.load()).version == 1
    assert refusal(reader.current) == "trust_list_stale"
    assert not reader.status().usable


async def test_older_cache_put_back_at_start(tmp_path: Path) -> None:
    """An older copy is laid under a reader that is off: it takes that for its floor, and the newer list from the source still wins."""
    clock = Ticker()
    made = operators(tmp_path / "operators", clock)
    cache = tmp_path / "cache"
    await TrustListClient(made.repository, cache, made.trusted_root(), clock).refresh()
    shutil.copytree(cache, tmp_path / "old")
    made.set_status("hk-rsa", "withdrawn")
    await TrustListClient(made.repository, cache, made.trusted_root(), clock).refresh()
    shutil.rmtree(cache)
    shutil.copytree(tmp_path / "old", cache)
    reader = TrustListClient(made.repository, cache, made.trusted_root(), clock)
    assert (await reader.load()).version == 1
    assert (await reader.refresh()).service("hk-rsa").status.word == "withdrawn"


async def test_rolled_back_source_at_start(tmp_path: Path) -> None:
    clock = Ticker()
    made = operators(tmp_path / "operators", clock)
    made.set_status("hk-rsa", "withdrawn")
    await TrustListClient(made.repository, tmp_path / "cache", made.trusted_root(), clock).refresh()
    made.set_fault("rolled_back")
    reader = TrustListClient(made.served, tmp_path / "cache", made.trusted_root(), clock)
    with pytest.raises(ListRollback):
        await reader.refresh()
    assert reader.current().service("hk-rsa").status.word == "withdrawn"

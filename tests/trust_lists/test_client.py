"""The reader: it takes good news, keeps what it has, and fails closed when that is too old."""

import asyncio
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from sandbox.operators import Operators
from tests.support.trust_lists import Ticker, drafts, operators, refusal
from trust_lists.bundle import FileRequest
from trust_lists.client import TrustListClient
from trust_lists.config import ReaderPolicy
from trust_lists.errors import TrustListError
from trust_lists.fetchers import DirectoryFetcher, HttpFetcher
from trust_lists.model import ServiceStatus


class Counting:
    """A directory that counts what is asked of it, and can stop answering."""

    def __init__(self, made: Operators) -> None:
        self.made = made
        self.asked: list[str] = []
        self.hang = False

    async def fetch(self, request: FileRequest) -> bytes | None:
        self.asked.append(request.name)
        if self.hang:
            await asyncio.sleep(60)
        return await DirectoryFetcher(self.made.served).fetch(request)

    async def aclose(self) -> None:
        pass


@pytest.fixture
def clock() -> Ticker:
    return Ticker()


@pytest.fixture
def made(tmp_path: Path, clock: Ticker) -> Operators:
    return operators(tmp_path / "operators", clock)


def reader(made: Operators, clock: Ticker, cache: Path | None = None, **policy: timedelta) -> TrustListClient:
    return TrustListClient(Counting(made), cache, made.trusted_root(), clock, ReaderPolicy(**policy))


async def refused(client: TrustListClient) -> str:
    with pytest.raises(TrustListError) as caught:
        await client.refresh()
    assert client.status().last_error_code == caught.value.code
    return caught.value.code


async def test_first_list_and_its_status(made: Operators, clock: Ticker) -> None:
    client = reader(made, clock)
    assert refusal(client.current) == "trust_list_unavailable"
    assert not client.status().usable
    snapshot = await client.refresh()
    assert client.current() is snapshot
    status = client.status()
    assert (status.version, status.sha256, status.anchors, status.usable) == (1, snapshot.sha256, 5, True)
    assert status.last_error_code is None
    assert status.to_json()["version"] == 1


async def test_an_unchanged_timestamp_is_not_parsed_again(made: Operators, clock: Ticker) -> None:
    client = reader(made, clock)
    snapshot = await client.refresh()
    client._fetcher.asked.clear()
    assert await client.refresh() is snapshot
    assert client._fetcher.asked == ["metadata/2.root.json", "metadata/timestamp.json"]


async def test_a_change_fetches_only_what_changed(made: Operators, clock: Ticker, tmp_path: Path) -> None:
    client = reader(made, clock, tmp_path / "cache")
    await client.refresh()
    made.set_status("hk-rsa", "withdrawn")
    client._fetcher.asked.clear()
    snapshot = await client.refresh()
    assert snapshot.service("hk-rsa").status is ServiceStatus.WITHDRAWN
    assert [name.split("/")[1] for name in client._fetcher.asked if name.startswith("targets/")] == ["hk"]


@pytest.mark.parametrize(
    "fault, code",
    [("expired", "list_expired"), ("rolled_back", "list_rollback"), ("one_region", "list_threshold_not_met")],
)
async def test_a_fault_leaves_the_last_good_list(made: Operators, clock: Ticker, fault: str, code: str) -> None:
    client = reader(made, clock)
    snapshot = await client.refresh()
    made.set_fault(fault)
    assert await refused(client) == code
    assert client.current() is snapshot
    made.set_fault(None)
    await client.refresh()
    assert client.status().last_error_code is None


async def test_frozen_source(made: Operators, clock: Ticker) -> None:
    client = reader(made, clock)
    snapshot = await client.refresh()
    clock.forward(hours=25)
    assert await refused(client) == "list_frozen"
    assert client.current() is snapshot
    clock.forward(hours=24)
    assert refusal(client.current) == "trust_list_stale"
    assert not client.status().usable


async def test_the_grace_never_outlives_the_list(made: Operators, clock: Ticker) -> None:
    client = reader(made, clock, offline_grace=timedelta(days=180))
    snapshot = await client.refresh()
    assert client.current(snapshot.next_update - timedelta(seconds=1)) is snapshot
    assert refusal(client.current, snapshot.next_update) == "trust_list_stale"


async def test_restart_without_a_source(made: Operators, clock: Ticker, tmp_path: Path) -> None:
    first = await reader(made, clock, tmp_path / "cache").refresh()
    client = TrustListClient(tmp_path / "nothing here", tmp_path / "cache", made.trusted_root(), clock)
    assert await refused(client) == "trust_list_unavailable"
    assert client.current().sha256 == first.sha256


async def test_restart_after_the_copy_expired_fails_closed_and_keeps_the_floor(
    made: Operators, clock: Ticker, tmp_path: Path
) -> None:
    await reader(made, clock, tmp_path / "cache").refresh()
    made.set_status("hk-rsa", "withdrawn")
    await reader(made, clock, tmp_path / "cache").refresh()
    clock.forward(hours=72)
    client = reader(made, clock, tmp_path / "cache")
    loaded = await client.load()
    assert loaded is not None and loaded.version == 2
    assert refusal(client.current) == "trust_list_stale"
    made.set_fault("rolled_back")
    assert await refused(client) == "list_rollback"
    made.set_fault(None)
    made.refresh_timestamp()
    assert (await client.refresh()).version == 2


@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
async def test_a_damaged_copy_is_not_used(made: Operators, clock: Ticker, tmp_path: Path, damage: str) -> None:
    await reader(made, clock, tmp_path / "cache").refresh()
    path = next((tmp_path / "cache").rglob("hk/*.list.json"))
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(data.replace(b"granted", b"grantea") if damage == "flip" else data[:100])
    client = reader(made, clock, tmp_path / "cache")
    assert await client.load() is None
    assert client.status().last_error_code == ("list_malformed" if damage == "gone" else "list_mixed")
    assert refusal(client.current) == "trust_list_unavailable"
    assert (await client.refresh()).version == 1
    assert await reader(made, clock, tmp_path / "cache").load() is not None


async def test_a_copy_that_cannot_be_saved_does_not_take_the_list_away(
    made: Operators, clock: Ticker, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_bytes(b"a file, not a directory")
    client = reader(made, clock, tmp_path / "cache")
    assert (await client.refresh()).version == 1


async def test_a_slow_source(made: Operators, clock: Ticker) -> None:
    policy = {"request_timeout": timedelta(milliseconds=50), "refresh_timeout": timedelta(milliseconds=50)}
    client = reader(made, clock, **policy)
    client._fetcher.hang = True
    assert await refused(client) == "trust_list_unavailable"


async def test_clock_set_back(made: Operators, clock: Ticker) -> None:
    client = reader(made, clock)
    await client.refresh()
    made.refresh_timestamp()
    clock.forward(hours=-1)
    assert await refused(client) == "list_clock"


async def test_refreshing_for_ever_survives_refusals(made: Operators, clock: Ticker) -> None:
    client = reader(made, clock, refresh_interval=timedelta(milliseconds=5))
    made.set_fault("one_region")
    task = asyncio.create_task(client.keep_refreshing())
    await asyncio.sleep(0.05)
    assert client.status().last_error_code == "list_threshold_not_met"
    made.set_fault(None)
    async with asyncio.timeout(5):
        while client.status().version is None:
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def _http(answer: httpx.Response | Exception) -> HttpFetcher:
    def handle(_request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return HttpFetcher("http://list.test/", ReaderPolicy(), httpx.AsyncClient(transport=httpx.MockTransport(handle)))


@pytest.mark.parametrize(
    "answer, code",
    [
        (httpx.Response(500), "trust_list_unavailable"),
        (httpx.Response(302, headers={"location": "http://elsewhere.test"}), "trust_list_unavailable"),
        (httpx.ConnectError("refused"), "trust_list_unavailable"),
        (httpx.Response(200, content=b"x" * 11), "list_malformed"),
    ],
)
async def test_http_answers_that_are_none(answer: httpx.Response | Exception, code: str) -> None:
    fetcher = _http(answer)
    with pytest.raises(TrustListError) as caught:
        await fetcher.fetch(FileRequest("metadata/timestamp.json", 10))
    assert caught.value.code == code
    await fetcher.aclose()


async def test_http_not_found_is_none() -> None:
    for status in (403, 404):
        assert await _http(httpx.Response(status)).fetch(FileRequest("metadata/9.root.json", 10)) is None
    assert await _http(httpx.Response(200, content=b"x" * 10)).fetch(FileRequest("x", 10)) == b"x" * 10


async def test_a_source_without_any_list(tmp_path: Path, clock: Ticker) -> None:
    empty = Operators(tmp_path / "new", clock)
    client = reader(empty, clock)
    assert await refused(client) == "trust_list_unavailable"
    empty.publish_first(drafts())
    assert (await client.refresh()).version == 1


def test_policies_refuse_nonsense() -> None:
    for bad in (
        {"offline_grace": timedelta(days=-1)},
        {"request_timeout": timedelta(0)},
        {"refresh_interval": timedelta(0)},
    ):
        with pytest.raises(ValueError, match="must be"):
            ReaderPolicy(**bad)

"""Notices by the operator's gateway: what it hears, and that nothing fails or leaks when it does not."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from service import notifier
from service.notifier import HttpNotifier

NOTICE = {
    "person": "person-1",
    "portal": "Guangdong Sample Bank",
    "message": "Ref. 1234",
    "url": "https://login.test/approve/x",
}
SECRET = "bearer-secret-of-the-test"


@dataclass
class Trail:
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def record(self, event: str, *, correlation: str, outcome: str = "ok", detail: dict | None = None) -> None:
        self.events.append((event, {"correlation": correlation, "outcome": outcome, **(detail or {})}))


def made(handler) -> tuple[HttpNotifier, Trail]:
    trail = Trail()
    http = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    return HttpNotifier("https://notices.test/gba", SECRET, http, trail), trail


async def test_the_gateway_hears_one_json_object_with_the_secret() -> None:
    received: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        received.append(request)
        return httpx.Response(202)

    gateway, trail = made(answer)
    await gateway.notify(**NOTICE)
    [request] = received
    assert (request.method, str(request.url)) == ("POST", "https://notices.test/gba")
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert json.loads(request.content) == NOTICE
    assert [name for name, _ in trail.events] == ["notice.sent"]


@pytest.mark.parametrize("status", [301, 400, 401, 500, 503])
async def test_a_refusal_is_recorded_and_goes_no_further(status: int) -> None:
    received: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        received.append(request)
        return httpx.Response(status, headers={"Location": "https://elsewhere.test/"})

    gateway, trail = made(answer)
    await gateway.notify(**NOTICE)
    assert len(received) == 1
    assert [(name, told["status"]) for name, told in trail.events] == [("notice.not_sent", status)]


async def test_a_gateway_that_is_dead_or_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    def dead(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    async def silent(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        return httpx.Response(200)

    monkeypatch.setattr(notifier, "CALL_TIMEOUT_S", 0.02)
    for handler in (dead, silent):
        gateway, trail = made(handler)
        await gateway.notify(**NOTICE)
        assert [name for name, _ in trail.events] == ["notice.not_sent"]


async def test_nothing_of_the_notice_is_recorded(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    gateway, trail = made(lambda _: httpx.Response(500))
    await gateway.notify(**NOTICE)
    for inner in (*NOTICE.values(), SECRET):
        assert inner not in str(trail.events)
        assert inner not in caplog.text


async def test_calls_at_a_time_are_few() -> None:
    at_once, most = 0, 0

    async def slow(request: httpx.Request) -> httpx.Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.001)
        at_once -= 1
        return httpx.Response(200)

    gateway, trail = made(slow)
    await asyncio.gather(*(gateway.notify(**NOTICE) for _ in range(40)))
    assert most <= notifier.MAX_CALLS
    assert len(trail.events) == 40

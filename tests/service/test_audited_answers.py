"""No answer before its audit trail: the first byte waits for the events that led to it; without them there is no answer."""

import asyncio

import httpx
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from service.audited_answers import AuditedAnswers, gathered
from service.errors import ServiceUnavailable


class Trail:
    """Takes entries, or fails; remembers what had been kept when the answer left."""

    def __init__(self, *, fails: bool = False) -> None:
        self.kept: list[object] = []
        self.calls = 0
        self.fails = fails

    async def append(self, entries: list) -> None:
        await asyncio.sleep(0)
        self.calls += 1
        if self.fails:
            raise ServiceUnavailable("no disk")
        self.kept += entries


def entry(name: str) -> tuple:
    return (0, name, "ok", "c", "{}")


async def ask(app, trail: Trail) -> httpx.Response:
    transport = httpx.ASGITransport(AuditedAnswers(app, append=trail.append))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        return await http.get("/")


async def test_events_of_a_request_are_kept_once_and_before_the_answer() -> None:
    trail = Trail()

    async def app(scope, receive, send) -> None:
        gathered.get().entries.append(entry("a"))
        gathered.get().entries.append(entry("b"))

        async def noted(message) -> None:
            await send(message)
            if message["type"] == "http.response.start":
                assert [kept[1] for kept in trail.kept] == ["a", "b"]

        await Response("done")(scope, receive, noted)

    assert (await ask(app, trail)).text == "done"
    assert trail.calls == 1


async def test_without_the_trail_there_is_no_answer() -> None:
    trail = Trail(fails=True)

    async def app(scope, receive, send) -> None:
        gathered.get().entries.append(entry("token.issued"))
        await Response("the secret answer", headers={"x-token": "secret"})(scope, receive, send)

    response = await ask(app, trail)
    assert response.status_code == 503
    assert "secret" not in response.text + repr(response.headers)


async def test_what_a_request_leaves_running_records_for_itself() -> None:
    trail, later = Trail(), []

    async def app(scope, receive, send) -> None:
        async def background() -> None:
            await asyncio.sleep(0.01)
            later.append(gathered.get().open)

        task = asyncio.create_task(background())
        await Response("done")(scope, receive, send)
        await task

    await ask(app, trail)
    assert later == [False]
    assert gathered.get() is None


async def test_a_streamed_answer_waits_for_its_first_byte_only() -> None:
    trail = Trail()

    async def app(scope, receive, send) -> None:
        request = Request(scope, receive)
        gathered.get().entries.append(entry("a"))

        async def parts():
            yield b"1"
            assert not gathered.get().open
            yield b"2"

        assert request.method == "GET"
        await StreamingResponse(parts())(scope, receive, send)

    assert (await ask(app, trail)).text == "12"
    assert trail.calls == 1

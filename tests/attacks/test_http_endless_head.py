"""A request whose head never ends: the connection is refused after 64 KiB, and the next person is served."""

import asyncio

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from service.bounded_http import MAX_HEAD_BYTES, BoundedHttp
from service.server import listen


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
async def port():
    listener = listen("127.0.0.1", 0)
    app = Starlette(routes=[Route("/", echo, methods=["GET", "POST"])])
    server = uvicorn.Server(uvicorn.Config(app, http=BoundedHttp, lifespan="off", log_level="critical"))
    task = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    await task


async def talk(port: int, *parts: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        return b"reset"
    finally:
        writer.close()


@pytest.mark.parametrize(
    "start", [b"GET /", b"GET / HTTP/1.1\r\nhost: x\r\nx: ", b"GET / HTTP/1.1\r\n"], ids=["line", "value", "fields"]
)
async def test_an_endless_head_is_refused(port: int, start: bytes) -> None:
    filler = b"x: y\r\n" * 1000 if start.endswith(b"1.1\r\n") else b"a" * 6000
    answer = await talk(port, start, *[filler] * 40)
    assert answer == b"reset" or b" 431 " in answer or b" 400 " in answer
    assert b" 200 " in await talk(port, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")


async def test_a_large_body_is_no_head(port: int) -> None:
    size = 4 * MAX_HEAD_BYTES
    head = f"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n".encode()
    answer = await talk(port, head, *[b"b" * 16384] * (size // 16384))
    assert answer.endswith(str(size).encode())


async def test_many_requests_on_one_connection_are_each_counted_alone(port: int) -> None:
    one = b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 20_000 + b"\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(6):
        writer.write(one)
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(1)
    writer.write(last)
    assert b" 200 " in await reader.read()
    writer.close()

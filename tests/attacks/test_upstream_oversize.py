"""Attack: more bytes than anybody needs, to our callback door, to our client, to the simulator."""

import asyncio
import zlib
from dataclasses import replace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from idp.connectors.iam_smart import IamSmartConnector
from idp.errors import UpstreamError, UpstreamNotGenuine
from tests.support.iam_smart import STATE, Cipher, joined, serving


@pytest.fixture
async def wire(tmp_path):
    async with joined(tmp_path) as wire:
        yield wire


@pytest.mark.parametrize("kind", ["profile", "signing"])
async def test_an_oversize_callback_is_not_read_to_the_end(wire, kind):
    read = 0

    async def body():
        nonlocal read
        for _ in range(1_000):
            read += 1
            yield b"x" * 16_384

    # The ASGI transport reads a whole body, so the application is called directly.
    app = Starlette(routes=list(wire.connector.routes()))
    messages = body()

    async def receive():
        return {"type": "http.request", "body": await anext(messages), "more_body": True}

    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": f"/callback/iam_smart/{kind}", "headers": [], "query_string": b"", "root_path": "",
        "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 1),
    }  # fmt: skip
    await app(scope, receive, send)
    assert sent[0]["status"] == 413
    assert read <= wire.config.max_callback_bytes // 16_384 + 1


async def test_an_oversize_call_to_the_simulator(wire):
    reply = await wire.to_sandbox.post("/iam-smart/api/v1/auth/getToken", content=b"x" * (10 * 1024 * 1024 + 1))
    assert reply.status_code == 413


async def test_a_query_of_many_kilobytes(wire):
    with pytest.raises(UpstreamNotGenuine):
        await wire.connector.exchange("txn-1", query=f"state={STATE}&code={'a' * 100_000}", state=STATE)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_an_endless_reply_is_cut_off(wire, encoding):
    """Also one that is small on the wire and large when unpacked."""

    async def endless():
        packer = zlib.compressobj(wbits=31)
        while True:
            piece = b" " * 65_536
            await asyncio.sleep(0)
            yield packer.compress(piece) if encoding == "gzip" else piece

    async def answer(request: Request) -> Response:
        assert request.headers["accept-encoding"] == "identity"
        return StreamingResponse(endless(), headers={"Content-Encoding": encoding} if encoding == "gzip" else {})

    upstream = Starlette(routes=[Route("/iam-smart/api/v1/security/getKey", answer, methods=["POST"])])
    async with serving(upstream) as address:
        config = replace(wire.config, base_url=f"{address}/iam-smart")
        async with httpx.AsyncClient(trust_env=False) as http:
            connector = IamSmartConnector(config, wire.store, Cipher(), http, wire.clock, wire.trail)
            with pytest.raises(UpstreamError) as refused:
                await connector.exchange("txn-1", query=f"state={STATE}&code=abc", state=STATE)
    assert refused.value.code == "upstream_envelope_malformed"
    assert wire.database.rows("iam_smart_pending") == []

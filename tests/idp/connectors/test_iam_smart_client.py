"""Our client against replies that no good upstream gives, against a key rollover, and with several workers."""

import asyncio
import json
from dataclasses import replace

import httpx
import pytest

from idp.connectors.iam_smart import IamSmartConnector
from idp.connectors.iam_smart.config import Credentials
from sandbox.iam_smart import provision
from sandbox.iam_smart import wire as upstream_wire
from tests.support.iam_smart import STATE, Cipher, joined


@pytest.fixture
async def wire(tmp_path):
    async with joined(tmp_path) as wire:
        yield wire


def answering(wire, answer) -> IamSmartConnector:
    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return IamSmartConnector(wire.config, wire.store, Cipher(), http, wire.clock, wire.trail)


def reply_with(body: object, status: int = 200, headers: dict[str, str] | None = None) -> httpx.Response:
    """A reply that is still to be read, as from a network."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(data))


def envelope(**members: object) -> dict[str, object]:
    return {"txID": "T=1", "code": "D00000", "message": "SUCCESS", **members}


async def error_of(connector: IamSmartConnector) -> str:
    from idp.errors import UpstreamError

    with pytest.raises(UpstreamError) as failed:
        await connector.exchange("txn-1", query=f"state={STATE}&code=abc", state=STATE)
    return failed.value.code


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, b"", "upstream_envelope_malformed"),
        (200, b"<html>", "upstream_envelope_malformed"),
        (200, json.dumps(envelope()).encode(), "upstream_content_malformed"),
        (200, json.dumps(envelope(content={})).encode(), "upstream_content_malformed"),
        (
            200,
            json.dumps(envelope(content={"secretKey": "AAAA", "issueAt": 1, "expiresIn": 1})).encode(),
            "upstream_clock_skew",
        ),
        (200, json.dumps(envelope(code="D30001")).encode(), "upstream_content_key_refused"),
        (200, json.dumps(envelope(code="D20006")).encode(), "upstream_credentials_refused"),
        (400, json.dumps(envelope(code="D20006")).encode(), "upstream_credentials_refused"),
        (500, json.dumps(envelope(code="D20000")).encode(), "upstream_unavailable"),
        (500, json.dumps(envelope()).encode(), "upstream_unavailable"),
        (503, b"down", "upstream_unavailable"),
        (429, b"slow down", "upstream_unavailable"),
        (404, b"not here", "upstream_request_refused"),
        (302, b"", "upstream_request_refused"),
    ],
)
async def test_replies_that_are_no_success(wire, status, body, code):
    headers = {"Location": "http://127.0.0.1:8100/elsewhere"} if status == 302 else {}
    assert await error_of(answering(wire, lambda request: reply_with(body, status, headers))) == code
    assert wire.database.rows("iam_smart_pending") == []


@pytest.mark.parametrize(
    "change",
    [
        {"accessToken": ""}, {"accessToken": 5}, {"openID": None}, {"openID": "x" * 300}, {"userType": "u" * 40}, {"tokenType": "MAC"},
        {"scope": ""}, {"scope": "eidapi_auth"}, {"issueAt": "now"}, {"issueAt": 1}, {"expiresIn": 0}, {"openID": "é"},
    ],
)  # fmt: skip
async def test_a_token_of_another_shape_is_refused(wire, change):
    key = b"k" * 32
    now = int(wire.clock().timestamp() * 1000)
    token = {
        "accessToken": "token", "tokenType": "Bearer", "issueAt": now, "expiresIn": 14_400_000, "openID": "open%3D", "userType": "sign",
        "scope": "eidapi_auth eidapi_profiles", "lastModifiedDate": now,
    }  # fmt: skip

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("getKey"):
            return reply_with(envelope(content=key_content(wire, key, now)))
        return reply_with(envelope(content=upstream_wire.seal_content(key, json.dumps({**token, **change}).encode())))

    assert await error_of(answering(wire, answer)) in (
        "upstream_content_malformed",
        "upstream_clock_skew",
        "upstream_account_refused",
    )
    assert wire.database.rows("iam_smart_pending") == []


@pytest.mark.parametrize("reply", [{}, {"authByQR": "true"}, {"authByQR": False}, {"authByQR": False, "ticketID": ""}])
async def test_an_initiation_of_another_shape_leaves_nothing(wire, reply, monkeypatch):
    monkeypatch.setattr("sandbox.iam_smart.api.IamSmartApi._by_qr_or_ticket", lambda self, call: reply)
    from idp.connectors.iam_smart.errors import ContentMalformed

    wire.state.approval_delay_s = 5
    with pytest.raises(ContentMalformed):
        await wire.exchange()
    assert wire.database.rows("iam_smart_pending") == []


async def test_the_bytes_that_are_signed_are_the_bytes_that_are_sent(wire):
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return reply_with(envelope(content=key_content(wire, b"k" * 32, int(wire.clock().timestamp() * 1000))))

    await error_of(answering(wire, answer))
    assert [request.url.path.rsplit("/", 1)[1] for request in seen] == ["getKey", "getToken"]
    assert seen[0].content == b"" and seen[1].content.startswith(b'{"content":"AAAAD')
    for request in seen:
        upstream_wire.check_signature(
            upstream_wire.read_headers(request.headers), request.content, wire.client.client_secret
        )
    assert len({request.headers["nonce"] for request in seen}) == 2


async def test_a_key_encryption_key_is_rolled_over_without_a_stop(wire, tmp_path):
    """The upstream wraps under the old certificate until a new content key is fetched; both our keys stay."""
    other = provision(
        tmp_path / "other",
        redirect_uris=(wire.config.redirect_uri,),
        callback_urls={"profile": "http://a/"},
        at=wire.clock(),
    )
    credentials = Credentials(
        wire.client.client_id, wire.client.client_secret, (other.kek_private_key_pem, wire.client.kek_private_key_pem)
    )
    connector = IamSmartConnector(
        replace(wire.config, credentials=credentials), wire.store, Cipher(), wire.to_sandbox, wire.clock, wire.trail
    )
    assert await connector.exchange("txn-1", query=await wire.arrive(), state=STATE)


async def test_several_workers_share_the_store_and_never_go_back(wire):
    """Three workers with their own content keys and clocks that differ: every login comes through."""
    workers = []
    for drift_ms in (0, -900, 900):
        clock = type(wire.clock)()
        clock.offset = wire.clock.offset + wire.config.max_clock_skew * drift_ms / 1_000_000
        workers.append(IamSmartConnector(wire.config, wire.store, Cipher(), wire.to_sandbox, clock, wire.trail))
    queries = [await wire.arrive() for _ in range(9)]
    results = await asyncio.gather(
        *(workers[i % 3].exchange(f"txn-{i}", query=query, state=STATE) for i, query in enumerate(queries))
    )
    assert len({pending.reference for pending in results}) == 9
    stamps = wire.database.rows("iam_smart_timestamps")
    assert len(stamps) == 1


async def test_nothing_of_a_call_is_logged(wire, caplog):
    import logging

    caplog.set_level(logging.DEBUG)
    pending = await wire.exchange()
    await wire.collect(pending)
    await wire.post_callback("profile", b"garbage")
    text = caplog.text
    assert "upstream_envelope_malformed" in text
    session = wire.connector._vault.open_profile_context(
        (await wire.store.load_pending(pending.reference)).sealed_context
    )
    for secret in (wire.client.client_secret, "CHAN", "A1234563", session.grant.access_token, session.grant.open_id):
        assert secret not in text


def key_content(wire, key: bytes, now_ms: int) -> dict[str, object]:
    from cryptography import x509

    kek = x509.load_pem_x509_certificate(wire.client.kek_certificate_pem.encode()).public_key()
    wrapped = upstream_wire.wrap_key(kek, key, upstream_wire.KekPadding.PKCS1V15)
    return {"secretKey": wrapped, "pubKey": "", "issueAt": now_ms, "expiresIn": 86_400_000}

"""Attacks by an address that a relying party registers: our own network must not hear our calls (RFC 9700 cl. 4.16)."""

import asyncio
import socket

import httpx
import pytest

from idp import outbound
from idp.outbound import AddressRefused, is_public, post_form, resolve

PUBLIC = "203.0.112.9"


def answers(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let every name resolve to these; return the names that were asked for."""
    asked: list[str] = []

    async def getaddrinfo(host: str, port: int, **_: object) -> list[tuple]:
        asked.append(host)
        family = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(family[":" in a], socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return asked


class Wire:
    """Where calls would arrive."""

    def __init__(self, status: int = 200, **headers: str) -> None:
        self.received: list[httpx.Request] = []
        self.http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        self._status, self._headers = status, headers

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.received.append(request)
        return httpx.Response(self._status, headers=self._headers, text="x" * 100)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
        "255.255.255.255",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "2001:db8::1", "100::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001:0:7f00:1::1",
    ],
)  # fmt: skip
async def test_addresses_of_our_own_network(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    answers(monkeypatch, address)
    wire = Wire()
    with pytest.raises(AddressRefused):
        await post_form(wire.http, "https://portal.test/out", {}, private_allowed=False)
    assert wire.received == []


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "0", "[::1]", "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]", "localhost", "localhost.",
    ],
)  # fmt: skip
async def test_hosts_written_in_other_ways(host: str) -> None:
    """Resolved by the real resolver: whatever a spelling means, its address is judged."""
    wire = Wire()
    with pytest.raises(AddressRefused):
        await post_form(wire.http, f"https://{host}/out", {}, private_allowed=False)
    assert wire.received == []


async def test_a_mixed_answer_is_an_attack(monkeypatch: pytest.MonkeyPatch) -> None:
    for mixed in ((PUBLIC, "127.0.0.1"), ("127.0.0.1", PUBLIC), (PUBLIC, PUBLIC, "::1")):
        answers(monkeypatch, *mixed)
        with pytest.raises(AddressRefused):
            await resolve("portal.test", 443, private_allowed=False)


async def test_a_second_answer_of_the_dns_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the call goes to the address that was judged, under the name that was registered."""
    asked = answers(monkeypatch, PUBLIC)
    wire = Wire()
    assert (
        await post_form(wire.http, "https://portal.test:8443/out?a=1", {"logout_token": "t"}, private_allowed=False)
        == 200
    )
    [request] = wire.received
    assert asked == ["portal.test"]
    assert str(request.url) == f"https://{PUBLIC}:8443/out?a=1"
    assert request.headers["host"] == "portal.test:8443"
    assert request.extensions["sni_hostname"] == "portal.test"
    assert request.content == b"logout_token=t"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    answers(monkeypatch, PUBLIC)
    wire = Wire(status, Location="http://169.254.169.254/latest/meta-data/")
    assert await post_form(wire.http, "https://portal.test/out", {}, private_allowed=False) == status
    assert len(wire.received) == 1


@pytest.mark.parametrize(
    "uri",
    [
        "http://portal.test/out", "ftp://portal.test/", "file:///etc/passwd", "gopher://portal.test/", "", "https://", "//portal.test/",
        "https://portal.test:99999/", "https://portal.test:x/", "https://[::1/", "https://" + "a" * 70 + ".test/", "https://.test/",
        "https://" + "é" * 300 + "/",
    ],
)  # fmt: skip
async def test_what_is_no_callable_address(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    wire = Wire()
    with pytest.raises(AddressRefused):
        await post_form(wire.http, uri, {}, private_allowed=False)
    assert wire.received == []


async def test_nothing_of_one_answer_travels_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, PUBLIC)
    wire = Wire(200, **{"Set-Cookie": "tracker=1; Path=/"})
    for _ in range(2):
        await post_form(wire.http, "https://portal.test/out", {}, private_allowed=False)
    assert "cookie" not in wire.received[-1].headers
    assert "authorization" not in wire.received[-1].headers


async def test_a_call_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that sends one byte of its head every four seconds, or a resolver that is silent."""
    monkeypatch.setattr(outbound, "CALL_TIMEOUT_S", 0.01)
    answers(monkeypatch, PUBLIC)

    async def silent(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        return httpx.Response(200)

    http = httpx.AsyncClient(transport=httpx.MockTransport(silent))
    with pytest.raises(AddressRefused):
        await post_form(http, "https://portal.test/out", {}, private_allowed=False)


async def test_the_next_address_is_tried_when_one_cannot_be_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, "2606:4700::1111", PUBLIC)
    tried: list[str] = []

    def connect(request: httpx.Request) -> httpx.Response:
        tried.append(request.url.host)
        if ":" in request.url.host:
            raise httpx.ConnectError("no route")
        return httpx.Response(204)

    http = httpx.AsyncClient(transport=httpx.MockTransport(connect))
    assert await post_form(http, "https://portal.test/out", {}, private_allowed=False) == 204
    assert tried == ["2606:4700::1111", PUBLIC]


async def test_the_demonstration_may_call_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(204)
    assert await post_form(wire.http, "http://127.0.0.1:9/out", {}, private_allowed=True) == 204

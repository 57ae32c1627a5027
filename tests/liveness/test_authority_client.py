"""The signed wire to the permit authority, both sides real: SM2 each way, and every way to tamper with it."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from liveness import authority_wire as wire
from liveness.authority import HolderQuery, IdentityResult, PortraitResult
from liveness.authority_client import HttpPermitAuthority
from liveness.errors import AuthorityUnavailable, AuthorityUntrusted, RequestMalformed
from liveness.model import DocumentType
from sandbox.permit_authority import PermitAuthoritySimulator, build_permit_authority_routes, provision_authority
from sandbox.personas import PERSONAS
from sandbox.portraits import portrait
from tests.support.liveness_pictures import jpeg
from trust_lists.sm2 import SM2PrivateKey, SM2PublicKey

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
LEE = PERSONAS["hk-resident"]
QUERY = HolderQuery(
    "ref-1", DocumentType.MAINLAND_TRAVEL_PERMIT, "H12345678", LEE.name_latin, LEE.name_chinese, LEE.birthdate, jpeg()
)
Meddle = Callable[[httpx.Response], httpx.Response]


class Line(httpx.AsyncBaseTransport):
    """The network between both sides; a test may meddle with what goes over it."""

    def __init__(self, authority: PermitAuthoritySimulator) -> None:
        self._inner = httpx.ASGITransport(Starlette(routes=build_permit_authority_routes(authority)))
        self.requests: list[httpx.Request] = []
        self.on_request: Callable[[httpx.Request], None] = lambda _: None
        self.on_response: Meddle = lambda response: response

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        self.on_request(request)
        response = await self._inner.handle_async_request(request)
        await response.aread()
        return self.on_response(response)


class Peers:
    """The authority, its client, the line and the clock."""

    def __init__(self, folder: Path, models: Path) -> None:
        files = provision_authority(folder)
        self.now = AT
        self.authority = PermitAuthoritySimulator(folder, models, lambda: self.now)
        self.line = Line(self.authority)
        self.http = httpx.AsyncClient(transport=self.line)
        self.client = HttpPermitAuthority(
            self.http, url="http://authority/permit-authority", client_id=files.client_id,
            key=SM2PrivateKey.from_der(files.client_key.read_bytes()),
            authority_key=SM2PublicKey.from_spki(files.authority_public.read_bytes()), clock=lambda: self.now,
        )  # fmt: skip


@pytest.fixture
async def peers(tmp_path: Path):
    peers = Peers(tmp_path / "authority", tmp_path / "no-models")
    peers.authority._judge = lambda _: (IdentityResult.MATCH, PortraitResult.SAME)
    yield peers
    await peers.http.aclose()


async def test_a_question_and_its_answer(peers: Peers) -> None:
    result = await peers.client.verify_holder(QUERY)
    assert (result.reference, result.identity, result.portrait) == ("ref-1", "match", "same")
    assert result.at == AT


def body_changed(response: httpx.Response) -> httpx.Response:
    return httpx.Response(200, headers=response.headers, content=response.content.replace(b"same", b"SAME"))


def unsigned(response: httpx.Response) -> httpx.Response:
    return httpx.Response(200, content=response.content)


def other_status(response: httpx.Response) -> httpx.Response:
    return httpx.Response(201, headers=response.headers, content=response.content)


def endless(response: httpx.Response) -> httpx.Response:
    return httpx.Response(200, headers=response.headers, content=b" " * 20_000)


@pytest.mark.parametrize("meddle", [body_changed, unsigned, other_status, endless])
async def test_an_answer_that_is_not_the_authoritys(peers: Peers, meddle: Meddle) -> None:
    peers.line.on_response = meddle
    with pytest.raises(AuthorityUntrusted):
        await peers.client.verify_holder(QUERY)


async def test_the_answer_to_another_question(peers: Peers) -> None:
    kept: list[httpx.Response] = []
    peers.line.on_response = lambda response: kept.append(response) or kept[0]
    await peers.client.verify_holder(QUERY)
    with pytest.raises(AuthorityUntrusted):
        await peers.client.verify_holder(QUERY)


async def test_an_answer_of_another_time(peers: Peers) -> None:
    def late(response: httpx.Response) -> httpx.Response:
        peers.now += timedelta(minutes=3)
        return response

    peers.line.on_response = late
    with pytest.raises(AuthorityUntrusted):
        await peers.client.verify_holder(QUERY)


async def test_no_answer(peers: Peers) -> None:
    def cut(_: httpx.Response) -> httpx.Response:
        raise httpx.ReadTimeout("slow")

    peers.line.on_response = cut
    with pytest.raises(AuthorityUnavailable):
        await peers.client.verify_holder(QUERY)


async def test_the_authority_refuses_what_its_client_did_not_sign(peers: Peers) -> None:
    def change(request: httpx.Request) -> None:
        request.headers[wire.SIGNATURE_HEADER] = base64.b64encode(bytes(70)).decode()

    peers.line.on_request = change
    with pytest.raises(AuthorityUnavailable) as refusal:
        await peers.client.verify_holder(QUERY)
    assert "401" in str(refusal.value)


async def test_the_authority_refuses_a_request_sent_again(peers: Peers) -> None:
    await peers.client.verify_holder(QUERY)
    (first,) = peers.line.requests
    again = await peers.http.post(first.url, content=first.content, headers=first.headers)
    assert again.status_code == 401


async def test_the_authority_refuses_an_old_request_and_a_huge_one(peers: Peers) -> None:
    await peers.client.verify_holder(QUERY)
    (first,) = peers.line.requests
    headers = {**first.headers, wire.NONCE_HEADER: "another-nonce-of-length"}
    assert (await peers.http.post(first.url, content=first.content, headers=headers)).status_code == 401
    assert (await peers.http.post(first.url, content=b"x" * 500_000, headers=first.headers)).status_code == 401
    peers.now += timedelta(minutes=5)
    assert (await peers.http.post(first.url, content=first.content, headers=first.headers)).status_code == 401


def test_the_wire_forms() -> None:
    assert wire.parse_query(wire.write_query(QUERY)) == QUERY
    for body in (b"", b"[]", b"{}", wire.write_query(QUERY).replace(b"1990-01-15", b"soon"), b"[" * 100_000):
        with pytest.raises(RequestMalformed):
            wire.parse_query(body)
        with pytest.raises(AuthorityUntrusted):
            wire.parse_result(body)
    assert not wire.is_timely("", AT)
    assert not wire.is_timely("9" * 40, AT)
    assert wire.is_timely(wire.write_time(AT), AT)


def test_keys_are_made_once(tmp_path: Path) -> None:
    first, again = provision_authority(tmp_path), provision_authority(tmp_path)
    assert first == again
    assert (tmp_path / "client.key").stat().st_mode & 0o077 == 0
    assert SM2PrivateKey.from_der(first.client_key.read_bytes()).spki() == first.client_public.read_bytes()


@pytest.mark.models
async def test_the_authority_compares_faces(models_dir: Path, tmp_path: Path) -> None:
    peers = Peers(tmp_path / "authority", models_dir)
    same = replace(QUERY, portrait=portrait("astronaut"))
    for query, identity, face in (
        (same, "match", "same"),
        (replace(same, portrait=portrait("synthetic-a")), "match", "different"),
        (replace(same, portrait=jpeg()), "match", "poor_image"),
        (replace(same, portrait=b"no picture"), "match", "poor_image"),
        (replace(same, birthdate=date(1990, 1, 16)), "mismatch", "not_compared"),
        (replace(same, name_latin="CHAN, Ka Ying"), "mismatch", "not_compared"),
        (replace(same, number="H00000000"), "not_found", "not_compared"),
        (replace(same, number="nonsense"), "not_found", "not_compared"),
    ):
        result = await peers.client.verify_holder(query)
        assert (result.identity, result.portrait) == (identity, face), query.number
    await peers.http.aclose()

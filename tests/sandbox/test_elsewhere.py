"""The kiosk, the confirmation by phone and the notices: the sample portal and the gateway against the real provider."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from sandbox.notices import NoticeBoard
from sandbox.portal.elsewhere_routes import qr_code
from service.notifier import HttpNotifier
from tests.sandbox.test_portal import World
from tests.support.decoupled import decide, to_consent
from tests.support.idp import ISSUER, provider_in
from tests.support.oauth_peer import WONG

SECRET = "notifier-secret-of-the-test"
PAGE = {"Accept": "text/html"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with provider_in(tmp_path) as provider:
        made = World(provider, tmp_path / "portal")
        await made.register()
        yield made
        await made.portal.close()
        await made.api.aclose()


@pytest.fixture
def board(world: World, tmp_path: Path) -> httpx.AsyncClient:
    """The gateway, wired to the provider."""
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    gateway = NoticeBoard(tmp_path / "secret", world.provider.clock, service_url=ISSUER)
    http = httpx.AsyncClient(
        transport=httpx.ASGITransport(Starlette(routes=gateway.routes())), base_url="https://sandbox.test"
    )
    notifier = HttpNotifier("https://sandbox.test/notices", SECRET, http, world.provider.trail)
    object.__setattr__(world.provider.deps, "notifier", notifier)
    return http


async def look(world: World, path: str) -> dict:
    world.provider.later(seconds=6)
    return (await world.api.get(path)).json()


async def test_a_kiosk_shows_a_code_and_greets_whoever_agrees(world: World) -> None:
    assert "自助终端" in (await world.api.get("/kiosk")).text
    started = await world.api.post("/kiosk")
    where = started.headers["location"]
    page = await world.api.get(where, headers=PAGE)
    assert "<svg" in page.text
    assert 'http-equiv="refresh"' in page.text
    assert "Simulated" in page.text
    link = re.search(r'id="complete" href="([^"]+)"', page.text)[1]
    code = re.search(r'id="user-code">([^<]+)<', page.text)[1]
    assert link == f"{ISSUER}/device?user_code={code}"
    assert (await look(world, where))["status"] == "waiting"
    phone = world.provider.browser()
    assert code in (await phone.get(link)).text
    entered = await phone.client.post(f"{ISSUER}/device", data={"user_code": code})
    await decide(phone, await to_consent(phone, entered))
    world.provider.later(seconds=6)
    page = await world.api.get(where, headers=PAGE)
    assert 'id="name">CHAN, Ka Yan<' in page.text
    assert 'http-equiv="refresh"' not in page.text


async def test_a_kiosk_hears_a_no(world: World) -> None:
    where = (await world.api.post("/kiosk")).headers["location"]
    told = await look(world, where)
    phone = world.provider.browser()
    entered = await phone.client.post(f"{ISSUER}/device", data={"user_code": told["shown"]})
    await decide(phone, await to_consent(phone, entered), "decline")
    assert (await look(world, where))["error"] == "access_denied"


async def test_looking_often_does_not_poll_often(world: World) -> None:
    where = (await world.api.post("/kiosk")).headers["location"]
    world.provider.later(seconds=6)
    for _ in range(5):
        assert (await world.api.get(where)).json()["status"] == "waiting"
    identifier = where.rpartition("/")[2]
    assert world.portal.elsewhere._waiting[identifier].interval.total_seconds() == 5  # never told to slow down


async def test_an_unknown_kiosk_is_refused(world: World) -> None:
    assert (await world.api.get("/kiosk/nobody", headers=PAGE)).status_code == 404
    assert (await world.api.get("/portal/confirmations/nobody", headers=PAGE)).status_code == 404


async def confirmed(world: World) -> str:
    """Sign in at the portal; return the errand."""
    started = await world.start()
    back = await world.login(started)
    page = await world.api.get(back.headers["location"])
    assert "Confirm by phone" in page.text
    return started["errand"]


async def test_a_confirmation_by_phone(world: World, board: httpx.AsyncClient) -> None:
    errand = await confirmed(world)
    started = await world.api.post(f"/portal/errands/{errand}/confirm")
    where = started.headers["location"]
    words = (await look(world, where))["shown"]
    phone_page = await board.get("/phone", headers=PAGE)
    assert words in phone_page.text
    assert "simulated" in phone_page.text
    link = re.search(r'<a href="([^"]+/approve/[^"]+)"', phone_page.text)[1]
    phone = world.provider.browser()
    consent = await to_consent(phone, await phone.get(link))
    assert words in consent.text
    await decide(phone, consent)
    assert (await look(world, where))["status"] == "agreed"
    assert "Confirmed" in (await world.api.get(where, headers=PAGE)).text


async def test_nobody_else_confirms(world: World, board: httpx.AsyncClient) -> None:
    errand = await confirmed(world)
    where = (await world.api.post(f"/portal/errands/{errand}/confirm")).headers["location"]
    link = (await board.get("/phone")).json()["notices"][0]["url"]
    world.provider.peer.person = WONG
    phone = world.provider.browser()
    page = await to_consent(phone, await phone.get(link))
    assert "/login/consent" not in page.text
    assert (await look(world, where))["status"] == "waiting"


async def test_before_the_sign_in_there_is_nobody_to_ask(world: World) -> None:
    errand = (await world.start())["errand"]
    assert (await world.api.post(f"/portal/errands/{errand}/confirm")).status_code == 409


async def test_the_gateway_hears_only_the_service(board: httpx.AsyncClient) -> None:
    good = {"person": "p", "portal": "<b>Bank</b>", "message": "<i>1</i>", "url": f"{ISSUER}/approve/x"}
    key = {"Authorization": f"Bearer {SECRET}"}
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": SECRET}):
        assert (await board.post("/notices", json=good, headers=headers)).status_code == 401
    for bad in (
        {**good, "url": "https://evil.test/approve/x"}, {**good, "url": "javascript:alert(1)"}, {**good, "more": "x"},
        {**good, "message": 7}, [], {},
    ):  # fmt: skip
        assert (await board.post("/notices", json=bad, headers=key)).status_code == 400
    assert (await board.post("/notices", content=b"[" * 8000, headers=key)).status_code == 400
    assert (await board.post("/notices", content=b"x" * 9000, headers=key)).status_code == 413
    assert (await board.get("/phone")).json()["notices"] == []
    assert (await board.post("/notices", json=good, headers=key)).status_code == 202
    page = (await board.get("/phone", headers=PAGE)).text
    assert "&lt;b&gt;Bank&lt;/b&gt;" in page
    assert "<i>" not in page


def test_the_qr_code_says_the_link() -> None:
    """Read back by OpenCV, an independent reader."""
    import cv2
    import numpy as np
    import segno

    link = f"{ISSUER}/device?user_code=WDJB-MJHT"
    assert 'class="qr"' in qr_code(link)
    modules = segno.make(link, error="m", micro=False).matrix_iter(scale=8, border=4)
    matrix = np.array([[0 if dark else 255 for dark in row] for row in modules], dtype=np.uint8)
    text, *_ = cv2.QRCodeDetector().detectAndDecode(matrix)
    assert text == link

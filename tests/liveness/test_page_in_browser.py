"""The camera page in Debian's Chromium, with a file as its camera: at 360 pixels, to the verdict."""

import os
import shutil
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI

import liveness
import service
from liveness.errors import LivenessError
from liveness.routes import build_router
from liveness.session import build_challenge
from sandbox.clips.head import Movement
from sandbox.clips.scripts import movements
from sandbox.mrz import permit_mrz
from sandbox.portraits import portrait
from service.error_pages import build_error_handler
from service.page_renderer import PageRenderer, static_routes
from tests.support.liveness import HOLDER, Faces, House, faces

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium not installed"),
]
NONCE = "B" * 43
PACKAGES = {"service": Path(service.__file__).parent, "liveness": Path(liveness.__file__).parent}
FRAMES_PER_MOVE = 5
"""Of the camera file, which plays at 30 frames a second."""


class Site:
    """The page and the API on a port of this machine."""

    def __init__(self, house: House) -> None:
        pages = PageRenderer(list(PACKAGES.values()))
        app = FastAPI(exception_handlers={LivenessError: build_error_handler(pages)})
        app.include_router(build_router(house.checks, pages, house.config.frames))
        app.router.routes.extend(static_routes(PACKAGES))
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.02)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(5)
        self._socket.close()


@pytest.fixture
def site(models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from liveness import check
    from trust_lists.clock import utc_now

    rig = faces(models_dir)
    # The camera file must be made before the challenge is given: the one thing here that is not random.
    monkeypatch.setattr(check, "build_challenge", lambda _, **given: build_challenge(NONCE, **given))
    house = House(tmp_path / "authority", rig.models, rig.engine)
    house.checks._clock = utc_now
    house.authority._clock = utc_now
    house.checks._authority._clock = utc_now
    site = Site(house)
    yield rig, house, site
    site.close()
    house.workers.close()


def film(rig: Faces, path: Path, *, still: bool = False) -> Path:
    """Write what the camera sees: every movement stretched over several frames, each with its own noise."""
    from datetime import UTC, datetime, timedelta

    actions = build_challenge(NONCE, at=datetime.now(UTC), lifetime=timedelta(60)).actions
    random = np.random.default_rng(3)
    head = rig.studio.head(portrait(HOLDER.portrait))
    noise = random.normal(0, 2, (400, 520, 3))
    plan = [Movement()] * 8 + movements(actions, random)
    plan = plan[:12] if still else plan
    with path.open("wb") as file:
        for now, then in zip(plan, plan[1:] + plan[-1:], strict=True):
            for step in range(FRAMES_PER_MOVE):
                share = step / FRAMES_PER_MOVE
                between = {
                    name: getattr(now, name) * (1 - share) + getattr(then, name) * share for name in Movement.__slots__
                }
                move = Movement(dx=between["dx"], dy=between["dy"]) if still else replace(Movement(), **between)
                y, x = random.integers(0, 40, 2)
                noisy = head.draw(move) + noise[y : y + 360, x : x + 480]
                ok, data = cv2.imencode(".jpg", np.clip(noisy, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 92])
                assert ok
                file.write(data.tobytes())
    return path


def visit(site: Site, house: House, camera: Path | None, picture: Path, *, until: str) -> dict[str, str]:
    """Go through the page as a person would; return what it says."""
    import asyncio

    from playwright.sync_api import sync_playwright

    check = asyncio.run(house.open(HOLDER))
    flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
    if camera is not None:
        flags += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}"]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, headless=True, args=flags)
        context = browser.new_context(viewport={"width": 360, "height": 740}, locale="en-GB")
        context.grant_permissions(["camera"] if camera is not None else [])
        context.route("**/login/permit**", lambda route: route.fulfill(status=200, body="back at the broker"))
        page = context.new_page()
        told: list[str] = []
        page.on("console", lambda message: told.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: told.append(str(error)))
        page.goto(f"{site.url}/permit?check={check}")
        page.fill("#number", "H12345679")
        page.fill("#mrz", "\n".join(permit_mrz(HOLDER)))
        page.click("#document-form button")
        page.wait_for_selector("#document-error:not([hidden])")
        refused = page.inner_text("#document-error")
        page.fill("#number", "H12345678")
        page.click("#document-form button")
        page.wait_for_selector("#start:visible")
        page.click("#start")
        if camera is not None:
            page.wait_for_selector("#stage:visible")
        page.wait_for_selector(until, timeout=40_000)
        said = page.inner_text(until)
        width = page.evaluate("document.documentElement.scrollWidth")
        page.screenshot(path=str(picture), full_page=True)
        if "holder of the permit" in said:
            page.wait_for_url("**permit_code=**", timeout=5_000)
        found = {"said": said, "refused": refused, "address": page.url, "width": str(width), "errors": "\n".join(told)}
        browser.close()
    return found


def test_a_holder_passes(site, tmp_path: Path) -> None:
    rig, house, place = site
    found = visit(place, house, film(rig, tmp_path / "camera.mjpeg"), tmp_path / "page.png", until="#result:visible")
    assert found["said"] == "You are confirmed as the holder of the permit."
    assert "permit_code=" in found["address"]
    assert "not the one of the person" in found["refused"]
    assert int(found["width"]) <= 360
    # The one refused document is the only complaint of the browser; the security policy has none.
    assert [line for line in found["errors"].splitlines() if "422" not in line] == []


def test_a_person_who_does_not_move_is_told_what_to_do(site, tmp_path: Path) -> None:
    rig, house, place = site
    house.checks._config = replace(house.config, frames=replace(house.config.frames, max_frames=24))
    found = visit(
        place, house, film(rig, tmp_path / "camera.mjpeg", still=True), tmp_path / "page.png", until="#result:visible"
    )
    assert "Not all movements were seen" in found["said"]


def test_no_camera(site, tmp_path: Path) -> None:
    _, house, place = site
    found = visit(place, house, None, tmp_path / "page.png", until="#face-error:visible")
    assert "camera" in found["said"]

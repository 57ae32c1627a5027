"""Attacks on the session: whose frames, which nonce, when, signed by whom. Over the real routes."""

import asyncio
import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox.mrz import permit_mrz
from sandbox.portraits import portrait
from tests.support.liveness import HOLDER, Browser, Faces, House, faces, perform
from tests.support.liveness_pictures import jpeg, with_size

pytestmark = pytest.mark.models


@pytest.fixture
def rig(models_dir: Path) -> Faces:
    return faces(models_dir)


@pytest.fixture
async def house(rig: Faces, tmp_path: Path):
    house = House(tmp_path, rig.models, rig.engine, max_live_sessions=4)
    yield house
    await house.close()


@pytest.fixture
def clips(rig: Faces):
    return lambda actions: rig.studio.genuine(portrait("astronaut"), actions, 5)


async def ready(house: House) -> tuple[str, Browser]:
    check, browser = await house.show_document(HOLDER), Browser(house)
    await browser.start(check)
    return check, browser


async def test_another_persons_face(house: House, rig: Faces) -> None:
    check = await house.show_document(HOLDER)
    answer = await perform(house, check, lambda actions: rig.studio.genuine(portrait("synthetic-a"), actions, 5))
    assert (answer["decision"], answer["reasons"], answer["next"]) == ("fail", ["face_mismatch"], None)


async def test_an_answer_given_twice(house: House, clips) -> None:
    check, browser = await house.show_document(HOLDER), Browser(house)
    assert (await perform(house, check, clips, browser))["decision"] == "pass"
    assert (await browser.answer())["code"] == "liveness_session_replayed"
    assert (await browser.send(clips(browser.session["actions"])))["code"] == "liveness_session_replayed"


async def test_two_answers_at_once(house: House, clips) -> None:
    _, browser = await ready(house)
    await browser.send(clips(browser.session["actions"]))
    answers = await asyncio.gather(browser.answer(), browser.answer(), browser.answer())
    assert sorted(answer.get("decision", answer.get("code")) for answer in answers) == [
        "liveness_session_replayed", "liveness_session_replayed", "pass",
    ]  # fmt: skip


async def test_frames_of_another_session(house: House, clips) -> None:
    _, first = await ready(house)
    clip = clips(first.session["actions"])
    await first.send(clip[:10])
    _, second = await ready(house)
    assert (await second.send(clip[:10]))["code"] == "liveness_session_replayed"


async def test_an_answer_signed_for_another_nonce(house: House, clips) -> None:
    _, old = await ready(house)
    _, browser = await ready(house)
    await browser.send(clips(browser.session["actions"]))
    body = browser.answer_body(nonce=old.session["nonce"])
    assert (await house.post(f"liveness/{browser.session['session']}/answer", body))["code"] == "frame_chain_mismatch"


async def test_frames_signed_anew_by_another_key(house: House, clips) -> None:
    _, browser = await ready(house)
    await browser.send(clips(browser.session["actions"]))
    browser.key = ec.generate_private_key(ec.SECP256R1())
    assert (await browser.answer())["code"] == "frame_signature_invalid"


async def test_a_frame_left_out_of_the_answer(house: House, clips) -> None:
    _, browser = await ready(house)
    await browser.send(clips(browser.session["actions"]))
    browser.sent.pop(10)
    assert (await browser.answer())["code"] == "frame_chain_mismatch"


async def test_a_failed_answer_uses_the_session_up(house: House, clips) -> None:
    _, browser = await ready(house)
    await browser.send(clips(browser.session["actions"]))
    good = browser.answer_body()
    bad = {**good, "frame_count": good["frame_count"] - 1}
    assert (await house.post(f"liveness/{browser.session['session']}/answer", bad))["code"] == "frame_chain_mismatch"
    assert (await house.post(f"liveness/{browser.session['session']}/answer", good))[
        "code"
    ] == "liveness_session_replayed"


async def test_a_late_answer(house: House, clips) -> None:
    _, browser = await ready(house)
    await browser.send(clips(browser.session["actions"]))
    house.clock.pass_time(seconds=60)
    assert (await browser.answer())["code"] == "liveness_session_expired"


async def test_late_frames(house: House, clips) -> None:
    _, browser = await ready(house)
    house.clock.pass_time(seconds=61)
    assert (await browser.send(clips(browser.session["actions"])[:5]))["code"] == "liveness_session_expired"


async def test_frames_that_come_faster_than_they_were_taken(house: House, clips) -> None:
    """A recording pushed up at once: its times are ahead of their arrival."""
    _, browser = await ready(house)
    frames = [
        {"index": n, "t_ms": t, "jpeg": base64.b64encode(data).decode()}
        for n, (t, data) in enumerate(clips(browser.session["actions"])[:12])
    ]
    answer = await house.post(f"liveness/{browser.session['session']}/frames", {"frames": frames})
    assert answer["code"] == "frame_time_invalid"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GIF89a" + bytes(500), "frame_malformed"),
        (jpeg(progressive=True), "frame_malformed"),
        (with_size(jpeg(), 60_000, 60_000), "frame_too_large"),
        (b"\xff\xd8\xff" + bytes(170_000) + b"\xff\xd9", "frame_too_large"),
    ],
    ids=["no image", "progressive", "decompression bomb", "oversized"],
)
async def test_a_bad_frame_ends_the_session(house: House, data: bytes, code: str) -> None:
    _, browser = await ready(house)
    assert (await browser.send([(500, data)]))["code"] == code
    assert (await browser.send([(600, jpeg(1))]))["code"] == "liveness_session_replayed"


async def test_frames_of_changing_size(house: House) -> None:
    _, browser = await ready(house)
    small = jpeg(2, width=480, height=320)
    answer = await browser.send([(500, jpeg(1)), (640, small)])
    assert answer["code"] == "frame_malformed"


async def test_bodies_of_another_form(house: House) -> None:
    _, browser = await ready(house)
    path = f"/api/v1/permits/liveness/{browser.session['session']}/frames"
    for body in (b"", b"[]", b'{"frames": []}', b'{"frames": [{"index": 0}]}', b'{"frames": 1, "x": 2}', b"\xff"):
        assert (await house.http.post(path, content=body)).json()["code"] == "permit_request_malformed"
    huge = b'{"frames": "' + b"A" * (house.config.frames.max_batch_body_bytes + 10) + b'"}'
    assert (await house.http.post(path, content=huge)).json()["code"] == "permit_request_malformed"


async def test_the_liveness_step_before_the_document(house: House) -> None:
    check = await house.open(HOLDER)
    assert (await house.post(f"checks/{check}/liveness", {"public_key": Browser(house).jwk}))[
        "code"
    ] == "permit_step_out_of_order"


async def test_attempts_are_counted_and_the_last_one_sends_the_browser_back(house: House, rig: Faces) -> None:
    check = await house.show_document(HOLDER)
    answers = [
        await perform(
            house, check, lambda actions, n=n: rig.studio.attack("still_photo", portrait("astronaut"), actions, n)
        )
        for n in range(3)
    ]
    assert [answer["attempts_left"] for answer in answers] == [2, 1, 0]
    assert answers[-1]["next"].endswith("login=abc&permit_error=planar_face")
    assert (await house.post(f"checks/{check}/liveness", {"public_key": Browser(house).jwk}))[
        "code"
    ] == "permit_check_closed"


async def test_sessions_opened_and_left(house: House) -> None:
    """A new session of the same check ends the older one, and attempts are counted when a session starts."""
    check, first = await ready(house)
    browsers = [first]
    for _ in range(2):
        browsers.append(Browser(house))
        await browsers[-1].start(check)
    assert (await first.send([(500, jpeg(1))]))["code"] == "liveness_session_unknown"
    assert (await house.post(f"checks/{check}/liveness", {"public_key": first.jwk}))[
        "code"
    ] == "permit_attempts_exhausted"


async def test_more_sessions_than_the_process_holds(house: House) -> None:
    checks = [await house.show_document(HOLDER) for _ in range(5)]
    for check in checks[:4]:
        await Browser(house).start(check)
    answer = await house.post(f"checks/{checks[4]}/liveness", {"public_key": Browser(house).jwk})
    assert answer["code"] == "liveness_busy"
    house.clock.pass_time(seconds=61)
    await Browser(house).start(checks[4])


async def test_a_document_guessed_again_and_again(house: House) -> None:
    check = await house.open(HOLDER)
    body = {"number": "H12345678", "mrz": list(permit_mrz(HOLDER))[:2]}
    codes = [(await house.post(f"checks/{check}/document", body))["code"] for _ in range(11)]
    assert set(codes[:10]) == {"document_malformed"}
    assert codes[10] == "permit_attempts_exhausted"

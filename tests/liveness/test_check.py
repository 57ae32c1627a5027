"""The whole permit check over its routes, with the real models and the authority's simulator over its wire."""

import dataclasses
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from liveness.attestation import verify
from liveness.authority_client import HttpPermitAuthority
from liveness.errors import AuthorityUnavailable, CheckUnknown, CodeRefused
from liveness.model import DocumentType
from sandbox.mrz import permit_mrz
from sandbox.personas import PERSONAS
from sandbox.portraits import portrait
from tests.support.liveness import HOLDER, ISSUER, Browser, Faces, House, faces, perform

pytestmark = pytest.mark.models


@pytest.fixture
def rig(models_dir: Path) -> Faces:
    return faces(models_dir)


@pytest.fixture
async def house(rig: Faces, tmp_path: Path):
    house = House(tmp_path, rig.models, rig.engine)
    yield house
    await house.close()


def code_of(answer: dict) -> str:
    return parse_qs(urlsplit(answer["next"]).query)["permit_code"][0]


async def test_a_holder_passes_and_the_attestation_is_retrieved_once(house: House, rig: Faces) -> None:
    check = await house.show_document(HOLDER)
    answer = await perform(house, check, lambda actions: rig.studio.genuine(portrait(HOLDER.portrait), actions, 9))
    assert (answer["decision"], answer["reasons"]) == ("pass", [])
    assert parse_qs(urlsplit(answer["next"]).query)["login"] == ["abc"]
    token = await house.checks.redeem(code_of(answer))
    found = verify(
        token, house.keys.published(), issuer=ISSUER, audience=ISSUER, transaction="txn-1", subject="upstream-subject",
        at=house.clock(),
    )  # fmt: skip
    assert (found.document.type, found.document.issuing_country) == (DocumentType.MAINLAND_TRAVEL_PERMIT, "CHN")
    assert [done.check_method for done in found.checks] == ["data", "liveness", "bvr"]
    assert (found.portrait_source, found.model_set) == ("permit_authority", rig.models.label)
    assert found.thresholds["min_parallax"] == 0.025
    for secret in (HOLDER.permit_number, HOLDER.name_latin, HOLDER.name_chinese):
        assert secret not in token
    with pytest.raises(CodeRefused):
        await house.checks.redeem(code_of(answer))


async def test_a_code_lives_five_minutes(house: House, rig: Faces) -> None:
    check = await house.show_document(HOLDER)
    answer = await perform(house, check, lambda actions: rig.studio.genuine(portrait(HOLDER.portrait), actions, 9))
    house.clock.pass_time(minutes=5)
    with pytest.raises(CodeRefused):
        await house.checks.redeem(code_of(answer))


async def test_a_permit_that_the_authority_does_not_know(house: House, rig: Faces) -> None:
    stranger = dataclasses.replace(HOLDER, permit_number="H99999999")
    check = await house.show_document(stranger)
    answer = await perform(house, check, lambda actions: rig.studio.genuine(portrait(HOLDER.portrait), actions, 9))
    assert answer["reasons"] == ["permit_not_found"]


async def test_a_permit_of_somebody_else_with_ones_own_name_printed_on_it(house: House, rig: Faces) -> None:
    forged = dataclasses.replace(HOLDER, permit_number="H23456789")
    check = await house.show_document(forged)
    answer = await perform(house, check, lambda actions: rig.studio.genuine(portrait(HOLDER.portrait), actions, 9))
    assert answer["reasons"] == ["permit_holder_mismatch"]


async def test_an_exit_entry_permit(house: House, rig: Faces) -> None:
    holder = PERSONAS["gd-resident"]
    check = await house.open(holder, accepted_documents=(DocumentType.EXIT_ENTRY_PERMIT,))
    found = await house.post(
        f"checks/{check}/document", {"number": holder.permit_number, "mrz": list(permit_mrz(holder))}, 200
    )
    assert found == {"type": "exit_entry_permit", "issuing_country": "CHN", "next": "liveness"}


async def test_progress_is_told_while_frames_come(house: House, rig: Faces) -> None:
    browser = Browser(house)
    session = await browser.start(await house.show_document(HOLDER))
    assert len(session["nonce"]) == 43 and len(session["actions"]) == 3 and session["expires_in"] == 60
    progress = await browser.send(rig.studio.genuine(portrait(HOLDER.portrait), session["actions"], 9))
    assert progress == {"received": 30, "performed": 3}


async def test_a_batch_sent_again_is_no_fault(house: House, rig: Faces) -> None:
    browser = Browser(house)
    session = await browser.start(await house.show_document(HOLDER))
    clip = rig.studio.genuine(portrait(HOLDER.portrait), session["actions"], 9)
    await browser.send(clip[:10])
    sent = list(browser.sent)
    assert (await browser.send(clip[:10]))["received"] == 10
    browser.sent = sent
    await browser.send(clip[10:], first=10)
    assert (await browser.answer())["decision"] == "pass"


async def test_frames_are_gone_after_the_answer(house: House, rig: Faces) -> None:
    check = await house.show_document(HOLDER)
    await perform(house, check, lambda actions: rig.studio.genuine(portrait(HOLDER.portrait), actions, 9))
    assert len(house.checks._sessions) == 0
    stored = house.database.raw.execute("SELECT sealed_document FROM liveness_checks").fetchall()
    assert stored == [(None,)]


async def test_an_authority_that_does_not_answer_costs_no_attempt(house: House, rig: Faces) -> None:
    async def silent(_: object) -> None:
        raise AuthorityUnavailable("the permit authority cannot be reached")

    check = await house.show_document(HOLDER)
    house.checks._authority.verify_holder = silent
    answer = await perform(house, check, lambda actions: rig.studio.genuine(portrait(HOLDER.portrait), actions, 9))
    assert answer["code"] == "permit_authority_unavailable"
    assert (await Browser(house).start(check))["attempts_left"] == 2


async def test_unknown_ended_and_expired_checks(house: House) -> None:
    for check in ("", "x" * 43, "\ud800"):
        with pytest.raises(CheckUnknown):
            await house.checks.find_request(check)
    check = await house.open(HOLDER)
    house.clock.pass_time(minutes=21)
    assert (await house.post(f"checks/{check}/document", {"number": "H12345678"}))["code"] == "permit_check_expired"
    house.clock.pass_time(hours=2)
    await house.open(HOLDER)
    assert house.database.raw.execute("SELECT count(*) FROM liveness_checks").fetchone() == (1,)


async def test_the_page_and_the_ended_page(house: House) -> None:
    check = await house.open(HOLDER)
    page = (await house.http.get("/permit", params={"check": check})).json()
    assert (page["template"], page["check"]) == ("liveness_permit.html", check)
    ended = await house.http.get("/permit")
    assert (ended.status_code, ended.json()["template"]) == (404, "liveness_ended.html")


async def test_nothing_personal_is_stored_in_clear_or_told_to_the_audit_trail(house: House, rig: Faces) -> None:
    check = await house.show_document(HOLDER)
    await perform(house, check, lambda actions: rig.studio.genuine(portrait(HOLDER.portrait), actions, 9))
    stored = "\n".join(house.database.raw.iterdump()) + repr(house.trail.events)
    for secret in (HOLDER.permit_number, HOLDER.name_latin, check, "upstream-subject"):
        assert secret not in stored
    assert [event for event, _, _ in house.trail.events] == [
        "permit.opened", "permit.document", "permit.session", "permit.judged",
    ]  # fmt: skip


async def test_the_api_is_described(house: House) -> None:
    paths = (await house.http.get("/openapi.json")).json()["paths"]
    assert set(paths) == {
        "/api/v1/permits/checks/{check}/document", "/api/v1/permits/checks/{check}/liveness",
        "/api/v1/permits/liveness/{session}/frames", "/api/v1/permits/liveness/{session}/answer",
    }  # fmt: skip


def test_the_client_is_the_protocols_implementation() -> None:
    assert hasattr(HttpPermitAuthority, "verify_holder") and httpx.AsyncClient

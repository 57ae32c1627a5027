"""Attack: a genuine callback, sent again: as it was, changed, under another request, or late."""

from datetime import timedelta

import pytest

from idp.errors import UpstreamError
from sandbox.personas import PERSONAS
from sandbox.state import Mode
from tests.attacks.test_upstream_forged_callback import VICTIM
from tests.support.iam_smart import joined


@pytest.fixture
async def wire(tmp_path):
    async with joined(tmp_path) as wire:
        yield wire


async def test_the_same_bytes_again_change_nothing_and_are_answered_the_same(wire):
    assertion = await wire.log_in()
    await wire.delivered(1)
    before = wire.database.dump()
    body = wire.simulator.deliveries[0].body
    first, second = [await wire.post_callback("profile", body) for _ in range(2)]
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert wire.database.dump() == before
    assert (await wire.log_in()).subject == assertion.subject


async def test_another_answer_to_an_answered_request_is_refused(wire):
    pending = await wire.exchange()
    assertion = await wire.collect(pending)
    known = wire.pending("profile")
    for content, code in ((VICTIM, "D00000"), ({}, "D50001")):
        body = wire.attackers_callback(
            {"businessID": known["business_id"], "state": known["state"], **content}, code=code
        )
        assert (await wire.post_callback("profile", body)).status_code == 400
    assert await wire.connector.collect(pending.reference) == assertion
    assert ("iam_smart.profile_callback", "txn-1", "upstream_callback_conflict") in wire.trail.events


async def test_a_replayed_signing_callback_is_handed_on_once(wire):
    citizen = PERSONAS["hk-resident"]
    wire.repository[citizen.name_latin] = [wire.keys.certificate(citizen)]
    signer = (await wire.log_in()).signer
    await wire.signer.start(wire.request(signer))
    await wire.delivered(2)
    for _ in range(3):
        assert (await wire.post_callback("signing", wire.simulator.deliveries[-1].body)).status_code == 200
    assert len(wire.receiver.completed) == 1


async def test_a_profile_callback_at_the_signing_door(wire):
    await wire.log_in()
    await wire.delivered(1)
    assert (await wire.post_callback("signing", wire.simulator.deliveries[0].body)).status_code == 400


async def test_a_callback_kept_back_past_the_deadline(wire):
    wire.state.mode = Mode.INTERACTIVE
    pending = await wire.exchange()
    known = wire.pending("profile")
    body = wire.attackers_callback({"businessID": known["business_id"], "state": known["state"], **VICTIM})
    wire.clock.offset = wire.config.flow_lifetime + timedelta(seconds=1)
    assert (await wire.post_callback("profile", body)).status_code == 400
    with pytest.raises(UpstreamError):
        await wire.connector.collect(pending.reference)

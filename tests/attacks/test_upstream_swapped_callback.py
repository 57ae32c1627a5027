"""Attack: what belongs to one login is given to another: states and business ids swapped, a return into another browser."""

import pytest

from idp.connectors.iam_smart.errors import StateMismatch
from idp.errors import UpstreamCodeRefused
from idp.upstream import PendingAssertion
from sandbox.state import Mode
from tests.attacks.test_upstream_forged_callback import VICTIM
from tests.support.iam_smart import STATE, joined


@pytest.fixture
async def wire(tmp_path):
    async with joined(tmp_path) as wire:
        yield wire


async def test_a_callback_with_another_requests_state(wire):
    wire.state.mode = Mode.INTERACTIVE
    first = await wire.exchange()
    mine = wire.pending("profile")
    second = await wire.exchange("hk-resident-2")
    theirs = next(row for row in [wire.pending("profile"), mine] if row["business_id"] != mine["business_id"])
    for business_id, state in ((mine["business_id"], theirs["state"]), (theirs["business_id"], mine["state"])):
        body = wire.attackers_callback({"businessID": business_id, "state": state, **VICTIM})
        assert (await wire.post_callback("profile", body)).status_code == 400
    for pending in (first, second):
        assert isinstance(await wire.connector.collect(pending.reference), PendingAssertion)


async def test_two_logins_at_once_get_each_its_own_person(wire):
    wire.state.mode = Mode.INTERACTIVE
    first, second = await wire.exchange("hk-resident"), await wire.exchange("hk-resident-2")
    for approval in wire.simulator.approvals:
        wire.simulator.desk.decide(approval.id, approve=True)
    assert (await wire.collect(first)).identity.document_number == "A1234563"
    assert (await wire.collect(second)).identity.document_number == "G123456A"


async def test_a_return_with_another_browsers_state(wire):
    query = await wire.arrive(state="state-of-the-attackers-browser")
    with pytest.raises(StateMismatch):
        await wire.connector.exchange("txn-1", query=query, state=STATE)
    assert wire.database.rows("iam_smart_pending") == []


async def test_a_code_is_worth_one_exchange(wire):
    query = await wire.arrive()
    assert await wire.connector.exchange("txn-1", query=query, state=STATE)
    with pytest.raises(UpstreamCodeRefused):
        await wire.connector.exchange("txn-1", query=query, state=STATE)

"""The sandbox's switches over HTTP: configuration and faults, all or nothing."""

import pytest

from tests.support.iam_smart import joined


@pytest.fixture
async def wire(tmp_path):
    async with joined(tmp_path) as wire:
        yield wire


async def test_the_configuration_is_shown_and_changed(wire):
    shown = (await wire.to_sandbox.get("/config")).json()
    assert shown["simulated"] is True and shown["persona"] is None and shown["mode"] == "automatic"
    changed = await wire.to_sandbox.put(
        "/config", json={"persona": "hk-resident", "mode": "interactive", "approval_delay_s": 2}
    )
    assert changed.json() == {**shown, "persona": "hk-resident", "mode": "interactive", "approval_delay_s": 2.0}
    assert (await wire.to_sandbox.put("/config", json={"persona": None})).json()["persona"] is None


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"\xff", b"[" * 4000, b"x" * 5000, b'{"persona":"nobody"}', b'{"persona":5}', b'{"mode":"sometimes"}', b'{"mode":null}',
        b'{"approval_delay_s":-1}', b'{"approval_delay_s":true}', b'{"approval_delay_s":"1"}', b'{"approval_delay_s":NaN}',
        b'{"colour":"red"}',
        b'{"mode":"interactive","persona":"nobody"}',
    ],
)  # fmt: skip
async def test_a_senseless_setting_is_refused_and_changes_nothing(wire, body):
    before = (await wire.to_sandbox.get("/config")).json()
    reply = await wire.to_sandbox.put("/config", content=body)
    assert (reply.status_code, reply.json()["code"]) == (400, "setting_refused")
    assert (await wire.to_sandbox.get("/config")).json() == before


async def test_faults_are_listed_injected_used_up_and_cleared(wire):
    listed = (await wire.to_sandbox.get("/faults")).json()["connectors"]["iam_smart"]
    names = {row.get("fault") for row in listed["available"]}
    assert listed["active"] is None
    assert {
        "wrong_signature", "expired_cek", "late_code", "denial_state_only", "callback_new_cek", "duplicated_callback", "slow", "dead",
        "wrong_encoding", "clock_skew",
    } <= names  # fmt: skip
    reply = await wire.to_sandbox.put("/faults/iam_smart", json={"fault": "late_code", "times": 2})
    assert reply.json()["connectors"]["iam_smart"]["active"] == {"fault": "late_code", "times": 2}
    assert wire.state.take("iam_smart", "late_code") and not wire.state.take("iam_smart", "slow")
    assert wire.state.take("iam_smart", "late_code") and not wire.state.take("iam_smart", "late_code")
    await wire.to_sandbox.put("/faults/iam_smart", json={"fault": "code:D40000"})
    assert wire.state.active("iam_smart", "code:D40000")
    await wire.to_sandbox.put("/faults/iam_smart", json={"fault": None})
    assert wire.state.fault("iam_smart") is None


@pytest.mark.parametrize(
    ("connector", "body"),
    [
        ("iam_smart", {"fault": "nonsense"}), ("iam_smart", {"fault": "code:D00000"}), ("iam_smart", {"fault": "code:D99999"}),
        ("iam_smart", {"fault": "slow", "times": 0}), ("iam_smart", {"fault": "slow", "times": "1"}), ("nobody", {"fault": "slow"}),
        ("iam_smart", {"fault": 1}), ("iam_smart", {"name": "slow"}),
    ],
)  # fmt: skip
async def test_a_fault_that_is_not_offered_is_refused(wire, connector, body):
    assert (await wire.to_sandbox.put(f"/faults/{connector}", json=body)).status_code == 400
    assert wire.state.fault("iam_smart") is None

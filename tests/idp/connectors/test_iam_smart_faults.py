"""The fault matrix: every fault of the simulator, set over HTTP: the right error, an untouched store, a usable retry."""

import asyncio
from datetime import timedelta

import pytest

from idp.connectors.iam_smart.codes import RETURN_CODES, error_for
from idp.connectors.iam_smart.errors import (
    ClockSkewed,
    ContentKeyRefused,
    EnvelopeMalformed,
    SignatureMismatch,
    UpstreamTooSlow,
)
from idp.errors import UpstreamCodeRefused, UpstreamDenied, UpstreamError, UpstreamUnavailable
from sandbox.iam_smart import faults
from sandbox.iam_smart.codes import Place, place_of
from sandbox.state import Mode
from signing.errors import RemoteRefused, RemoteSignerUnavailable
from tests.support.iam_smart import joined

AT_LOGIN = {
    faults.EXPIRED_CEK: ContentKeyRefused,
    faults.LATE_CODE: UpstreamCodeRefused,
    faults.DENIAL_STATE_ONLY: UpstreamDenied,
    faults.SLOW: UpstreamTooSlow,
    faults.WRONG_ENCODING: EnvelopeMalformed,
    faults.CLOCK_SKEW: ClockSkewed,
}
HARMLESS = (faults.CALLBACK_NEW_CEK, faults.DUPLICATED_CALLBACK)


@pytest.fixture
async def wire(tmp_path):
    async with joined(tmp_path, call_timeout=timedelta(seconds=1.5), slow_s=1.8) as wire:
        yield wire


async def inject(wire, fault: str | None, times: int | None = None) -> None:
    reply = await wire.to_sandbox.put("/faults/iam_smart", json={"fault": fault, "times": times})
    assert reply.status_code == 200, reply.text


def assert_untouched(wire) -> None:
    assert wire.database.rows("iam_smart_sessions") == []
    statuses = [row[7] for row in wire.database.rows("iam_smart_pending")]
    assert set(statuses) <= {"refused"}
    assert all(row[9] is None for row in wire.database.rows("iam_smart_pending"))


async def log_in_with(wire, fault: str) -> UpstreamError:
    """Inject, log in, return the error that ends the login."""
    query = None
    if fault not in (faults.DENIAL_STATE_ONLY,) and not (
        fault.startswith("code:") and place_of(fault.removeprefix("code:")) is Place.FRONT_CHANNEL
    ):
        query = await wire.arrive()
    await inject(wire, fault)
    with pytest.raises(UpstreamError) as failed:
        query = query or await wire.arrive()
        pending = await wire.connector.exchange("txn-1", query=query, state="state_of-this-browser_0123456789")
        await wire.collect(pending)
    return failed.value


@pytest.mark.parametrize("fault", AT_LOGIN)
async def test_a_fault_at_login(wire, fault):
    error = await log_in_with(wire, fault)
    assert type(error) is AT_LOGIN[fault]
    assert_untouched(wire)
    await inject(wire, None)
    assert (await wire.log_in()).account_level == "sign"


async def test_a_dead_upstream(wire):
    query = await wire.arrive()
    await inject(wire, faults.DEAD)
    with pytest.raises(UpstreamUnavailable) as failed:
        await wire.connector.exchange("txn-1", query=query, state="state_of-this-browser_0123456789")
    assert type(failed.value) is UpstreamUnavailable
    assert_untouched(wire)
    await inject(wire, None)
    # The code was never used: the same return is still good for the 30 seconds of its life.
    assert await wire.connector.exchange("txn-1", query=query, state="state_of-this-browser_0123456789")


@pytest.mark.parametrize("fault", HARMLESS)
async def test_a_fault_that_a_good_client_does_not_feel(wire, fault):
    await inject(wire, fault)
    assertion = await wire.log_in()
    await inject(wire, None)
    assert assertion.account_level == "sign"
    assert (await wire.log_in()).subject == assertion.subject
    assert {delivery.status for delivery in wire.simulator.deliveries} == {200}


async def test_an_expired_content_key_is_fetched_again_once(wire):
    await wire.log_in()
    await inject(wire, faults.EXPIRED_CEK, times=1)
    assert (await wire.log_in()).account_level == "sign"


async def test_a_clock_that_is_behind_in_callbacks_only(wire):
    assertion = await wire.log_in()
    await start(wire, assertion.signer, faults.CLOCK_SKEW)
    await wire.receiver.wait()
    assert wire.receiver.refused[0][1] == ClockSkewed.code


@pytest.mark.parametrize(
    "code", [f"D{digits}" for digits in RETURN_CODES if f"D{digits}" in str(faults.CATALOGUE.patterns)]
)
async def test_every_return_code(tmp_path, code):
    async with joined(tmp_path) as wire:
        expected = error_for(code)
        if place_of(code) in (Place.SIGNING_CALLBACK, Place.SIGNING_REPLY):
            outcome = await sign_with_code(wire, code)
        else:
            error = await log_in_with(wire, f"code:{code}")
            assert type(error) is type(expected)
            assert error.upstream_code == code
            assert_untouched(wire)
            outcome = error.code
        assert outcome == expected.code or (
            outcome == "remote_signer_unavailable" and isinstance(expected, UpstreamUnavailable)
        )
        await inject(wire, None)
        wire.receiver.refused.clear()
        assertion = await wire.log_in()
        wire.repository[assertion.identity.name_latin] = [wire.keys.certificate(_persona("hk-resident"))]
        await wire.signer.start(wire.request(assertion.signer))
        await wire.receiver.wait()
        assert len(wire.receiver.completed) == 1


def test_the_matrix_has_every_fault():
    tried = {*AT_LOGIN, *HARMLESS, faults.DEAD, faults.WRONG_SIGNATURE}
    assert tried == set(faults.CATALOGUE.names)


async def sign_with_code(wire, code: str) -> str:
    """Log in, then sign with the code injected; return the code that signing is told."""
    assertion = await wire.log_in()
    try:
        await start(wire, assertion.signer, f"code:{code}")
    except (RemoteRefused, RemoteSignerUnavailable) as refusal:
        return refusal.code
    await wire.receiver.wait()
    return wire.receiver.refused[0][1]


async def start(wire, signer: str, fault: str) -> None:
    persona = _persona("hk-resident")
    wire.repository[persona.name_latin] = [wire.keys.certificate(persona)]
    await inject(wire, fault)
    await wire.signer.start(wire.request(signer))


def _persona(name: str):
    from sandbox.personas import PERSONAS

    return PERSONAS[name]


async def test_a_wrong_signature_is_refused_acknowledged_as_rejected_and_can_be_tried_again(wire):
    assertion = await wire.log_in()
    await start(wire, assertion.signer, faults.WRONG_SIGNATURE)
    await wire.receiver.wait()
    assert wire.receiver.refused[0][1] == SignatureMismatch.code
    assert wire.receiver.completed == []
    async with asyncio.timeout(5):
        while wire.simulator.approvals[0].acknowledged is None:
            await asyncio.sleep(0.01)
    assert wire.simulator.approvals[0].acknowledged == "SR002"
    await inject(wire, None)
    wire.receiver.refused.clear()
    await wire.signer.start(wire.request(assertion.signer))
    await wire.receiver.wait()
    assert len(wire.receiver.completed) == 1


@pytest.mark.parametrize("fault", HARMLESS)
async def test_callback_faults_at_signing(wire, fault):
    assertion = await wire.log_in()
    await wire.delivered(1)
    await start(wire, assertion.signer, fault)
    await wire.delivered(3 if fault == faults.DUPLICATED_CALLBACK else 2)
    assert len(wire.receiver.completed) == 1
    assert {delivery.status for delivery in wire.simulator.deliveries} == {200}


async def test_the_phone_refuses(wire):
    wire.state.mode = Mode.INTERACTIVE
    pending = await wire.exchange()
    reply = await wire.to_sandbox.post(
        f"/iam-smart/phone/{wire.simulator.approvals[0].id}", data={"decision": "refuse"}
    )
    assert reply.json()["status"] == "refused"
    with pytest.raises(UpstreamDenied):
        await wire.collect(pending)
    assert_untouched(wire)

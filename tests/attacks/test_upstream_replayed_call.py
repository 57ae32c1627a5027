"""Attack on the upstream, which its simulator must notice: a signed call sent again, out of order, or changed."""

import time

import pytest

from idp.connectors.iam_smart import wire as our_wire
from tests.support.iam_smart import joined

GET_KEY = "/iam-smart/api/v1/security/getKey"


@pytest.fixture
async def wire(tmp_path):
    async with joined(tmp_path) as wire:
        yield wire


def signed(wire, *, timestamp_ms: int, nonce: str, body: bytes = b"") -> dict[str, str]:
    return dict(
        our_wire.sign_headers(
            wire.client.client_id, wire.client.client_secret, timestamp_ms=timestamp_ms, nonce=nonce, body=body
        )
    )


async def call(wire, headers: dict[str, str], body: bytes = b"") -> str:
    return (await wire.to_sandbox.post(GET_KEY, headers=headers, content=body)).json()["code"]


async def test_a_nonce_that_was_used(wire):
    now = int(time.time() * 1000)
    assert await call(wire, signed(wire, timestamp_ms=now, nonce="one")) == "D00000"
    assert await call(wire, signed(wire, timestamp_ms=now + 1, nonce="one")) == "D20004"


async def test_a_timestamp_that_goes_back(wire):
    now = int(time.time() * 1000)
    assert await call(wire, signed(wire, timestamp_ms=now, nonce="one")) == "D00000"
    assert await call(wire, signed(wire, timestamp_ms=now, nonce="two")) == "D00000"
    assert await call(wire, signed(wire, timestamp_ms=now - 1, nonce="three")) == "D20003"


async def test_our_own_client_never_goes_back_though_its_clock_does(wire):
    await wire.log_in()
    wire.clock.offset -= wire.config.max_clock_skew / 2
    assert (await wire.log_in()).account_level == "sign"


async def test_our_own_client_recovers_when_another_worker_was_quicker(wire):
    await wire.log_in()
    later = int(time.time() * 1000) + 400
    assert await call(wire, signed(wire, timestamp_ms=later, nonce="another worker")) == "D00000"
    import asyncio

    async def later_log_in():
        await asyncio.sleep(0.45)
        return await wire.log_in()

    assert (await later_log_in()).account_level == "sign"


@pytest.mark.parametrize("field", ["clientID", "signature", "timestamp", "nonce"])
async def test_a_call_changed_in_one_field_or_byte(wire, field):
    now = int(time.time() * 1000)
    headers = signed(wire, timestamp_ms=now, nonce="one", body=b"x")
    changed = {
        **headers,
        field: {"timestamp": str(now + 1)}.get(
            field, headers[field][:-1] + ("0" if headers[field][-1] != "0" else "1")
        ),
    }
    assert await call(wire, changed, b"x") in ("D20006", "D20102")
    assert await call(wire, headers, b"y") == "D20006"
    # A call that does not verify uses up neither its nonce nor its timestamp.
    assert await call(wire, headers, b"x") == "D00000"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"signatureMethod": "none"}, "D20005"),
        ({"nonce": "n" * 37}, "D20003"),
        ({"timestamp": "yesterday"}, "D20003"),
        ({"timestamp": "-700000000000"}, "D20003"),
        ({"nonce": ""}, "D20002"),
        ({"nonce": None}, "D20001"),
    ],
)
async def test_headers_of_another_shape(wire, change, code):
    headers = {**signed(wire, timestamp_ms=int(time.time() * 1000), nonce="one"), **change}
    assert await call(wire, {name: value for name, value in headers.items() if value is not None}) == code

"""Attack: envelopes that were touched: a flipped bit, a shortened tag, another iv length, another key's padding."""

import base64
import json
import struct

import pytest

from sandbox.state import Mode
from tests.support.iam_smart import joined


@pytest.fixture
async def wire(tmp_path):
    async with joined(tmp_path) as wire:
        wire.state.mode = Mode.INTERACTIVE
        yield wire


def flip_each_part(raw: bytes) -> list[bytes]:
    """One bit in the iv, in the ciphertext, in the tag."""
    return [raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :] for at in (5, 20, len(raw) - 1)]


TAMPERINGS = {
    "flipped iv": lambda raw: flip_each_part(raw)[0],
    "flipped ciphertext": lambda raw: flip_each_part(raw)[1],
    "flipped tag": lambda raw: flip_each_part(raw)[2],
    "truncated tag": lambda raw: raw[:-4],
    "tag of one byte": lambda raw: raw[:17],
    "no tag": lambda raw: raw[:-16],
    "iv length 16": lambda raw: struct.pack(">i", 16) + raw[4:],
    "iv length 8": lambda raw: struct.pack(">i", 8) + raw[4:],
    "iv length 0": lambda raw: struct.pack(">i", 0) + raw[4:],
    "negative iv length": lambda raw: struct.pack(">i", -1) + raw[4:],
    "huge iv length": lambda raw: struct.pack(">i", 2**31 - 1) + raw[4:],
    "little-endian length": lambda raw: struct.pack("<i", 12) + raw[4:],
    "only the length": lambda raw: raw[:4],
    "nothing": lambda raw: b"",
}


@pytest.mark.parametrize("how", TAMPERINGS)
async def test_a_tampered_callback_is_refused_and_the_genuine_one_is_still_taken(wire, how):
    pending = await wire.exchange()
    known = wire.pending("profile")
    genuine = wire.attackers_callback({"businessID": known["business_id"], "state": known["state"]}, code="D50001")
    members = json.loads(genuine)
    tampered = TAMPERINGS[how](base64.b64decode(members["content"]))
    body = json.dumps({**members, "content": base64.b64encode(tampered).decode()}).encode()
    reply = await wire.post_callback("profile", body)
    assert (reply.status_code, reply.json()) == (400, {"code": "upstream_refused"})
    assert wire.pending("profile")["status"] == "waiting"
    wire.simulator.desk.decide(wire.simulator.approvals[0].id, approve=True)
    assert (await wire.collect(pending)).account_level == "sign"


@pytest.mark.parametrize("how", TAMPERINGS)
async def test_the_simulator_refuses_a_tampered_call(wire, how):
    import time

    from idp.connectors.iam_smart import wire as our_wire

    await wire.exchange()
    body = our_wire.seal_body(b"k" * 32, {"code": "x", "grantType": "authorization_code"}, iv=b"i" * 12)
    raw = TAMPERINGS[how](base64.b64decode(json.loads(body)["content"]))
    body = json.dumps({"content": base64.b64encode(raw).decode()}).encode()
    headers = our_wire.sign_headers(
        wire.client.client_id, wire.client.client_secret, timestamp_ms=int(time.time() * 1000) + 5, nonce="x", body=body
    )
    reply = await wire.to_sandbox.post("/iam-smart/api/v1/auth/getToken", content=body, headers=dict(headers))
    assert reply.json()["code"] == "D30004"


@pytest.mark.parametrize(
    "secret_key",
    [None, "", "AAAA", "!", base64.b64encode(b"\x00" * 256).decode(), base64.b64encode(b"\x7f" * 256).decode()],
)
async def test_every_wrong_wrapped_key_is_answered_alike(wire, secret_key):
    """No oracle: a wrong padding, a wrong length and a wrong tag look the same from outside."""
    await wire.exchange()
    known = wire.pending("profile")
    members = json.loads(wire.attackers_callback({"businessID": known["business_id"], "state": known["state"]}))
    reply = await wire.post_callback("profile", json.dumps({**members, "secretKey": secret_key}).encode())
    assert (reply.status_code, reply.json()) == (400, {"code": "upstream_refused"})

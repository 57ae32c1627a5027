"""Attack: a callback that iAM Smart never sent. That it is encrypted to our key proves nothing: anybody can do that."""

import hashlib

import pytest

from idp.upstream import PendingAssertion
from sandbox.personas import PERSONAS
from sandbox.state import Mode
from tests.support.iam_smart import joined, make_certificate

VICTIM = {
    "idNo": {"Identification": "G123456", "CheckDigit": "A"},
    "enName": {"UnstructuredName": "LEE, Mei Ling"},
    "chName": {"ChineseName": "李美玲"},
    "birthDate": "19790430",
    "gender": "F",
}


@pytest.fixture
async def wire(tmp_path):
    async with joined(tmp_path) as wire:
        wire.state.mode = Mode.INTERACTIVE
        yield wire


async def test_a_profile_for_a_request_that_we_never_made(wire):
    body = wire.attackers_callback({"businessID": "guess", "state": "guess", **VICTIM})
    reply = await wire.post_callback("profile", body)
    assert (reply.status_code, reply.json()) == (400, {"code": "upstream_refused"})
    assert wire.database.rows("iam_smart_pending") == wire.database.rows("iam_smart_sessions") == []


async def test_a_profile_with_the_right_business_id_and_a_guessed_state(wire):
    pending = await wire.exchange()
    known = wire.pending("profile")["business_id"]
    reply = await wire.post_callback(
        "profile", wire.attackers_callback({"businessID": known, "state": "guess", **VICTIM})
    )
    assert reply.status_code == 400
    assert isinstance(await wire.connector.collect(pending.reference), PendingAssertion)
    assert ("iam_smart.profile_callback", "txn-1", "upstream_callback_unknown") in wire.trail.events
    # The real person's own answer still comes through.
    wire.simulator.desk.decide(wire.simulator.approvals[0].id, approve=True)
    assert (await wire.collect(pending)).identity.name_latin == "CHAN, Ka Yan"


async def test_a_refusal_in_the_persons_name(wire):
    pending = await wire.exchange()
    known = wire.pending("profile")["business_id"]
    body = wire.attackers_callback({"businessID": known, "state": ""}, code="D50001")
    assert (await wire.post_callback("profile", body)).status_code == 400
    assert isinstance(await wire.connector.collect(pending.reference), PendingAssertion)


async def test_a_signature_by_another_key_even_with_everything_known(wire):
    """Should business id and state leak, the digest is still ours and the certificate still the promised one."""
    wire.state.mode = Mode.AUTOMATIC
    citizen = PERSONAS["hk-resident"]
    wire.repository[citizen.name_latin] = [wire.keys.certificate(citizen)]
    signer = (await wire.log_in()).signer
    wire.state.mode = Mode.INTERACTIVE
    await wire.signer.start(wire.request(signer))
    known = wire.pending("signing")
    other = PERSONAS["hk-resident-2"]
    wire.keys.certificates[other.id] = make_certificate(citizen.name_latin, key=other.id, serial="attacker")
    signature, certificate = wire.keys.sign_digest(other, bytes(range(32)))
    reply = await wire.post_callback("signing", wire.attackers_callback(_signing(known, signature, certificate, wire)))
    assert reply.status_code == 200
    assert wire.receiver.completed == []
    assert wire.receiver.refused[0][1] == "signer_certificate_changed"


@pytest.mark.parametrize("wrong", ["digest", "hash_code"])
async def test_a_signature_over_something_else(wire, wrong):
    import base64

    wire.state.mode = Mode.AUTOMATIC
    citizen = PERSONAS["hk-resident"]
    wire.repository[citizen.name_latin] = [wire.keys.certificate(citizen)]
    signer = (await wire.log_in()).signer
    wire.state.mode = Mode.INTERACTIVE
    await wire.signer.start(wire.request(signer))
    evil = hashlib.sha256(b"evil").digest()
    signature, certificate = wire.keys.sign_digest(citizen, evil)
    content = _signing(wire.pending("signing"), signature, certificate, wire)
    if wrong == "hash_code":
        content["hashCode"] = base64.b64encode(evil).decode()
    await wire.post_callback("signing", wire.attackers_callback(content))
    assert wire.receiver.completed == []
    assert wire.receiver.refused[0][1] == "upstream_signature_invalid"


GOOD_SIGNING = {
    "hashCode": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "timestamp": None,
    "signature": "AAAA",
    "cert": "AAAA",
}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"hashCode": None}, "upstream_content_malformed"), ({"hashCode": 5}, "upstream_content_malformed"),
        ({"hashCode": "AAAA"}, "upstream_signature_invalid"), ({"timestamp": "now"}, "upstream_content_malformed"),
        ({"timestamp": 1}, "upstream_clock_skew"), ({"signature": None}, "upstream_content_malformed"),
        ({"signature": "!"}, "upstream_content_malformed"), ({"signature": "AAAA" * 500}, "upstream_content_malformed"),
        ({"cert": "AAAA"}, "upstream_content_malformed"), ({"cert": {}}, "upstream_content_malformed"),
    ],
)  # fmt: skip
async def test_a_signing_result_of_another_shape_is_refused_at_once(wire, change, code):
    wire.state.mode = Mode.AUTOMATIC
    citizen = PERSONAS["hk-resident"]
    wire.repository[citizen.name_latin] = [wire.keys.certificate(citizen)]
    signer = (await wire.log_in()).signer
    wire.state.mode = Mode.INTERACTIVE
    await wire.signer.start(wire.request(signer))
    known = wire.pending("signing")
    now = int(wire.clock().timestamp() * 1000)
    content = {**GOOD_SIGNING, "timestamp": now, "businessID": known["business_id"], "state": known["state"], **change}
    await wire.post_callback("signing", wire.attackers_callback({k: v for k, v in content.items() if v is not None}))
    assert wire.receiver.completed == []
    assert [refusal[1] for refusal in wire.receiver.refused] == [code]


@pytest.mark.parametrize("change", [{"openID": "another"}, {"idNo": None}, {"birthDate": "soon"}])
async def test_a_profile_of_another_shape_or_holder_ends_the_login(wire, change):
    from idp.connectors.iam_smart.errors import ContentMalformed

    pending = await wire.exchange()
    known = wire.pending("profile")
    body = wire.attackers_callback({"businessID": known["business_id"], "state": known["state"], **VICTIM, **change})
    assert (await wire.post_callback("profile", body)).status_code == 200
    with pytest.raises(ContentMalformed):
        await wire.connector.collect(pending.reference)
    assert wire.database.rows("iam_smart_sessions") == []


async def test_the_door_may_ask_for_the_operators_client_certificate(tmp_path):
    import base64

    operator, stranger = make_certificate("operator", key="op"), make_certificate("stranger", key="st")
    allowed = frozenset({hashlib.sha256(operator).hexdigest()})
    async with joined(tmp_path, callback_certificates=allowed) as wire:
        wire.state.mode = Mode.INTERACTIVE
        pending = await wire.exchange()
        known = wire.pending("profile")
        body = wire.attackers_callback({"businessID": known["business_id"], "state": known["state"], **VICTIM})
        for header in ({}, {"Client-Cert": ":!:"}, {"Client-Cert": "::"}, {"Client-Cert": _field(stranger)}):
            reply = await wire.post_callback("profile", body, **header)
            assert (reply.status_code, reply.json()) == (403, {"code": "upstream_caller_refused"})
        twice = [("Client-Cert", _field(operator)), ("Client-Cert", _field(operator))]
        assert (
            await wire.to_service.post("/callback/iam_smart/profile", content=body, headers=twice)
        ).status_code == 403
        assert isinstance(await wire.connector.collect(pending.reference), PendingAssertion)
        assert (await wire.post_callback("profile", body, **{"Client-Cert": _field(operator)})).status_code == 200
        assert base64.b64decode(_field(operator)[1:-1]) == operator


def _field(certificate: bytes) -> str:
    import base64

    return f":{base64.b64encode(certificate).decode()}:"


def _signing(known, signature: bytes, certificate: bytes, wire) -> dict[str, object]:
    import base64

    return {
        "businessID": known["business_id"],
        "state": known["state"],
        "hashCode": base64.b64encode(bytes(range(32))).decode(),
        "timestamp": int(wire.clock().timestamp() * 1000),
        "signature": base64.b64encode(signature).decode(),
        "cert": base64.b64encode(certificate).decode(),
    }

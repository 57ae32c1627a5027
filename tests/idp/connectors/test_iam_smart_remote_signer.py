"""A signature through both sides of the wire: certificate, code on both screens, callback, verification, acknowledgement."""

import asyncio

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from idp.connectors.iam_smart.errors import SignerCertificateChanged
from sandbox.personas import PERSONAS
from sandbox.state import Mode
from signing.errors import RemoteRefused, RemoteSignerUnavailable, TransactionExpired, TransactionUnknown
from signing.remote_signing import RemoteSigner, SigningOutcome
from tests.support.iam_smart import joined, make_certificate

CITIZEN = PERSONAS["hk-resident"]
DIGEST = bytes(range(32))


@pytest.fixture
async def wire(tmp_path):
    async with joined(tmp_path) as wire:
        wire.repository[CITIZEN.name_latin] = [wire.keys.certificate(CITIZEN)]
        yield wire


async def signed_in(wire) -> str:
    signer = (await wire.log_in()).signer
    assert signer is not None
    return signer


async def test_a_signature_is_made_verified_handed_on_and_acknowledged(wire):
    remote: RemoteSigner = wire.signer
    handle = await signed_in(wire)
    promised = await remote.certificates(handle)
    assert promised.end_entity == wire.keys.certificate(CITIZEN)
    assert len(promised.chain) == 1
    issuer = x509.load_der_x509_certificate(promised.chain[0])
    x509.load_der_x509_certificate(promised.end_entity).verify_directly_issued_by(issuer)

    started = await remote.start(wire.request(handle))
    phone = (await wire.to_sandbox.get("/iam-smart/phone")).json()["approvals"][0]
    # The two sides compute the code independently; a person compares exactly this.
    assert phone["identification_code"] == started.comparison_code
    assert (phone["kind"], phone["document_name"]) == ("signing", "mortgage application 按揭申請.pdf")
    assert started.approval_url is None

    await wire.receiver.wait()
    (signature,) = wire.receiver.completed
    assert signature.reference == started.reference
    assert signature.certificate == promised.end_entity
    public_key = x509.load_der_x509_certificate(signature.certificate).public_key()
    public_key.verify(signature.signature, DIGEST, PKCS1v15(), Prehashed(hashes.SHA256()))

    await remote.acknowledge(started.reference, SigningOutcome.ACCEPTED)
    assert wire.simulator.approvals[0].acknowledged == "SR001"


async def test_the_code_is_for_this_digest(wire):
    codes = set()
    handle = await signed_in(wire)
    for number in range(4):
        started = await wire.signer.start(wire.request(handle, digest=bytes([number] * 32)))
        codes.add(started.comparison_code)
    assert len(codes) > 1
    assert all(len(code) == 4 and code.isdigit() for code in codes)


@pytest.mark.parametrize(
    ("outcome", "word"), [(SigningOutcome.REJECTED, "SR002"), (SigningOutcome.NOT_RECEIVED, "SR003")]
)
async def test_the_other_acknowledgements(wire, outcome, word):
    handle = await signed_in(wire)
    started = await wire.signer.start(wire.request(handle))
    await wire.receiver.wait()
    await wire.signer.acknowledge(started.reference, outcome)
    assert wire.simulator.approvals[0].acknowledged == word


async def test_the_citizen_refuses_on_the_phone(wire):
    handle = await signed_in(wire)
    wire.state.mode = Mode.INTERACTIVE
    started = await wire.signer.start(wire.request(handle))
    wire.simulator.desk.decide(wire.simulator.approvals[0].id, approve=False)
    await wire.receiver.wait()
    assert wire.receiver.refused == [(started.reference, "upstream_denied")]


async def test_another_certificate_than_promised_is_refused_and_promised_next(wire):
    handle = await signed_in(wire)
    await wire.signer.certificates(handle)
    wire.keys.certificates[CITIZEN.id] = make_certificate(CITIZEN.name_latin, key=CITIZEN.id, serial="renewed")
    started = await wire.signer.start(wire.request(handle))
    await wire.receiver.wait()
    assert wire.receiver.refused == [(started.reference, SignerCertificateChanged.code)]
    wire.receiver.refused.clear()

    assert (await wire.signer.certificates(handle)).end_entity == wire.keys.certificate(CITIZEN)
    await wire.signer.start(wire.request(handle))
    await wire.receiver.wait()
    assert len(wire.receiver.completed) == 1


async def test_a_certificate_of_another_name_is_not_promised_next(wire):
    handle = await signed_in(wire)
    promised = await wire.signer.certificates(handle)
    wire.keys.certificates[CITIZEN.id] = make_certificate("SOMEBODY, Else", key=CITIZEN.id)
    await wire.signer.start(wire.request(handle))
    await wire.receiver.wait()
    assert wire.receiver.refused[0][1] == SignerCertificateChanged.code
    assert await wire.signer.certificates(handle) == promised


@pytest.mark.parametrize(
    ("filed", "code"),
    [
        ([], "signer_certificate_not_found"),
        ([{"usage": "digitalSignature"}], "signer_certificate_not_found"),
        ([{"days": -1}], "signer_certificate_not_found"),
        ([{"serial": "one"}, {"serial": "two"}], "signer_certificate_ambiguous"),
    ],
)
async def test_a_certificate_that_cannot_be_told_is_refused(wire, filed, code):
    wire.repository[CITIZEN.name_latin] = [make_certificate(CITIZEN.name_latin, key=CITIZEN.id, **how) for how in filed]
    handle = await signed_in(wire)
    with pytest.raises(RemoteRefused) as refused:
        await wire.signer.certificates(handle)
    assert refused.value.code == code


async def test_the_newest_of_one_holders_certificates_and_never_another_names(wire):
    mine = wire.keys.certificate(CITIZEN)
    wire.repository[CITIZEN.name_latin] = [make_certificate("SOMEBODY, Else", key="x"), mine, b"garbage", mine]
    assert (await wire.signer.certificates(await signed_in(wire))).end_entity == mine


async def test_a_broken_repository_is_unavailable_not_refused(wire):
    wire.repository[CITIZEN.name_latin] = [b"x" * 600_000]
    with pytest.raises(RemoteSignerUnavailable):
        await wire.signer.certificates(await signed_in(wire))


async def test_an_unknown_signer_and_an_unsuitable_digest_are_refused(wire):
    with pytest.raises(RemoteRefused) as refused:
        await wire.signer.start(wire.request("iam_smart:nobody"))
    assert refused.value.code == "upstream_session_ended"
    handle = await signed_in(wire)
    for change in ({"digest_algorithm": "sha512"}, {"digest": b"short"}):
        with pytest.raises(RemoteRefused) as refused:
            await wire.signer.start(wire.request(handle, **change))
        assert refused.value.code == "digest_unsuitable"


async def test_long_names_are_shortened_to_the_wires_limits(wire):
    handle = await signed_in(wire)
    await wire.signer.start(wire.request(handle, document_name="文" * 400, service_name=" " * 300))
    await wire.receiver.wait()
    assert len(wire.simulator.approvals[0].document_name) == 255
    assert wire.simulator.approvals[0].service_name == "-"


async def test_a_receiver_that_is_not_ready_is_told_again(wire):
    handle = await signed_in(wire)
    wire.receiver.errors = [TransactionUnknown("not yet"), TransactionUnknown("not yet")]
    await wire.signer.start(wire.request(handle))
    await wire.receiver.wait()
    assert len(wire.receiver.completed) == 1


async def test_a_result_that_nobody_takes_is_taken_from_a_later_callback(wire):
    handle = await signed_in(wire)
    wire.receiver.errors = [TransactionUnknown("not yet")] * 6
    await wire.signer.start(wire.request(handle))
    await wire.receiver.wait(10)
    await wire.delivered(2, 10)
    assert wire.simulator.deliveries[-1].attempts == 2
    assert len(wire.receiver.completed) == 1


async def test_a_result_that_its_receiver_has_no_use_for_is_not_told_again(wire):
    handle = await signed_in(wire)
    wire.receiver.errors = [TransactionExpired("too late")]
    await wire.signer.start(wire.request(handle))
    await wire.delivered(2)
    assert wire.simulator.deliveries[-1].status == 200
    assert wire.receiver.completed == []


async def test_a_key_device_that_fails_ends_as_a_failed_signing(wire):
    handle = await signed_in(wire)
    wire.keys.broken = True
    started = await wire.signer.start(wire.request(handle))
    await wire.receiver.wait()
    assert wire.receiver.refused == [(started.reference, "upstream_unavailable")]


async def test_on_the_same_device_a_ticket_opens_the_app(tmp_path):
    async with joined(tmp_path, source="Android_Chrome") as wire:
        wire.repository[CITIZEN.name_latin] = [wire.keys.certificate(CITIZEN)]
        started = await wire.signer.start(wire.request(await signed_in(wire)))
        assert started.approval_url is not None and "ticketID=" in started.approval_url
        assert (await wire.to_sandbox.get(started.approval_url)).headers["location"] == "/iam-smart/phone"


async def test_the_acknowledgement_of_an_unknown_reference_is_refused(wire):
    with pytest.raises(RemoteRefused):
        await wire.signer.acknowledge("nothing", SigningOutcome.ACCEPTED)


async def test_two_signatures_at_once_do_not_mix(wire):
    handle = await signed_in(wire)
    await wire.signer.certificates(handle)
    one, two = await asyncio.gather(
        wire.signer.start(wire.request(handle, digest=b"1" * 32)),
        wire.signer.start(wire.request(handle, digest=b"2" * 32)),
    )
    async with asyncio.timeout(5):
        while len(wire.receiver.completed) < 2:
            await asyncio.sleep(0.01)
    key = x509.load_der_x509_certificate(wire.keys.certificate(CITIZEN)).public_key()
    for result in wire.receiver.completed:
        digest = {one.reference: b"1" * 32, two.reference: b"2" * 32}[result.reference]
        key.verify(result.signature, digest, PKCS1v15(), Prehashed(hashes.SHA256()))

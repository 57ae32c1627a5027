"""Both sides over real HTTP on loopback, with the sandbox's own CA, device and public repository."""

import pytest

from sandbox.holders import CitizenKeys
from sandbox.personas import PERSONAS
from sandbox.pki import build_pki
from sandbox.pki_routes import build_pki_routes
from signing.remote_signing import SigningOutcome
from tests.support.iam_smart import joined
from tests.support.iam_smart_parts import MovingClock, address_of, listening


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return build_pki(tmp_path_factory.mktemp("pki"), "http://127.0.0.1:8100", MovingClock()())


async def test_a_login_and_a_signature_with_the_sandboxs_own_ca(tmp_path, pki):
    clock = MovingClock()
    keys = CitizenKeys(pki, clock)
    keys.publish_all()
    async with joined(tmp_path, over_http=True, signing_keys=keys, sandbox_routes=build_pki_routes(pki, clock)) as wire:
        wire.signer._repository._address = f"{str(wire.to_sandbox.base_url).rstrip('/')}/pki/hk-rsa/search"
        assertion = await wire.log_in()
        assert assertion.identity.name_latin == "CHAN, Ka Yan"
        promised = await wire.signer.certificates(assertion.signer)
        started = await wire.signer.start(wire.request(assertion.signer))
        phone = (await wire.to_sandbox.get("/iam-smart/phone")).json()["approvals"][0]
        assert phone["identification_code"] == started.comparison_code
        await wire.receiver.wait()
        assert wire.receiver.completed[0].certificate == promised.end_entity
        await wire.signer.acknowledge(started.reference, SigningOutcome.ACCEPTED)
        assert wire.simulator.approvals[0].acknowledged == "SR001"

        # After a renewal the repository has both; the newest is promised to a new session, and a running one learns it.
        keys.renew(PERSONAS["hk-resident"])
        wire.receiver.completed.clear()
        await wire.signer.start(wire.request(assertion.signer))
        await wire.receiver.wait()
        assert wire.receiver.refused[0][1] == "signer_certificate_changed"
        wire.receiver.refused.clear()
        await wire.signer.start(wire.request(assertion.signer))
        await wire.receiver.wait()
        assert wire.receiver.completed


async def test_an_upstream_that_nobody_serves_is_unavailable(tmp_path):
    from idp.errors import UpstreamUnavailable
    from tests.support.iam_smart import STATE

    listener = listening()
    address = address_of(listener)
    listener.close()
    async with joined(tmp_path, over_http=True, base_url=f"{address}/iam-smart") as wire:
        with pytest.raises(UpstreamUnavailable):
            await wire.connector.exchange("txn-1", query=f"state={STATE}&code=abc", state=STATE)
        assert wire.database.rows("iam_smart_pending") == []

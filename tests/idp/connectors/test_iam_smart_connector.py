"""A login through both sides of the wire: redirect, return, token, profile by callback, assertion."""

import pytest

from idp.connectors.iam_smart.errors import CallbackUnknown, SessionEnded
from idp.errors import UpstreamTimedOut
from idp.upstream import Connector, PendingAssertion, UpstreamAssertion
from sandbox.iam_smart import KekPadding
from sandbox.state import Mode
from tests.support.iam_smart import STATE, joined
from trust_lists.vocabulary import Region


@pytest.fixture
async def wire(tmp_path):
    async with joined(tmp_path) as wire:
        yield wire


async def test_a_login_gives_the_person_and_a_signer(wire):
    connector: Connector = wire.connector
    assertion = await wire.log_in()
    assert (assertion.connector, assertion.region, assertion.trust_framework) == (
        "iam_smart",
        Region.HK,
        "hk_iam_smart",
    )
    assert assertion.account_level == "sign"
    assert assertion.session_method == "fido_app"
    assert assertion.identity.name_latin == "CHAN, Ka Yan"
    assert assertion.identity.name_chinese == "陳嘉欣"
    assert assertion.identity.birthdate == "19900115"
    assert (assertion.identity.document_type, assertion.identity.document_number) == ("hkid", "A1234563")
    assert assertion.signer is not None and assertion.signer.startswith("iam_smart:")
    assert "%3D" in assertion.subject  # the openID as received, not decoded
    assert abs((assertion.authenticated_at - wire.clock()).total_seconds()) < 5
    assert connector.display_names["native"].startswith("智方便")


async def test_an_account_that_cannot_sign_has_no_signer(wire):
    assertion = await wire.log_in("hk-resident-basic")
    assert assertion.account_level != "sign"
    assert assertion.signer is None
    assert wire.database.rows("iam_smart_sessions") == []


async def test_the_subject_is_the_same_again_and_another_persons_is_another(wire):
    first, again, other = [(await wire.log_in(who)).subject for who in ("hk-resident", "hk-resident", "hk-resident-2")]
    assert first == again != other


@pytest.mark.parametrize("padding", list(KekPadding))
async def test_every_padding_of_the_content_key(tmp_path, padding):
    async with joined(tmp_path, padding=padding) as wire:
        assert (await wire.log_in()).identity.document_number == "A1234563"


async def test_the_assertion_waits_for_the_callback(wire):
    wire.state.mode = Mode.INTERACTIVE
    pending = await wire.exchange()
    assert isinstance(await wire.connector.collect(pending.reference), PendingAssertion)
    approval = wire.simulator.approvals[0]
    assert (approval.kind, approval.status) == ("profile", "waiting")
    wire.simulator.desk.decide(approval.id, approve=True)
    assert isinstance(await wire.collect(pending), UpstreamAssertion)
    # Asked again within the deadline, for a wait page that is loaded twice, the same is said.
    assert await wire.connector.collect(pending.reference) == await wire.collect(pending)


async def test_a_login_that_is_not_finished_times_out_and_its_late_callback_is_refused(wire):
    wire.state.mode = Mode.INTERACTIVE
    pending = await wire.exchange()
    wire.clock.offset = wire.config.flow_lifetime
    with pytest.raises(UpstreamTimedOut):
        await wire.connector.collect(pending.reference)
    wire.simulator.desk.decide(wire.simulator.approvals[0].id, approve=True)
    await wire.delivered(1)
    assert wire.simulator.deliveries[0].status == 400
    assert wire.database.rows("iam_smart_sessions") == []


async def test_an_unknown_reference_is_refused(wire):
    with pytest.raises(CallbackUnknown):
        await wire.connector.collect("nothing")


async def test_what_is_past_its_deadline_goes_with_the_next_login(wire):
    await wire.log_in()
    wire.clock.offset = wire.upstream_clock.offset = wire.config.flow_lifetime * 20
    await wire.exchange()
    assert len(wire.database.rows("iam_smart_pending")) == 1
    assert wire.database.rows("iam_smart_sessions") == []


async def test_nothing_personal_and_no_key_to_the_upstream_lies_open_at_rest(wire):
    await wire.log_in()
    at_rest = wire.database.dump()
    for secret in (b"CHAN", "陳嘉欣".encode(), b"A123456", b"accessToken", wire.client.client_secret.encode()):
        assert secret not in at_rest


async def test_an_ended_session_cannot_sign(wire):
    from signing.errors import RemoteRefused

    assertion = await wire.log_in()
    wire.clock.offset = wire.config.flow_lifetime * 20
    with pytest.raises(RemoteRefused) as refused:
        await wire.signer.certificates(assertion.signer)
    assert refused.value.code == SessionEnded.code


async def test_the_audit_names_the_transaction_and_no_person(wire):
    await wire.log_in()
    await wire.delivered(1)
    assert ("iam_smart_profile_callback".replace("iam_smart_", "iam_smart."), "txn-1", "ok") in wire.trail.events


async def test_state_is_checked_before_it_is_sent(wire):
    for bad in ("", "x" * 37, "with space", "ü"):
        with pytest.raises(ValueError, match="state"):
            await wire.connector.begin("txn-1", state=bad, locale="en")
    assert f"state={STATE}" in (await wire.connector.begin("txn-1", state=STATE, locale="en")).url


@pytest.mark.parametrize(
    ("locale", "lang"), [("zh-Hant", "zh-HK"), ("zh_Hans", "zh-CN"), ("en", "en-US"), ("pt", "en-US")]
)
async def test_the_language_goes_with_the_browser(wire, locale, lang):
    assert f"lang={lang}&" in (await wire.connector.begin("txn-1", state=STATE, locale=locale)).url

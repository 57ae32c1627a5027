"""The simulated iAM Smart by itself: pages, phone, registration, memory, and what it refuses."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox.iam_smart import KekPadding, provision
from sandbox.iam_smart.codes import MESSAGES, CallRefused, Place, place_of
from sandbox.iam_smart.ledger import CODE_LIFE, KEY_LIFE, IssuedCode, IssuedToken, Ledger
from sandbox.iam_smart.registry import Registry, RegistryBroken, RelyingParty
from sandbox.personas import PERSONAS
from sandbox.state import Mode
from tests.support.iam_smart import STATE, joined

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
GET_QR = "/iam-smart/api/v1/auth/getQR"


@pytest.fixture
async def wire(tmp_path):
    async with joined(tmp_path) as wire:
        yield wire


async def broker_query(wire, **changes: str | None) -> dict[str, str]:
    url = (await wire.connector.begin("txn-1", state=STATE, locale="en")).url
    fields = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


# --- the broker page


async def test_the_page_is_a_plain_form_with_one_button_per_account_holder(wire):
    page = await wire.to_sandbox.get(GET_QR, params=await broker_query(wire))
    assert page.status_code == 200
    assert re.findall(r'name="persona" value="([^"]+)"', page.text) == [
        "hk-resident",
        "hk-resident-basic",
        "hk-resident-2",
        "refuse",
    ]
    assert "Simulated" in page.text and "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    reply = await wire.to_sandbox.post(GET_QR, data={**hidden, "persona": "hk-resident-2"})
    assert reply.status_code == 302
    returned = parse_qs(urlsplit(reply.headers["location"]).query)
    assert returned["state"] == [STATE] and len(returned["code"]) == 1


async def test_the_style_sheet_is_there(wire):
    assert (await wire.to_sandbox.get("/iam-smart/style.css")).headers["content-type"].startswith("text/css")


async def test_a_persona_signs_in_without_a_click_by_address_or_by_configuration(wire):
    query = await broker_query(wire)
    assert (await wire.to_sandbox.get(GET_QR, params={**query, "persona": "hk-resident"})).status_code == 302
    assert (await wire.to_sandbox.put("/config", json={"persona": "hk-resident-2"})).status_code == 200
    assert (await wire.to_sandbox.get(GET_QR, params=query)).status_code == 302
    # A persona of another region has no account here: the page asks.
    await wire.to_sandbox.put("/config", json={"persona": "mo-resident"})
    assert (await wire.to_sandbox.get(GET_QR, params=query)).status_code == 200


async def test_the_refuse_button_comes_back_as_an_error_code(wire):
    reply = await wire.to_sandbox.post(GET_QR, data={**await broker_query(wire), "persona": "refuse"})
    assert parse_qs(urlsplit(reply.headers["location"]).query) == {"error_code": ["D40001"], "state": [STATE]}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"clientID": "nobody"}, "D20102"), ({"clientID": None}, "D20102"),
        ({"redirectURI": "https://evil.example/"}, "D20008"), ({"redirectURI": None}, "D20008"),
        ({"responseType": "token"}, "D20003"), ({"state": "x" * 37}, "D20003"), ({"state": "a b"}, "D20003"), ({"state": None}, "D20003"),
        ({"source": "Telephone"}, "D20007"), ({"scope": "everything"}, "D20015"), ({"scope": ""}, "D20015"), ({"lang": "fr"}, "D20003"),
        ({"brokerPage": "perhaps"}, "D20003"), ({"persona": "gd-resident"}, "D40002"), ({"persona": "<b>"}, "D40002"),
    ],
)  # fmt: skip
async def test_a_wrong_request_ends_on_a_page_and_nobody_is_redirected(wire, change, code):
    query = {**await broker_query(wire, **change)}
    for reply in (
        await wire.to_sandbox.get(GET_QR, params={"persona": "hk-resident", **query}),
        await wire.to_sandbox.post(GET_QR, data={"persona": "hk-resident", **query}),
    ):
        assert reply.status_code == 400 and code in reply.text
        assert "location" not in reply.headers


async def test_nothing_of_the_request_is_written_raw_into_the_page(wire):
    page = await wire.to_sandbox.get(
        GET_QR, params=await broker_query(wire, ticketID=None, lang="zh-HK", extra='"><script>')
    )
    assert "<script" not in page.text
    query = urlencode(await broker_query(wire, brokerPage="true"))
    assert 'lang="en"' in (await wire.to_sandbox.get(f"{GET_QR}?{query}")).text


# --- the phone


async def test_the_phone_lists_and_takes_one_decision(wire):
    wire.state.mode = Mode.INTERACTIVE
    await wire.exchange()
    listing = (await wire.to_sandbox.get("/iam-smart/phone")).json()
    (approval,) = listing["approvals"]
    assert (approval["kind"], approval["persona"], approval["status"]) == ("profile", "hk-resident", "waiting")
    page = await wire.to_sandbox.get("/iam-smart/phone", headers={"Accept": "text/html"})
    assert "CHAN, Ka Yan" in page.text and f"/iam-smart/phone/{approval['id']}" in page.text
    address = f"/iam-smart/phone/{approval['id']}"
    assert (await wire.to_sandbox.post(address, data={"decision": "perhaps"})).status_code == 400
    assert (await wire.to_sandbox.post("/iam-smart/phone/nothing", data={"decision": "approve"})).status_code == 404
    answered = await wire.to_sandbox.post(address, data={"decision": "approve"}, headers={"Accept": "text/html"})
    assert answered.status_code == 303
    assert (await wire.to_sandbox.post(address, data={"decision": "refuse"})).json()["status"] == "approved"


async def test_a_request_that_nobody_decides_times_out(tmp_path):
    from sandbox.iam_smart import IamSmartSimulator
    from sandbox.state import SandboxState

    async with joined(tmp_path) as wire:
        desk = IamSmartSimulator(
            tmp_path / "simulator", "http://127.0.0.1:8100", wire.clock, SandboxState(mode=Mode.INTERACTIVE), wire.keys,
            http=wire.to_service, patience=timedelta(seconds=0.05),
        ).desk  # fmt: skip
        party = Registry(tmp_path / "simulator").find(wire.client.client_id)
        approval = desk.ask("profile", party, PERSONAS["hk-resident"], business_id="b", state="s", asked={})
        await asyncio.sleep(0.15)
        assert approval.status == "timed_out"
        await desk.close()


async def test_background_tasks_end_with_the_app(tmp_path):
    before = asyncio.all_tasks()
    async with joined(tmp_path) as wire:
        wire.state.mode = Mode.INTERACTIVE
        await wire.exchange()
    assert asyncio.all_tasks() == before


async def test_the_simulator_stands_alone_and_a_relying_party_is_registered_by_hand(tmp_path):
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    from sandbox.iam_smart import IamSmartSimulator
    from sandbox.state import SandboxState

    made = provision(tmp_path / "elsewhere", redirect_uris=(), callback_urls={}, at=NOW)
    certificate = x509.load_pem_x509_certificate(made.kek_certificate_pem.encode()).public_bytes(Encoding.DER)
    simulator = IamSmartSimulator(tmp_path / "sim", "http://127.0.0.1:8100", lambda: NOW, SandboxState(), None)
    async with simulator.running():
        simulator.register_relying_party("me", "secret", certificate, ("http://a/",), {"profile": "http://a/p"})
    again = Registry(tmp_path / "sim").find("me")
    assert again is not None and again.redirect_uris == ("http://a/",) and again.kek_certificate == certificate


# --- rules of the calls


async def signing_call(wire, **changes: object) -> str:
    """Send a signing request with a change in it through our own client; return the code that comes back."""
    from idp.connectors.iam_smart.client import SIGNING
    from idp.errors import UpstreamError

    session = wire.connector._vault.open_session(
        await wire.store.load_session((await wire.log_in()).signer, at=wire.clock())
    )
    content = {
        "businessID": "b" * 36,
        "accessToken": session.grant.access_token,
        "openID": session.grant.open_id,
        "source": "PC_Browser",
        "redirectURI": wire.config.redirect_uri,
        "state": "s",
        "hashCode": "A" * 43 + "=",
        "sigAlgo": "NONEwithRSA",
        "HKICHash": "rDcExehSzsiEp2laLaJqrtaX2ua9sdaugwaY5ONmYwk=",
        "department": "d",
        "serviceName": "s",
        "documentName": "d",
        **changes,
    }
    try:
        await wire.connector._client.initiate(
            SIGNING, {name: value for name, value in content.items() if value is not None}
        )
    except UpstreamError as error:
        return error.upstream_code
    return "D00000"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, "D00000"), ({"sigAlgo": None}, "D00000"), ({"sigAlgo": "SHA256withRSA"}, "D00000"), ({"sigAlgo": "MD5withRSA"}, "D20003"),
        ({"hashCode": "A"}, "D20003"), ({"hashCode": "QUJD"}, "D20003"), ({"hashCode": ""}, "D20002"), ({"hashCode": None}, "D20001"),
        ({"HKICHash": "AAAA"}, "D70005"), ({"department": "d" * 101}, "D20003"), ({"documentName": "d" * 256}, "D20003"),
        ({"serviceName": 5}, "D20003"), ({"accessToken": "other"}, "D20009"), ({"openID": "other"}, "D20010"), ({"source": "x"}, "D20007"),
        ({"redirectURI": "https://evil.example/"}, "D20008"), ({"businessID": "b" * 37}, "D20003"), ({"state": "s" * 37}, "D20003"),
    ],
)  # fmt: skip
async def test_the_rules_of_a_signing_request(wire, change, code):
    assert await signing_call(wire, **change) == code


async def test_a_business_id_comes_once(wire):
    assert await signing_call(wire) == "D00000"
    assert await signing_call(wire) == "D20011"


async def test_an_account_without_signing_is_refused(wire, monkeypatch):
    monkeypatch.setattr("idp.connectors.iam_smart.records.Grant.can_sign", property(lambda grant: True))
    from signing.errors import RemoteRefused
    from tests.support.iam_smart import make_certificate

    basic = PERSONAS["hk-resident-basic"]
    wire.repository[basic.name_latin] = [make_certificate(basic.name_latin, key=basic.id)]
    signer = (await wire.log_in(basic.id)).signer
    with pytest.raises(RemoteRefused) as refused:
        await wire.signer.start(wire.request(signer))
    assert refused.value.code == "upstream_account_refused"


async def test_a_revoked_content_key_is_gone(wire):
    import time

    from idp.connectors.iam_smart import wire as our_wire

    await wire.log_in()
    ledger = wire.simulator._ledger
    held = ledger.held_key(wire.client.client_id, wire.clock())
    headers = our_wire.sign_headers(
        wire.client.client_id, wire.client.client_secret, timestamp_ms=int(time.time() * 1000) + 50, nonce="r", body=b""
    )
    reply = await wire.to_sandbox.post("/iam-smart/api/v1/security/revokeKey", headers=dict(headers))
    assert reply.json()["code"] == "D00000"
    await asyncio.sleep(0.06)
    assert (await wire.log_in()).account_level == "sign"
    assert ledger.held_key(wire.client.client_id, wire.clock()) != held


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"content":5}', b"\xff", b'{"content":"AAAA"}'])
async def test_a_body_of_another_shape_is_refused_with_a_code(wire, body):
    import time

    from idp.connectors.iam_smart import wire as our_wire

    await wire.log_in()
    headers = our_wire.sign_headers(
        wire.client.client_id, wire.client.client_secret, timestamp_ms=int(time.time() * 1000) + 5, nonce="b", body=body
    )
    reply = await wire.to_sandbox.post("/iam-smart/api/v1/auth/getToken", headers=dict(headers), content=body)
    assert reply.status_code == 200 and reply.json()["code"] in ("D20001", "D20003", "D30004")


# --- memory


def test_a_code_lives_thirty_seconds_and_once():
    ledger = Ledger()
    issued = IssuedCode("client", PERSONAS["hk-resident"], frozenset(), NOW)
    text = ledger.issue_code(issued)
    assert ledger.redeem_code(text, "client", NOW + CODE_LIFE) is issued
    late = ledger.issue_code(issued)
    stolen = ledger.issue_code(issued)
    for code, client, at in (
        (text, "client", NOW), (late, "client", NOW + CODE_LIFE + timedelta(milliseconds=1)),
        (stolen, "other", NOW), (stolen, "client", NOW),
    ):  # fmt: skip
        with pytest.raises(CallRefused, match="D40004"):
            ledger.redeem_code(code, client, at)


def test_a_content_key_lives_a_day():
    ledger = Ledger()
    first = ledger.issue_key("client", NOW)
    assert ledger.issue_key("client", NOW + timedelta(hours=1)) is first
    assert ledger.issue_key("client", NOW + KEY_LIFE) is not first
    with pytest.raises(CallRefused, match="D30002"):
        ledger.held_key("client", NOW + 2 * KEY_LIFE)


def test_a_token_belongs_to_its_client_and_openid_and_ends():
    ledger = Ledger()
    token = ledger.issue_token(
        IssuedToken("client", PERSONAS["hk-resident"], "open", frozenset(), NOW + timedelta(hours=4))
    )
    assert ledger.check_token(token, "open", "client", NOW)
    for open_id, client, at, code in (
        ("open", "other", NOW, "D20009"), ("open", "client", NOW + timedelta(hours=4), "D20009"), ("other", "client", NOW, "D20010"),
    ):  # fmt: skip
        with pytest.raises(CallRefused, match=code):
            ledger.check_token(token, open_id, client, at)


def test_every_code_has_a_place():
    assert {place_of(code) for code in MESSAGES} == set(Place)


# --- registration


def test_provisioning_again_gives_the_same_credentials_and_new_addresses(tmp_path):
    urls = {"profile": "http://a/p", "signing": "http://a/s"}
    first = provision(tmp_path, redirect_uris=("http://a/",), callback_urls=urls, at=NOW)
    again = provision(tmp_path, redirect_uris=("http://b/",), callback_urls=urls, at=NOW, padding=KekPadding.OAEP_SHA1)
    assert (again.client_id, again.client_secret, again.kek_private_key_pem) == (
        first.client_id,
        first.client_secret,
        first.kek_private_key_pem,
    )
    party = Registry(tmp_path).find(first.client_id)
    assert party is not None and party.redirect_uris == ("http://b/",) and party.padding is KekPadding.OAEP_SHA1
    assert json.loads((tmp_path / "client-gba-trust.json").read_bytes())["kek_padding"] == "oaep-sha1"
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o077 == 0
    assert first.client_secret not in repr(first) and first.client_secret not in repr(party)


@pytest.mark.parametrize("data", [b"", b"{}", b"[{}]", b"\xff"])
def test_a_broken_folder_is_named(tmp_path, data):
    (tmp_path / "relying-parties.json").write_bytes(data)
    if data == b"{}":
        assert Registry(tmp_path).find("x") is None
        return
    with pytest.raises(RegistryBroken, match="relying-parties"):
        Registry(tmp_path)


def test_an_encipherment_certificate_must_be_rsa(tmp_path):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    party = RelyingParty("c", "s", certificate.public_bytes(Encoding.DER), (), {})
    with pytest.raises(RegistryBroken):
        Registry(tmp_path).register(party)
    assert not (tmp_path / "relying-parties.json").exists()

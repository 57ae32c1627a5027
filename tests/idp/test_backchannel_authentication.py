"""OpenID Connect CIBA in poll mode over HTTP: a portal's backend asks, the person answers at their phone."""

import asyncio
from dataclasses import replace

import httpx
import pytest

from idp.protocol import GrantType
from tests.support.decoupled import ask_person, claims_of, decide, kiosk, known_person, poll_person, to_consent
from tests.support.idp import ISSUER, Client, Provider
from tests.support.oauth_peer import CHAN, WONG


class Gateway:
    """The operator's gateway, as the provider sees it."""

    def __init__(self) -> None:
        self.notices: list[dict[str, str]] = []

    async def notify(self, **notice: str) -> None:
        self.notices.append(notice)


@pytest.fixture
async def client(provider: Provider) -> Client:
    return await provider.register(kiosk())


@pytest.fixture
async def subject(provider: Provider, client: Client) -> str:
    _, subject = await known_person(provider, client)
    return subject


def error(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]


def approve_link(provider: Provider, asked: dict) -> str:
    return f"{ISSUER}/approve/{asked['auth_req_id'].partition('.')[0]}"


async def test_the_person_agrees_and_the_backend_gets_tokens(provider: Provider, client: Client, subject: str) -> None:
    answer = await ask_person(client, login_hint=subject, scope="openid profile", binding_message="Ref. 1234")
    asked = answer.json()
    assert (asked["expires_in"], asked["interval"]) == (300, 5)
    assert answer.headers["cache-control"] == "no-store"
    assert error(await poll_person(client, asked["auth_req_id"])) == (400, "authorization_pending")
    phone = provider.browser()
    page = await to_consent(phone, await phone.get(approve_link(provider, asked)))
    assert 'id="binding-message">Ref. 1234<' in page.text
    assert "Guangdong Sample Bank" in page.text
    closed = await decide(phone, page)
    assert "Guangdong Sample Bank has your answer" in closed.text
    provider.later(seconds=6)
    tokens = (await poll_person(client, asked["auth_req_id"])).json()
    claims = claims_of(tokens["id_token"])
    assert claims["sub"] == subject
    assert error(await poll_person(client, asked["auth_req_id"])) == (400, "invalid_grant")  # once


async def test_declined(provider: Provider, client: Client, subject: str) -> None:
    asked = (await ask_person(client, login_hint=subject)).json()
    phone = provider.browser()
    page = await to_consent(phone, await phone.get(approve_link(provider, asked)))
    closed = await decide(phone, page, "decline")
    assert "Nothing was passed on" in closed.text
    assert error(await poll_person(client, asked["auth_req_id"])) == (400, "access_denied")


async def test_slow_down_and_expiry(provider: Provider, client: Client, subject: str) -> None:
    asked = (await ask_person(client, login_hint=subject, requested_expiry="60")).json()
    assert asked["expires_in"] == 60
    assert error(await poll_person(client, asked["auth_req_id"])) == (400, "authorization_pending")
    provider.later(seconds=1)
    assert error(await poll_person(client, asked["auth_req_id"])) == (400, "slow_down")
    provider.later(seconds=59)
    assert error(await poll_person(client, asked["auth_req_id"])) == (400, "expired_token")
    gone = await provider.browser().get(approve_link(provider, asked))
    assert (gone.status_code, "nothing_to_answer" in gone.text) == (400, True)


@pytest.mark.parametrize("expiry", ["0", "-5", "x", "1e3", "9999999", "１２"])
async def test_a_senseless_expiry_is_refused(client: Client, subject: str, expiry: str) -> None:
    assert error(await ask_person(client, login_hint=subject, requested_expiry=expiry)) == (400, "invalid_request")


async def test_a_long_expiry_is_cut(client: Client, subject: str) -> None:
    assert (await ask_person(client, login_hint=subject, requested_expiry="86400")).json()["expires_in"] == 300


async def test_an_id_token_is_a_hint(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    tokens = (await client.redeem((await client.login(browser))["code"])).json()
    assert (await ask_person(client, id_token_hint=tokens["id_token"])).status_code == 200
    other = await provider.register(kiosk(client_id="other", redirect_uri="https://other.test/cb"))
    assert error(await ask_person(other, id_token_hint=tokens["id_token"])) == (400, "unknown_user_id")
    broken = tokens["id_token"][:-4] + "AAAA"
    assert error(await ask_person(client, id_token_hint=broken)) == (400, "unknown_user_id")


async def test_exactly_one_hint(client: Client, subject: str) -> None:
    """CIBA cl. 7.1."""
    assert error(await ask_person(client)) == (400, "invalid_request")
    assert error(await ask_person(client, login_hint=subject, id_token_hint="x")) == (400, "invalid_request")
    assert error(await ask_person(client, login_hint_token="x.y.z")) == (400, "invalid_request")


async def test_unknown_people_and_people_of_other_portals(provider: Provider, client: Client, subject: str) -> None:
    other = await provider.register(kiosk(client_id="other", redirect_uri="https://other.test/cb"))
    for hint in ("nobody", "x" * 5000, "'; --", "陳嘉欣"):
        assert error(await ask_person(client, login_hint=hint)) == (400, "unknown_user_id")
    assert error(await ask_person(other, login_hint=subject)) == (400, "unknown_user_id")


async def test_whoever_withdrew_is_not_asked(provider: Provider, client: Client) -> None:
    browser, subject = await known_person(provider, client)
    page = await browser.open(f"{ISSUER}/account")
    consent = page.text.partition('name="consent" value="')[2].partition('"')[0]
    await browser.submit(page, "/account/consents/revoke", {"consent": consent})
    assert error(await ask_person(client, login_hint=subject)) == (400, "unknown_user_id")


@pytest.mark.parametrize(
    "message",
    ["x" * 65, "two\nlines", "tab\t", "\x1b[31m", "right\u202eleft", "zero\u200bwidth", "\x85", "\u2028", "   "],
)
async def test_a_binding_message_that_could_pretend_is_refused(client: Client, subject: str, message: str) -> None:
    assert error(await ask_person(client, login_hint=subject, binding_message=message)) == (
        400,
        "invalid_binding_message",
    )


async def test_a_binding_message_is_shown_as_text(provider: Provider, client: Client, subject: str) -> None:
    asked = (await ask_person(client, login_hint=subject, binding_message="<b>按揭</b> & 1")).json()
    phone = provider.browser()
    page = await to_consent(phone, await phone.get(approve_link(provider, asked)))
    assert "&lt;b&gt;按揭&lt;/b&gt; &amp; 1" in page.text


async def test_only_the_named_person_can_answer(provider: Provider, client: Client, subject: str) -> None:
    asked = (await ask_person(client, login_hint=subject)).json()
    provider.peer.person = WONG
    phone = provider.browser()
    page = await to_consent(phone, await phone.get(approve_link(provider, asked)))
    assert "/login/consent" not in page.text
    assert "This request is meant for somebody else" in page.text
    assert error(await poll_person(client, asked["auth_req_id"])) == (400, "authorization_pending")
    provider.peer.person = CHAN
    consent = await phone.choose(page)
    assert "/login/consent" in consent.text


async def test_being_signed_in_is_not_enough(provider: Provider, client: Client) -> None:
    """The person signs in anew: an unattended browser answers nothing."""
    browser, subject = await known_person(provider, client)
    asked = (await ask_person(client, login_hint=subject)).json()
    logins = provider.peer.logins
    page = await browser.open(approve_link(provider, asked))
    assert "How do you want to sign in?" in page.text
    assert "/login/consent" in (await browser.choose(page)).text
    assert provider.peer.logins == logins + 1


async def test_the_account_page_lists_what_waits(provider: Provider, client: Client) -> None:
    browser, subject = await known_person(provider, client)
    asked = (await ask_person(client, login_hint=subject, binding_message="Ref. 77")).json()
    page = await browser.open(f"{ISSUER}/account")
    assert "A portal waits for your answer" in page.text
    assert "Ref. 77" in page.text
    assert f'href="/approve/{asked["auth_req_id"].partition(".")[0]}"' in page.text
    assert asked["auth_req_id"] not in page.text
    provider.peer.person = WONG
    other = provider.browser()
    assert "Ref. 77" not in (await to_consent(other, await other.get(f"{ISSUER}/account"))).text


async def test_the_gateway_is_told(provider: Provider, client: Client, subject: str) -> None:
    gateway = Gateway()
    object.__setattr__(provider.deps, "notifier", gateway)
    asked = (await ask_person(client, login_hint=subject, binding_message="Ref. 1")).json()
    person = await provider.store.find_person(client.client_id, subject, at=provider.now)
    assert gateway.notices == [
        {"person": person, "portal": "Guangdong Sample Bank", "message": "Ref. 1", "url": approve_link(provider, asked)}
    ]
    assert asked["auth_req_id"] not in str(gateway.notices)
    assert error(await ask_person(client, login_hint="nobody")) == (400, "unknown_user_id")
    assert len(gateway.notices) == 1


async def test_two_answers_at_the_same_instant_are_one(provider: Provider, client: Client, subject: str) -> None:
    asked = (await ask_person(client, login_hint=subject)).json()
    phones = [provider.browser(), provider.browser()]
    pages = [await to_consent(phone, await phone.get(approve_link(provider, asked))) for phone in phones]
    answers = await asyncio.gather(*(phone.agree(page) for phone, page in zip(phones, pages, strict=True)))
    assert sorted(answer.status_code for answer in answers) == [303, 409]


async def test_only_registered_confidential_clients(provider: Provider, client: Client, subject: str) -> None:
    plain = await provider.register(Client(client_id="plain"))
    assert error(await ask_person(plain, login_hint=subject)) == (400, "unauthorized_client")
    extra = {"grant_types": [GrantType.DEVICE_CODE.value], "sector_identifier_uri": "https://tv.test/"}
    app = await provider.register(Client(client_id="tv-app", auth="none", native=True, scope="openid", extra=extra))
    assert error(await ask_person(app, login_hint=subject)) == (400, "unauthorized_client")
    async with provider.back_channel() as http:
        form = {"client_id": client.client_id, "scope": "openid", "login_hint": subject}
        assert error(await http.post("/backchannel_authentication", data=form)) == (401, "invalid_client")


async def test_another_client_cannot_poll(provider: Provider, client: Client, subject: str) -> None:
    other = await provider.register(kiosk(client_id="other", redirect_uri="https://other.test/cb"))
    asked = (await ask_person(client, login_hint=subject)).json()
    assert error(await poll_person(other, asked["auth_req_id"])) == (400, "invalid_grant")


async def test_a_replayed_assertion_opens_nothing(provider: Provider, client: Client, subject: str) -> None:
    form = {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": client.assertion(),
        "scope": "openid",
        "login_hint": subject,
    }
    async with provider.back_channel() as http:
        assert (await http.post("/backchannel_authentication", data=form)).status_code == 200
        assert error(await http.post("/backchannel_authentication", data=form)) == (401, "invalid_client")
    person = await provider.store.find_person(client.client_id, subject, at=provider.now)
    assert len(await provider.store.list_decoupled(person, at=provider.now)) == 1


async def test_the_approve_link_of_a_device_request_is_none(provider: Provider, client: Client) -> None:
    """A device's request is found by its user code alone."""
    asked = (await client.call("/device_authorization", scope="openid")).json()
    link = f"{ISSUER}/approve/{asked['device_code'].partition('.')[0]}"
    answer = await provider.browser().get(link)
    assert (answer.status_code, "nothing_to_answer" in answer.text) == (400, True)


async def test_another_person_of_the_same_name_is_another(provider: Provider, client: Client, subject: str) -> None:
    asked = (await ask_person(client, login_hint=subject)).json()
    provider.peer.person = replace(CHAN, subject="another-account")
    phone = provider.browser()
    page = await to_consent(phone, await phone.get(approve_link(provider, asked)))
    assert "This request is meant for somebody else" in page.text

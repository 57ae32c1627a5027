"""The account page over HTTP: a person sees what is theirs, and ends it."""

import re

import httpx
import pytest

from tests.support.decoupled import known_person, to_consent
from tests.support.idp import ISSUER, Browser, Client, Provider, answer
from tests.support.oauth_peer import CHAN, WONG

ACCOUNT = f"{ISSUER}/account"


@pytest.fixture
async def client(provider: Provider) -> Client:
    extra = {
        "backchannel_logout_uri": "https://portal.test/back-channel",
        "grant_types": ["authorization_code", "refresh_token"],
    }
    return await provider.register(Client(scope="openid profile offline_access", extra=extra))


async def open_account(browser: Browser) -> httpx.Response:
    page = await to_consent(browser, await browser.get(ACCOUNT))
    assert page.status_code == 200, page.text
    assert "Your account" in page.text
    return page


def values(page: httpx.Response, name: str) -> list[str]:
    return re.findall(f'name="{name}" value="([^"]*)"', page.text)


async def still_knows(client: Client, browser: Browser) -> bool:
    return "code" in answer(await browser.open(client.url(prompt="none")))


async def userinfo(provider: Provider, token: str) -> int:
    async with provider.back_channel() as http:
        return (await http.get("/userinfo", headers={"Authorization": f"Bearer {token}"})).status_code


async def test_whoever_is_not_signed_in_signs_in_first(provider: Provider) -> None:
    browser = provider.browser()
    first = await browser.follow(await browser.get(ACCOUNT))
    assert "How do you want to sign in?" in first.text
    page = await browser.choose(first)
    assert "Your account" in page.text
    assert str(page.url) == ACCOUNT
    assert "陳嘉欣" in page.text
    assert "No portal has your consent." in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "code.issued" not in provider.trail.names()


async def test_giving_up_signing_in_ends_at_a_page(provider: Provider) -> None:
    browser = provider.browser()
    await browser.follow(await browser.get(ACCOUNT))
    page = await browser.open(f"{ISSUER}/login/cancel")
    assert "You are signed out here" in page.text


async def test_nobody_can_ask_for_a_code_as_the_account_page(provider: Provider, client: Client) -> None:
    url = client.url(client_id="gba-trust-account", redirect_uri="https://account.invalid/")
    page = await provider.browser().get(url)
    assert (page.status_code, "unknown_relying_party" in page.text) == (400, True)


async def test_a_consent_is_shown_and_ended(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    tokens = (await client.redeem((await client.login(browser, scope="openid profile"))["code"])).json()
    assert await userinfo(provider, tokens["access_token"]) == 200
    page = await open_account(browser)
    for shown in (
        "Guangdong Sample Bank",
        "Your date of birth",
        "Mortgage application",
        "leaves your region",
        "2027-02-22",
    ):
        assert shown in page.text
    assert "19900115" not in page.text
    [consent] = values(page, "consent")
    done = await browser.submit(page, "/account/consents/revoke", {"consent": consent})
    assert (done.status_code, done.headers["location"]) == (303, ACCOUNT)
    assert await userinfo(provider, tokens["access_token"]) == 401
    after = await open_account(browser)
    assert "ended" in after.text
    assert "End this consent" not in after.text
    assert not await still_knows(client, browser)
    assert provider.trail.last("consent.revoked").detail == {"consent": consent, "client": client.client_id}


async def test_an_older_consent_does_not_step_into_its_place(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    await client.login(browser, scope="openid")
    provider.later(seconds=1)
    await client.login(browser, scope="openid profile", prompt="consent")
    page = await open_account(browser)
    newest, _ = values(page, "consent")
    await browser.submit(page, "/account/consents/revoke", {"consent": newest})
    assert not await still_knows(client, browser)


async def test_a_receipt_can_be_kept(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    await client.login(browser, scope="openid profile")
    page = await open_account(browser)
    [consent] = values(page, "consent")
    receipt = await browser.get(f"{ACCOUNT}/consents/{consent}")
    assert "attachment" in receipt.headers["content-disposition"]
    assert receipt.headers["cache-control"] == "no-store"
    told = receipt.json()
    assert told["record_id"] == consent
    assert told["data_controller"] == client.client_id
    assert (told["source_region"], told["destination_region"]) == ("hk", "gd")
    assert set(told["pii_categories"]) == {"name", "birthdate", "gender"}
    assert told["revoked_at"] is None
    assert "陳嘉欣" not in receipt.text


async def test_another_session_is_ended_from_here(provider: Provider, client: Client) -> None:
    elsewhere, here = provider.browser(), provider.browser()
    tokens = (await client.redeem((await client.login(elsewhere))["code"])).json()
    page = await open_account(here)
    sessions = values(page, "session")
    assert len(sessions) == 2
    assert page.text.count("this browser") == 1
    own = await own_session(provider, here)
    [other] = [session for session in sessions if session != own]
    done = await here.submit(page, "/account/sessions/end", {"session": other})
    assert done.headers["location"] == ACCOUNT
    assert not await still_knows(client, elsewhere)
    assert await userinfo(provider, tokens["access_token"]) == 401
    assert len(values(await open_account(here), "session")) == 1
    due = await provider.store.take_notices(at=provider.now, until=provider.now, limit=10)
    assert [notice.client_id for notice in due] == [client.client_id]  # the portal hears of it


async def own_session(provider: Provider, browser: Browser) -> str:
    from idp.hashes import hash_token

    cookie = browser.client.cookies[provider.config.session_cookie]
    return (await provider.store.load_sign_in(hash_token(cookie), at=provider.now)).session


async def test_ending_this_session_says_so_and_does_not_sign_in_anew(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    await client.login(browser)
    page = await open_account(browser)
    [session] = values(page, "session")
    done = await browser.follow(await browser.submit(page, "/account/sessions/end", {"session": session}))
    assert "You are signed out here" in done.text
    assert not await still_knows(client, browser)


async def test_an_identity_is_erased(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    first = (await client.redeem((await client.login(browser, scope="openid profile"))["code"])).json()
    page = await open_account(browser)
    assert values(page, "connector") == ["iam_smart"]
    done = await browser.follow(await browser.submit(page, "/account/identities/remove", {"connector": "iam_smart"}))
    assert "You are signed out here" in done.text
    assert await userinfo(provider, first["access_token"]) == 401
    rows = await provider.database.read_row("SELECT count(*) FROM idp_identities")
    assert rows[0] == 0
    assert provider.trail.last("identity.removed").detail == {"connector": "iam_smart"}
    again = (await client.redeem((await client.login(browser, scope="openid profile"))["code"])).json()
    assert sub(first) != sub(again)  # the portal meets somebody new


def sub(tokens: dict) -> str:
    from tests.support.decoupled import claims_of

    return claims_of(tokens["id_token"])["sub"]


async def test_erasing_needs_a_recent_sign_in(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    await client.login(browser)
    provider.later(minutes=11)
    page = await open_account(browser)
    assert "Erase what we keep of it" not in page.text
    assert 'href="/account/sign-in"' in page.text
    done = await browser.submit(page, "/account/identities/remove", {"connector": "iam_smart"})
    assert done.headers["location"] == f"{ACCOUNT}/sign-in"
    assert (await provider.database.read_row("SELECT count(*) FROM idp_identities"))[0] == 1
    fresh = await to_consent(browser, await browser.get(f"{ACCOUNT}/sign-in"))
    assert "Erase what we keep of it" in fresh.text


FORMS = [
    ("/account/sessions/end", "session"),
    ("/account/consents/revoke", "consent"),
    ("/account/identities/remove", "connector"),
]


@pytest.mark.parametrize(("door", "field"), FORMS)
async def test_a_form_without_the_pages_own_token_changes_nothing(
    provider: Provider, client: Client, door: str, field: str
) -> None:
    browser = provider.browser()
    await client.login(browser)
    page = await open_account(browser)
    [value] = values(page, field)
    for csrf in ("", "guess", "é", await csrf_of_somebody_else(provider)):
        answered = await browser.client.post(f"{ISSUER}{door}", data={"csrf": csrf, field: value})
        assert (answered.status_code, "form_refused" in answered.text) == (400, True)
    assert values(await open_account(browser), field) == [value]
    assert await still_knows(client, browser)


async def csrf_of_somebody_else(provider: Provider) -> str:
    provider.peer.person = WONG
    try:
        return values(await open_account(provider.browser()), "csrf")[0]
    finally:
        provider.peer.person = CHAN


@pytest.mark.parametrize(("door", "field"), FORMS)
async def test_a_stale_session_changes_nothing(provider: Provider, client: Client, door: str, field: str) -> None:
    browser = provider.browser()
    await client.login(browser)
    page = await open_account(browser)
    [value] = values(page, field)
    provider.later(hours=9)
    answered = await browser.submit(page, door, {field: value})
    assert (answered.status_code, "form_refused" in answered.text) == (400, True)
    assert (await provider.database.read_row("SELECT count(*) FROM idp_identities"))[0] == 1


async def test_another_persons_ids_end_nothing(provider: Provider, client: Client) -> None:
    victim, _ = await known_person(provider, client)
    theirs = await open_account(victim)
    provider.peer.person = WONG
    browser = provider.browser()
    page = await open_account(browser)
    for door, field in FORMS[:2]:
        done = await browser.submit(page, door, {field: values(theirs, field)[0]})
        assert done.headers["location"] == ACCOUNT
    receipt = await browser.get(f"{ACCOUNT}/consents/{values(theirs, 'consent')[0]}")
    assert receipt.headers["location"] == ACCOUNT
    assert await still_knows(client, victim)
    for name in ("陳嘉欣", "Guangdong Sample Bank"):
        assert name not in page.text


async def test_get_changes_nothing(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    await client.login(browser)
    for door, _ in FORMS:
        assert (await browser.get(f"{ISSUER}{door}")).status_code in {405, 303}
    assert await still_knows(client, browser)

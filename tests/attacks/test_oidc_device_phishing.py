"""Attacks by a code or a request that somebody else started (RFC 8628 cl. 5.1, 5.4; CIBA cl. 15): guess, lure, wear down."""

import pytest

from idp.config import RateLimit
from tests.support.decoupled import (
    ask_device,
    ask_person,
    decide,
    enter_code,
    kiosk,
    known_person,
    poll_device,
    to_consent,
)
from tests.support.idp import ISSUER, Client, Provider, provider_in


@pytest.fixture
async def provider(tmp_path):
    async with provider_in(tmp_path) as made:
        yield made


@pytest.fixture
async def client(provider: Provider) -> Client:
    return await provider.register(kiosk())


async def test_guessing_user_codes_is_limited_before_the_store_is_asked(tmp_path) -> None:
    async with provider_in(tmp_path, user_code_limit=RateLimit(burst=5, per_second=0.01)) as provider:
        client = await provider.register(kiosk())
        await ask_device(client)
        browser = provider.browser()
        answers = []
        for n in range(40):
            provider.database.statements.clear()
            code = "".join("BCDFGHJKLMNPQRSTVWXZ"[(n >> shift) % 20] for shift in range(8))
            answers.append((await browser.client.post(f"{ISSUER}/device", data={"user_code": code})).status_code)
            if answers[-1] == 429:
                assert not any("idp_decoupled" in statement for statement in provider.database.statements)
        assert answers[:5] == [400] * 5
        assert set(answers[5:]) == {429}


async def test_a_guessed_link_id_is_limited_too(tmp_path) -> None:
    async with provider_in(tmp_path, user_code_limit=RateLimit(burst=5, per_second=0.01)) as provider:
        browser = provider.browser()
        answers = [(await browser.get(f"{ISSUER}/approve/{n:022d}")).status_code for n in range(8)]
        assert answers == [400] * 5 + [429] * 3


async def test_the_code_itself_is_in_no_table(provider: Provider, client: Client) -> None:
    asked = await ask_device(client)
    content = provider.database.path.read_bytes() + b"".join(
        path.read_bytes() for path in provider.database.path.parent.glob("idp.sqlite-*")
    )
    for secret in (asked["user_code"], asked["user_code"].replace("-", ""), asked["device_code"].partition(".")[2]):
        assert secret.encode() not in content
        assert secret not in str(provider.trail.events)


async def test_a_lure_shows_its_code_before_and_at_the_consent(provider: Provider, client: Client) -> None:
    """The attacker starts at his device and sends the complete link; the victim is signed in and has agreed here before."""
    victim, _ = await known_person(provider, client)
    asked = await ask_device(client)
    page = await victim.get(asked["verification_uri_complete"])
    assert page.status_code == 200
    assert asked["user_code"] in page.text
    assert "wants to use your identity" in page.text
    consent = await enter_code(victim, asked["user_code"])
    main = consent.text.partition("<main")[2]
    assert asked["user_code"] in main
    assert main.index(asked["user_code"]) < main.index('value="agree"')
    assert (await poll_device(client, asked)).json()["error"] == "authorization_pending"


async def test_another_sites_form_does_not_skip_the_question(provider: Provider, client: Client) -> None:
    victim, _ = await known_person(provider, client)
    asked = await ask_device(client)
    for site in ("cross-site", "same-site"):
        answer = await victim.client.post(
            f"{ISSUER}/device", data={"user_code": asked["user_code"]}, headers={"Sec-Fetch-Site": site}
        )
        assert (answer.status_code, "form_refused" in answer.text) == (400, True)
    own = await victim.client.post(
        f"{ISSUER}/device", data={"user_code": asked["user_code"]}, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert own.status_code == 303


async def test_the_consent_form_of_one_request_answers_no_other(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    mine, theirs = await ask_device(client), await ask_device(client)
    page_of_mine = await enter_code(browser, mine["user_code"])
    await enter_code(browser, theirs["user_code"])  # the lure opens in another tab, and takes the login's place
    answer = await browser.agree(page_of_mine)
    assert (answer.status_code, "form_refused" in answer.text) == (400, True)
    provider.later(seconds=6)
    assert (await poll_device(client, theirs)).json()["error"] == "authorization_pending"


@pytest.mark.parametrize("target", ["device", "person"])
async def test_prompt_none_asks_nobody_past_the_page(provider: Provider, client: Client, target: str) -> None:
    browser, subject = await known_person(provider, client)
    if target == "device":
        answer = await client.call("/device_authorization", scope="openid", prompt="none")
        code = answer.json().get("user_code")
        page = None if code is None else await enter_code(browser, code)
    else:
        answer = await ask_person(client, login_hint=subject, prompt="none")
        identifier = answer.json().get("auth_req_id", "").partition(".")[0]
        page = await to_consent(browser, await browser.get(f"{ISSUER}/approve/{identifier}"))
    assert answer.status_code in {200, 400}
    assert page is None or "You are done here" not in page.text
    assert "grant.approved" not in provider.trail.names()


async def test_a_person_is_not_worn_down(provider: Provider, client: Client) -> None:
    """A portal asks again and again, until the person agrees to have peace."""
    browser, subject = await known_person(provider, client)
    answers = [(await ask_person(client, login_hint=subject)).json() for _ in range(5)]
    assert ["error" in answer for answer in answers] == [False, False, False, True, True]
    assert answers[-1]["error"] == "access_denied"
    identifier = answers[0]["auth_req_id"].partition(".")[0]
    page = await to_consent(browser, await browser.get(f"{ISSUER}/approve/{identifier}"))
    await decide(browser, page, "decline")
    assert (await ask_person(client, login_hint=subject)).status_code == 200  # one was answered
    other = await provider.register(kiosk(client_id="other", redirect_uri="https://other.test/cb"))
    _, there = await known_at(provider, other)
    assert (await ask_person(other, login_hint=there)).status_code == 200  # another portal's requests count apart


async def known_at(provider: Provider, client: Client):
    import re

    from tests.support.decoupled import claims_of

    browser = provider.browser()
    page = await browser.follow(await browser.get(client.url()), until=client.redirect_uri)
    response = await browser.agree(page)
    code = re.search(r"code=([^&]+)", response.headers["location"])[1]
    tokens = (await client.redeem(code)).json()
    return browser, claims_of(tokens["id_token"])["sub"]


async def test_nobody_makes_our_page_say_that_something_was_agreed(provider: Provider, client: Client) -> None:
    asked = await ask_device(client)
    browser = provider.browser()
    closed = await decide(browser, await enter_code(browser, asked["user_code"]), "decline")
    sealed = str(closed.url).partition("of=")[2]
    for of in ("", "x", sealed[:-3], sealed.swapcase(), "eyJhZ3JlZWQiOnRydWV9"):
        page = await browser.client.get(f"{ISSUER}/done", params={"of": of})
        assert (page.status_code, "login_expired" in page.text) == (400, True)

"""Attacks on a login in progress: login CSRF, cross-user consent, fixation, forged forms, foreign attestations."""

from datetime import timedelta

import pytest

from tests.support.idp import ISSUER, Client, Keys, Provider, answer, provider_in


@pytest.fixture
async def provider(tmp_path):
    async with provider_in(tmp_path) as made:
        yield made


@pytest.fixture
async def client(provider: Provider) -> Client:
    return await provider.register(Client())


async def upstream_return(provider: Provider, browser, url: str) -> str:
    """Walk until the upstream sends the browser back; return that address without opening it."""
    response = await browser.get(url)
    response = await browser.get(response.headers["location"])
    assert response.headers["location"].startswith(f"{ISSUER}/callback/iam_smart?")
    return response.headers["location"]


async def test_login_csrf_a_return_without_a_login_is_refused(provider: Provider, client: Client) -> None:
    """The attacker logs in as himself and lures the victim onto his own return."""
    attacker, victim = provider.browser(), provider.browser()
    callback = await upstream_return(provider, attacker, client.url())
    response = await victim.get(callback)
    assert response.status_code == 400
    assert "login_expired" in response.text
    assert "gba-session" not in response.headers.get("set-cookie", "")


async def test_login_csrf_a_return_in_another_login_is_refused(provider: Provider, client: Client) -> None:
    attacker, victim = provider.browser(), provider.browser()
    callback = await upstream_return(provider, attacker, client.url())
    await upstream_return(provider, victim, client.url())
    response = await victim.get(callback)
    assert response.status_code == 400
    assert "upstream_not_genuine" in response.text
    assert "gba-session" not in response.headers.get("set-cookie", "")


async def test_login_csrf_a_return_that_was_not_asked_is_refused(provider: Provider, client: Client) -> None:
    attacker, victim = provider.browser(), provider.browser()
    callback = await upstream_return(provider, attacker, client.url())
    await victim.open(client.url(connector=None))
    response = await victim.get(callback)
    assert response.status_code == 403
    assert "login_not_yours" in response.text
    assert provider.trail.last("login.return_refused").outcome == "login_not_yours"


async def test_a_return_serves_once(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    callback = await upstream_return(provider, browser, client.url())
    page = await browser.open(callback)
    assert "/login/consent" in page.text
    again = await browser.open(callback)
    assert again.status_code in {200, 403}
    assert provider.trail.names().count("login.signed_in") == 1


async def test_state_changed_on_the_way_is_refused(provider: Provider, client: Client) -> None:
    provider.peer.fault = "wrong_state"
    page = await provider.browser().open(client.url())
    assert page.status_code == 400
    assert "upstream_not_genuine" in page.text


@pytest.mark.parametrize("csrf", ["", "x", "ü"])
async def test_forged_form_is_refused(provider: Provider, client: Client, csrf: str) -> None:
    browser = provider.browser()
    await browser.open(client.url(scope="openid profile"))
    response = await browser.client.post(f"{ISSUER}/login/consent", data={"csrf": csrf, "decision": "agree"})
    assert response.status_code == 400
    assert "form_refused" in response.text


async def test_consent_twice_gives_one_code(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    page = await browser.open(client.url(scope="openid profile"))
    assert "code" in answer(await browser.agree(page))
    assert (await browser.agree(page)).status_code == 400
    assert provider.trail.names().count("code.issued") == 1


async def test_two_windows_at_the_same_instant_give_one_code(provider: Provider, client: Client) -> None:
    import asyncio

    browser = provider.browser()
    page = await browser.open(client.url(scope="openid profile"))
    responses = await asyncio.gather(*(browser.agree(page) for _ in range(5)))
    assert sorted(response.status_code == 303 for response in responses) == [False] * 4 + [True]


async def test_session_fixation_a_planted_cookie_gets_no_session(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    browser.client.cookies.set(provider.config.session_cookie, "planted", domain="login.test")
    await client.login(browser)
    assert await provider.store.load_sign_in("planted", at=provider.now) is None
    jar = [
        c.value for c in browser.client.cookies.jar if c.name == provider.config.session_cookie and c.value != "planted"
    ]
    assert len(jar) == 1


async def test_every_sign_in_has_a_new_secret_and_ends_the_old(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    await client.login(browser)
    old = browser.client.cookies[provider.config.session_cookie]
    await client.login(browser, prompt="login")
    assert browser.client.cookies[provider.config.session_cookie] != old
    replay = provider.browser()
    replay.client.cookies.set(provider.config.session_cookie, old, domain="login.test")
    assert answer(await replay.open(client.url(prompt="none")))["error"] == "login_required"


async def test_cookies_are_host_bound_secure_and_out_of_scripts_reach(provider: Provider, client: Client) -> None:
    response = await provider.browser().get(client.url())
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("__Host-gba-login=")
    for attribute in ("HttpOnly", "Secure", "Path=/", "SameSite=Lax"):
        assert attribute in cookie
    assert "Domain" not in cookie


async def test_expired_login_is_refused(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    page = await browser.open(client.url(scope="openid profile"))
    provider.later(minutes=20, seconds=1)
    response = await browser.agree(page)
    assert (response.status_code, "login_expired" in response.text) == (400, True)


ATTESTATIONS = {
    "of another login": {"transaction": "another"},
    "of another person": {"subject": "another"},
    "for another broker": {"audience": "https://elsewhere.test"},
    "by another issuer": {"issuer": "https://elsewhere.test"},
    "under a key that is not published": {"key": Keys().current()},
    "that expired": {"lifetime": timedelta(seconds=0)},
    "that is no pass": {"claims": {"decision": "review"}},
    "without checks": {"claims": {"checks": []}},
}


@pytest.mark.parametrize("name", ATTESTATIONS)
async def test_attestation_that_is_not_for_this_person_now_is_refused(
    provider: Provider, client: Client, name: str
) -> None:
    browser = provider.browser()
    response = await browser.open(client.url(scope="openid permit"))
    parameters = answer(await browser.pass_permit(response, **ATTESTATIONS[name]))
    assert parameters["error"] == "unmet_authentication_requirements"
    assert "attestation" in provider.trail.last("login.permit_refused").outcome


async def test_permit_return_in_another_browser_is_refused(provider: Provider, client: Client) -> None:
    attacker, victim = provider.browser(), provider.browser()
    await attacker.open(client.url(scope="openid permit"))
    code = provider.permits.attest()
    await victim.open(client.url(scope="openid"))
    response = await victim.get(f"{ISSUER}/callback/permit?permit_code={code}")
    assert (response.status_code, "login_not_yours" in response.text) == (403, True)
    assert code in provider.permits.codes


async def test_permit_code_replayed_into_another_login_is_refused(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    response = await browser.open(client.url(scope="openid permit"))
    await browser.pass_permit(response)
    used = provider.permits.attest()
    provider.permits.codes.pop(used)
    second = provider.browser()
    await second.open(client.url(scope="openid permit"))
    parameters = answer(await second.open(f"{ISSUER}/callback/permit?permit_code={used}"))
    assert parameters["error"] == "unmet_authentication_requirements"


async def test_permit_error_cannot_inject(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    await browser.open(client.url(scope="openid permit"))
    parameters = answer(await browser.open(f"{ISSUER}/callback/permit?permit_error=%3Cscript%3E%0d%0aX:1"))
    assert "script" not in parameters["error_description"]
    assert provider.trail.last("login.permit_refused").outcome == "permit_refused"

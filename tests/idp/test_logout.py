"""Logout: the session cookie decides, never a replayed hint, and nobody is sent to an unregistered place."""

import re

import pytest

from tests.support.idp import ISSUER, Client, Provider, answer
from tests.support.oauth_peer import WONG

BACK = "https://portal.test/bye"


@pytest.fixture
async def client(provider: Provider) -> Client:
    return await provider.register(Client(extra={"post_logout_redirect_uris": [BACK]}))


async def signed_in(client: Client):
    browser = client.provider.browser()
    parameters = await client.login(browser)
    return browser, (await client.redeem(parameters["code"])).json()["id_token"]


async def still_signed_in(browser, client: Client) -> bool:
    return "code" in answer(await browser.open(client.url(prompt="none")))


async def test_own_hint_ends_the_session_and_goes_back(provider: Provider, client: Client) -> None:
    browser, hint = await signed_in(client)
    provider.later(hours=1)
    response = await browser.client.get(
        f"{ISSUER}/logout", params={"id_token_hint": hint, "post_logout_redirect_uri": BACK, "state": "s&x"}
    )
    assert response.headers["location"] == f"{BACK}?state=s%26x"
    assert not await still_signed_in(browser, client)
    assert "session.ended" in provider.trail.names()


async def test_without_hint_the_person_is_asked(provider: Provider, client: Client) -> None:
    browser, _ = await signed_in(client)
    page = await browser.client.get(
        f"{ISSUER}/logout", params={"client_id": client.client_id, "post_logout_redirect_uri": BACK}
    )
    assert "Do you want to sign out?" in page.text
    assert await still_signed_in(browser, client)
    fields = dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"', page.text))
    response = await browser.client.post(f"{ISSUER}/logout", data=fields)
    assert response.headers["location"] == BACK
    assert not await still_signed_in(browser, client)


async def test_logout_csrf_a_foreign_hint_ends_nothing(provider: Provider, client: Client) -> None:
    _, foreign = await signed_in(client)
    provider.peer.person = WONG
    browser, _ = await signed_in(client)
    for data in ({"id_token_hint": foreign}, {"csrf": "guess"}, {"state": "x"}):
        page = await browser.client.post(f"{ISSUER}/logout", data=data)
        assert "Do you want to sign out?" in page.text
    assert await still_signed_in(browser, client)


async def test_replayed_hint_of_an_earlier_session_ends_nothing(provider: Provider, client: Client) -> None:
    browser, old = await signed_in(client)
    await client.login(browser, prompt="login")
    page = await browser.client.get(f"{ISSUER}/logout", params={"id_token_hint": old})
    assert "Do you want to sign out?" in page.text
    assert await still_signed_in(browser, client)


async def test_modified_or_unsigned_hint_and_bad_uris_do_not_redirect(provider: Provider, client: Client) -> None:
    browser, hint = await signed_in(client)
    head, body, _ = hint.split(".")
    for bad in (f"{head}.{body}.", "x", f"eyJhbGciOiJub25lIn0.{body}.", "y" * 9000):
        response = await browser.client.get(
            f"{ISSUER}/logout", params={"id_token_hint": bad, "post_logout_redirect_uri": BACK}
        )
        assert "location" not in response.headers
    for uri in (f"{BACK}/", "https://evil.test/", f"{BACK}?x"):
        response = await browser.client.get(
            f"{ISSUER}/logout", params={"id_token_hint": hint, "post_logout_redirect_uri": uri}
        )
        assert "location" not in response.headers


async def test_nobody_signed_in_is_simply_signed_out(provider: Provider, client: Client) -> None:
    response = await provider.browser().get(f"{ISSUER}/logout")
    assert "You are signed out here" in response.text

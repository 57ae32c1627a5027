"""A session that a new sign-in replaced: what it gave ends with the logout, and another person's ends at once."""

import pytest

from tests.support.idp import ISSUER, Client, Provider
from tests.support.oauth_peer import CHAN, WONG

EXTRA = {"backchannel_logout_uri": "https://portal.test/bye", "grant_types": ["authorization_code", "refresh_token"]}


@pytest.fixture
async def portal(provider: Provider) -> Client:
    return await provider.register(Client("bank", extra=EXTRA))


async def tokens(portal: Client, browser, **changes: str) -> dict:
    return (await portal.redeem((await portal.login(browser, **changes))["code"])).json()


async def status(provider: Provider, given: dict) -> int:
    async with provider.back_channel() as http:
        bearer = {"Authorization": f"Bearer {given['access_token']}"}
        return (await http.get("/userinfo", headers=bearer)).status_code


async def sign_out(browser, hint: str) -> None:
    response = await browser.client.get(f"{ISSUER}/logout", params={"id_token_hint": hint})
    assert response.status_code in {200, 303}


async def waiting(provider: Provider) -> set[str]:
    now = provider.now
    return {notice.sid for notice in await provider.store.take_notices(at=now, until=now, limit=20)}


async def test_tokens_of_a_replaced_session_end_with_the_logout(provider: Provider, portal: Client) -> None:
    browser = provider.browser()
    given = [await tokens(portal, browser), await tokens(portal, browser, prompt="login")]
    assert [await status(provider, one) for one in given] == [200, 200], "a new sign-in ends nothing by itself"
    await sign_out(browser, given[1]["id_token"])
    assert [await status(provider, one) for one in given] == [401, 401]
    assert len(await waiting(provider)) == 2, "each by the sid that the portal knows"


async def test_another_persons_session_ends_when_somebody_else_signs_in(provider: Provider, portal: Client) -> None:
    browser = provider.browser()
    provider.peer.person = CHAN
    first = await tokens(portal, browser)
    provider.peer.person = WONG
    second = await tokens(portal, browser, prompt="login")
    assert await status(provider, first) == 401
    assert await status(provider, second) == 200
    assert len(await waiting(provider)) == 1

"""Refresh race: two holders of one refresh token at the same instant; one wins, and then both have lost."""

import asyncio

import pytest

from idp.protocol import CLIENT_ASSERTION_TYPE
from tests.support.idp import Client, Provider

GRANTS = {"grant_types": ["authorization_code", "refresh_token"]}


@pytest.fixture
async def portal(provider: Provider) -> Client:
    return await provider.register(Client("bank", extra=GRANTS))


async def refresh(portal: Client, token: str):
    form = {"grant_type": "refresh_token", "refresh_token": token, "client_assertion": portal.assertion()}
    form["client_assertion_type"] = CLIENT_ASSERTION_TYPE
    async with portal.provider.back_channel() as http:
        return await http.post("/token", data=form)


async def first_tokens(portal: Client) -> dict:
    code = (await portal.login(portal.provider.browser()))["code"]
    return (await portal.redeem(code)).json()


async def test_refresh_race_has_one_winner_whose_tokens_die_with_the_family(provider: Provider, portal: Client) -> None:
    tokens = await first_tokens(portal)
    answers = await asyncio.gather(*(refresh(portal, tokens["refresh_token"]) for _ in range(6)))
    won = [response for response in answers if response.status_code == 200]
    assert len(won) == 1
    assert {response.json()["error"] for response in answers if response.status_code != 200} == {"invalid_grant"}
    # thief and owner cannot be told apart: what the winner got is worth nothing any more
    again = await refresh(portal, won[0].json()["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    async with provider.back_channel() as http:
        bearer = {"Authorization": f"Bearer {won[0].json()['access_token']}"}
        assert (await http.get("/userinfo", headers=bearer)).status_code == 401
    assert "refresh_token_reused" in {event.outcome for event in provider.trail.events}


async def test_a_guessed_generation_revokes_nobody(provider: Provider, portal: Client) -> None:
    tokens = await first_tokens(portal)
    rt, grant, generation, mac = tokens["refresh_token"].split(".")
    for guess in (f"{rt}.{grant}.{int(generation) + 1}.{mac}", f"{rt}.{grant}.{generation}.{'A' * 43}"):
        assert (await refresh(portal, guess)).json()["error"] == "invalid_grant"
    assert (await refresh(portal, tokens["refresh_token"])).status_code == 200

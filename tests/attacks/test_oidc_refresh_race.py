"""Refresh race: however many redeem one refresh token at the same instant, one wins, and reuse ends the family. On both databases."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from service.postgres import PostgresDatabase
from tests.idp.conformance.flow import refused
from tests.support.fapi_client import FapiClient
from tests.support.idp import ISSUER, Client, Provider, postgres_schema, provider_in
from tests.support.postgres import postgres  # noqa: F401 - a fixture

EXTRA = {"grant_types": ["authorization_code", "refresh_token"]}


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def provider(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Provider]:
    database = None
    if request.param == "postgresql":
        cluster = request.getfixturevalue("postgres")
        url = cluster.create_database()
        cluster.run_sql(postgres_schema(), url.partition("?")[0].rpartition("/")[2])
        database = PostgresDatabase(url, pool_size=8)
    async with provider_in(tmp_path, postgres=database) as made:
        yield made


@pytest.fixture
async def rp(provider: Provider) -> Client:
    return await provider.register(Client("racer", extra=EXTRA))


async def tokens_of(rp: Client, **changes: str) -> dict:
    return (await rp.redeem((await rp.login(rp.provider.browser(), **changes))["code"])).json()


async def test_one_winner_and_then_nobody_has_anything(provider: Provider, rp: Client) -> None:
    """Thief and owner cannot be told apart: the loser's try revokes what the winner got (RFC 9700 cl. 4.14.2)."""
    for _ in range(3):
        first = await tokens_of(rp)
        responses = await asyncio.gather(*(rp.refresh(first["refresh_token"]) for _ in range(6)))
        won = [response.json() for response in responses if response.status_code == 200]
        lost = [response for response in responses if response.status_code != 200]
        assert (len(won), len(lost)) == (1, 5)
        for response in lost:
            refused(response, "invalid_grant")
        refused(await rp.refresh(won[0]["refresh_token"]), "invalid_grant")
        assert (await rp.userinfo(won[0]["access_token"])).status_code == 401
    assert "refresh_token_reused" in {event.outcome for event in provider.trail.events}


async def test_with_one_assertion_for_all_the_loser_did_not_speak(provider: Provider, rp: Client) -> None:
    """A replayed assertion is refused before the token counts: a copied request cannot end the family."""
    first, assertion = await tokens_of(rp), rp.assertion()
    responses = await asyncio.gather(
        *(rp.refresh(first["refresh_token"], client_assertion=assertion) for _ in range(5))
    )
    assert sorted(response.status_code for response in responses) == [200, 401, 401, 401, 401]
    won = next(response.json() for response in responses if response.status_code == 200)
    assert (await rp.refresh(won["refresh_token"])).status_code == 200


async def test_refresh_and_revocation_at_the_same_instant(provider: Provider, rp: Client) -> None:
    for _ in range(3):
        tokens = await tokens_of(rp)
        answer, _revoked = await asyncio.gather(
            rp.refresh(tokens["refresh_token"]), rp.post("/revoke", {"token": tokens["refresh_token"]})
        )
        if answer.status_code == 200:  # it came first; the revocation took it with it
            tokens = answer.json()
        assert (await rp.userinfo(tokens["access_token"])).status_code == 401
        refused(await rp.refresh(tokens["refresh_token"]), "invalid_grant")


async def test_refresh_and_logout_at_the_same_instant(provider: Provider, rp: Client) -> None:
    browser = provider.browser()
    tokens = (await rp.redeem((await rp.login(browser))["code"])).json()
    answer, _page = await asyncio.gather(
        rp.refresh(tokens["refresh_token"]),
        browser.client.get(f"{ISSUER}/logout", params={"id_token_hint": tokens["id_token"]}),
    )
    if answer.status_code == 200:
        tokens = answer.json()
    assert (await rp.userinfo(tokens["access_token"])).status_code == 401
    refused(await rp.refresh(tokens["refresh_token"]), "invalid_grant")


async def test_code_and_its_reuse_against_a_refresh(provider: Provider, rp: Client) -> None:
    """A code's second redemption ends the refresh tokens of the first, also while one is being used."""
    parameters = await rp.login(provider.browser())
    tokens = (await rp.redeem(parameters["code"])).json()
    reuse, answer = await asyncio.gather(rp.redeem(parameters["code"]), rp.refresh(tokens["refresh_token"]))
    refused(reuse, "invalid_grant")
    if answer.status_code == 200:
        tokens = answer.json()
    refused(await rp.refresh(tokens["refresh_token"]), "invalid_grant")


async def test_fapi2_has_no_race_to_lose(provider: Provider) -> None:
    rp = await provider.register(FapiClient())
    tokens = await tokens_of(rp)
    responses = await asyncio.gather(*(rp.refresh(tokens["refresh_token"]) for _ in range(5)))
    assert [response.status_code for response in responses] == [200] * 5

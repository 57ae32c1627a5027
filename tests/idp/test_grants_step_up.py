"""Step-up at the signing API (RFC 9470): the challenge says what to ask for, and what it says works."""

import re
from pathlib import Path

import pytest

from tests.support.fapi_client import FapiClient
from tests.support.idp import Browser, Client, Provider, provider_in
from tests.support.oauth_peer import CHAN, another
from tests.support.signing_api import SigningApi, signing_api

SUBSTANTIAL, HIGH = "urn:gba-trust:acr:substantial", "urn:gba-trust:acr:high"


@pytest.fixture
async def api(provider: Provider, tmp_path: Path):
    async with signing_api(provider, tmp_path) as made:
        yield made


async def token_of(rp: Client, browser: Browser, **changes: str) -> str:
    code = (await rp.login(browser, scope="openid signing", **changes))["code"]
    return (await rp.redeem(code)).json()["access_token"]


def challenge(response) -> dict[str, str]:
    """Read the members of a challenge."""
    assert response.status_code == 401, response.text
    assert response.json()["code"] == "insufficient_user_authentication"
    scheme, _, members = response.headers["www-authenticate"].partition(" ")
    return {"scheme": scheme, **dict(re.findall(r'(\w+)="([^"]*)"', members))}


async def test_too_old_a_sign_in_is_challenged_and_the_answer_works(
    provider: Provider, client: Client, api: SigningApi
) -> None:
    client.extra["grant_types"] = ["authorization_code", "refresh_token"]
    await provider.register(client)
    browser = provider.browser()
    code = (await client.login(browser, scope="openid signing offline_access"))["code"]
    tokens = (await client.redeem(code)).json()
    assert (await api.post(client, tokens["access_token"])).status_code == 201
    provider.later(hours=8, seconds=1)
    tokens = (await client.refresh(tokens["refresh_token"])).json()
    asked = challenge(await api.post(client, tokens["access_token"]))
    assert asked["scheme"] == "Bearer"
    assert (asked["error"], asked["acr_values"], asked["max_age"]) == (
        "insufficient_user_authentication", SUBSTANTIAL, "28800",
    )  # fmt: skip
    # cl. 4: the portal asks just that
    fresh = await token_of(client, browser, acr_values=asked["acr_values"], max_age=asked["max_age"])
    assert (await api.post(client, fresh)).status_code == 201


async def test_too_weak_a_sign_in_is_challenged(provider: Provider, client: Client, api: SigningApi) -> None:
    provider.peer.person = another(CHAN, method="sms")
    token = await token_of(client, provider.browser())
    asked = challenge(await api.post(client, token))
    assert (asked["error"], asked["acr_values"]) == ("insufficient_user_authentication", SUBSTANTIAL)
    assert "strong" in asked["error_description"]
    provider.peer.person = CHAN
    fresh = await token_of(client, provider.browser(), acr_values=asked["acr_values"])
    assert (await api.post(client, fresh)).status_code == 201


async def test_what_the_installation_asks_is_what_the_challenge_says(tmp_path: Path) -> None:
    async with provider_in(tmp_path, step_up_acr=HIGH) as provider, signing_api(provider, tmp_path) as api:
        client = await provider.register(Client())
        assert challenge(await api.post(client, await token_of(client, provider.browser())))["acr_values"] == HIGH
        provider.peer.person = another(CHAN, method="fido_app_fr")
        strong = await token_of(client, provider.browser(), acr_values=HIGH)
        assert (await api.post(client, strong)).status_code == 201


async def test_an_essential_acr_that_was_less_stays_less(provider: Provider, client: Client, api: SigningApi) -> None:
    claims = '{"id_token":{"acr":{"essential":true,"value":"urn:gba-trust:acr:low"}}}'
    token = await token_of(client, provider.browser(), claims=claims)
    assert challenge(await api.post(client, token))["acr_values"] == SUBSTANTIAL


async def test_in_the_scheme_of_the_token(provider: Provider, api: SigningApi) -> None:
    rp = await provider.register(FapiClient())
    provider.peer.person = another(CHAN, method="sms")
    asked = challenge(await api.post(rp, await token_of(rp, provider.browser())))
    assert (asked["scheme"], asked["acr_values"]) == ("DPoP", SUBSTANTIAL)
    assert "ES256" in asked["algs"]


async def test_no_challenge_of_this_kind_for_other_faults(provider: Provider, client: Client, api: SigningApi) -> None:
    unscoped = (await client.redeem((await client.login(provider.browser(), scope="openid"))["code"])).json()
    response = await api.post(client, unscoped["access_token"])
    assert (response.status_code, response.json()["code"]) == (403, "insufficient_scope")
    assert 'scope="signing"' in response.headers["www-authenticate"]
    bad = await api.post(client, "garbage")
    assert (bad.status_code, bad.json()["code"]) == (401, "invalid_token")
    none = await api.http.post("/api/v1/signing/transactions")
    assert none.headers["www-authenticate"] == 'Bearer realm="gba-trust"', "no error is named where none was made"

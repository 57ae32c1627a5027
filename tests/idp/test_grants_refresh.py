"""Refresh tokens: rotation, the family that ends with reuse, narrowing, the session's end and what outlives it."""

import asyncio

import pytest

from tests.idp.conformance.flow import refused
from tests.support.dpop import DpopKey
from tests.support.fapi_client import FapiClient
from tests.support.idp import ISSUER, Browser, Client, Provider
from tests.support.verified_tokens import verified_claims_of

GRANTS = ["authorization_code", "refresh_token"]
API = f"{ISSUER}/api/v1/signing"


@pytest.fixture
async def rp(provider: Provider) -> Client:
    return await provider.register(Client("refresher", extra={"grant_types": GRANTS}))


async def tokens_of(rp: Client, browser: Browser | None = None, **changes: str) -> dict:
    response = await rp.redeem((await rp.login(browser or rp.provider.browser(), **changes))["code"])
    assert response.status_code == 200, response.text
    return response.json()


async def refreshed(rp: Client, token: str, **changes: object) -> dict:
    response = await rp.refresh(token, **changes)
    assert response.status_code == 200, response.text
    return response.json()


async def test_each_use_gives_the_next_of_the_family(provider: Provider, rp: Client) -> None:
    tokens = await tokens_of(rp, scope="openid profile")
    seen = {tokens["refresh_token"]}
    for _ in range(3):
        provider.later(minutes=20)
        tokens = await refreshed(rp, tokens["refresh_token"])
        assert tokens["refresh_token"] not in seen
        seen.add(tokens["refresh_token"])
        assert (await rp.userinfo(tokens["access_token"])).json()["name"] == "CHAN, Ka Yan"
    assert (tokens["scope"], tokens["expires_in"]) == ("openid profile", 900)


async def test_reuse_ends_the_family(provider: Provider, rp: Client) -> None:
    first = await tokens_of(rp)
    second = await refreshed(rp, first["refresh_token"])
    refused(await rp.refresh(first["refresh_token"]), "invalid_grant")
    assert provider.trail.last("token.refused").outcome == "refresh_token_reused"
    refused(await rp.refresh(second["refresh_token"]), "invalid_grant")
    for tokens in (first, second):
        assert (await rp.userinfo(tokens["access_token"])).status_code == 401


async def test_a_token_that_is_not_genuine_ends_nothing(provider: Provider, rp: Client) -> None:
    """Whoever knows a grant's public number cannot end it by guessing: only a genuine earlier token is reuse."""
    tokens = await refreshed(rp, (await tokens_of(rp))["refresh_token"])
    _, grant, generation, mac = tokens["refresh_token"].split(".")
    for forged in (
        f"rt.{grant}.{int(generation) - 1}.{mac}", f"rt.{grant}.{int(generation) + 1}.{mac}", f"rt.{grant}.0.{'A' * 43}",
        f"rt.{grant}.{generation}.{mac[::-1]}", f"rt.{'A' * 22}.0.{mac}", "garbage", f"{tokens['refresh_token']}x",
        tokens["access_token"], f"rt.{grant}.{'9' * 400}.{mac}",
    ):  # fmt: skip
        refused(await rp.refresh(forged), "invalid_grant")
    await refreshed(rp, tokens["refresh_token"])


async def test_bound_to_its_client_and_a_stranger_ends_nothing(provider: Provider, rp: Client) -> None:
    thief = await provider.register(Client("thief", extra={"grant_types": GRANTS}))
    tokens = await tokens_of(rp)
    refused(await thief.refresh(tokens["refresh_token"]), "invalid_grant")
    await refreshed(rp, tokens["refresh_token"])


async def test_narrowed_for_one_token_and_the_grant_stays(rp: Client) -> None:
    tokens = await tokens_of(rp, scope="openid profile signing")
    narrow = await refreshed(rp, tokens["refresh_token"], scope="openid", resource=API)
    claims = await verified_claims_of(rp, narrow["access_token"], algorithm="ES256", typ="at+jwt")
    assert (narrow["scope"], claims["scope"], claims["aud"]) == ("openid", "openid", API)
    wide = await refreshed(rp, narrow["refresh_token"])
    assert wide["scope"] == "openid profile signing"


async def test_a_wish_for_more_is_refused_and_does_not_cost_the_token(rp: Client) -> None:
    tokens = await tokens_of(rp, scope="openid", resource=API)
    for changes, code in (
        ({"scope": "openid profile"}, "invalid_scope"),
        ({"scope": "unknown"}, "invalid_scope"),
        ({"resource": ISSUER}, "invalid_target"),
        ({"resource": "https://elsewhere.test"}, "invalid_target"),
    ):
        refused(await rp.refresh(tokens["refresh_token"], **changes), code)
    await refreshed(rp, tokens["refresh_token"])


async def test_without_offline_access_it_ends_with_the_session(provider: Provider, rp: Client) -> None:
    browser = provider.browser()
    tokens = await tokens_of(rp, browser)
    await browser.client.get(f"{ISSUER}/logout", params={"id_token_hint": tokens["id_token"]})
    refused(await rp.refresh(tokens["refresh_token"]), "invalid_grant")
    assert (await rp.userinfo(tokens["access_token"])).status_code == 401
    tokens = await tokens_of(rp)
    provider.later(hours=8)
    refused(await rp.refresh(tokens["refresh_token"]), "invalid_grant")


async def test_offline_access_outlives_the_session_until_its_own_end(provider: Provider, rp: Client) -> None:
    browser = provider.browser()
    tokens = await tokens_of(rp, browser, scope="openid offline_access")
    await browser.client.get(f"{ISSUER}/logout", params={"id_token_hint": tokens["id_token"]})
    provider.later(days=29)
    tokens = await refreshed(rp, tokens["refresh_token"])
    provider.later(hours=23, minutes=50)
    tokens = await refreshed(rp, tokens["refresh_token"])
    assert tokens["expires_in"] == 600, "no longer than the grant"
    provider.later(minutes=10)
    refused(await rp.refresh(tokens["refresh_token"]), "invalid_grant")


async def test_offline_access_is_the_persons_to_give(provider: Provider, rp: Client) -> None:
    browser = provider.browser()
    page = await browser.open(rp.url(scope="openid offline_access"))
    assert "To come back without you" in page.text
    from tests.support.idp import answer

    tokens = (await rp.redeem(answer(await browser.agree(page, items=[]))["code"])).json()
    assert tokens["scope"] == "openid"
    await browser.client.get(f"{ISSUER}/logout", params={"id_token_hint": tokens["id_token"]})
    refused(await rp.refresh(tokens["refresh_token"]), "invalid_grant")


async def test_without_the_grant_there_is_none_and_the_scope_is_ignored(provider: Provider, client: Client) -> None:
    tokens = await tokens_of(client, scope="openid offline_access")
    assert "refresh_token" not in tokens
    assert tokens["scope"] == "openid"


async def test_revocation_by_either_token_ends_both(rp: Client) -> None:
    for name in ("refresh_token", "access_token"):
        tokens = await tokens_of(rp)
        assert (await rp.post("/introspect", {"token": tokens["refresh_token"]})).json()["active"] is True
        assert (await rp.post("/revoke", {"token": tokens[name], "token_type_hint": name})).status_code == 200
        refused(await rp.refresh(tokens["refresh_token"]), "invalid_grant")
        assert (await rp.userinfo(tokens["access_token"])).status_code == 401
        assert (await rp.post("/introspect", {"token": tokens["refresh_token"]})).json() == {"active": False}


async def test_an_earlier_token_introspects_as_dead_without_ending_the_family(rp: Client) -> None:
    first = await tokens_of(rp)
    second = await refreshed(rp, first["refresh_token"])
    assert (await rp.post("/introspect", {"token": first["refresh_token"]})).json() == {"active": False}
    await refreshed(rp, second["refresh_token"])


async def test_fapi2_does_not_rotate_and_two_at_once_both_work(provider: Provider) -> None:
    rp = await provider.register(FapiClient())
    tokens = await tokens_of(rp)
    answers = await asyncio.gather(*(refreshed(rp, tokens["refresh_token"]) for _ in range(3)))
    assert {a["refresh_token"] for a in answers} == {tokens["refresh_token"]}
    assert len({a["access_token"] for a in answers}) == 3


async def test_an_apps_token_is_bound_to_its_dpop_key(provider: Provider) -> None:
    """RFC 9449 cl. 5: a public client has no other proof."""
    app = App("app", auth="none", native=True, scope="openid", extra={"grant_types": GRANTS})
    await provider.register(app)
    tokens = await tokens_of(app)
    assert tokens["token_type"] == "DPoP"
    mine, app.dpop = app.dpop, DpopKey()
    refused(await app.refresh(tokens["refresh_token"]), "invalid_grant")
    refused(await app.refresh(tokens["refresh_token"], headers={}), "invalid_grant")
    app.dpop = mine
    assert (await refreshed(app, tokens["refresh_token"]))["token_type"] == "DPoP"


class App(Client):
    """A native app that proves a DPoP key."""

    dpop = DpopKey()

    def headers(self, path: str, *, method: str = "POST", access_token: str | None = None) -> dict[str, str]:
        at, url = self.provider.now, f"{ISSUER}{path}"
        proof = self.dpop.proof(method, url, at=at, access_token=access_token)
        return {"DPoP": proof, **({} if access_token is None else {"Authorization": f"DPoP {access_token}"})}

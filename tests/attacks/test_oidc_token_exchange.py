"""Attacks on token exchange: stolen tokens, other kinds of tokens, a forged actor, more than was handed over."""

import asyncio

import pytest

from idp.logout_delivery import deliver_due
from tests.idp.conformance.flow import refused
from tests.support.client_certificates import client_cert
from tests.support.fapi_client import VARIANTS, FapiClient
from tests.support.idp import ISSUER, Client, Provider, answer
from tests.support.verified_tokens import verified_claims_of

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
EXTRA = {"grant_types": ["authorization_code", "refresh_token", EXCHANGE]}


@pytest.fixture
async def portal(provider: Provider) -> Client:
    return await provider.register(Client("portal", extra={**EXTRA, "gba_delegates": ["helper"]}))


async def tokens_of(who: Client, scope: str = "openid signing", **changes: str) -> dict:
    return (await who.redeem((await who.login(who.provider.browser(), scope=scope, **changes))["code"])).json()


async def exchange(who: Client, token: str, **changes: object):
    form = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": ACCESS_TOKEN, **changes}
    return await who.post("/token", form)


async def claims(who: Client, response) -> dict:
    assert response.status_code == 200, response.text
    return await verified_claims_of(who, response.json()["access_token"], algorithm="ES256", typ="at+jwt")


async def test_stolen_token_at_the_thiefs_own_registration(provider: Provider, portal: Client) -> None:
    thief = await provider.register(Client("thief", extra=EXTRA))
    token = (await tokens_of(portal))["access_token"]
    refused(await exchange(thief, token), "invalid_grant")
    assert (await portal.userinfo(token)).status_code == 200, "and the owner's token is as it was"


async def test_naming_oneself_a_delegate_is_the_owners_to_do(provider: Provider, portal: Client) -> None:
    thief = await provider.register(Client("thief", extra={**EXTRA, "gba_delegates": ["portal"]}))
    refused(await exchange(thief, (await tokens_of(portal))["access_token"]), "invalid_grant")


async def test_confused_deputy_a_delegates_own_users_are_not_its_principals(provider: Provider, portal: Client) -> None:
    """The helper may act on the portal's tokens; nobody may act on the helper's own by going through it."""
    helper = await provider.register(Client("helper", extra=EXTRA))
    third = await provider.register(Client("third", extra={**EXTRA}))
    handed = (await exchange(helper, (await tokens_of(portal))["access_token"])).json()["access_token"]
    own = (await tokens_of(helper))["access_token"]
    for token in (handed, own):
        refused(await exchange(third, token), "invalid_grant")
    refused(await exchange(portal, own), "invalid_grant")


@pytest.mark.parametrize("forged", [
    {"act": '{"sub":"somebody"}'}, {"may_act": '{"sub":"thief"}'}, {"sub": "another"}, {"client_id_override": "helper"},
    {"acr": "urn:gba-trust:acr:high"}, {"cnf": '{"jkt":"x"}'}, {"exp": "99999999999"}, {"scope": "signing", "permissions": "all"},
])  # fmt: skip
async def test_what_the_new_token_says_is_ours_to_say(portal: Client, forged: dict) -> None:
    token = (await tokens_of(portal))["access_token"]
    plain, asked = (
        await claims(portal, await exchange(portal, token)),
        await claims(portal, await exchange(portal, token, **forged)),
    )
    for own in (plain, asked):
        own.pop("jti")
    assert asked == plain


async def test_other_signed_objects_of_ours_are_no_access_tokens(provider: Provider, portal: Client) -> None:
    """ID token, logout token, signed userinfo, introspection and authorization response: each has its own type."""
    portal.extra |= {
        "userinfo_signed_response_alg": "ES256", "backchannel_logout_uri": "https://93.184.216.34/out",
        "authorization_signed_response_alg": "ES256",
    }  # fmt: skip
    await provider.register(portal)
    browser = provider.browser()
    tokens = (await portal.redeem((await portal.login(browser, scope="openid signing"))["code"])).json()
    userinfo = (await portal.userinfo(tokens["access_token"])).text
    accept = {"Accept": "application/token-introspection+jwt"}
    introspection = (await portal.post("/introspect", {"token": tokens["access_token"]}, headers=accept)).text
    jarm = answer(await browser.open(portal.url(prompt="none", response_mode="jwt")))["response"]
    await browser.client.get(f"{ISSUER}/logout", params={"id_token_hint": tokens["id_token"]})
    await deliver_due(provider.deps)
    logout = dict(httpx_form(provider.outbound.received[-1].content))["logout_token"]
    fresh = (await tokens_of(portal))["refresh_token"]
    for other in (tokens["id_token"], userinfo, introspection, jarm, logout, fresh):
        refused(await exchange(portal, other), "invalid_request")


def httpx_form(body: bytes) -> list[tuple[str, str]]:
    from urllib.parse import parse_qsl

    return parse_qsl(body.decode())


async def test_by_exchange_nothing_grows(provider: Provider, portal: Client) -> None:
    """Neither scope nor audience nor life nor level: not at once, and not step by step."""
    api = f"{ISSUER}/api/v1/signing"
    token = (await tokens_of(portal, resource=api))["access_token"]
    refused(await exchange(portal, token, resource=ISSUER), "invalid_target")
    refused(await exchange(portal, token, audience=ISSUER), "invalid_target")
    refused(await exchange(portal, token, scope="openid signing"), "invalid_scope")
    provider.later(minutes=14)
    first = await exchange(portal, token)
    before = await claims(portal, first)
    second = await claims(portal, await exchange(portal, first.json()["access_token"]))
    assert (second["exp"], second["acr"], second["auth_time"]) == (before["exp"], before["acr"], before["auth_time"])
    provider.later(minutes=1)
    refused(await exchange(portal, first.json()["access_token"]), "invalid_request")


async def test_a_bound_token_does_not_lose_its_key(provider: Provider) -> None:
    extra = {**EXTRA, "gba_profile": "basic", "dpop_bound_access_tokens": False}
    rp = await provider.register(FapiClient("loose", variant=VARIANTS["private_key_jwt+dpop"], extra=extra))
    token = (await tokens_of(rp))["access_token"]
    form = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": ACCESS_TOKEN}
    refused(await rp.post("/token", form, headers={}), "invalid_grant")


async def test_a_bound_token_does_not_become_a_bearer_token_at_a_delegate(provider: Provider) -> None:
    extra = {**EXTRA, "gba_profile": "basic", "gba_delegates": ["helper"]}
    owner = await provider.register(FapiClient("owner", extra=extra))
    helper = await provider.register(Client("helper", extra=EXTRA))
    token = (await tokens_of(owner))["access_token"]
    refused(await exchange(helper, token), "invalid_grant")
    assert provider.trail.last("token.refused").outcome == "subject_token_unbound"
    form = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": ACCESS_TOKEN}
    shown = {"Client-Cert": client_cert(FapiClient("helper").certificate)}
    refused(await helper.post("/token", form, headers=shown), "invalid_grant")  # nobody registered that certificate


async def test_replayed_request(portal: Client) -> None:
    token, assertion = (await tokens_of(portal))["access_token"], portal.assertion()
    responses = await asyncio.gather(*(exchange(portal, token, client_assertion=assertion) for _ in range(4)))
    assert sorted(response.status_code for response in responses) == [200, 401, 401, 401]


async def test_exchange_and_revocation_at_the_same_instant(provider: Provider, portal: Client) -> None:
    for _ in range(3):
        token = (await tokens_of(portal))["access_token"]
        response, _revoked = await asyncio.gather(exchange(portal, token), portal.post("/revoke", {"token": token}))
        if response.status_code == 200:
            told = await portal.post("/introspect", {"token": response.json()["access_token"]})
            assert told.json() == {"active": False}, "it hangs on the grant that is gone"
        else:
            refused(response, "invalid_request")

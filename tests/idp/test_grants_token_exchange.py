"""Token exchange (RFC 8693): a portal's backend acts for the citizen, with less than it was handed, and says so."""

from datetime import timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from idp.errors import InvalidClientMetadata
from tests.idp.conformance.flow import refused
from tests.support.fapi_client import FapiClient
from tests.support.idp import ISSUER, Client, Provider
from tests.support.signing_api import signing_api
from tests.support.verified_tokens import verified_claims_of

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
API = f"{ISSUER}/api/v1/signing"
GRANTS = ["authorization_code", "refresh_token", "client_credentials", EXCHANGE]


@pytest.fixture
async def portal(provider: Provider) -> Client:
    return await provider.register(Client("portal", extra={"grant_types": GRANTS, "gba_delegates": ["registry"]}))


@pytest.fixture
async def registry(provider: Provider) -> Client:
    """The portal's delegate, in another sector."""
    return await provider.register(Client("registry", "https://registry.test/cb", extra={"grant_types": GRANTS}))


async def citizen_token(portal: Client, scope: str = "openid profile signing", **changes: str) -> str:
    code = (await portal.login(portal.provider.browser(), scope=scope, **changes))["code"]
    response = await portal.redeem(code)
    assert response.status_code == 200, response.text
    return response.json()["access_token"]


async def exchange(who: Client, subject_token: str | None, **changes: object):
    form = {
        "grant_type": EXCHANGE, "subject_token": subject_token, "subject_token_type": ACCESS_TOKEN, **changes,
    }  # fmt: skip
    return await who.post("/token", form)


async def exchanged(who: Client, subject_token: str, **changes: object) -> dict:
    response = await exchange(who, subject_token, **changes)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    return response.json()


async def claims_of(who: Client, token: str) -> dict:
    return await verified_claims_of(who, token, algorithm="ES256", typ="at+jwt")


async def test_own_backend_acts_with_less(provider: Provider, portal: Client) -> None:
    subject_token = await citizen_token(portal)
    body = await exchanged(portal, subject_token)
    assert set(body) == {"access_token", "token_type", "expires_in", "scope", "issued_token_type"}
    assert (body["token_type"], body["scope"], body["issued_token_type"]) == ("Bearer", "signing", ACCESS_TOKEN)
    before, after = await claims_of(portal, subject_token), await claims_of(portal, body["access_token"])
    assert (after["aud"], after["sub"], after["client_id"]) == (API, before["sub"], "portal")
    assert after["act"] == {"sub": "portal"}
    assert (after["acr"], after["auth_time"]) == (before["acr"], before["auth_time"])
    assert after["jti"] != before["jti"]
    assert (await portal.userinfo(body["access_token"])).status_code == 401, "it is for the API only"


async def test_who_acts_does_not_learn_who_the_person_is(portal: Client) -> None:
    token = (await exchanged(portal, await citizen_token(portal), resource=ISSUER))["access_token"]
    response = await portal.userinfo(token)
    assert response.status_code == 403
    assert 'error="insufficient_scope"' in response.headers["www-authenticate"]
    refused(await exchange(portal, await citizen_token(portal), scope="openid"), "invalid_scope")


async def test_delegate_sees_its_own_sectors_subject_and_signs_at_the_api(
    provider: Provider, portal: Client, registry: Client, tmp_path
) -> None:
    subject_token = await citizen_token(portal)
    token = (await exchanged(registry, subject_token))["access_token"]
    before, after = await claims_of(portal, subject_token), await claims_of(registry, token)
    assert after["sub"] != before["sub"]
    assert (after["client_id"], after["act"]) == ("registry", {"sub": "registry"})
    own = await claims_of(registry, await own_token(registry))
    assert own["sub"] == after["sub"], "the same as when the person signs in there"
    async with signing_api(provider, tmp_path) as api:
        response = await api.post(registry, token)
        assert response.status_code == 201, response.text
        where = f"/api/v1/signing/transactions/{response.json()['transaction']}"
        seen = await api.http.get(where, headers={"Authorization": f"Bearer {token}"})
        assert seen.json()["document_name"] == "contract.pdf"
        others = await api.http.get(where, headers={"Authorization": f"Bearer {subject_token}"})
        assert others.status_code == 404, "the transaction is the delegate's, not its principal's"


async def own_token(registry: Client) -> str:
    browser = registry.provider.browser()
    page = await browser.follow(await browser.get(registry.url()), until="https://registry.test")
    from tests.support.idp import answer

    return (await registry.redeem(answer(await browser.agree(page))["code"])).json()["access_token"]


async def test_nobody_else_acts(provider: Provider, portal: Client) -> None:
    stranger = await provider.register(Client("stranger", extra={"grant_types": GRANTS}))
    refused(await exchange(stranger, await citizen_token(portal)), "invalid_grant")
    assert provider.trail.last("token.refused").outcome == "not_a_delegate"
    unregistered = await provider.register(Client("plain"))
    refused(await exchange(unregistered, await citizen_token(portal)), "unauthorized_client")


async def test_leave_goes_one_way(portal: Client, registry: Client) -> None:
    """The registry acts for the portal's users; the portal does not act for the registry's."""
    refused(await exchange(portal, await own_token(registry)), "invalid_grant")


async def test_foreign_and_misplaced_tokens(provider: Provider, portal: Client) -> None:
    subject_token = await citizen_token(portal)
    claims = await claims_of(portal, subject_token)
    stranger = ECKey.generate_key("P-256", {"kid": provider.keys.current().kid})
    head = {"alg": "ES256", "kid": stranger.kid, "typ": "at+jwt"}
    code = (await portal.login(provider.browser()))["code"]
    id_token = (await portal.redeem(code)).json()["id_token"]
    machine = (await portal.post("/token", {"grant_type": "client_credentials"})).json()["access_token"]
    for token in (
        jwt.encode(head, claims, stranger),
        jwt.encode(head, {**claims, "iss": "https://elsewhere.test"}, provider.keys.current()),
        jwt.encode(head, {**claims, "aud": "https://elsewhere.test"}, provider.keys.current()),
        id_token, machine, "garbage", "at.garbage", "x" * 8193,
    ):  # fmt: skip
        refused(await exchange(portal, token), "invalid_request")
    refused(await exchange(portal, None), "invalid_request")
    provider.later(minutes=16)
    refused(await exchange(portal, subject_token), "invalid_request")


@pytest.mark.parametrize(
    "changes",
    [
        {"subject_token_type": None},
        {"subject_token_type": ID_TOKEN},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"requested_token_type": ID_TOKEN},
        {"actor_token": "x", "actor_token_type": ACCESS_TOKEN},
        {"actor_token_type": ACCESS_TOKEN},
    ],
)
async def test_types_that_are_not_exchanged(portal: Client, changes: dict) -> None:
    refused(await exchange(portal, await citizen_token(portal), **changes), "invalid_request")


async def test_narrower_never_wider(provider: Provider, portal: Client) -> None:
    subject_token = await citizen_token(portal)
    for audience in ({"resource": API}, {"audience": API}, {"resource": API, "audience": API}):
        assert (await claims_of(portal, (await exchanged(portal, subject_token, **audience))["access_token"]))[
            "aud"
        ] == API
    for wider in ({"resource": "https://elsewhere.test"}, {"audience": "gba"}, {"resource": [API, "https://x.test"]}):
        refused(await exchange(portal, subject_token, **wider), "invalid_target")
    refused(await exchange(portal, subject_token, scope="signing profile"), "invalid_scope")
    narrow = (await exchanged(portal, subject_token))["access_token"]
    refused(await exchange(portal, narrow, resource=ISSUER), "invalid_target")
    refused(await exchange(portal, await citizen_token(portal, "openid profile")), "invalid_scope")


async def test_lives_no_longer_than_what_it_came_from(provider: Provider, portal: Client) -> None:
    subject_token = await citizen_token(portal)
    provider.later(minutes=10)
    body = await exchanged(portal, subject_token)
    assert body["expires_in"] == 300
    before, after = await claims_of(portal, subject_token), await claims_of(portal, body["access_token"])
    assert after["exp"] == before["exp"]


async def test_chain_names_everybody_and_ends(portal: Client) -> None:
    token, actor = await citizen_token(portal), None
    for _ in range(3):
        token = (await exchanged(portal, token))["access_token"]
        actor = {"sub": "portal"} if actor is None else {"sub": "portal", "act": actor}
        assert (await claims_of(portal, token))["act"] == actor
    refused(await exchange(portal, token), "invalid_request")


async def test_a_delegates_token_goes_no_further(provider: Provider, portal: Client, registry: Client) -> None:
    token = (await exchanged(registry, await citizen_token(portal)))["access_token"]
    refused(await exchange(portal, token), "invalid_grant")
    again = await claims_of(registry, (await exchanged(registry, token))["access_token"])
    assert again["act"] == {"sub": "registry", "act": {"sub": "registry"}}


async def test_revocation_and_logout_follow(provider: Provider, portal: Client, registry: Client, tmp_path) -> None:
    async with signing_api(provider, tmp_path) as api:
        subject_token = await citizen_token(portal)
        token = (await exchanged(registry, subject_token))["access_token"]
        assert (await registry.post("/revoke", {"token": token})).status_code == 200
        assert (await api.post(registry, token)).status_code == 201, "a delegate cannot end its principal's grant"
        await portal.post("/revoke", {"token": subject_token})
        response = await api.post(registry, token)
        assert response.status_code == 401
        assert 'error="invalid_token"' in response.headers["www-authenticate"]
        refused(await exchange(registry, subject_token), "invalid_request")

        browser = provider.browser()
        tokens = (await portal.redeem((await portal.login(browser, scope="openid signing"))["code"])).json()
        token = (await exchanged(registry, tokens["access_token"]))["access_token"]
        await browser.client.get(f"{ISSUER}/logout", params={"id_token_hint": tokens["id_token"]})
        assert (await api.post(registry, token)).status_code == 401


async def test_leave_that_was_withdrawn_gives_no_new_token(
    provider: Provider, portal: Client, registry: Client
) -> None:
    subject_token = await citizen_token(portal)
    portal.extra["gba_delegates"] = []
    await provider.register(portal)
    response = await exchange(registry, subject_token)
    assert response.status_code == 400
    assert response.json()["error"] in {"invalid_grant", "invalid_request"}


async def test_bound_token_is_exchanged_only_by_its_holder(provider: Provider) -> None:
    extra = {"gba_profile": "basic", "grant_types": GRANTS, "gba_delegates": ["helper"]}
    holder = await provider.register(FapiClient("holder", extra=extra))
    token = await citizen_token(holder, "openid signing")
    stolen = FapiClient("holder", key=holder.key, extra=extra, provider=provider)
    refused(await exchange(stolen, token), "invalid_grant")
    assert provider.trail.last("token.refused").outcome == "subject_token_key"
    refused(await unproved(holder, token), "invalid_dpop_proof")
    body = await exchanged(holder, token)
    assert body["token_type"] == "DPoP"
    assert (await claims_of(holder, body["access_token"]))["cnf"] == {"jkt": holder.dpop.jkt}
    # a delegate has a key of its own; what it got by it, it exchanges only with it
    helper = await provider.register(FapiClient("helper", extra=extra | {"gba_delegates": []}))
    handed = (await exchanged(helper, token))["access_token"]
    assert (await claims_of(helper, handed))["cnf"] == {"jkt": helper.dpop.jkt}
    thief = FapiClient("helper", key=helper.key, extra=helper.extra, provider=provider)
    refused(await exchange(thief, handed), "invalid_grant")


async def unproved(holder: FapiClient, token: str):
    form = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": ACCESS_TOKEN}
    return await holder.post("/token", form, headers={})


async def test_public_apps_cannot_register_it(provider: Provider) -> None:
    app = Client(
        "app", "http://127.0.0.1/cb", auth="none", native=True, scope="openid signing", extra={"grant_types": GRANTS}
    )
    with pytest.raises(InvalidClientMetadata):
        await provider.register(app)


async def test_exchanged_token_dies_with_its_life(provider: Provider, portal: Client) -> None:
    token = (await exchanged(portal, await citizen_token(portal)))["access_token"]
    introspected = (await portal.post("/introspect", {"token": token})).json()
    assert (introspected["active"], introspected["act"]) == (True, {"sub": "portal"})
    provider.now += timedelta(minutes=15)
    assert (await portal.post("/introspect", {"token": token})).json() == {"active": False}

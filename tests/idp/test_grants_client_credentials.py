"""Client credentials (RFC 6749 cl. 4.4): a portal in its own name; no person, no ID token, nothing to refresh."""

import pytest

from idp.errors import InvalidClientMetadata
from tests.idp.conformance.flow import basic_client, refused
from tests.support.fapi_client import FapiClient, mutual_tls
from tests.support.idp import ISSUER, Client, Provider, provider_in
from tests.support.signing_api import signing_api
from tests.support.verified_tokens import verified_claims_of

API = f"{ISSUER}/api/v1/signing"
OWN = {"grant_types": ["client_credentials"], "redirect_uris": []}


@pytest.fixture
async def machine(provider: Provider) -> Client:
    return await provider.register(Client("machine", scope="signing", extra=OWN))


async def ask(who: Client, **changes: object):
    return await who.post("/token", {"grant_type": "client_credentials", **changes})


async def test_token_is_the_portals_own(provider: Provider, machine: Client) -> None:
    response = await ask(machine)
    assert response.status_code == 200, response.text
    body = response.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}
    assert (body["token_type"], body["scope"], body["expires_in"]) == ("Bearer", "signing", 900)
    claims = await verified_claims_of(machine, body["access_token"], algorithm="ES256", typ="at+jwt")
    assert claims["sub"] == claims["client_id"] == "machine"  # RFC 9068 cl. 2.2
    assert not {"auth_time", "acr", "act", "cnf"} & claims.keys()
    event = provider.trail.last("token.issued")
    assert (event.detail["client"], event.detail["grant_type"]) == ("machine", "client_credentials")


async def test_no_scope_that_concerns_a_person(machine: Client, client: Client, provider: Provider) -> None:
    for scope in ("openid", "openid signing", "profile", "permit", "offline_access", "unknown", "signing unknown"):
        refused(await ask(machine, scope=scope), "invalid_scope")
    both = await provider.register(Client("both", extra={"grant_types": ["authorization_code", "client_credentials"]}))
    refused(await ask(both, scope="openid"), "invalid_scope")
    assert (await ask(both)).json()["scope"] == "signing"
    refused(await ask(client), "unauthorized_client")


async def test_it_opens_no_door_of_a_person(provider: Provider, machine: Client, tmp_path) -> None:
    token = (await ask(machine)).json()["access_token"]
    response = await machine.userinfo(token)
    assert response.status_code == 403
    assert 'error="insufficient_scope"' in response.headers["www-authenticate"]
    async with signing_api(provider, tmp_path) as api:
        refusal = await api.post(machine, token)
        assert refusal.status_code == 403
        assert refusal.json()["code"] == "insufficient_scope"
        unknown = await api.http.get(
            "/api/v1/signing/transactions/none", headers=machine.headers("", access_token=token)
        )
        assert unknown.status_code == 404, "it may look after its own transactions"


async def test_audience_by_resource(machine: Client) -> None:
    token = (await ask(machine, resource=API)).json()["access_token"]
    assert (await verified_claims_of(machine, token, algorithm="ES256", typ="at+jwt"))["aud"] == API
    assert (await machine.userinfo(token)).status_code == 401, "for the signing API only"
    refused(await ask(machine, resource="https://elsewhere.test/api"), "invalid_target")


async def test_ends_with_revocation_and_with_its_registration(provider: Provider, machine: Client) -> None:
    token = (await ask(machine)).json()["access_token"]
    assert (await machine.post("/introspect", {"token": token})).json()["active"] is True
    assert (await machine.post("/revoke", {"token": token})).status_code == 200
    assert (await machine.post("/introspect", {"token": token})).json() == {"active": False}
    token = (await ask(machine)).json()["access_token"]
    await provider.store.remove_client("machine")
    provider.later(seconds=1)
    again = await provider.register(Client("machine", scope="signing", extra=OWN))
    assert (await again.userinfo(token)).status_code == 401


async def test_only_with_proof(provider: Provider, machine: Client) -> None:
    form = {"grant_type": "client_credentials"}
    refused(await machine.post("/token", {**form, "client_id": "machine"}, sign=False), "invalid_client", 401)
    assertion = machine.assertion()
    assert (await ask(machine, client_assertion=assertion)).status_code == 200
    refused(await ask(machine, client_assertion=assertion), "invalid_client", 401)
    secret = await provider.register(
        basic_client("by-secret", grant_types=["authorization_code", "client_credentials"])
    )
    assert (await ask(secret)).status_code == 200
    secret.secret = "wrong"
    refused(await ask(secret), "invalid_client", 401)
    app = Client("app", "http://127.0.0.1/cb", auth="none", native=True, scope="openid signing")
    app.extra = {"grant_types": ["authorization_code", "client_credentials"]}
    with pytest.raises(InvalidClientMetadata):
        await provider.register(app)


@pytest.mark.parametrize("variant", ["private_key_jwt+dpop", "mtls+mtls"])
async def test_bound_under_fapi2(tmp_path, variant: str) -> None:
    from tests.idp.conformance.fapi_flow import bound
    from tests.support.fapi_client import VARIANTS

    async with provider_in(tmp_path, **mutual_tls()) as provider:
        rp = FapiClient("fapi-machine", scope="signing", variant=VARIANTS[variant], extra=OWN)
        await provider.register(rp)
        response = await ask(rp)
        assert response.status_code == 200, response.text
        await bound(rp, response.json())
        bare = await rp.post("/token", {"grant_type": "client_credentials"}, headers={})
        assert bare.status_code in {400, 401}
        assert bare.json()["error"] in {"invalid_dpop_proof", "invalid_client"}

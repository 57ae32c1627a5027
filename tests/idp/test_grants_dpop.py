"""DPoP (RFC 9449) under the basic profile: who sends a proof gets a bound token; nonces where the installation asks for them."""

from pathlib import Path

import pytest

from tests.idp.conformance.flow import refused
from tests.support.dpop import DpopKey, segment
from tests.support.fapi_client import VARIANTS, FapiClient
from tests.support.idp import ISSUER, Client, Provider, provider_in
from tests.support.signing_api import TRANSACTIONS, signing_api

PROOF = {"dpop_bound_access_tokens": False, "gba_profile": "basic"}


@pytest.fixture
async def rp(provider: Provider) -> FapiClient:
    """A client that may send proofs and need not."""
    return await provider.register(FapiClient("dpop-bank", extra=PROOF))


async def bound_token(rp: FapiClient, scope: str = "openid signing") -> str:
    tokens = (await rp.redeem((await rp.login(rp.provider.browser(), scope=scope))["code"])).json()
    assert tokens["token_type"] == "DPoP"
    return tokens["access_token"]


async def userinfo(provider: Provider, method: str = "GET", **request: object):
    async with provider.back_channel() as http:
        return await http.request(method, "/userinfo", **request)


def invalid(response, code: str, scheme: str) -> None:
    assert response.status_code == 401, response.text
    challenge = response.headers["www-authenticate"]
    assert challenge.startswith(f"{scheme} ")
    assert f'error="{code}"' in challenge
    assert response.json()["error"] == code


async def test_with_a_proof_bound_without_it_bearer(provider: Provider, rp: FapiClient) -> None:
    token = await bound_token(rp)
    assert (await rp.userinfo(token)).status_code == 200
    code = (await rp.login(provider.browser()))["code"]
    plain = (await rp.redeem(code, headers={})).json()
    assert plain["token_type"] == "Bearer"
    assert (await userinfo(provider, headers={"Authorization": f"Bearer {plain['access_token']}"})).status_code == 200


async def test_registered_as_bound_it_gets_no_other(provider: Provider) -> None:
    rp = await provider.register(FapiClient("strict", extra={"gba_profile": "basic"}))
    code = (await rp.login(provider.browser()))["code"]
    refused(await rp.redeem(code, headers={}), "invalid_dpop_proof")
    assert (await rp.redeem(code)).json()["token_type"] == "DPoP"


async def test_no_downgrade_to_bearer(provider: Provider, rp: FapiClient) -> None:
    token = await bound_token(rp)
    proof = rp.proof("/userinfo", method="GET", access_token=token)
    for headers in ({}, {"DPoP": proof}):
        response = await userinfo(provider, headers={"Authorization": f"Bearer {token}", **headers})
        invalid(response, "invalid_token", "Bearer")
    in_body = await userinfo(provider, "POST", data={"access_token": token}, headers={"DPoP": proof})
    assert in_body.status_code == 401


async def test_no_upgrade_either(provider: Provider, rp: FapiClient) -> None:
    """A bearer token does not become a bound one by whoever shows a proof with it."""
    code = (await rp.login(provider.browser()))["code"]
    token = (await rp.redeem(code, headers={})).json()["access_token"]
    proof = rp.proof("/userinfo", method="GET", access_token=token)
    response = await userinfo(provider, headers={"Authorization": f"DPoP {token}", "DPoP": proof})
    invalid(response, "invalid_token", "DPoP")


async def test_another_key_and_another_tokens_hash(provider: Provider, rp: FapiClient) -> None:
    token, other = await bound_token(rp), await bound_token(rp)
    authorization = {"Authorization": f"DPoP {token}"}
    thief = DpopKey().proof("GET", f"{ISSUER}/userinfo", at=provider.now, access_token=token)
    invalid(await userinfo(provider, headers={**authorization, "DPoP": thief}), "invalid_token", "DPoP")
    for ath in ({"access_token": other}, {"ath": None, "access_token": token}, {"ath": segment(b"short")}, {"ath": 5}):
        proof = rp.proof("/userinfo", method="GET", **ath)
        invalid(await userinfo(provider, headers={**authorization, "DPoP": proof}), "invalid_dpop_proof", "DPoP")


async def test_a_proof_serves_one_request(provider: Provider, rp: FapiClient, tmp_path: Path) -> None:
    token = await bound_token(rp)
    headers = rp.headers("/userinfo", method="GET", access_token=token)
    assert (await userinfo(provider, headers=headers)).status_code == 200
    invalid(await userinfo(provider, headers=headers), "invalid_dpop_proof", "DPoP")
    provider.later(seconds=59)
    invalid(await userinfo(provider, headers=headers), "invalid_dpop_proof", "DPoP")
    async with signing_api(provider, tmp_path) as api:
        at_api = rp.headers(TRANSACTIONS, access_token=token)
        assert (await api.post(rp, token, **at_api)).status_code == 201
        again = await api.post(rp, token, **at_api)
        assert (again.status_code, again.json()["code"]) == (401, "invalid_dpop_proof")
        elsewhere = await api.post(rp, token, **rp.headers("/userinfo", access_token=token))
        assert elsewhere.json()["code"] == "invalid_dpop_proof"


async def test_post_has_its_own_method(provider: Provider, rp: FapiClient) -> None:
    token = await bound_token(rp)
    assert (await rp.userinfo(token, method="POST")).status_code == 200
    headers = rp.headers("/userinfo", method="GET", access_token=token)
    invalid(await userinfo(provider, "POST", headers=headers), "invalid_dpop_proof", "DPoP")


async def test_no_bearer_client_is_bothered(provider: Provider, client: Client) -> None:
    response = await client.redeem((await client.login(provider.browser()))["code"])
    assert "dpop-nonce" not in response.headers
    assert response.json()["token_type"] == "Bearer"


@pytest.mark.parametrize("variant", ["private_key_jwt+dpop", "message signing"])
async def test_nonces_of_the_server(tmp_path: Path, variant: str) -> None:
    """RFC 9449 cl. 8, 9: the refusal hands out the nonce; with it the same request goes through; every answer has the next one."""
    async with provider_in(tmp_path, dpop_nonces=True) as provider:
        rp = await provider.register(FapiClient(variant=VARIANTS[variant]))
        code = (await rp.login(provider.browser()))["code"]
        refusal = await rp.redeem(code)
        refused(refusal, "use_dpop_nonce")
        nonce = refusal.headers["dpop-nonce"]
        refused(await rp.redeem(code, headers=rp.headers("/token", nonce="guess")), "use_dpop_nonce")
        response = await rp.redeem(code, headers=rp.headers("/token", nonce=nonce))
        assert response.status_code == 200, response.text
        assert response.headers["dpop-nonce"] == nonce
        token = response.json()["access_token"]
        bare = await rp.userinfo(token)
        invalid(bare, "use_dpop_nonce", "DPoP")
        assert bare.headers["dpop-nonce"] == nonce
        good = rp.headers("/userinfo", method="GET", access_token=token, nonce=nonce)
        assert (await userinfo(provider, headers=good)).status_code == 200
        # a nonce lives one step more than its own, and no longer
        provider.later(minutes=5)
        late = rp.headers("/userinfo", method="GET", access_token=token, nonce=nonce)
        assert (await userinfo(provider, headers=late)).status_code == 200
        provider.later(minutes=5)
        too_late = rp.headers("/userinfo", method="GET", access_token=token, nonce=nonce)
        response = await userinfo(provider, headers=too_late)
        invalid(response, "use_dpop_nonce", "DPoP")
        assert response.headers["dpop-nonce"] != nonce


async def test_nonces_at_the_signing_api(tmp_path: Path) -> None:
    async with provider_in(tmp_path, dpop_nonces=True) as provider, signing_api(provider, tmp_path) as api:
        rp = await provider.register(FapiClient())
        code = (await rp.login(provider.browser(), scope="openid signing"))["code"]
        nonce = (await rp.redeem(code)).headers["dpop-nonce"]
        token = (await rp.redeem(code, headers=rp.headers("/token", nonce=nonce))).json()["access_token"]
        refusal = await api.post(rp, token)
        assert (refusal.status_code, refusal.json()["code"], refusal.headers["dpop-nonce"]) == (
            401,
            "use_dpop_nonce",
            nonce,
        )
        assert (
            await api.post(rp, token, **rp.headers(TRANSACTIONS, access_token=token, nonce=nonce))
        ).status_code == 201

"""Resource indicators (RFC 8707): a token for one API is no token for another; at /token a wish only narrows."""

import pytest

from tests.idp.conformance.flow import redirected_error, refused
from tests.support.fapi_client import FapiClient
from tests.support.idp import ISSUER, Client, Provider
from tests.support.signing_api import signing_api
from tests.support.verified_tokens import verified_claims_of

API = f"{ISSUER}/api/v1/signing"


@pytest.fixture
async def rp(provider: Provider) -> Client:
    extra = {"grant_types": ["authorization_code", "refresh_token"]}
    return await provider.register(Client("resourceful", extra=extra))


async def code_of(rp: Client, **changes: object) -> str:
    return (await rp.login(rp.provider.browser(), scope="openid signing", **changes))["code"]


async def audience(rp: Client, token: str) -> object:
    return (await verified_claims_of(rp, token, algorithm="ES256", typ="at+jwt"))["aud"]


async def test_without_a_wish_it_is_for_the_provider_and_its_apis(provider: Provider, rp: Client, tmp_path) -> None:
    token = (await rp.redeem(await code_of(rp))).json()["access_token"]
    assert await audience(rp, token) == ISSUER
    assert (await rp.userinfo(token)).status_code == 200
    async with signing_api(provider, tmp_path) as api:
        assert (await api.post(rp, token)).status_code == 201


async def test_a_token_for_the_api_is_not_taken_at_userinfo(provider: Provider, rp: Client, tmp_path) -> None:
    token = (await rp.redeem(await code_of(rp, resource=API))).json()["access_token"]
    assert await audience(rp, token) == API
    response = await rp.userinfo(token)
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]
    async with signing_api(provider, tmp_path) as api:
        assert (await api.post(rp, token)).status_code == 201


async def test_narrowed_at_the_token_endpoint(rp: Client) -> None:
    token = (await rp.redeem(await code_of(rp), resource=API)).json()["access_token"]
    assert await audience(rp, token) == API


async def test_several_are_an_array(provider: Provider, rp: Client) -> None:
    url = rp.url(scope="openid signing") + f"&resource={API}&resource={ISSUER}&resource={API}"
    browser = provider.browser()
    from tests.support.idp import answer

    code = answer(await browser.agree(await browser.open(url)))["code"]
    tokens = (await rp.redeem(code)).json()
    assert await audience(rp, tokens["access_token"]) == [API, ISSUER]
    narrow = (await rp.refresh(tokens["refresh_token"], resource=[API])).json()
    assert await audience(rp, narrow["access_token"]) == API


@pytest.mark.parametrize(
    "resource",
    [
        "https://elsewhere.test",
        f"{API}/",
        f"{API}#fragment",
        f"{API}?x=1",
        API.upper(),
        "urn:gba:api",
        "not a uri",
        f"{ISSUER}/",
    ],
)
async def test_what_is_no_api_of_ours(provider: Provider, rp: Client, resource: str) -> None:
    redirected_error(await provider.browser().get(rp.url(resource=resource)), "invalid_target")
    fapi = await provider.register(FapiClient())
    refused(await fapi.push(resource=resource), "invalid_target")


async def test_absurdly_many(provider: Provider, rp: Client) -> None:
    url = rp.url() + f"&resource={API}" * 5
    redirected_error(await provider.browser().get(url), "invalid_target")


async def test_wider_at_the_token_endpoint_is_refused(rp: Client) -> None:
    refused(await rp.redeem(await code_of(rp, resource=API), resource=ISSUER), "invalid_target")
    refused(await rp.redeem(await code_of(rp), resource="https://elsewhere.test"), "invalid_target")

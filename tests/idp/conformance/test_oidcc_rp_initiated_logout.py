"""OP, RP-initiated logout (`oidcc-rp-initiated-logout-certification-test-plan`)."""

import re

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.idp.conformance.flow import basic_client, complete, still_signed_in
from tests.support.dpop import segment
from tests.support.idp import ISSUER, Browser, Client, Provider
from tests.support.verified_tokens import header_of

BYE = "https://portal.test/bye"


@pytest.fixture
async def rp(provider: Provider) -> Client:
    return await provider.register(basic_client())


@pytest.fixture
def browser(provider: Provider) -> Browser:
    return provider.browser()


async def logout(browser: Browser, **parameters: str) -> httpx.Response:
    return await browser.client.get(f"{ISSUER}/logout", params=parameters)


async def signed_in(rp: Client, browser: Browser) -> str:
    return (await complete(rp, browser)).tokens["id_token"]


async def asked(response: httpx.Response, rp: Client, browser: Browser) -> None:
    """The person is asked, and nothing has happened yet."""
    assert (response.status_code, "location" in response.headers) == (200, False)
    assert "Do you want to sign out?" in response.text
    assert await still_signed_in(rp.provider, browser, rp)


async def confirm(response: httpx.Response, browser: Browser) -> httpx.Response:
    fields = dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"', response.text))
    return await browser.client.post(f"{ISSUER}/logout", data=fields)


async def out_with_a_page(response: httpx.Response, rp: Client, browser: Browser) -> None:
    assert (response.status_code, "location" in response.headers) == (200, False)
    assert "You are signed out here" in response.text
    assert not await still_signed_in(rp.provider, browser, rp)


async def test_oidcc_rp_initiated_logout_discovery_endpoint_verification(provider: Provider) -> None:
    async with provider.back_channel() as http:
        document = (await http.get("/.well-known/openid-configuration")).json()
        assert document["end_session_endpoint"] == f"{ISSUER}/logout"
        assert (await http.get(document["end_session_endpoint"])).status_code == 200


async def test_oidcc_rp_initiated_logout(provider: Provider, rp: Client, browser: Browser) -> None:
    hint = await signed_in(rp, browser)
    response = await logout(browser, id_token_hint=hint, post_logout_redirect_uri=BYE, state="s&t=1")
    assert (response.status_code, response.headers["location"]) == (303, f"{BYE}?state=s%26t%3D1")
    assert not await still_signed_in(provider, browser, rp)


async def test_oidcc_rp_initiated_logout_bad_post_logout_redirect_uri(rp: Client, browser: Browser) -> None:
    hint = await signed_in(rp, browser)
    response = await logout(browser, id_token_hint=hint, post_logout_redirect_uri=f"{BYE}/unregistered", state="s")
    await out_with_a_page(response, rp, browser)


async def test_oidcc_rp_initiated_logout_modified_id_token_hint(rp: Client, browser: Browser) -> None:
    _, body, signature = (await signed_in(rp, browser)).split(".")
    head = segment(b'{"alg":"none"}')
    for hint in (f"{head}.{body}.", f"{head}.{body}.{signature}"):
        await asked(await logout(browser, id_token_hint=hint, post_logout_redirect_uri=BYE), rp, browser)


async def test_oidcc_rp_initiated_logout_no_id_token_hint(rp: Client, browser: Browser) -> None:
    await signed_in(rp, browser)
    response = await logout(browser, post_logout_redirect_uri=BYE, state="s")
    await asked(response, rp, browser)
    await out_with_a_page(await confirm(response, browser), rp, browser)


async def test_oidcc_rp_initiated_logout_no_params(rp: Client, browser: Browser) -> None:
    await signed_in(rp, browser)
    response = await logout(browser)
    await asked(response, rp, browser)
    await out_with_a_page(await confirm(response, browser), rp, browser)


async def test_oidcc_rp_initiated_logout_no_post_logout_redirect_uri(rp: Client, browser: Browser) -> None:
    hint = await signed_in(rp, browser)
    await out_with_a_page(await logout(browser, id_token_hint=hint, state="s"), rp, browser)


async def test_oidcc_rp_initiated_logout_no_state(provider: Provider, rp: Client, browser: Browser) -> None:
    hint = await signed_in(rp, browser)
    response = await logout(browser, id_token_hint=hint, post_logout_redirect_uri=BYE)
    assert response.headers["location"] == BYE
    assert not await still_signed_in(provider, browser, rp)


async def test_oidcc_rp_initiated_logout_only_state(rp: Client, browser: Browser) -> None:
    await signed_in(rp, browser)
    response = await logout(browser, state="s")
    await asked(response, rp, browser)
    await out_with_a_page(await confirm(response, browser), rp, browser)


async def test_oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri(rp: Client, browser: Browser) -> None:
    hint = await signed_in(rp, browser)
    response = await logout(browser, id_token_hint=hint, post_logout_redirect_uri=f"{BYE}?foo=bar", state="s")
    await out_with_a_page(response, rp, browser)


async def test_oidcc_rp_initiated_logout_bad_id_token_hint(provider: Provider, rp: Client, browser: Browser) -> None:
    hint = await signed_in(rp, browser)
    claims = jwt.decode(hint, provider.keys.published(), algorithms=["RS256"]).claims
    foreign = RSAKey.generate_key(2048, {"kid": header_of(hint)["kid"]})
    forged = jwt.encode(header_of(hint), claims, foreign, algorithms=["RS256"])
    await asked(await logout(browser, id_token_hint=forged, post_logout_redirect_uri=BYE), rp, browser)

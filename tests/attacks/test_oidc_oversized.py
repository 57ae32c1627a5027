"""Oversized everything over HTTP: bounded before it is read, in the shape that each door speaks. Signed
objects: `test_oidc_oversized_objects`.
"""

import json
from collections.abc import AsyncIterator

import pytest

from tests.idp.conformance.flow import refused, shown_error
from tests.support.fapi_client import FapiClient
from tests.support.idp import ISSUER, Client, Provider


async def fresh_code(client: Client) -> str:
    return (await client.login(client.provider.browser()))["code"]


async def test_oversized_requests_are_shown(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    huge = await browser.get(client.url(extra="x" * 20_000))
    assert (huge.status_code, "malformed_request" in huge.text) == (400, True)
    many = await browser.get(client.url() + "&" + "&".join(f"p{i}=1" for i in range(100)))
    assert (many.status_code, "malformed_request" in many.text) == (400, True)
    body = await browser.client.post(f"{ISSUER}/authorize", data={**client.query(), "extra": "x" * 70_000})
    assert body.status_code == 400


async def test_bytes_that_are_no_utf8_are_shown(provider: Provider, client: Client) -> None:
    response = await provider.browser().get(client.url() + "&x=%ff%fe")
    assert (response.status_code, "malformed_request" in response.text) == (400, True)


async def test_oversized_assertion_is_refused(provider: Provider, client: Client) -> None:
    huge = client.assertion(padding="x" * 8000)
    refused(await client.redeem(await fresh_code(client), client_assertion=huge), "invalid_request")


async def test_body_of_another_type_or_size_is_refused(provider: Provider, client: Client) -> None:
    async with provider.back_channel() as http:
        refused(await http.post("/token", json={"grant_type": "authorization_code"}), "invalid_request")
        refused(await http.post("/token", data={"x": "y" * 70_000}), "invalid_request")
        assert (await http.get("/token")).status_code == 405


FORM_DOORS = ("/token", "/par", "/introspect", "/revoke", "/device_authorization", "/backchannel_authentication")


@pytest.mark.parametrize("path", FORM_DOORS)
async def test_forms_at_every_client_door(provider: Provider, path: str) -> None:
    rp = await provider.register(FapiClient())
    refused(await rp.post(path, {"pad": "x" * 70_000}), "invalid_request")
    refused(await rp.post(path, {"pad": "x" * 8_193}), "invalid_request")
    refused(await rp.post(path, {f"p{i}": "1" for i in range(100)}), "invalid_request")
    refused(await rp.post(path, {"n" * 129: "1"}), "invalid_request")


@pytest.mark.parametrize("path", ["/token", "/userinfo", "/authorize", "/register", "/logout"])
async def test_an_endless_body_is_read_to_its_limit_and_no_further(
    provider: Provider, client: Client, path: str
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 5_000_000:
            sent += 10_000
            yield b"a" * 10_000

    kind = "application/json" if path == "/register" else "application/x-www-form-urlencoded"
    async with provider.back_channel() as http:
        response = await http.post(path, content=endless(), headers={"Content-Type": kind, "Authorization": "Bearer x"})
    assert 400 <= response.status_code < 500
    assert sent <= 200_000, "the rest was never asked for"


async def test_tokens_and_hints(provider: Provider, client: Client) -> None:
    huge = "x" * 60_000
    async with provider.back_channel() as http:
        for scheme in ("Bearer", "DPoP"):
            response = await http.get("/userinfo", headers={"Authorization": f"{scheme} {huge}"})
            assert response.status_code == 401
    refused(await client.post("/introspect", {"token": "x" * 9_000}), "invalid_request")
    assert (await client.post("/introspect", {"token": "x" * 8_100})).json() == {"active": False}
    long_hint = await provider.browser().get(client.url(id_token_hint="e" * 8_100))
    assert "error=invalid_request" in long_hint.headers["location"]
    page = await provider.browser().get(f"{ISSUER}/logout?id_token_hint={'e' * 8_100}")
    assert (page.status_code, "location" in page.headers) == (200, False)


async def test_proofs_secrets_and_certificates(provider: Provider, client: Client) -> None:
    code = (await client.login(provider.browser()))["code"]
    refused(await client.redeem(code, headers={"DPoP": "x" * 60_000}), "invalid_dpop_proof")
    async with provider.back_channel() as http:
        form = {"grant_type": "client_credentials"}
        basic = await http.post("/token", data=form, headers={"Authorization": "Basic " + "QUFB" * 10_000})
        refused(basic, "invalid_client", 401)
        many = [("DPoP", "x")] * 500
        response = await http.post("/token", data=client.token_form(code), headers=many)
        refused(response, "invalid_dpop_proof")
    assert (await client.redeem(code)).status_code == 200


async def test_cookies(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    names = (provider.config.login_cookie, provider.config.session_cookie)
    cookie = "; ".join(f"{name}={'x' * 20_000}" for name in names)
    response = await browser.client.get(f"{ISSUER}/login", headers={"Cookie": cookie})
    shown_error(response, "login_expired")
    many = "; ".join(f"c{i}=1" for i in range(5_000))
    shown_error(await browser.client.get(f"{ISSUER}/login", headers={"Cookie": many}), "login_expired")


@pytest.mark.parametrize("deep", [40, 2_000, 15_000])
async def test_deep_json(provider: Provider, client: Client, deep: int) -> None:
    nested = "[" * deep + "]" * deep
    async with provider.back_channel() as http:
        headers = {"Authorization": "Bearer x", "Content-Type": "application/json"}
        response = await http.post("/register", content=f'{{"client_name":{nested}}}', headers=headers)
    assert 400 <= response.status_code < 500
    browser = provider.browser()
    body = json.dumps({"id_token": {"x": 1}})[:-2] + f',"y":{nested}}}}}'
    for name in ("claims", "authorization_details"):
        data = client.query(**{name: body if name == "claims" else nested})
        response = await browser.client.post(f"{ISSUER}/authorize", data=data)
        assert response.status_code in {303, 400}
        assert "code=" not in response.headers.get("location", "")

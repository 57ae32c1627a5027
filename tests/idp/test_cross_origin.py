"""Pages of other origins may call the doors whose caller proves itself in the request, and no others."""

import pytest

from tests.support.idp import ISSUER, Client, Provider

ORIGIN = {"Origin": "https://app.test"}
PREFLIGHT = {**ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,dpop"}


@pytest.mark.parametrize("path", ["/token", "/userinfo", "/revoke"])
async def test_preflight(provider: Provider, path: str) -> None:
    async with provider.back_channel() as http:
        response = await http.options(path, headers=PREFLIGHT)
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers
    assert {"Authorization", "DPoP"} <= set(response.headers["access-control-allow-headers"].split(", "))


async def test_answers_and_refusals_can_be_read(provider: Provider, client: Client) -> None:
    parameters = await client.login(provider.browser())
    async with provider.back_channel() as http:
        good = await http.post("/token", data=client.token_form(parameters["code"]), headers=ORIGIN)
        bad = await http.get("/userinfo", headers=ORIGIN)
        backend = await http.get("/userinfo")
    assert (good.status_code, bad.status_code) == (200, 401)
    for response in (good, bad):
        assert response.headers["access-control-allow-origin"] == "*"
        assert "WWW-Authenticate" in response.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in backend.headers


@pytest.mark.parametrize(
    "path",
    ["/authorize", "/login", "/login/consent", "/logout", "/account", "/device", "/par", "/introspect", "/register"],
)
async def test_doors_with_cookies_or_for_backends_have_none(provider: Provider, path: str) -> None:
    async with provider.back_channel() as http:
        for response in (await http.options(path, headers=PREFLIGHT), await http.get(path, headers=ORIGIN)):
            assert "access-control-allow-origin" not in response.headers


async def test_discovery_and_keys_are_open(provider: Provider) -> None:
    async with provider.back_channel() as http:
        for path in ("/.well-known/openid-configuration", "/jwks"):
            response = await http.get(f"{ISSUER}{path}", headers=ORIGIN)
            assert response.headers["access-control-allow-origin"] == "*"

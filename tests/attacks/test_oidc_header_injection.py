"""Header injection: no value of a caller starts a new header, a new parameter or a script, wherever it comes back."""

import pytest

from tests.support.fapi_client import VARIANTS, FapiClient
from tests.support.idp import ISSUER, Client, Provider, answer


async def test_header_injection_through_state_is_encoded(provider: Provider, client: Client) -> None:
    response = await provider.browser().get(client.url(state="ok\r\nX-Injected: 1", prompt="none"))
    assert "x-injected" not in response.headers
    assert "\n" not in response.headers["location"]
    assert answer(response)["error"] == "invalid_request"
    response = await provider.browser().get(client.url(state="a&error=none&code=stolen#x", prompt="none"))
    parameters = answer(response)
    assert parameters["state"] == "a&error=none&code=stolen#x"
    assert "code" not in parameters


async def test_script_in_a_parameter_is_not_reflected(provider: Provider, client: Client) -> None:
    probe = "<script>alert(1)</script>"
    for url in (
        client.url(client_id=probe),
        client.url(redirect_uri=probe),
        client.url(connector=None, login_hint=probe),
    ):
        assert probe not in (await provider.browser().open(url)).text


EVIL = (
    "ok\r\nX-Injected: 1",
    "ok\nSet-Cookie: a=b",
    "ok\r\n\r\n<script>alert(1)</script>",
    "ok\u2028X-Injected: 1",
    "ok\x00",
    "ok\x85X",
)


def clean(response) -> None:
    assert "x-injected" not in response.headers
    assert "a=b" not in response.headers.get("set-cookie", "")
    for value in response.headers.values():
        assert value.isprintable()
        assert value.isascii()


@pytest.mark.parametrize("evil", EVIL)
async def test_at_every_browser_door(provider: Provider, client: Client, evil: str) -> None:
    client.extra["post_logout_redirect_uris"] = ["https://portal.test/bye"]
    await provider.register(client)
    browser = provider.browser()
    for name in (
        "state",
        "nonce",
        "login_hint",
        "ui_locales",
        "acr_values",
        "prompt",
        "claims",
        "scope",
        "response_mode",
        "extra",
    ):
        clean(await browser.get(client.url(**{name: evil})))
        clean(await browser.get(client.url(**{name: evil, "prompt": "none"})))
    hint = (await client.redeem((await client.login(browser))["code"])).json()["id_token"]
    for name in ("state", "post_logout_redirect_uri", "ui_locales", "client_id"):
        fields = {"id_token_hint": hint, "post_logout_redirect_uri": "https://portal.test/bye", name: evil}
        response = await browser.client.get(f"{ISSUER}/logout", params=fields)
        clean(response)
        assert "X-Injected" not in response.headers.get("location", "").replace("%0D%0A", "")
    for door in ("/callback/iam_smart", "/callback/permit", "/device", "/logout/return", "/login/cancel"):
        clean(
            await browser.client.get(
                f"{ISSUER}{door}",
                params={"code": evil, "state": evil, "user_code": evil, "then": evil, "permit_error": evil},
            )
        )


@pytest.mark.parametrize("evil", EVIL)
async def test_at_every_client_door(provider: Provider, client: Client, evil: str) -> None:
    rp = await provider.register(FapiClient())
    for form in ({"grant_type": evil}, {"scope": evil}, {"resource": evil}, {"code": evil}, {evil: "1"}):
        clean(await client.post("/token", {"grant_type": "authorization_code", "code": "c", **form}))
    for name in ("scope", "state", "claims", "authorization_details", "response_type", "dpop_jkt"):
        response = await rp.push(**{name: evil})
        clean(response)
        assert response.status_code == 400 or (name == "state" and response.status_code == 201)
    for path in ("/introspect", "/revoke", "/device_authorization", "/backchannel_authentication"):
        clean(await client.post(path, {"token": evil, "binding_message": evil, "login_hint": evil}))


async def test_a_description_cannot_close_its_quotes(provider: Provider, client: Client) -> None:
    """RFC 6750 cl. 3: error_description is quoted; what a caller sent never stands in it unescaped."""
    for token in ('x", realm="evil', "x\\", 'x"'):
        async with provider.back_channel() as http:
            response = await http.get("/userinfo", headers={"Authorization": f"Bearer {token}"})
        assert response.status_code == 401
        assert "evil" not in response.headers["www-authenticate"]
        assert response.headers["www-authenticate"].count('"') % 2 == 0


async def test_state_cannot_become_another_parameter(provider: Provider) -> None:
    """In the query and in a signed answer alike: there is one iss, one code, one error, whatever the state says."""
    for name, variant in (("plain", "private_key_jwt+dpop"), ("signed", "message signing")):
        rp = await provider.register(FapiClient(name, variant=VARIANTS[variant]))
        state = "x&iss=https://evil.test&code=stolen&error=none#&response=evil"
        said = await rp.login(provider.browser(), state=state)
        assert said["state"] == state
        assert said["iss"] == ISSUER
        assert said["code"] != "stolen"
        assert "error" not in said

"""Garbage to every door: whatever comes back, no word of the inside is in it, and nothing is a server error."""

import re
from pathlib import Path

import pytest

from tests.support.idp import Client, Provider, provider_in

INNER_WORDS = (
    "traceback", "sqlite", "idp_", "joserfc", "starlette", "python", ".py", "exception", "keyerror", "valueerror",
    "typeerror", "select ", "0x7f", "none type", "nonetype", "site-packages",
    str(Path(__file__).resolve().parents[2]).lower(),
)  # fmt: skip
GARBAGE = (
    "", "\x00", "%00", "a" * 5000, "{}", "[]", "null", "' OR '1'='1", "<script>", "../../../etc/passwd", "é漢字😀", "\r\nX: y",
    "eyJhbGciOiJub25lIn0.e30.", "-1", "9" * 400, "%ff%fe", "${7*7}", "{{7*7}}",
)  # fmt: skip
DOORS = {
    "/authorize": ("client_id", "redirect_uri", "scope", "claims", "prompt", "max_age", "id_token_hint", "acr_values"),
    "/login": ("x",),
    "/login/with/iam_smart": ("x",),
    "/login/with/nobody": ("x",),
    "/login/consent": ("csrf", "decision", "item_name"),
    "/login/cancel": ("x",),
    "/callback/iam_smart": ("code", "state", "error"),
    "/callback/nobody": ("code",),
    "/callback/permit": ("permit_code", "permit_error"),
    "/token": ("client_assertion", "grant_type", "code", "client_id", "code_verifier"),
    "/userinfo": ("access_token",),
    "/introspect": ("token", "client_assertion", "client_id"),
    "/revoke": ("token", "client_id"),
    "/logout": ("id_token_hint", "post_logout_redirect_uri", "state", "client_id", "csrf"),
    "/logout/return": ("then",),
    "/device_authorization": (
        "client_id",
        "client_assertion",
        "scope",
        "claims",
        "acr_values",
        "resource",
        "authorization_details",
    ),
    "/backchannel_authentication": (
        "client_id",
        "login_hint",
        "id_token_hint",
        "binding_message",
        "requested_expiry",
        "scope",
        "user_code",
        "acr_values",
    ),
    "/device": ("user_code", "csrf"),
    "/approve/x": ("x",),
    "/approve/%00%ff": ("x",),
    "/done": ("of",),
    "/account": ("x",),
    "/account/sign-in": ("x",),
    "/account/sessions/end": ("csrf", "session"),
    "/account/consents/revoke": ("csrf", "consent"),
    "/account/consents/x": ("x",),
    "/account/consents/%0d%0aX": ("x",),
    "/account/identities/remove": ("csrf", "connector"),
    "/register": ("x",),
    "/register/x": ("x",),
    "/register/%00": ("x",),
    "/par": ("client_id", "client_assertion", "scope", "claims", "redirect_uri"),
    "/jwks": ("x",),
    "/.well-known/oauth-authorization-server": ("x",),
    "/.well-known/openid-configuration": ("x",),
}


@pytest.fixture
async def provider(tmp_path):
    async with provider_in(tmp_path) as made:
        yield made


@pytest.mark.parametrize("door", DOORS)
async def test_garbage_reads_no_inner_word(provider: Provider, door: str) -> None:
    client = await provider.register(Client())
    browser = provider.browser()
    await browser.open(client.url())
    for name in DOORS[door]:
        for garbage in GARBAGE:
            fields = {**client.query(), **client.token_form("c"), name: garbage}
            headers = {
                "Authorization": f"Bearer {garbage[:2000]}".encode("utf-8", "ignore")
                .replace(b"\r\n", b"")
                .replace(b"\x00", b"")
            }
            answers = [
                await browser.client.get(f"https://login.test{door}", params=fields),
                await browser.client.post(f"https://login.test{door}", data=fields),
                await browser.client.post(f"https://login.test{door}", data=fields, headers=headers),
                await browser.client.post(f"https://login.test{door}", content=garbage.encode()),
            ]
            for response in answers:
                assert response.status_code < 500, (name, garbage)
                words = _without_own_links(response.text.lower()) + repr(response.headers).lower()
                for word in INNER_WORDS:
                    assert word not in words, (word, name, garbage)


def _without_own_links(page: str) -> str:
    """Leave out the language links: they repeat the caller's own address, in which a random `.py` may stand."""
    return re.sub(r'<a href="[^"]*" lang="', "", page)


@pytest.mark.parametrize("method", ["POST", "PUT", "GET", "DELETE"])
async def test_garbage_registrations_read_no_inner_word(provider: Provider, method: str) -> None:
    bodies = (
        *GARBAGE,
        '{"client_name":"x","redirect_uris":[1]}',
        '{"jwks":{"keys":[{"kty":"EC"}]}}',
        '{"software_statement":"x.y.z"}',
    )
    async with provider.back_channel() as http:
        for body in bodies:
            for authorization in ("", "Bearer x", "Bearer " + "x" * 600, "Basic eDp5"):
                headers = {"Content-Type": "application/json", "Authorization": authorization}
                path = "/register" if method == "POST" else "/register/x"
                response = await http.request(method, path, content=body.encode(), headers=headers)
                assert response.status_code in {400, 401}
                for word in INNER_WORDS:
                    assert word not in response.text.lower(), (word, body)


async def test_cookies_of_garbage_are_no_login(provider: Provider) -> None:
    for garbage in ("", "x", "a" * 4000, "é", '"', ";", "\\"):
        browser = provider.browser()
        header = f"{provider.config.login_cookie}={garbage}; {provider.config.session_cookie}={garbage}"
        response = await browser.client.get("https://login.test/login", headers={"Cookie": header.encode("latin-1")})
        assert response.status_code == 400
        assert "login_expired" in response.text

"""Attacks on the authorization endpoint: every refusal at the place where the standard sends it."""

from urllib.parse import urlencode

import pytest

from tests.support.idp import ISSUER, PORTAL, REDIRECT_URI, Client, Provider, answer, provider_in


@pytest.fixture
async def provider(tmp_path):
    async with provider_in(tmp_path) as made:
        yield made


@pytest.fixture
async def client(provider: Provider) -> Client:
    return await provider.register(Client())


REFUSED = {
    "no response type": ({"response_type": None}, "invalid_request"),
    "implicit": ({"response_type": "token"}, "unsupported_response_type"),
    "hybrid": ({"response_type": "code id_token"}, "unsupported_response_type"),
    "fragment mode": ({"response_mode": "fragment"}, "invalid_request"),
    "form post": ({"response_mode": "form_post"}, "invalid_request"),
    "no scope": ({"scope": None}, "invalid_scope"),
    "scope without openid": ({"scope": "profile"}, "invalid_scope"),
    "malformed scope": ({"scope": "openid  profile"}, "invalid_scope"),
    "no challenge": ({"code_challenge": None}, "invalid_request"),
    "PKCE downgrade to plain": ({"code_challenge_method": "plain"}, "invalid_request"),
    "PKCE method left out, which means plain": ({"code_challenge_method": None}, "invalid_request"),
    "short challenge": ({"code_challenge": "abc"}, "invalid_request"),
    "padded challenge": ({"code_challenge": "A" * 43 + "="}, "invalid_request"),
    "long state": ({"state": "s" * 513}, "invalid_request"),
    "long nonce": ({"nonce": "n" * 513}, "invalid_request"),
    "line break in nonce": ({"nonce": "a\r\nSet-Cookie: x=1"}, "invalid_request"),
    "NUL in login hint": ({"login_hint": "a\x00b"}, "invalid_request"),
    "unknown prompt": ({"prompt": "create"}, "invalid_request"),
    "prompt none with another": ({"prompt": "none login"}, "invalid_request"),
    "negative max_age": ({"max_age": "-1"}, "invalid_request"),
    "max_age in words": ({"max_age": "ten"}, "invalid_request"),
    "max_age in other digits": ({"max_age": "１０"}, "invalid_request"),
    "unknown levels only": ({"acr_values": "urn:gba-trust:acr:divine 1"}, "unmet_authentication_requirements"),
    "claims not JSON": ({"claims": "{"}, "invalid_request"),
    "claims a list": ({"claims": "[]"}, "invalid_request"),
    "claims nested beyond reason": ({"claims": '{"id_token":' + '{"a":' * 50 + "1" + "}" * 51}, "invalid_request"),
    "claims too large": ({"claims": '{"id_token":{"x":"' + "y" * 5000 + '"}}'}, "invalid_request"),
    "verified_claims without framework": (
        {"claims": '{"id_token":{"verified_claims":{"verification":{},"claims":{"name":null}}}}'},
        "invalid_request",
    ),
    "connector that is not connected": ({"connector": "guangdong"}, "invalid_request"),
    "unsigned request object": ({"request": "eyJhbGciOiJub25lIn0.e30."}, "invalid_request_object"),
    "request_uri, the way to SSRF": ({"request_uri": "http://169.254.169.254/"}, "request_uri_not_supported"),
    "registration": ({"registration": "{}"}, "registration_not_supported"),
    "foreign id_token_hint": ({"id_token_hint": "eyJhbGciOiJub25lIn0.e30."}, "invalid_request"),
    "long login hint": ({"login_hint": "x" * 257}, "invalid_request"),
    "foreign resource": ({"resource": "https://elsewhere.test"}, "invalid_target"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_refused_to_the_verified_redirect_uri(provider: Provider, client: Client, name: str) -> None:
    changes, code = REFUSED[name]
    response = await provider.browser().get(client.url(**changes))
    assert response.headers["location"].startswith(f"{REDIRECT_URI}?")
    parameters = answer(response)
    assert parameters["error"] == code
    assert parameters["iss"] == ISSUER
    if "state" not in changes:
        assert parameters["state"] == "state-1"
    assert provider.trail.last("authorize.refused").outcome == code


async def test_scope_beyond_the_registration(provider: Provider) -> None:
    small = await provider.register(Client("small", scope="openid"))
    assert answer(await provider.browser().get(small.url(scope="openid signing")))["error"] == "invalid_scope"


async def test_unknown_scope_and_parameter_are_ignored(provider: Provider, client: Client) -> None:
    page = await provider.browser().open(client.url(scope="openid email offline_access", extra="foobar"))
    assert "/login/consent" in page.text


@pytest.mark.parametrize(
    "uri",
    [
        "https://portal.test/Callback",
        "https://PORTAL.test/callback",
        "HTTPS://portal.test/callback",
        "https://portal.test:443/callback",
        "https://portal.test:8443/callback",
        "https://portal.test/callback/",
        "https://portal.test/callback/../callback",
        "https://portal.test/callback?x=1",
        "https://portal.test/callback#",
        "https://portal.test/callback#fragment",
        "https://portal.test/callback%20",
        "https://portal.test/callback%0d%0aSet-Cookie:x=1",
        "https://portal.test@evil.test/callback",
        "https://user@portal.test/callback",
        "https://portal.test.evil.test/callback",
        "https://evil.test/https://portal.test/callback",
        "https://portaI.test/callback",
        "https://pоrtal.test/callback",
        "https://xn--prtal-jye.test/callback",
        "https://portal.test\\@evil.test/callback",
        "//portal.test/callback",
        "/callback",
        "javascript:alert(1)//https://portal.test/callback",
        "http://portal.test/callback",
        "https://portal.test./callback",
        " https://portal.test/callback",
        "https://portal.test/callback\n",
    ],
)
async def test_redirect_uri_tricks_are_shown_and_never_followed(provider: Provider, client: Client, uri: str) -> None:
    for changes in ({}, {"response_type": "token"}, {"prompt": "none"}):
        response = await provider.browser().get(client.url(redirect_uri=uri, **changes))
        assert response.status_code == 400
        assert "location" not in response.headers
        assert "unregistered_redirect_uri" in response.text


async def test_repeated_redirect_uri_is_shown(provider: Provider, client: Client) -> None:
    url = client.url() + "&" + urlencode({"redirect_uri": "https://evil.test/"})
    response = await provider.browser().get(url)
    assert (response.status_code, "malformed_request" in response.text) == (400, True)
    first_evil = f"{ISSUER}/authorize?redirect_uri=https%3A%2F%2Fevil.test&" + client.url().partition("?")[2]
    assert (await provider.browser().get(first_evil)).status_code == 400


async def test_missing_redirect_uri_is_shown_though_only_one_is_registered(provider: Provider, client: Client) -> None:
    response = await provider.browser().get(client.url(redirect_uri=None))
    assert response.status_code == 400


@pytest.mark.parametrize("client_id", ["nobody", "gd-bank' OR 1=1--", "", "x" * 300, "gd-bank\x00"])
async def test_unknown_relying_party_is_shown(provider: Provider, client: Client, client_id: str) -> None:
    response = await provider.browser().get(client.url(client_id=client_id))
    assert response.status_code == 400
    assert "location" not in response.headers


@pytest.mark.parametrize(
    "parameter", ["scope", "state", "nonce", "code_challenge", "prompt", "response_type", "claims", "acr_values"]
)
async def test_duplicate_parameters_are_refused(provider: Provider, client: Client, parameter: str) -> None:
    url = client.url(prompt="login", claims="{}", acr_values="urn:gba-trust:acr:low")
    response = await provider.browser().get(f"{url}&{parameter}=x")
    parameters = answer(response)
    assert parameters["error"] == "invalid_request"
    assert ("state" in parameters) is (parameter != "state")


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


async def test_open_redirect_there_is_none(provider: Provider, client: Client) -> None:
    """No parameter of any door sends a browser to an unregistered place."""
    browser = provider.browser()
    await browser.open(client.url())
    evil = urlencode(
        {name: "https://evil.test/" for name in ("redirect_uri", "return_uri", "next", "url", "target_link_uri")}
    )
    for door in ("/login", "/login/cancel", "/callback/permit", "/callback/iam_smart", "/logout", "/authorize"):
        response = await browser.get(f"{ISSUER}{door}?{evil}")
        assert "evil.test" not in response.headers.get("location", "")
    response = await browser.get(f"{ISSUER}/logout?post_logout_redirect_uri=https://evil.test/&client_id=gd-bank")
    assert "location" not in response.headers


async def test_native_loopback_port_may_differ_and_nothing_else(provider: Provider) -> None:
    app = await provider.register(Client("app", "http://127.0.0.1/cb", auth="none", native=True, scope="openid"))
    browser = provider.browser()
    page = await browser.follow(await browser.get(app.url(redirect_uri="http://127.0.0.1:51004/cb")))
    assert "/login/consent" in page.text
    for uri in (
        "http://localhost:51004/cb",
        "http://127.0.0.1:51004/other",
        "http://127.0.0.1:0/cb",
        "http://127.0.0.2/cb",
    ):
        assert (await browser.get(app.url(redirect_uri=uri))).status_code == 400


async def test_portal_is_never_reached_before_the_person_decided(provider: Provider, client: Client) -> None:
    page = await provider.browser().open(client.url(scope="openid profile"))
    assert not str(page.url).startswith(PORTAL)

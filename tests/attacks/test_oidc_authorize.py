"""Attacks on the authorization endpoint: every refusal at the place where the standard sends it."""

import pytest

from tests.support.idp import ISSUER, REDIRECT_URI, Client, Provider, answer, provider_in


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


@pytest.mark.parametrize("client_id", ["nobody", "gd-bank' OR 1=1--", "", "x" * 300, "gd-bank\x00"])
async def test_unknown_relying_party_is_shown(provider: Provider, client: Client, client_id: str) -> None:
    response = await provider.browser().get(client.url(client_id=client_id))
    assert response.status_code == 400
    assert "location" not in response.headers

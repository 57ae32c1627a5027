"""OP, Basic (`oidcc-basic-certification-test-plan`): logins, tokens, userinfo; the request is in `test_oidcc_basic_requests`.

One function for each module of the suite, under its name. What we refuse on purpose is shown as the refusal (docs/divergences.md).
"""

import pytest

from tests.idp.conformance.flow import Done, basic_client, complete, finish, redirected_error, refused
from tests.support.idp import ISSUER, Client, Provider, answer
from tests.support.verified_tokens import header_of, id_token_claims

NOT_OURS = {"email", "email_verified", "phone_number", "phone_number_verified", "address"}


@pytest.fixture
async def rp(provider: Provider) -> Client:
    return await provider.register(basic_client())


async def test_oidcc_server(rp: Client) -> None:
    done = await complete(rp)
    assert done.claims["exp"] - done.claims["iat"] == 600
    assert done.claims["acr"] == "urn:gba-trust:acr:substantial"
    assert done.claims["amr"] == ["hwk", "user"]
    assert done.tokens["scope"] == "openid"


async def test_oidcc_idtoken_signature(provider: Provider, rp: Client) -> None:
    """RS256 for whoever registered it; without a registered algorithm ES256 (docs/divergences.md)."""
    assert header_of((await complete(rp)).tokens["id_token"])["alg"] == "RS256"
    plain = await provider.register(basic_client("plain", id_token_signed_response_alg=None))
    plain.extra.pop("id_token_signed_response_alg")
    assert header_of((await complete(plain)).tokens["id_token"])["alg"] == "ES256"


async def test_oidcc_idtoken_unsigned(provider: Provider) -> None:
    """`none` cannot be registered, so no ID token is ever unsigned (docs/divergences.md)."""
    from idp.errors import InvalidClientMetadata

    with pytest.raises(InvalidClientMetadata, match="id_token_signed_response_alg"):
        await provider.register(basic_client("unsigned", id_token_signed_response_alg="none"))


async def test_oidcc_userinfo_get(rp: Client) -> None:
    done = await complete(rp, scope="openid profile")
    response = await rp.userinfo(done.tokens["access_token"])
    assert response.json() == done.userinfo
    assert response.headers["cache-control"] == "no-store"


async def test_oidcc_userinfo_post_header(rp: Client) -> None:
    done = await complete(rp, scope="openid profile")
    response = await rp.userinfo(done.tokens["access_token"], method="POST")
    assert (response.status_code, response.json()) == (200, done.userinfo)


async def test_oidcc_userinfo_post_body(provider: Provider, rp: Client) -> None:
    done = await complete(rp, scope="openid profile")
    async with provider.back_channel() as http:
        response = await http.post("/userinfo", data={"access_token": done.tokens["access_token"]})
    assert (response.status_code, response.json()) == (200, done.userinfo)


async def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(rp: Client) -> None:
    assert "nonce" not in (await complete(rp, nonce=None)).claims


async def test_oidcc_scope_profile(rp: Client) -> None:
    done = await complete(rp, scope="openid profile")
    assert done.userinfo == {
        "sub": done.claims["sub"],
        "name": "CHAN, Ka Yan",
        "name#zh-Hant": "陳嘉欣",
        "given_name": "Ka Yan",
        "family_name": "CHAN",
        "birthdate": "1990-01-15",
        "gender": "female",
    }
    assert not done.userinfo.keys() - {"sub"} & done.claims.keys(), (
        "with a code, profile claims are userinfo's (Core cl. 5.4)"
    )


async def ignored_scope(rp: Client, scope: str) -> Done:
    """A scope that we do not have is left out, and the response says what was granted (RFC 6749 cl. 3.3)."""
    done = await complete(rp, scope=f"openid {scope}")
    assert done.tokens["scope"] == "openid"
    assert set(done.userinfo) == {"sub"}
    return done


async def test_oidcc_scope_email(rp: Client) -> None:
    await ignored_scope(rp, "email")


async def test_oidcc_scope_address(rp: Client) -> None:
    await ignored_scope(rp, "address")


async def test_oidcc_scope_phone(rp: Client) -> None:
    await ignored_scope(rp, "phone")


async def test_oidcc_scope_all(rp: Client) -> None:
    done = await complete(rp, scope="openid profile email address phone")
    assert done.tokens["scope"] == "openid profile"
    assert done.userinfo["name"] == "CHAN, Ka Yan"
    assert not NOT_OURS & done.userinfo.keys()


async def test_oidcc_prompt_login(provider: Provider, rp: Client) -> None:
    browser = provider.browser()
    first = await complete(rp, browser)
    provider.later(seconds=1)
    second = await complete(rp, browser, prompt="login")
    assert provider.peer.logins == 2
    assert second.claims["auth_time"] > first.claims["auth_time"]
    assert second.claims["sub"] == first.claims["sub"]


async def test_oidcc_prompt_none_not_logged_in(provider: Provider, rp: Client) -> None:
    redirected_error(await provider.browser().get(rp.url(prompt="none")), "login_required")
    assert provider.peer.logins == 0


async def test_oidcc_prompt_none_logged_in(provider: Provider, rp: Client) -> None:
    browser = provider.browser()
    first = await complete(rp, browser)
    provider.later(seconds=30)
    response = await browser.get(rp.url(prompt="none", state="second", nonce="second"))
    second = await finish(rp, answer(response), state="second", nonce="second")
    same_sign_in(first, second)
    assert second.claims["iat"] == first.claims["iat"] + 30


def same_sign_in(first: Done, second: Done) -> None:
    for name in ("sub", "auth_time", "sid", "acr"):
        assert first.claims[name] == second.claims[name], name
    assert first.tokens["access_token"] != second.tokens["access_token"]


async def test_oidcc_max_age_1(provider: Provider, rp: Client) -> None:
    browser = provider.browser()
    first = await complete(rp, browser)
    provider.later(seconds=1, milliseconds=1)
    second = await complete(rp, browser, max_age="1")
    assert provider.peer.logins == 2
    assert second.claims["auth_time"] > first.claims["auth_time"]
    assert second.claims["sub"] == first.claims["sub"]


async def test_oidcc_max_age_10000(provider: Provider, rp: Client) -> None:
    browser = provider.browser()
    first = await complete(rp, browser, max_age="15000")
    provider.later(seconds=60)
    second = await complete(rp, browser, max_age="10000")
    assert provider.peer.logins == 1
    same_sign_in(first, second)
    provider.later(seconds=9941)
    assert (await complete(rp, browser, max_age="10000")).claims["auth_time"] > first.claims["auth_time"]


async def test_oidcc_id_token_hint(provider: Provider, rp: Client) -> None:
    browser = provider.browser()
    first = await complete(rp, browser)
    provider.later(hours=1)  # the hint may have expired by itself
    response = await browser.get(rp.url(prompt="none", id_token_hint=first.tokens["id_token"]))
    same_sign_in(first, await finish(rp, answer(response)))
    stranger = provider.browser()
    redirected_error(
        await stranger.get(rp.url(prompt="none", id_token_hint=first.tokens["id_token"])), "login_required"
    )


async def test_oidcc_ensure_request_with_acr_values_succeeds(provider: Provider, rp: Client) -> None:
    async with provider.back_channel() as http:
        offered = (await http.get("/.well-known/openid-configuration")).json()["acr_values_supported"]
    done = await complete(rp, acr_values=" ".join(offered))
    assert done.claims["acr"] in offered
    level = "urn:gba-trust:acr:substantial"
    assert (await complete(rp, acr_values=f"1 2 {level}")).claims["acr"] == level


async def test_oidcc_codereuse(rp: Client) -> None:
    done = await complete(rp)
    refused(await rp.redeem(done.parameters["code"]), "invalid_grant")
    assert (await rp.userinfo(done.tokens["access_token"])).status_code == 401  # RFC 6749 cl. 4.1.2


async def test_oidcc_codereuse_30seconds(provider: Provider, rp: Client) -> None:
    done = await complete(rp)
    provider.later(seconds=30)
    assert (await rp.userinfo(done.tokens["access_token"])).status_code == 200
    refused(await rp.redeem(done.parameters["code"]), "invalid_grant")
    response = await rp.userinfo(done.tokens["access_token"])
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]


async def test_oidcc_server_client_secret_post(provider: Provider) -> None:
    poster = await provider.register(basic_client("suite-post", "client_secret_post"))
    await complete(poster)
    code = (await poster.login(provider.browser()))["code"]
    refused(await poster.redeem(code, client_secret="guess"), "invalid_client", 401)


async def test_oidcc_claims_essential(rp: Client) -> None:
    done = await complete(rp, claims='{"userinfo":{"name":{"essential":true}}}')
    assert done.userinfo["name"] == "CHAN, Ka Yan"
    assert "birthdate" not in done.userinfo
    assert "name" not in done.claims
    inside = await complete(rp, claims='{"id_token":{"name":{"essential":true}}}')
    assert inside.claims["name"] == "CHAN, Ka Yan"
    assert "name" not in inside.userinfo


async def test_oidcc_refresh_token(provider: Provider, rp: Client) -> None:
    """Works, is bound to its client, and repeats who signed in and when (Core cl. 12.2)."""
    other = await provider.register(basic_client("suite-2"))
    done = await complete(rp, scope="openid offline_access")
    assert done.tokens["scope"] == "openid offline_access"
    refused(await other.refresh(done.tokens["refresh_token"]), "invalid_grant")
    provider.later(minutes=5)
    response = await rp.refresh(done.tokens["refresh_token"])
    assert response.status_code == 200, response.text
    tokens = response.json()
    claims = await id_token_claims(rp, tokens, nonce=None, algorithm="RS256")
    for name in ("iss", "sub", "aud", "auth_time", "acr", "sid"):
        assert claims[name] == done.claims[name]
    assert claims["iat"] == done.claims["iat"] + 300
    assert tokens["refresh_token"] != done.tokens["refresh_token"]
    assert (await rp.userinfo(tokens["access_token"])).json()["sub"] == claims["sub"]


async def test_oidcc_ensure_request_with_valid_pkce_succeeds(provider: Provider, rp: Client) -> None:
    """It does; and a request without is refused, for PKCE is not optional here (RFC 9700 cl. 2.1.1)."""
    await complete(rp)
    refusal = await provider.browser().get(rp.url(code_challenge=None, code_challenge_method=None))
    assert redirected_error(refusal, "invalid_request")["iss"] == ISSUER

"""Access tokens in both forms, and what introspection (RFC 7662, 9701) and revocation (RFC 7009) say of them."""

import pytest

from tests.idp.conformance.flow import refused
from tests.support.fapi_client import VARIANTS, FapiClient, mutual_tls
from tests.support.idp import ISSUER, Client, Provider, provider_in
from tests.support.signing_api import signing_api
from tests.support.verified_tokens import header_of, verified_claims_of

SIGNED = "application/token-introspection+jwt"


@pytest.fixture(params=["jwt", "opaque"])
async def rp(request: pytest.FixtureRequest, provider: Provider) -> Client:
    extra = {"gba_access_token_format": request.param, "grant_types": ["authorization_code", "refresh_token"]}
    return await provider.register(Client("bank", extra=extra))


async def token_of(rp: Client, **changes: str) -> str:
    code = (await rp.login(rp.provider.browser(), **{"scope": "openid profile signing", **changes}))["code"]
    return (await rp.redeem(code)).json()["access_token"]


async def introspected(who: Client, token: str) -> dict:
    response = await who.post("/introspect", {"token": token})
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    return response.json()


def forget_what_was_minted(provider: Provider) -> None:
    """Another process, or this one after a restart, has to verify what it did not mint itself."""
    del provider.deps.__dict__["access_tokens"]


async def test_opaque_says_nothing_to_anybody_but_us(provider: Provider) -> None:
    rp = await provider.register(Client("opaque-bank", extra={"gba_access_token_format": "opaque"}))
    token = await token_of(rp)
    assert token.startswith("at.")
    assert token.count(".") == 1, "no JWT"
    for word in ("opaque-bank", "signing", "eyJ"):
        assert word not in token
    assert token != await token_of(rp)


async def test_both_forms_work_at_both_resources(provider: Provider, rp: Client, tmp_path) -> None:
    token = await token_of(rp)
    async with signing_api(provider, tmp_path) as api:
        for _ in range(2):
            assert (await rp.userinfo(token)).json()["name"] == "CHAN, Ka Yan"
            assert (await api.post(rp, token)).status_code == 201
            forget_what_was_minted(provider)


async def test_both_forms_end_on_the_boundary(provider: Provider, rp: Client) -> None:
    token = await token_of(rp)
    provider.later(minutes=14, seconds=59)
    assert (await rp.userinfo(token)).status_code == 200
    provider.later(seconds=1)
    response = await rp.userinfo(token)
    assert (response.status_code, "expired" in response.headers["www-authenticate"]) == (401, True)


async def test_an_altered_token_is_none(provider: Provider, rp: Client) -> None:
    token = await token_of(rp)
    forget_what_was_minted(provider)
    middle = len(token) // 2
    for bad in (
        token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :],
        token[:-8], token + "AAAA", token.upper(), f"at.{token}", token.removeprefix("at."), "at.", "at.AAAA",
    ):  # fmt: skip
        if bad != token:
            assert (await rp.userinfo(bad)).status_code == 401, bad
            assert await introspected(rp, bad) == {"active": False}


async def test_introspection_tells_its_client_everything_and_others_nothing(provider: Provider, rp: Client) -> None:
    other = await provider.register(Client("other"))
    token = await token_of(rp)
    forget_what_was_minted(provider)
    told = await introspected(rp, token)
    now = int(provider.now.timestamp())
    jti, subject = told.pop("jti"), told.pop("sub")
    assert told == {
        "active": True, "iss": ISSUER, "aud": ISSUER, "client_id": "bank", "scope": "openid profile signing", "iat": now,
        "exp": now + 900, "auth_time": now, "acr": "urn:gba-trust:acr:substantial", "token_type": "Bearer",
    }  # fmt: skip
    assert jti
    assert subject == (await rp.userinfo(token)).json()["sub"]
    assert await introspected(other, token) == {"active": False}


async def test_introspection_needs_a_client_and_a_token(rp: Client) -> None:
    token = await token_of(rp)
    refused(await rp.post("/introspect", {}), "invalid_request")
    refused(
        await rp.post("/introspect", {"token": token, "client_id": rp.client_id}, sign=False), "invalid_client", 401
    )
    refused(await rp.post("/introspect", {"token": token}, sign=False), "invalid_client", 401)
    assertion = rp.assertion()
    assert (await rp.post("/introspect", {"token": token, "client_assertion": assertion})).status_code == 200
    replayed = await rp.post("/introspect", {"token": token, "client_assertion": assertion})
    refused(replayed, "invalid_client", 401)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256", "EdDSA"])
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated:joserfc.errors.SecurityWarning")
async def test_signed_introspection(provider: Provider, algorithm: str) -> None:
    """RFC 9701 cl. 4, 5."""
    rp = await provider.register(Client("auditor", extra={"introspection_signed_response_alg": algorithm}))
    token = await token_of(rp)
    for presented in (token, "garbage"):
        response = await rp.post("/introspect", {"token": presented}, headers={"Accept": SIGNED})
        assert (response.status_code, response.headers["content-type"]) == (200, SIGNED)
        typ = "token-introspection+jwt"
        claims = await verified_claims_of(rp, response.text, algorithm=algorithm, typ=typ)
        assert set(claims) == {"iss", "aud", "iat", "token_introspection"}, "neither sub nor exp: it is no access token"
        assert (claims["iss"], claims["aud"]) == (ISSUER, "auditor")
        assert claims["token_introspection"] == await introspected(rp, presented)
    assert (await rp.userinfo(response.text)).status_code == 401


async def test_revocation_by_others_changes_nothing_and_says_nothing(provider: Provider, rp: Client) -> None:
    other = await provider.register(Client("other"))
    token = await token_of(rp)
    for who, what in ((other, token), (rp, "garbage"), (other, "garbage")):
        response = await who.post("/revoke", {"token": what})
        assert (response.status_code, response.content) == (200, b"")
    assert (await rp.userinfo(token)).status_code == 200
    refused(await rp.post("/revoke", {}), "invalid_request")
    assert (await rp.post("/revoke", {"token": token})).status_code == 200
    assert (await rp.userinfo(token)).status_code == 401
    assert provider.trail.last("grant.revoked").detail["client"] == "bank"


@pytest.mark.parametrize("variant", ["private_key_jwt+dpop", "mtls+mtls"])
@pytest.mark.parametrize("form", ["jwt", "opaque"])
async def test_binding_is_introspected_and_held_in_both_forms(tmp_path, variant: str, form: str) -> None:
    async with provider_in(tmp_path, **mutual_tls()) as provider:
        rp = FapiClient(variant=VARIANTS[variant], extra={"gba_access_token_format": form})
        await provider.register(rp)
        token = await token_of(rp)
        forget_what_was_minted(provider)
        response = await rp.post("/introspect", {"token": token})
        kind, member = ("DPoP", "jkt") if rp.variant.bound == "dpop" else ("Bearer", "x5t#S256")
        assert (response.json()["token_type"], set(response.json()["cnf"])) == (kind, {member})
        assert (await rp.userinfo(token)).status_code == 200
        async with provider.back_channel() as http:
            for scheme in ("Bearer", "DPoP"):
                assert (await http.get("/userinfo", headers={"Authorization": f"{scheme} {token}"})).status_code == 401


async def test_a_jwt_is_typed_and_named_so_that_it_is_nothing_else(provider: Provider) -> None:
    rp = await provider.register(Client())
    token = await token_of(rp)
    assert header_of(token)["typ"] == "at+jwt"
    hint = await provider.browser().get(rp.url(id_token_hint=token))
    from tests.idp.conformance.flow import redirected_error

    redirected_error(hint, "invalid_request")

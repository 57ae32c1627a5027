"""FAPI 2.0 Security Profile (`fapi2-security-profile-final-test-plan`): the token endpoint."""

from joserfc.jwk import RSAKey

from tests.idp.conformance.fapi_flow import bound, complete, not_pushed
from tests.idp.conformance.flow import refused
from tests.support.client_certificates import client_cert
from tests.support.fapi_client import FapiClient, authority
from tests.support.idp import Provider
from tests.support.verified_tokens import id_token_claims


async def code_of(rp: FapiClient) -> str:
    return (await rp.login(rp.provider.browser()))["code"]


async def other_client(rp: FapiClient) -> FapiClient:
    other = FapiClient("other-bank", variant=rp.variant, verifier=rp.verifier, dpop=rp.dpop)
    return await rp.provider.register(other)


async def still_good(rp: FapiClient, code: str) -> None:
    """The refusals before did not cost the code."""
    response = await rp.redeem(code)
    assert response.status_code == 200, response.text


async def test_fapi2_security_profile_final_ensure_client_id_in_token_endpoint(rp: FapiClient) -> None:
    other, code = await other_client(rp), await code_of(rp)
    refused(await rp.redeem(code, client_id=other.client_id), "invalid_client", 401)
    await still_good(rp, code)


async def test_fapi2_security_profile_final_ensure_holder_of_key_required(provider: Provider, rp: FapiClient) -> None:
    """TLS itself is the proxy's (docs/operations); without key or certificate there is no token, and no use of one."""
    code = await code_of(rp)
    bare = await rp.redeem(code, headers={})
    if rp.auth == "tls_client_auth":
        refused(bare, "invalid_client", 401)
        only_certificate = {"Client-Cert": client_cert(rp.certificate)}
        if rp.variant.bound == "dpop":
            refused(await rp.redeem(code, headers=only_certificate), "invalid_dpop_proof")
    else:
        refused(bare, "invalid_dpop_proof")
    response = await rp.redeem(code)
    assert response.status_code == 200, response.text
    tokens = response.json()
    await bound(rp, tokens)
    token = tokens["access_token"]
    stranger = client_cert(authority().issue("CN=stranger"))
    async with provider.back_channel() as http:
        for headers in ({}, {"Client-Cert": stranger}):
            for scheme in ("Bearer", "DPoP"):
                refusal = await http.get("/userinfo", headers={"Authorization": f"{scheme} {token}", **headers})
                assert refusal.status_code == 401
                assert "sub" not in refusal.json()


async def test_fapi2_security_profile_final_ensure_authorization_code_is_bound_to_client(rp: FapiClient) -> None:
    other, code = await other_client(rp), await code_of(rp)
    refused(await other.redeem(code), "invalid_grant")
    await still_good(rp, code)


async def test_fapi2_security_profile_final_attempt_reuse_authorization_code_after_one_second(
    provider: Provider, rp: FapiClient
) -> None:
    done = await complete(rp)
    provider.later(seconds=1)
    refused(await rp.redeem(done.parameters["code"]), "invalid_grant")
    response = await rp.userinfo(done.tokens["access_token"])
    assert response.status_code == 401, "what the code gave is revoked"
    assert 'error="invalid_token"' in response.headers["www-authenticate"]
    refused(await rp.refresh(done.tokens["refresh_token"]), "invalid_grant")


async def test_fapi2_security_profile_final_ensure_token_endpoint_fails_with_expired_auth_code(
    provider: Provider, rp: FapiClient
) -> None:
    code, late = await code_of(rp), await code_of(rp)
    provider.later(seconds=59)
    await still_good(rp, code)
    provider.later(seconds=1)
    refused(await rp.redeem(late), "invalid_grant")


async def test_fapi2_security_profile_final_ensure_signed_client_assertion_with_RS256_fails(
    provider: Provider,
) -> None:
    key = RSAKey.generate_key(2048, {"kid": "rp-1", "use": "sig"})
    rp = await provider.register(FapiClient("rsa-bank", key=key, algorithm="PS256"))
    code, assertion = await code_of(rp), rp.assertion(header={"alg": "RS256"})
    refused(await rp.redeem(code, client_assertion=assertion), "invalid_client", 401)
    not_pushed(await rp.push(form={"client_assertion": assertion}), "invalid_client", 401)
    await still_good(rp, code)


async def test_fapi2_security_profile_final_ensure_client_assertion_in_token_endpoint(asserting: FapiClient) -> None:
    code = await code_of(asserting)
    without = {"client_assertion": None, "client_assertion_type": None}
    refused(await asserting.redeem(code, **without), "invalid_client", 401)
    refused(await asserting.redeem(code, client_id=asserting.client_id, **without), "invalid_client", 401)
    await still_good(asserting, code)


async def bad_assertion(asserting: FapiClient, **claims: object) -> None:
    code = await code_of(asserting)
    refused(await asserting.redeem(code, client_assertion=asserting.assertion(**claims)), "invalid_client", 401)
    not_pushed(await asserting.push(form={"client_assertion": asserting.assertion(**claims)}), "invalid_client", 401)
    await still_good(asserting, code)


async def test_fapi2_security_profile_final_ensure_client_assertion_with_exp_is_5_minutes_in_past_fails(
    provider: Provider, asserting: FapiClient
) -> None:
    past = int(provider.now.timestamp()) - 300
    await bad_assertion(asserting, exp=past, iat=past - 60)


async def test_fapi2_security_profile_final_ensure_client_assertion_with_wrong_aud_fails(
    asserting: FapiClient,
) -> None:
    await bad_assertion(asserting, aud="https://elsewhere.test")


async def test_fapi2_security_profile_final_ensure_client_assertion_with_no_sub_fails(asserting: FapiClient) -> None:
    await bad_assertion(asserting, sub=None)


async def test_fapi2_security_profile_final_refresh_token(provider: Provider, rp: FapiClient) -> None:
    """Bound to its client, useless without client authentication, and not rotated (cl. 5.3.2.1 (11))."""
    other = await other_client(rp)
    done = await complete(rp)
    refresh_token = done.tokens["refresh_token"]
    refused(await other.refresh(refresh_token), "invalid_grant")
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": rp.client_id}
    # a certificate is client authentication by itself: with mTLS there is nothing to leave out but the certificate
    headers = {name: value for name, value in rp.headers("/token").items() if name != "Client-Cert"}
    refused(await rp.post("/token", form, headers=headers, sign=False), "invalid_client", 401)
    provider.later(minutes=10)
    for _ in range(2):
        response = await rp.refresh(refresh_token)
        assert response.status_code == 200, response.text
        tokens = response.json()
        assert tokens["refresh_token"] == refresh_token
        await bound(rp, tokens)
        claims = await id_token_claims(rp, tokens, nonce=None)
        assert {claims[n] == done.claims[n] for n in ("sub", "auth_time", "acr", "sid", "aud")} == {True}
        assert (await rp.userinfo(tokens["access_token"])).status_code == 200
    if rp.variant.bound == "dpop":
        keyless = {name: value for name, value in rp.headers("/token").items() if name != "DPoP"}
        refused(await rp.refresh(refresh_token, headers=keyless), "invalid_dpop_proof")

"""FAPI 2.0 Security Profile (`fapi2-security-profile-final-test-plan`): proofs of possession, at `/par`, `/token` and the resource."""

from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from tests.idp.conformance.fapi_flow import complete, finish, not_pushed
from tests.idp.conformance.flow import refused
from tests.support.client_certificates import client_cert
from tests.support.dpop import DpopKey, segment
from tests.support.fapi_client import FapiClient
from tests.support.idp import ISSUER, Provider


def proving_headers(rp: FapiClient, path: str, **claims: Any) -> dict[str, str]:
    """The headers of a door, the certificate where this client has one, and a proof that the test shapes."""
    headers = {"Client-Cert": client_cert(rp.certificate)} if rp.variant.by_certificate else {}
    return {**headers, "DPoP": rp.proof(path, **claims)}


async def proofs_at(rp: FapiClient, seconds: int) -> None:
    """The same age of proof is taken at all three doors."""

    def iat() -> int:
        return int(rp.provider.now.timestamp()) + seconds

    response = await rp.push(headers=proving_headers(rp, "/par", iat=iat()))
    assert response.status_code == 201, response.text
    said = await rp.walk(rp.provider.browser(), rp.front_url(response.json()["request_uri"]))
    tokens = await rp.redeem(said["code"], headers=proving_headers(rp, "/token", iat=iat()))
    assert tokens.status_code == 200, tokens.text
    token = tokens.json()["access_token"]
    proof = rp.proof("/userinfo", method="GET", access_token=token, iat=iat())
    assert (await rp.userinfo(token, headers={"DPoP": proof})).status_code == 200


async def test_fapi2_security_profile_final_ensure_dpopproof_with_iat_10seconds_before_succeeds(
    proving: FapiClient,
) -> None:
    await proofs_at(proving, -10)


async def test_fapi2_security_profile_final_ensure_dpopproof_with_iat_10seconds_after_succeeds(
    proving: FapiClient,
) -> None:
    await proofs_at(proving, 10)


async def test_fapi2_security_profile_final_ensure_mismatched_dpop_jkt_fails(proving: FapiClient) -> None:
    response = await proving.push(headers=proving_headers(proving, "/par"), dpop_jkt=DpopKey().jkt)
    not_pushed(response, "invalid_dpop_proof")


async def other_key_fails(proving: FapiClient, code: str) -> None:
    """The code is bound to another key than the one that comes."""
    bound, proving.dpop = proving.dpop, DpopKey()
    refused(await proving.redeem(code), "invalid_grant")
    proving.dpop = bound
    refused(await proving.redeem(code), "invalid_grant")  # the thief's try costs the code


async def test_fapi2_security_profile_final_ensure_token_endpoint_fails_with_mismatched_dpop_proof_jkt(
    provider: Provider, proving: FapiClient
) -> None:
    response = await proving.push(headers=proving_headers(proving, "/par"))
    said = await proving.walk(provider.browser(), proving.front_url(response.json()["request_uri"]))
    await other_key_fails(proving, said["code"])


async def test_fapi2_security_profile_final_ensure_token_endpoint_fails_with_mismatched_dpop_jkt(
    provider: Provider, proving: FapiClient
) -> None:
    said = await proving.login(provider.browser(), dpop_jkt=proving.dpop.jkt)
    await other_key_fails(proving, said["code"])


async def test_fapi2_security_profile_final_ensure_dpopproof_at_par_endpoint_binding_success(
    provider: Provider, proving: FapiClient
) -> None:
    response = await proving.push(headers=proving_headers(proving, "/par"))
    await finish(proving, await proving.walk(provider.browser(), proving.front_url(response.json()["request_uri"])))


async def test_fapi2_security_profile_final_ensure_dpop_auth_code_binding_success(
    provider: Provider, proving: FapiClient
) -> None:
    jkt = proving.dpop.jkt
    response = await proving.push(headers=proving_headers(proving, "/par"), dpop_jkt=jkt)
    url = proving.front_url(response.json()["request_uri"])
    await finish(proving, await proving.walk(provider.browser(), url))
    await complete(proving, dpop_jkt=jkt)


# --- the negative set ------------------------------------------------------------------------------------------------

PRIVATE = ECKey.generate_key("P-256")
BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "no jti": {"jti": None}, "empty jti": {"jti": ""}, "endless jti": {"jti": "j" * 129}, "jti a number": {"jti": 7},
    "no htm": {"htm": None}, "htm of another method": {"htm": "PUT"}, "htm in lower case": {"htm": "get"},
    "no htu": {"htu": None}, "htu of another door": {"htu": f"{ISSUER}/token"}, "htu of another host": {"htu": "https://evil.test/userinfo"},
    "htu without scheme": {"htu": "login.test/userinfo"}, "htu with a user": {"htu": "https://login.test@evil.test/userinfo"},
    "no iat": {"iat": None}, "iat a text": {"iat": "now"}, "old iat": {"iat": 61}, "future iat": {"iat": -16},
    "no ath": {"ath": None}, "ath of another token": {"ath": segment(b"x" * 32)},
}  # fmt: skip
BAD_HEADERS: dict[str, dict[str, Any]] = {
    "no typ": {"typ": None}, "typ of a plain JWT": {"typ": "JWT"}, "no jwk": {"jwk": None},
    "alg none": {"alg": "none"}, "alg HS256": {"alg": "HS256"}, "alg RS256": {"alg": "RS256"},
    "another public key": {"jwk": PRIVATE.as_dict(private=False)}, "a private key": {"jwk": PRIVATE.as_dict(private=True)},
    "a symmetric key": {"jwk": OctKey.generate_key(256).as_dict(private=True)},
    "a key by reference": {"jku": "https://evil.test/jwks"}, "a critical extension": {"crit": ["exp"]},
}  # fmt: skip


async def at_resource(rp: FapiClient, token: str, *proofs: str) -> httpx.Response:
    headers = [("Authorization", f"DPoP {token}"), *(("DPoP", proof) for proof in proofs)]
    async with rp.provider.back_channel() as http:
        return await http.get("/userinfo", headers=headers)


def proof_refused(response: httpx.Response, code: str = "invalid_dpop_proof") -> None:
    """RFC 9449 cl. 7.1: 401 with a DPoP challenge that names the error and the algorithms."""
    assert response.status_code == 401, response.text
    challenge = response.headers["www-authenticate"]
    assert challenge.startswith('DPoP algs="ES256 ')
    assert f'error="{code}"' in challenge
    assert "sub" not in response.json()


async def test_fapi2_security_profile_final_dpop_negative_tests(proving: FapiClient) -> None:
    done = await complete(proving)
    token, now = done.tokens["access_token"], int(proving.provider.now.timestamp())

    def proof(key: DpopKey = proving.dpop, **changes: Any) -> str:
        return key.proof("GET", f"{ISSUER}/userinfo", at=proving.provider.now, access_token=token, **changes)

    assert (await at_resource(proving, token, proof())).status_code == 200
    for claims in BAD_CLAIMS.values():
        shaped = {"iat": now - claims["iat"]} if isinstance(claims.get("iat"), int) else claims
        proof_refused(await at_resource(proving, token, proof(**shaped)))
    for header in BAD_HEADERS.values():
        proof_refused(await at_resource(proving, token, proof(header=header)))
    # none, two, garbage, an altered one, one twice
    good = proof()
    for proofs in ((), (proof(), proof()), ("garbage",), ("",), (good[:-4] + "AAAA",)):
        proof_refused(await at_resource(proving, token, *proofs))
    assert (await at_resource(proving, token, good)).status_code == 200
    proof_refused(await at_resource(proving, token, good))
    # a good proof by another key is no proof of this token
    proof_refused(await at_resource(proving, token, proof(DpopKey())), "invalid_token")
    # and no downgrade: the token as Bearer, with the proof or without it
    async with proving.provider.back_channel() as http:
        for extra in ({}, {"DPoP": proof()}):
            response = await http.get("/userinfo", headers={"Authorization": f"Bearer {token}", **extra})
            assert response.status_code == 401
            assert 'error="invalid_token"' in response.headers["www-authenticate"]


@pytest.mark.parametrize("path", ["/par", "/token"])
async def test_the_same_bad_proofs_are_refused_where_tokens_come_from(proving: FapiClient, path: str) -> None:
    code = (await proving.login(proving.provider.browser()))["code"]
    now = int(proving.provider.now.timestamp())
    bad = [{"iat": now - 61}, {"iat": now + 16}, {"htm": "GET"}, {"htu": f"{ISSUER}/userinfo"}, {"jti": None}]
    shaped = [*bad, *({"header": header} for header in BAD_HEADERS.values())]

    async def call(headers: dict[str, str]) -> httpx.Response:
        return await (proving.push(headers=headers) if path == "/par" else proving.redeem(code, headers=headers))

    for claims in shaped:
        refused(await call(proving_headers(proving, path, **claims)), "invalid_dpop_proof")
    good = proving_headers(proving, path)
    assert (await call(good)).status_code in {200, 201}
    refused(await call(good), "invalid_dpop_proof")  # the same once more: a replay


@pytest.mark.parametrize(
    ("algorithm", "key"), [("PS256", lambda: RSAKey.generate_key(2048)), ("ES256", lambda: ECKey.generate_key("P-256"))]
)
async def test_every_offered_algorithm_of_proofs_is_taken(provider: Provider, algorithm: str, key: Any) -> None:
    rp = await provider.register(FapiClient(dpop=DpopKey(key(), algorithm)))
    await complete(rp)

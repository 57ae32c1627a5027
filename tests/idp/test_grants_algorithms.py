"""ID tokens and userinfo in every registered algorithm, signed and encrypted, opened and verified by other libraries."""

import json
from typing import Any

import jose.jwe
import pytest
from joserfc import jwe
from joserfc.jwk import ECKey, OKPKey, RSAKey

from tests.idp.conformance.flow import basic_client
from tests.support.idp import ISSUER, Client, Provider
from tests.support.verified_tokens import header_of, id_token_claims, verified_claims_of

SIGNATURES = ["ES256", "RS256", "PS256", "EdDSA"]
ENC_EC = ECKey.generate_key("P-256", {"kid": "rp-enc-ec", "use": "enc"})
ENC_OKP = OKPKey.generate_key("X25519", {"kid": "rp-enc-okp", "use": "enc"})
ENC_RSA = RSAKey.generate_key(2048, {"kid": "rp-enc-rsa", "use": "enc"})
ENCRYPTIONS = [
    pytest.param(key, alg, enc, id=f"{alg}-{enc}-{key.kid}")
    for key, alg, enc in [
        (ENC_EC, "ECDH-ES", "A128CBC-HS256"),
        (ENC_EC, "ECDH-ES", "A256GCM"),
        (ENC_OKP, "ECDH-ES", "A128GCM"),
        (ENC_EC, "ECDH-ES+A128KW", "A128GCM"),
        (ENC_OKP, "ECDH-ES+A256KW", "A256GCM"),
        (ENC_RSA, "RSA-OAEP-256", "A128CBC-HS256"),
        (ENC_RSA, "RSA-OAEP-256", "A256GCM"),
    ]
]
pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated:joserfc.errors.SecurityWarning")


async def registered(provider: Provider, key: Any = None, **members: Any) -> Client:
    jwks = {"jwks": {"keys": [key.as_dict(private=False)]}} if key is not None else {}
    return await provider.register(
        basic_client("reader", **{"id_token_signed_response_alg": "ES256", **jwks, **members})
    )


async def tokens_of(rp: Client) -> dict[str, Any]:
    response = await rp.redeem((await rp.login(rp.provider.browser(), scope="openid profile"))["code"])
    assert response.status_code == 200, response.text
    return response.json()


def opened(token: str, key: Any, alg: str, enc: str) -> str:
    """Open with joserfc and, where it can, with python-jose; both must read the same."""
    assert token.count(".") == 4
    header = header_of(token)
    assert (header["alg"], header["enc"], header["kid"]) == (alg, enc, key.kid)
    plaintext = jwe.decrypt_compact(token, key, algorithms=[alg, enc]).plaintext
    if key is ENC_RSA:
        assert jose.jwe.decrypt(token, key.as_pem(private=True).decode()) == plaintext
    return plaintext.decode()


@pytest.mark.parametrize("algorithm", SIGNATURES)
async def test_id_token_in_the_registered_algorithm(provider: Provider, algorithm: str) -> None:
    rp = await registered(provider, id_token_signed_response_alg=algorithm)
    tokens = await tokens_of(rp)
    await id_token_claims(rp, tokens, algorithm=algorithm)
    hint = await provider.browser().get(rp.url(prompt="none", id_token_hint=tokens["id_token"]))
    assert "error=login_required" in hint.headers["location"], "taken back as a hint, whatever its algorithm"


@pytest.mark.parametrize("algorithm", SIGNATURES)
async def test_userinfo_in_the_registered_algorithm(provider: Provider, algorithm: str) -> None:
    rp = await registered(provider, userinfo_signed_response_alg=algorithm)
    tokens = await tokens_of(rp)
    response = await rp.userinfo(tokens["access_token"])
    assert (response.status_code, response.headers["content-type"]) == (200, "application/jwt")
    assert response.headers["cache-control"] == "no-store"
    claims = await verified_claims_of(rp, response.text, algorithm=algorithm, typ="userinfo+jwt")
    assert (claims["iss"], claims["aud"], claims["name"]) == (ISSUER, rp.client_id, "CHAN, Ka Yan")
    assert claims["sub"] == (await id_token_claims(rp, tokens))["sub"]
    assert "exp" not in claims
    assert (await rp.userinfo(response.text)).status_code == 401, "it is no access token"


@pytest.mark.parametrize(("key", "alg", "enc"), ENCRYPTIONS)
async def test_id_token_signed_then_encrypted(provider: Provider, key: Any, alg: str, enc: str) -> None:
    rp = await registered(provider, key, id_token_encrypted_response_alg=alg, id_token_encrypted_response_enc=enc)
    tokens = await tokens_of(rp)
    assert header_of(tokens["id_token"])["cty"] == "JWT"
    inner = opened(tokens["id_token"], key, alg, enc)
    await id_token_claims(rp, {**tokens, "id_token": inner})
    hint = await provider.browser().get(rp.url(prompt="none", id_token_hint=inner))
    assert "error=login_required" in hint.headers["location"], "the decrypted one is the hint (Core cl. 3.1.2.1)"


@pytest.mark.parametrize(("key", "alg", "enc"), ENCRYPTIONS)
async def test_userinfo_encrypted_alone_and_signed(provider: Provider, key: Any, alg: str, enc: str) -> None:
    members = {"userinfo_encrypted_response_alg": alg, "userinfo_encrypted_response_enc": enc}
    rp = await registered(provider, key, **members)
    response = await rp.userinfo((await tokens_of(rp))["access_token"])
    assert response.headers["content-type"] == "application/jwt"
    assert "cty" not in header_of(response.text)
    assert json.loads(opened(response.text, key, alg, enc))["name"] == "CHAN, Ka Yan"
    rp = await registered(provider, key, **members, userinfo_signed_response_alg="PS256")
    response = await rp.userinfo((await tokens_of(rp))["access_token"])
    assert header_of(response.text)["cty"] == "JWT"
    inner = opened(response.text, key, alg, enc)
    claims = await verified_claims_of(rp, inner, algorithm="PS256", typ="userinfo+jwt")
    assert claims["name"] == "CHAN, Ka Yan"


async def test_nobody_else_opens_it(provider: Provider) -> None:
    rp = await registered(provider, ENC_EC, id_token_encrypted_response_alg="ECDH-ES")
    token = (await tokens_of(rp))["id_token"]
    from joserfc.errors import JoseError

    for stranger in (ECKey.generate_key("P-256"), provider.keys.current()):
        with pytest.raises((JoseError, ValueError)):
            jwe.decrypt_compact(token, stranger, algorithms=["ECDH-ES", "A128CBC-HS256"])

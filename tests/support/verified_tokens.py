"""What a careful relying party checks of tokens, with libraries that are not the provider's own: nothing is taken on trust."""

import base64
import hashlib
import json
from typing import Any

import jose.jwt
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.support.idp_client import Client

HASHES = {"EdDSA": hashlib.sha512}
UNTIMED = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "require_at_hash": True}


def header_of(token: str) -> dict[str, Any]:
    return json.loads(base64.urlsafe_b64decode(token.split(".", maxsplit=1)[0] + "=="))


async def published_keys(provider: Any) -> dict[str, Any]:
    """Fetch the keys as anybody does."""
    async with provider.back_channel() as http:
        response = await http.get("/jwks")
    assert response.status_code == 200
    assert all("d" not in key and key["use"] == "sig" for key in response.json()["keys"])
    return response.json()


async def verified_claims_of(client: Client, token: str, *, algorithm: str, typ: str = "JWT") -> dict[str, Any]:
    """Verify a signature under the one published key that the header names, with the pinned algorithm."""
    header = header_of(token)
    assert (header["alg"], header["typ"]) == (algorithm, typ)
    keys = [key for key in (await published_keys(client.provider))["keys"] if key["kid"] == header["kid"]]
    assert len(keys) == 1, "kid names exactly one key"
    assert keys[0]["alg"] == algorithm
    return jwt.decode(token, KeySet.import_key_set({"keys": keys}), algorithms=[algorithm]).claims


async def id_token_claims(
    client: Client, tokens: dict[str, Any], *, nonce: str | None = "nonce-1", algorithm: str = "ES256"
) -> dict[str, Any]:
    """Verify an ID token by every rule of OpenID Connect Core cl. 3.1.3.7 and 3.1.3.8; return its claims."""
    token, access_token = tokens["id_token"], tokens["access_token"]
    claims = await verified_claims_of(client, token, algorithm=algorithm)
    now = int(client.provider.now.timestamp())
    assert claims["iss"] == client.provider.issuer
    assert claims["aud"] == client.client_id
    assert claims.get("azp", client.client_id) == client.client_id
    assert now - 5 <= claims["iat"] <= now < claims["exp"] <= now + 3600
    assert claims["auth_time"] <= claims["iat"]
    assert claims.get("nonce") == nonce
    assert ("nonce" in claims) is (nonce is not None)
    assert 0 < len(claims["sub"]) <= 255
    assert claims["sub"].isascii()
    assert claims["sid"]
    digest = HASHES.get(algorithm, hashlib.sha256)(access_token.encode()).digest()
    left = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    assert claims["at_hash"] == left
    assert "s_hash" not in claims
    if algorithm in {"RS256", "ES256"}:  # the algorithms of a second library
        key = next(k for k in (await published_keys(client.provider))["keys"] if k["kid"] == header_of(token)["kid"])
        again = jose.jwt.decode(
            token, key, algorithms=[algorithm], audience=client.client_id, issuer=client.provider.issuer,
            access_token=access_token, options=UNTIMED,
        )  # fmt: skip
        assert again == claims
    return claims

"""A client library that is not ours plugs in: Authlib's, with `private_key_jwt`, PKCE and its own ID token checks."""

import warnings

import httpx
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.support.idp import ISSUER, Client, Provider, answer
from trust_lists.clock import utc_now

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Authlib announces that it will move to another HTTP client
    from authlib.integrations.httpx_client import AsyncOAuth2Client


async def public(provider: Provider, url: str) -> dict:
    async with provider.back_channel() as http:
        return (await http.get(url)).json()


async def test_authlib_logs_in(provider: Provider, client: Client) -> None:
    # Authlib's client reads the wall clock; let ours follow it
    provider.now = utc_now()
    transport = httpx.ASGITransport(provider.app)
    async with AsyncOAuth2Client(
        client.client_id,
        client.key,
        scope="openid profile",
        redirect_uri=client.redirect_uri,
        token_endpoint_auth_method=PrivateKeyJWT(
            token_endpoint=ISSUER,  # becomes `aud`
            alg="ES256",
            headers={"kid": "rp-1"},
        ),
        code_challenge_method="S256",
        transport=transport,
    ) as library:
        metadata = await public(provider, "/.well-known/openid-configuration")
        verifier = "v" * 64
        url, state = library.create_authorization_url(
            metadata["authorization_endpoint"], code_verifier=verifier, nonce="n-1", connector="iam_smart"
        )
        browser = provider.browser()
        response = await browser.agree(await browser.open(url))
        assert answer(response)["state"] == state
        token = await library.fetch_token(
            metadata["token_endpoint"],
            authorization_response=response.headers["location"],
            state=state,
            code_verifier=verifier,
        )
        keys = await public(provider, metadata["jwks_uri"])
        decoded = jwt.decode(token["id_token"], KeySet.import_key_set(keys), algorithms=["ES256"])
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            options={"iss": {"value": metadata["issuer"]}, "aud": {"value": client.client_id}},
            params={"nonce": "n-1", "client_id": client.client_id, "access_token": token["access_token"]},
        )
        claims.validate(leeway=5)
        userinfo = (await library.get(metadata["userinfo_endpoint"])).json()
    assert userinfo["sub"] == claims["sub"]
    assert userinfo["name"] == "CHAN, Ka Yan"

"""Tokens: what we mint verifies in two other libraries, and what comes back is held against every rule."""

import base64
import hashlib
import json

import jose.jwt
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from idp.errors import InvalidToken
from tests.support.idp import ISSUER, Client, Provider


async def tokens_of(client: Client) -> dict:
    parameters = await client.login(client.provider.browser())
    return (await client.redeem(parameters["code"])).json()


async def published(provider: Provider) -> dict:
    async with provider.back_channel() as http:
        return (await http.get("/jwks")).json()


async def test_id_token_verifies_in_python_jose_with_pinned_algorithm(provider: Provider, client: Client) -> None:
    tokens = await tokens_of(client)
    key = (await published(provider))["keys"][0]
    claims = jose.jwt.decode(
        tokens["id_token"], key, algorithms=["ES256"], audience=client.client_id, issuer=ISSUER,
        access_token=tokens["access_token"],
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "require_at_hash": True},
    )  # fmt: skip
    assert claims["nonce"] == "nonce-1"
    assert claims["exp"] - claims["iat"] == 600


async def test_at_hash_by_hand(provider: Provider, client: Client) -> None:
    tokens = await tokens_of(client)
    claims = json.loads(base64.urlsafe_b64decode(tokens["id_token"].split(".")[1] + "=="))
    left = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == base64.urlsafe_b64encode(left).rstrip(b"=").decode()


async def test_access_token_has_the_profile_of_rfc_9068(provider: Provider, client: Client) -> None:
    decoded = jwt.decode((await tokens_of(client))["access_token"], provider.keys.published(), algorithms=["ES256"])
    assert decoded.header["typ"] == "at+jwt"
    assert {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"} <= decoded.claims.keys()


async def test_no_nonce_asked_no_nonce_given(provider: Provider, client: Client) -> None:
    parameters = await client.login(provider.browser(), nonce=None)
    token = (await client.redeem(parameters["code"])).json()["id_token"]
    assert "nonce" not in jwt.decode(token, provider.keys.published(), algorithms=["ES256"]).claims


async def test_key_rotation_leaves_earlier_tokens_good(provider: Provider, client: Client) -> None:
    tokens = await tokens_of(client)
    provider.keys.rotate()
    async with provider.back_channel() as http:
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert (await http.get("/userinfo", headers=bearer)).status_code == 200
    after = await tokens_of(client)
    heads = [json.loads(base64.urlsafe_b64decode(t["id_token"].split(".")[0] + "==")) for t in (tokens, after)]
    assert heads[0]["kid"] != heads[1]["kid"]


def resigned(provider: Provider, token: str, *, key: ECKey | None = None, header: dict | None = None, **claims) -> str:
    found = jwt.decode(token, provider.keys.published(), algorithms=["ES256"])
    key = key or provider.keys.current()
    head = {"alg": "ES256", "kid": key.kid, "typ": "at+jwt", **(header or {})}
    return jwt.encode(head, {**found.claims, **claims}, key, algorithms=["ES256"])


async def test_what_comes_back_is_held_against_every_rule(provider: Provider, client: Client) -> None:
    tokens = await tokens_of(client)
    mint, access = provider.deps.access_tokens, tokens["access_token"]
    assert mint.verify(access, at=provider.now).client_id == client.client_id
    stranger = ECKey.generate_key("P-256", {"kid": provider.keys.current().kid})
    bad = {
        "an ID token": tokens["id_token"],
        "another audience": resigned(provider, access, aud="https://elsewhere.test"),
        "another issuer": resigned(provider, access, iss="https://elsewhere.test"),
        "a stranger's key": resigned(provider, access, key=stranger),
        "another type": resigned(provider, access, header={"typ": "JWT"}),
        "no expiry": resigned(provider, access, exp=None),
        "unsigned": ".".join((*access.split(".")[:2], "")),
        "no token": "x",
        "three dots": "...",
        "empty": "",
        "not ASCII": "é.é.é",
        "huge": "x" * 9000,
    }
    for name, token in bad.items():
        with pytest.raises(InvalidToken):
            mint.verify(token, at=provider.now)
            pytest.fail(name)
    provider.later(minutes=15)
    with pytest.raises(InvalidToken):
        mint.verify(access, at=provider.now)


async def test_introspection_and_revocation_of_ones_own_tokens(provider: Provider, client: Client) -> None:
    other = await provider.register(Client("other", "https://portal.test/other"))
    access = (await tokens_of(client))["access_token"]

    async def ask(who: Client, door: str, token: str | None):
        form = {
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": who.assertion(),
            **({} if token is None else {"token": token}),
        }
        async with provider.back_channel() as http:
            return await http.post(door, data=form)

    body = (await ask(client, "/introspect", access)).json()
    assert body["active"] is True
    assert body["client_id"] == client.client_id
    assert (await ask(other, "/introspect", access)).json() == {"active": False}
    assert (await ask(client, "/introspect", "garbage")).json() == {"active": False}
    assert (await ask(client, "/introspect", None)).status_code == 400
    assert (await ask(other, "/revoke", access)).status_code == 200
    assert (await ask(client, "/introspect", access)).json()["active"] is True
    assert (await ask(client, "/revoke", "garbage")).status_code == 200
    assert (await ask(client, "/revoke", access)).status_code == 200
    assert (await ask(client, "/introspect", access)).json() == {"active": False}


async def test_userinfo_refusals_name_what_is_wrong(provider: Provider, client: Client) -> None:
    access = (await tokens_of(client))["access_token"]
    async with provider.back_channel() as http:
        none = await http.get("/userinfo")
        assert none.status_code == 401
        assert none.headers["www-authenticate"] == 'Bearer realm="gba-trust"'
        bad = await http.get("/userinfo", headers={"Authorization": "Bearer x"})
        assert 'error="invalid_token"' in bad.headers["www-authenticate"]
        twice = await http.post(
            "/userinfo", data={"access_token": access}, headers={"Authorization": f"Bearer {access}"}
        )
        assert (twice.status_code, twice.json()["error"]) == (400, "invalid_request")
        in_query = await http.get(f"/userinfo?access_token={access}")
        assert in_query.status_code == 401

"""Authlib's client is the portal, over TLS: its own client authentication, PKCE, refresh and ID token checks.

It has no PAR and no DPoP of its own; PAR is pushed here with its client authentication, DPoP cannot be tried with it.
"""

import secrets
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from authlib.integrations.base_client.errors import OAuthError
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

from idp.protocol import GrantType
from tests.support.idp import Client
from tests.support.served_provider import ServedProvider

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Authlib announces that it will move to another HTTP client
    from authlib.integrations.httpx_client import OAuth2Client

CODE, REFRESH = GrantType.AUTHORIZATION_CODE.value, GrantType.REFRESH_TOKEN.value
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


@dataclass
class Portal:
    """A portal that is Authlib's client, and what it read of the provider."""

    served: ServedProvider
    client: Client
    library: Any
    metadata: dict[str, Any]

    def sign_in(self, **parameters: str) -> dict[str, Any]:
        """Let a person sign in; return the token response."""
        verifier, self.nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(12)
        url, state = self.library.create_authorization_url(
            self.metadata["authorization_endpoint"], code_verifier=verifier, nonce=self.nonce, **parameters
        )
        return self.answer(url, state, verifier)

    def answer(self, url: str, state: str, verifier: str) -> dict[str, Any]:
        with self.served.person() as person:
            location = person.sign_in(url, until=self.client.redirect_uri)
        return self.library.fetch_token(
            self.metadata["token_endpoint"], authorization_response=location, state=state, code_verifier=verifier
        )

    def id_token(self, token: dict[str, Any], algorithm: str = "ES256") -> CodeIDToken:
        """Check the ID token with Authlib's own rules."""
        keys = KeySet.import_key_set(self.library.request("GET", self.metadata["jwks_uri"], withhold_token=True).json())
        decoded = jwt.decode(token["id_token"], keys, algorithms=[algorithm])
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            options={"iss": {"value": self.metadata["issuer"]}, "aud": {"value": self.client.client_id}},
            params={"nonce": self.nonce, "client_id": self.client.client_id, "access_token": token["access_token"]},
        )
        claims.validate(leeway=5)
        return claims

    def userinfo(self) -> dict[str, Any]:
        return self.library.get(self.metadata["userinfo_endpoint"]).raise_for_status().json()


@contextmanager
def portal(
    served: ServedProvider, auth: str = "private_key_jwt", *, scope: str = "openid profile", **members: Any
) -> Iterator[Portal]:
    secret = secrets.token_urlsafe(24) if auth.startswith("client_secret") else None
    client = served.register(
        Client(client_id=f"authlib-{secrets.token_hex(4)}", auth=auth, secret=secret, extra=members)
    )
    # `token_endpoint` becomes the assertion's `aud`
    by_key = PrivateKeyJWT(token_endpoint=served.issuer, alg="ES256", headers={"kid": "rp-1"})
    method = by_key if auth == "private_key_jwt" else auth
    with OAuth2Client(
        client.client_id,
        client.key if secret is None else secret,
        scope=scope,
        redirect_uri=client.redirect_uri,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        code_challenge_method="S256",
        verify=served.context,
    ) as library:
        metadata = library.request(
            "GET", f"{served.issuer}/.well-known/openid-configuration", withhold_token=True
        ).json()
        yield Portal(served, client, library, metadata)


@pytest.mark.parametrize("auth", ["private_key_jwt", "client_secret_basic", "client_secret_post"])
def test_login(served: ServedProvider, auth: str) -> None:
    with portal(served, auth) as made:
        claims = made.id_token(made.sign_in())
        userinfo = made.userinfo()
    assert userinfo["sub"] == claims["sub"]
    assert userinfo["name"] == "CHAN, Ka Yan"


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_id_token_in_the_registered_algorithm(served: ServedProvider, algorithm: str) -> None:
    with portal(served, id_token_signed_response_alg=algorithm) as made:
        assert made.id_token(made.sign_in(), algorithm)["aud"] == made.client.client_id


def test_wrong_secret_is_refused(served: ServedProvider) -> None:
    with portal(served, "client_secret_basic") as made:
        made.library.client_secret = "guessed"
        with pytest.raises(OAuthError, match="invalid_client"):
            made.sign_in()


def test_refresh_rotates(served: ServedProvider) -> None:
    with portal(served, scope="openid profile offline_access", grant_types=[CODE, REFRESH]) as made:
        first = dict(made.sign_in())
        second = dict(made.library.refresh_token(made.metadata["token_endpoint"]))
        assert second["refresh_token"] != first["refresh_token"]
        assert second["access_token"] != first["access_token"]
        assert made.userinfo()["name"] == "CHAN, Ka Yan"
        with pytest.raises(OAuthError, match="invalid_grant"):
            made.library.refresh_token(made.metadata["token_endpoint"], refresh_token=first["refresh_token"])


def test_pushed_request(served: ServedProvider) -> None:
    with portal(served, require_pushed_authorization_requests=True) as made:
        library, verifier, made.nonce = made.library, secrets.token_urlsafe(48), "n-1"
        whole, state = library.create_authorization_url(
            made.metadata["authorization_endpoint"], code_verifier=verifier, nonce=made.nonce
        )
        pushed = library.post(
            made.metadata["pushed_authorization_request_endpoint"],
            content=whole.partition("?")[2],
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            auth=library.client_auth(library.token_endpoint_auth_method),
        )
        assert pushed.status_code == 201, pushed.text
        url = f"{made.metadata['authorization_endpoint']}?client_id={made.client.client_id}"
        token = made.answer(f"{url}&request_uri={pushed.json()['request_uri']}", state, verifier)
        assert made.id_token(token)["aud"] == made.client.client_id


def test_client_credentials(served: ServedProvider) -> None:
    with portal(
        served, "client_secret_basic", scope="signing", grant_types=["client_credentials"], redirect_uris=[]
    ) as made:
        token = made.library.fetch_token(made.metadata["token_endpoint"], grant_type="client_credentials")
    assert token["scope"] == "signing"
    assert "refresh_token" not in token


def test_token_exchange(served: ServedProvider) -> None:
    grants = [CODE, GrantType.TOKEN_EXCHANGE.value]
    with portal(served, scope="openid signing", grant_types=grants) as made:
        subject = made.sign_in()["access_token"]
        exchanged = made.library.fetch_token(
            made.metadata["token_endpoint"],
            grant_type=GrantType.TOKEN_EXCHANGE.value,
            subject_token=subject,
            subject_token_type=ACCESS_TOKEN,
            scope="signing",  # the library would ask for its whole scope, and nobody may be the person to a third party
        )
    assert exchanged["issued_token_type"] == ACCESS_TOKEN
    assert exchanged["access_token"] != subject


def test_introspection_and_revocation(served: ServedProvider) -> None:
    with portal(served) as made:
        library, token = made.library, made.sign_in()["access_token"]
        endpoint = made.metadata["introspection_endpoint"]
        assert library.introspect_token(endpoint, token=token).json()["active"] is True
        revoked = library.revoke_token(
            made.metadata["revocation_endpoint"], token=token, token_type_hint="access_token"
        )  # fmt: skip
        assert revoked.status_code == 200
        assert library.introspect_token(endpoint, token=token).json() == {"active": False}

"""A FAPI 2.0 relying party: pushes its requests, proves its key or its certificate, signs its requests, reads signed answers."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import httpx
from cryptography import x509
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.support.client_certificates import ClientAuthority, client_cert
from tests.support.dpop import DpopKey
from tests.support.idp import AT, Provider
from tests.support.idp_client import Client, answer


@lru_cache(maxsize=1)
def authority() -> ClientAuthority:
    """The CA whose client certificates the provider takes."""
    return ClientAuthority(AT)


def mutual_tls() -> dict[str, Any]:
    """The provider's settings for mutual TLS: the test's own address is the trusted proxy."""
    return {
        "mtls_header": "client-cert",
        "mtls_trusted_proxies": ("127.0.0.0/8",),
        "mtls_anchors": authority().pem,
    }


@dataclass(frozen=True)
class Variant:
    """How a client proves itself, and to what its tokens are bound."""

    auth: str
    bound: str
    signs: bool = False
    """FAPI 2.0 Message Signing: request objects, and signed responses asked for."""

    @property
    def by_certificate(self) -> bool:
        return self.bound == "mtls" or self.auth == "tls_client_auth"


VARIANTS = {
    "private_key_jwt+dpop": Variant("private_key_jwt", "dpop"),
    "private_key_jwt+mtls": Variant("private_key_jwt", "mtls"),
    "mtls+mtls": Variant("tls_client_auth", "mtls"),
    "mtls+dpop": Variant("tls_client_auth", "dpop"),
    "message signing": Variant("private_key_jwt", "dpop", signs=True),
}
JWT_AND_DPOP = VARIANTS["private_key_jwt+dpop"]


@dataclass
class FapiClient(Client):
    """A relying party under the profile `fapi2`."""

    client_id: str = "fapi-bank"
    scope: str = "openid profile signing"
    variant: Variant = JWT_AND_DPOP
    dpop: DpopKey = field(default_factory=DpopKey)
    certificate: x509.Certificate = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.auth = self.variant.auth
        if self.certificate is None:
            self.certificate = authority().issue(f"CN={self.client_id}")

    def registration(self) -> dict[str, Any]:
        bound = (
            "dpop_bound_access_tokens" if self.variant.bound == "dpop" else "tls_client_certificate_bound_access_tokens"
        )
        document = {
            "gba_profile": "fapi2",
            "grant_types": ["authorization_code", "refresh_token"],
            "jwks": {"keys": [self.key.as_dict(private=False)]},
            bound: True,
            **super().registration(),
        }
        if self.auth == "tls_client_auth":
            document["tls_client_auth_subject_dn"] = f"CN={self.client_id}"
        if self.variant.signs:
            document["require_signed_request_object"] = True
        return document

    # --- what it proves ------------------------------------------------------------------------------------------------

    def proof(self, path: str, *, method: str = "POST", access_token: str | None = None, **claims: Any) -> str:
        """Make a DPoP proof for a door."""
        at, url = self.provider.now, f"{self.provider.issuer}{path}"
        return self.dpop.proof(method, url, at=at, access_token=access_token, **claims)

    def headers(
        self, path: str, *, method: str = "POST", access_token: str | None = None, **claims: Any
    ) -> dict[str, str]:
        headers = {}
        if self.variant.bound == "dpop":
            headers["DPoP"] = self.proof(path, method=method, access_token=access_token, **claims)
        if self.variant.by_certificate:
            headers["Client-Cert"] = client_cert(self.certificate)
        if access_token is not None:
            scheme = "DPoP" if self.variant.bound == "dpop" else "Bearer"
            headers["Authorization"] = f"{scheme} {access_token}"
        return headers

    # --- pushed requests -----------------------------------------------------------------------------------------------

    def request_object(
        self, *, key: Any = None, header: dict[str, Any] | None = None, about: dict[str, Any] | None = None, **changes: Any
    ) -> str:  # fmt: skip
        """Sign a request; `about` changes the claims that concern the object itself, `changes` its parameters."""
        now = int(self.provider.now.timestamp())
        own = {"iss": self.client_id, "aud": self.provider.issuer, "nbf": now, "exp": now + 300, **(about or {})}
        claims = {name: value for name, value in own.items() if value is not None}
        head = {"alg": self.algorithm, "kid": "rp-1", "typ": "oauth-authz-req+jwt", **(header or {})}
        return jwt.encode(head, {**self.query(**changes), **claims}, key or self.key, algorithms=[head["alg"]])

    def push_form(self, **changes: Any) -> dict[str, Any]:
        """Return the parameters of a pushed request, signed when this client signs its requests."""
        if self.variant.signs:
            return {"client_id": self.client_id, "request": self.request_object(**changes)}
        return self.query(**changes)

    async def push(
        self, *, headers: dict[str, str] | None = None, form: dict[str, Any] | None = None, **changes: Any
    ) -> httpx.Response:
        """`POST /par`; a DPoP proof comes along only when the test gives one."""
        if headers is None:
            headers = {"Client-Cert": client_cert(self.certificate)} if self.variant.by_certificate else {}
        return await self.post("/par", {**self.push_form(**changes), **(form or {})}, headers=headers)

    def front_url(self, request_uri: str, **more: str) -> str:
        """Return where the browser goes: client_id and request_uri, and nothing else."""
        query = {"client_id": self.client_id, "request_uri": request_uri, **more}
        return f"{self.provider.issuer}/authorize?{urlencode(query)}"

    async def pushed_url(self, **changes: Any) -> str:
        """Push a request; return where the browser goes with it."""
        response = await self.push(**changes)
        assert response.status_code == 201, response.text
        assert response.headers["cache-control"] == "no-store"
        body = response.json()
        assert body["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")
        assert 5 <= body["expires_in"] < 600  # FAPI 2.0 Security Profile cl. 5.3.2.2 (12)
        return self.front_url(body["request_uri"])

    def query(self, **changes: Any) -> dict[str, Any]:
        return super().query(**{**({"response_mode": "jwt"} if self.variant.signs else {}), **changes})

    async def login(self, browser: Any, **changes: Any) -> dict[str, str]:
        return await self.walk(browser, await self.pushed_url(**changes))

    async def walk(self, browser: Any, url: str) -> dict[str, str]:
        """Walk a login from its first address; return what the authorization response says."""
        response = await browser.open(url)
        if "/login/consent" in response.text:
            response = await browser.agree(response)
        return self.answer(response)

    def answer(self, response: httpx.Response) -> dict[str, str]:
        """Return what an authorization response says: a signed one is verified, and its issuer stands beside the rest."""
        parameters = answer(response)
        if not self.variant.signs:
            return parameters
        return {**read_jarm(self, parameters), "iss": self.provider.issuer}


def read_jarm(client: Client, parameters: dict[str, str]) -> dict[str, Any]:
    """Verify a signed authorization response (JARM cl. 2.4) under the published keys; return what it says."""
    assert set(parameters) == {"response"}, "a signed response has nothing beside it"
    provider: Provider = client.provider
    keys: KeySet = provider.keys.published()
    token = jwt.decode(parameters["response"], keys, algorithms=["ES256"])
    now = int(provider.now.timestamp())
    assert token.claims.pop("iss") == provider.issuer
    assert token.claims.pop("aud") == client.client_id
    assert now < token.claims.pop("exp") <= now + 600
    return dict(token.claims)

"""A relying party with its key, as the provider's tests use it: builds requests, signs assertions, redeems codes."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from idp.protocol import CLIENT_ASSERTION_TYPE

ISSUER = "https://login.test"
PORTAL = "https://portal.test"
REDIRECT_URI = f"{PORTAL}/callback"


@dataclass
class Client:
    """A relying party with its key."""

    client_id: str = "gd-bank"
    redirect_uri: str = REDIRECT_URI
    auth: str = "private_key_jwt"
    scope: str = "openid profile permit signing"
    region: str = "gd"
    native: bool = False
    secret: str | None = None
    algorithm: str = "ES256"
    extra: dict[str, Any] = field(default_factory=dict)
    key: Any = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "rp-1", "use": "sig"}))
    provider: Any = None
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    def registration(self) -> dict[str, Any]:
        document = {
            "client_name": "Guangdong Sample Bank",
            "client_name#zh-Hans": "广东示例银行",
            "redirect_uris": [self.redirect_uri],
            "token_endpoint_auth_method": self.auth,
            "scope": self.scope,
            "gba_region": self.region,
            "gba_purpose": "Mortgage application",
            "application_type": "native" if self.native else "web",
            **self.extra,
        }
        if self.auth == "private_key_jwt":
            document["jwks"] = {"keys": [self.key.as_dict(private=False)]}
        return document

    def query(self, **changes: str | None) -> dict[str, str]:
        values = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid",
            "state": "state-1",
            "nonce": "nonce-1",
            "code_challenge": challenge(self.verifier),
            "code_challenge_method": "S256",
            "connector": "iam_smart",
            **changes,
        }
        return {name: value for name, value in values.items() if value is not None}

    def url(self, **changes: str | None) -> str:
        return f"{self.provider.issuer}/authorize?{urlencode(self.query(**changes))}"

    def assertion(self, *, key: Any = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
        now = int(self.provider.now.timestamp())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.provider.issuer,
            "jti": secrets.token_urlsafe(12),
            "iat": now,
            "exp": now + 60,
            **changes,
        }
        head = {"alg": self.algorithm, "kid": "rp-1", **(header or {})}
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(head, claims, key or self.key, algorithms=[head["alg"]])

    def token_form(self, code: str, **changes: str | None) -> dict[str, str]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        }
        return self.authenticated({**form, **changes})

    def authenticated(self, form: dict[str, str | None]) -> dict[str, str]:
        """Return a form with what the registered method puts into the body; a member given as None is left out."""
        own: dict[str, str | None] = {}
        if self.auth == "private_key_jwt":
            own = {"client_assertion_type": CLIENT_ASSERTION_TYPE, "client_assertion": self.assertion()}
        elif self.auth == "client_secret_post":
            own = {"client_id": self.client_id, "client_secret": self.secret}
        elif self.auth != "client_secret_basic":
            own = {"client_id": self.client_id}
        return {name: value for name, value in {**own, **form}.items() if value is not None}

    def headers(self, path: str, *, method: str = "POST", access_token: str | None = None) -> dict[str, str]:
        """Return the headers of a back-channel request; a FAPI client proves its key in them."""
        return {} if access_token is None else {"Authorization": f"Bearer {access_token}"}

    async def post(
        self, path: str, form: dict[str, Any], *, headers: dict[str, str] | None = None, sign: bool = True
    ) -> httpx.Response:
        """Call a back-channel door as this relying party; `headers` come instead of its own, `sign=False` leaves the form as it is."""
        return await self._send(path, self.authenticated(form) if sign else form, headers, by_secret=sign)

    async def redeem(
        self, code: str, *, headers: dict[str, str] | None = None, **changes: str | None
    ) -> httpx.Response:
        return await self._send("/token", self.token_form(code, **changes), headers)

    async def _send(
        self, path: str, body: dict[str, Any], headers: dict[str, str] | None, *, by_secret: bool = True
    ) -> httpx.Response:
        auth = (self.client_id, self.secret) if self.auth == "client_secret_basic" and by_secret else None
        async with self.provider.back_channel() as http:
            return await http.post(
                path, data=body, auth=auth, headers=self.headers(path) if headers is None else headers
            )

    async def refresh(self, token: str, *, headers: dict[str, str] | None = None, **changes: Any) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, **changes}
        return await self.post("/token", form, headers=headers)

    async def userinfo(self, access_token: str, *, method: str = "GET", **more: Any) -> httpx.Response:
        headers = self.headers("/userinfo", method=method, access_token=access_token)
        async with self.provider.back_channel() as http:
            return await http.request(method, "/userinfo", headers={**headers, **more.pop("headers", {})}, **more)

    async def call(self, path: str, **form: str) -> httpx.Response:
        """Post to a back-channel door, authenticated."""
        proof = {"client_id": self.client_id} if self.auth == "none" else {}
        if self.auth == "private_key_jwt":
            proof = {"client_assertion_type": CLIENT_ASSERTION_TYPE, "client_assertion": self.assertion()}
        auth = (self.client_id, self.secret) if self.auth == "client_secret_basic" else None
        async with self.provider.back_channel() as http:
            return await http.post(path, data={**proof, **form}, auth=auth)

    async def login(self, browser: Any, **changes: str | None) -> dict[str, str]:
        """Walk a whole login; return the authorization response's parameters."""
        response = await browser.open(self.url(**changes))
        if response.is_redirect and response.headers["location"].startswith(f"{ISSUER}/permit?"):
            response = await browser.pass_permit(response)
        if "/login/consent" in response.text:
            response = await browser.agree(response)
        return answer(response)


def answer(response: httpx.Response) -> dict[str, str]:
    """Return the parameters of an authorization response."""
    assert response.status_code == 303, (response.status_code, response.text)
    location = urlsplit(response.headers["location"])
    pairs = parse_qsl(location.query, keep_blank_values=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()

"""ID tokens and access tokens: made here, and accepted here when they come back.

Owns:    claims' layout, ES256 signing, the acceptance of our own access tokens. Leaves keys to the key ring, revocation to the store.
Rules:   1 ES256 only, the `typ` header tells the kinds apart: an ID token is never an access token
         2 verification pins the algorithm, the type, issuer and audience; the key is chosen by `kid` among ours
         3 times are whole seconds
Spec:    OpenID Connect Core 1.0 cl. 2, 3.1.3.6; RFC 9068; RFC 7519; RFC 8725
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from joserfc import jwt
from joserfc.errors import JoseError

from idp.config import IdpConfig
from idp.errors import InvalidToken
from idp.model import Grant, SignIn
from idp.ports import JwtKeys
from trust_lists.vocabulary import AssuranceLevel

MAX_TOKEN_CHARS = 8_192


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A verified access token of ours; whether its grant still stands is the store's to say."""

    grant: str
    client_id: str
    subject: str
    scope: tuple[str, ...]
    expires_at: datetime


def sign_in_claims(sign_in: SignIn, level: AssuranceLevel) -> dict[str, object]:
    """Return the claims about the authentication: the upstream is always named (NIST SP 800-63C-4 cl. 4.1)."""
    authenticated_at = int(sign_in.authenticated_at.timestamp())
    return {
        "auth_time": authenticated_at,
        "acr": level.acr,
        "amr": list(sign_in.amr),
        "upstream": {
            "connector": sign_in.connector,
            "region": sign_in.region.value,
            "level": sign_in.account_level,
            "method": sign_in.session_method,
            "time": authenticated_at,
        },
    }


class Tokens:
    """Mints and accepts this provider's tokens."""

    def __init__(self, keys: JwtKeys, config: IdpConfig) -> None:
        self._keys = keys
        self._config = config

    def mint_access_token(self, grant: Grant, *, at: datetime) -> str:
        """Mint an access token for our own APIs (RFC 9068 cl. 2)."""
        claims = {
            "iss": self._config.issuer,
            "aud": self._config.issuer,
            "sub": grant.subject,
            "client_id": grant.client_id,
            "iat": int(at.timestamp()),
            "exp": int((at + self._config.access_token_lifetime).timestamp()),
            "jti": secrets.token_urlsafe(12),
            "scope": " ".join(grant.scope),
            "grant": grant.id,
            "auth_time": grant.id_token_claims["auth_time"],
            "acr": grant.id_token_claims["acr"],
        }
        return self._sign(claims, "at+jwt")

    def mint_id_token(self, grant: Grant, *, nonce: str | None, access_token: str, at: datetime) -> str:
        """Mint an ID token (Core cl. 2); `at_hash` binds it to the access token (cl. 3.1.3.6)."""
        claims = {
            "iss": self._config.issuer,
            "aud": grant.client_id,
            "sub": grant.subject,
            "iat": int(at.timestamp()),
            "exp": int((at + self._config.id_token_lifetime).timestamp()),
            "at_hash": left_half_hash(access_token),
            **grant.id_token_claims,
        }
        if nonce is not None:
            claims["nonce"] = nonce
        return self._sign(claims, "JWT")

    def verify_access_token(self, token: str, *, at: datetime) -> AccessToken:
        """Accept an access token that comes back (RFC 9068 cl. 4).

        Raises:
            InvalidToken: not ours, altered, expired, or not an access token.
        """
        if len(token) > MAX_TOKEN_CHARS:
            raise InvalidToken
        try:
            decoded = jwt.decode(token, self._keys.published(), algorithms=["ES256"])
        except (JoseError, ValueError) as error:
            raise InvalidToken from error
        claims = decoded.claims
        for_us = claims.get("iss") == self._config.issuer and claims.get("aud") == self._config.issuer
        expires = claims.get("exp")
        if decoded.header.get("typ") != "at+jwt" or not for_us or not isinstance(expires, int):
            raise InvalidToken
        if at.timestamp() >= expires:
            raise InvalidToken("The access token has expired")
        return AccessToken(
            grant=str(claims["grant"]),
            client_id=str(claims["client_id"]),
            subject=str(claims["sub"]),
            scope=tuple(str(claims["scope"]).split()),
            expires_at=datetime.fromtimestamp(expires, UTC),
        )

    def _sign(self, claims: dict[str, object], kind: str) -> str:
        key = self._keys.current()
        header = {"alg": "ES256", "kid": key.kid, "typ": kind}
        return jwt.encode(header, claims, key, algorithms=["ES256"])


def left_half_hash(token: str) -> str:
    """Return `at_hash` for ES256: base64url of the left half of SHA-256 (Core cl. 3.1.3.6)."""
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode("ascii")).digest()[:16]).rstrip(b"=").decode()

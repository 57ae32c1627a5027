"""The portal as a client of the provider: discovery, the authorization request, the token request, userinfo.

Owns:    PKCE, state, nonce, the client assertion, and the two faults that the errand can inject at the portal.
Leaves:  what is believed to `verification`.
Spec:    OpenID Connect Core 1.0 cl. 3.1; RFC 7636; RFC 7523; OpenID Connect for Identity Assurance 1.0 cl. 6
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

import httpx
from jose import jwt

from sandbox.portal.errors import ProviderRefused
from trust_lists.vocabulary import AssuranceLevel

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME_S = 60
SCOPE = "openid profile permit signing"
TAMPERS = frozenset({"replayed-code", "wrong-pkce"})
CLAIMS = {
    "id_token": {
        "verified_claims": [
            {
                "verification": {
                    "trust_framework": {"values": ["hk_iam_smart", "mo_one_account", "cn_gd_unified_identity"]},
                    "time": None,
                },
                "claims": {"name": {"essential": True}, "birthdate": None},
            },
            {
                "verification": {
                    "trust_framework": {"value": "gba_mutual_recognition"},
                    "assurance_level": None,
                    "time": None,
                    "verification_process": None,
                    "evidence": [{"type": {"value": "document"}, "check_details": None, "document_details": None}],
                },
                "claims": {"exit_entry_permit_holder": {"essential": True}, "name": {"essential": True}},
            },
        ]
    }
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """The secrets of one authorization request."""

    state: str
    nonce: str
    verifier: str

    @property
    def challenge(self) -> str:
        """RFC 7636 cl. 4.2, S256."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this portal is at the provider."""

    client_id: str
    redirect_uri: str
    private_jwk: Mapping[str, str]


def new_attempt() -> Attempt:
    """Make the secrets of a request."""
    return Attempt(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48))


def authorize_url(
    metadata: Mapping[str, object], identity: Identity, attempt: Attempt, extra: Mapping[str, str]
) -> str:
    """Return where the browser goes to sign in."""
    query = {
        "response_type": "code",
        "client_id": identity.client_id,
        "redirect_uri": identity.redirect_uri,
        "scope": SCOPE,
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": attempt.challenge,
        "code_challenge_method": "S256",
        "acr_values": AssuranceLevel.SUBSTANTIAL.acr,
        "claims": json.dumps(CLAIMS, separators=(",", ":")),
        **extra,
    }
    return f"{metadata['authorization_endpoint']}?{urlencode(query)}"


def client_assertion(identity: Identity, *, audience: str, at: datetime) -> str:
    """Sign a client assertion with python-jose (RFC 7523 cl. 3)."""
    now = int(at.timestamp())
    claims = {
        "iss": identity.client_id,
        "sub": identity.client_id,
        "aud": audience,
        "jti": secrets.token_urlsafe(16),
        "iat": now,
        "exp": now + ASSERTION_LIFETIME_S,
    }
    key = dict(identity.private_jwk)
    return str(jwt.encode(claims, key, algorithm="ES256", headers={"kid": key["kid"]}))


class ProviderClient:
    """Speaks to the provider's back channel."""

    def __init__(self, issuer: str, http: httpx.AsyncClient) -> None:
        self._issuer = issuer
        self._http = http
        self._metadata: dict[str, object] | None = None

    async def metadata(self) -> dict[str, object]:
        """Return the provider's metadata; it must name the issuer that we know (Discovery cl. 4.3)."""
        if self._metadata is None:
            found = await self._json("GET", f"{self._issuer}/.well-known/openid-configuration")
            if found.get("issuer") != self._issuer:
                raise ProviderRefused("issuer_mismatch", "The discovery document names another issuer")
            self._metadata = found
        return self._metadata

    async def keys(self) -> dict[str, object]:
        """Return the provider's public keys, fresh: they rotate."""
        return await self._json("GET", str((await self.metadata())["jwks_uri"]))

    async def redeem(
        self, identity: Identity, attempt: Attempt, code: str, *, tamper: str | None, at: datetime
    ) -> dict[str, object]:
        """Redeem a code; with a tamper, misbehave as asked and report what the provider says."""
        verifier = secrets.token_urlsafe(48) if tamper == "wrong-pkce" else attempt.verifier
        tokens = await self._redeem_once(identity, code, verifier, at)
        if tamper == "replayed-code":
            return await self._redeem_once(identity, code, verifier, at)
        return tokens

    async def ask(
        self, endpoint: str, identity: Identity, form: Mapping[str, str], *, at: datetime
    ) -> dict[str, object]:
        """Post to an endpoint that the provider's metadata name, authenticated."""
        proof = {
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": client_assertion(identity, audience=self._issuer, at=at),
        }
        return await self._json("POST", str((await self.metadata())[endpoint]), data={**form, **proof})

    async def userinfo(self, access_token: str) -> dict[str, object]:
        """Return userinfo."""
        endpoint = str((await self.metadata())["userinfo_endpoint"])
        return await self._json("GET", endpoint, headers={"Authorization": f"Bearer {access_token}"})

    async def _redeem_once(self, identity: Identity, code: str, verifier: str, at: datetime) -> dict[str, object]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": identity.redirect_uri,
            "code_verifier": verifier,
        }
        return await self.ask("token_endpoint", identity, form, at=at)

    async def _json(
        self, method: str, url: str, *, data: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, object]:
        try:
            response = await self._http.request(method, url, data=data, headers=headers)
            members = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderRefused("service_unavailable", "The service does not answer") from error
        if response.is_success and isinstance(members, dict):
            return members
        code = members.get("error") if isinstance(members, dict) else None
        detail = members.get("error_description") if isinstance(members, dict) else None
        raise ProviderRefused(str(code or f"http_{response.status_code}"), str(detail or ""))

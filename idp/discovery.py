"""The two documents that anybody may read: the provider's metadata and its public keys.

Owns:    their content, serialised once, with an entity tag. Leaves keys to the key ring.
Rules:   1 the document promises what is here, and nothing else
         2 the keys are serialised anew only when the ring's public set has changed
Spec:    OpenID Connect Discovery 1.0 cl. 3; RFC 8414; RFC 9207 cl. 3; OpenID Connect for Identity Assurance 1.0 cl. 7; RFC 7517
"""

import hashlib
import json
from collections.abc import Callable, Mapping

from joserfc.jwk import KeySet
from starlette.requests import Request
from starlette.responses import Response

from idp.config import IdpConfig
from idp.protocol import (
    ASSERTION_ALGORITHMS,
    CLAIMS_OF_ITEM,
    LOCALES,
    PERMIT_FRAMEWORK,
    UPSTREAM_FRAMEWORKS,
    ClientAuthMethod,
    GrantType,
    Prompt,
    Scope,
)
from liveness.model import DocumentType
from trust_lists.vocabulary import AssuranceLevel

PUBLIC_KEY_MEMBERS = ("kty", "crv", "x", "y", "kid", "use", "alg")
CACHE_SECONDS = 300


def provider_metadata(config: IdpConfig) -> dict[str, object]:
    """Return the provider's metadata."""
    issuer = config.issuer
    claims = sorted({claim for names in CLAIMS_OF_ITEM.values() for claim in names})
    methods = [method.value for method in ClientAuthMethod]
    authenticated = [ClientAuthMethod.PRIVATE_KEY_JWT.value, ClientAuthMethod.CLIENT_SECRET_BASIC.value]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "introspection_endpoint": f"{issuer}/introspect",
        "revocation_endpoint": f"{issuer}/revoke",
        "end_session_endpoint": f"{issuer}/logout",
        "scopes_supported": [scope.value for scope in Scope],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [grant.value for grant in GrantType],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": authenticated,
        "introspection_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "acr_values_supported": [level.acr for level in AssuranceLevel],
        "prompt_values_supported": [prompt.value for prompt in Prompt],
        "ui_locales_supported": list(LOCALES),
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid", "upstream", *claims,
        ],
        "verified_claims_supported": True,
        "trust_frameworks_supported": [PERMIT_FRAMEWORK, *UPSTREAM_FRAMEWORKS],
        "evidence_supported": ["document"],
        "documents_supported": [kind.value for kind in DocumentType],
        "claims_in_verified_claims_supported": claims,
    }  # fmt: skip


def public_keys(keys: KeySet) -> dict[str, object]:
    """Return the key set as published: named members only, so that no private one can slip out."""
    return {
        "keys": [
            {member: value for member, value in key.as_dict(private=False).items() if member in PUBLIC_KEY_MEMBERS}
            for key in keys
        ]
    }


class StaticDocument:
    """A document that is serialised once for each state of its source."""

    def __init__(self, media_type: str) -> None:
        self._media_type = media_type
        self._source: object = None
        self._body = b""
        self._tag = ""

    def respond(self, request: Request, source: object, build: Callable[[], Mapping[str, object]]) -> Response:
        """Answer with the document, or with 304 when the caller has it (RFC 9110 cl. 13.1.2)."""
        if source is not self._source:
            self._body = json.dumps(build(), separators=(",", ":")).encode()
            self._tag = f'"{hashlib.sha256(self._body).hexdigest()[:32]}"'
            self._source = source
        headers = {
            "ETag": self._tag,
            "Cache-Control": f"public, max-age={CACHE_SECONDS}",
            "Access-Control-Allow-Origin": "*",
            "X-Content-Type-Options": "nosniff",
        }
        if self._tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self._body, media_type=self._media_type, headers=headers)

"""The two documents that anybody may read: the provider's metadata and its public keys.

Owns:    their content, serialised once, with an entity tag. Leaves keys to the key ring.
Rules:   1 the document promises what is here, and nothing else
         2 the keys are serialised anew only when the ring's public set has changed
Spec:    OpenID Connect Discovery 1.0 cl. 3; RFC 8414; RFC 8705 cl. 5; RFC 9126 cl. 5; RFC 9207 cl. 3; RFC 9396 cl. 10; RFC 9449 cl. 5.1;
         RFC 9701 cl. 7; CIBA Core 1.0 cl. 4; JARM cl. 4; OpenID Connect for Identity Assurance 1.0 cl. 7; RFC 7517
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
    AUTHORIZATION_DETAILS_TYPES,
    CLAIMS_OF_ITEM,
    CONTENT_ENCRYPTIONS,
    DPOP_ALGORITHMS,
    ENCRYPTION_ALGORITHMS,
    LOCALES,
    PERMIT_FRAMEWORK,
    REQUEST_OBJECT_ALGORITHMS,
    SIGNING_ALGORITHMS,
    UPSTREAM_FRAMEWORKS,
    ClientAuthMethod,
    GrantType,
    Prompt,
    Scope,
)
from liveness.model import DocumentType
from trust_lists.vocabulary import AssuranceLevel

PUBLIC_KEY_MEMBERS = ("kty", "crv", "x", "y", "n", "e", "kid", "use", "alg")
CACHE_SECONDS = 300
ENDPOINTS = {
    "authorization_endpoint": "/authorize",
    "token_endpoint": "/token",
    "userinfo_endpoint": "/userinfo",
    "jwks_uri": "/jwks",
    "registration_endpoint": "/register",
    "introspection_endpoint": "/introspect",
    "revocation_endpoint": "/revoke",
    "end_session_endpoint": "/logout",
    "pushed_authorization_request_endpoint": "/par",
    "device_authorization_endpoint": "/device_authorization",
    "backchannel_authentication_endpoint": "/backchannel_authentication",
}
MTLS_ENDPOINTS = (
    "token_endpoint", "userinfo_endpoint", "introspection_endpoint", "revocation_endpoint",
    "pushed_authorization_request_endpoint", "device_authorization_endpoint", "backchannel_authentication_endpoint",
)  # fmt: skip


def provider_metadata(config: IdpConfig) -> dict[str, object]:
    """Return the provider's metadata."""
    return {
        **_endpoints(config),
        **_protocol(config),
        **_client_authentication(config),
        **_algorithms(),
        **_claims(),
        **_identity_assurance(),
    }


def _endpoints(config: IdpConfig) -> dict[str, object]:
    issuer = config.issuer
    endpoints = {name: f"{issuer}{path}" for name, path in ENDPOINTS.items()}
    document: dict[str, object] = {"issuer": issuer, **endpoints}
    if config.mtls_base:  # RFC 8705 cl. 5
        document["mtls_endpoint_aliases"] = {name: f"{config.mtls_base}{ENDPOINTS[name]}" for name in MTLS_ENDPOINTS}
    return document


def _protocol(config: IdpConfig) -> dict[str, object]:
    return {
        "scopes_supported": [scope.value for scope in Scope],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "jwt", "query.jwt"],
        "grant_types_supported": [grant.value for grant in GrantType],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "prompt_values_supported": [prompt.value for prompt in Prompt],
        "acr_values_supported": [level.acr for level in AssuranceLevel],
        "ui_locales_supported": list(LOCALES),
        "display_values_supported": ["page"],
        "subject_types_supported": ["pairwise"],
        "request_parameter_supported": True,
        "request_uri_parameter_supported": False,
        "require_request_uri_registration": False,
        "require_pushed_authorization_requests": False,
        "require_signed_request_object": False,
        "authorization_details_types_supported": list(AUTHORIZATION_DETAILS_TYPES),
        "tls_client_certificate_bound_access_tokens": bool(config.mtls_header),
        "backchannel_token_delivery_modes_supported": ["poll"],
        "backchannel_user_code_parameter_supported": False,
        "frontchannel_logout_supported": True,
        "frontchannel_logout_session_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
    }


def _client_authentication(config: IdpConfig) -> dict[str, object]:
    # certificates are offered only where a proxy reports them (RFC 8705 cl. 2.1.1)
    methods = [method.value for method in ClientAuthMethod if config.mtls_header or not method.by_certificate]
    confidential = [method for method in methods if method != ClientAuthMethod.NONE.value]
    document: dict[str, object] = {}
    for endpoint, offered in (("token", methods), ("introspection", confidential), ("revocation", methods)):
        document[f"{endpoint}_endpoint_auth_methods_supported"] = offered
        document[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] = list(ASSERTION_ALGORITHMS)
    return document


def _algorithms() -> dict[str, object]:
    document: dict[str, object] = {
        "dpop_signing_alg_values_supported": list(DPOP_ALGORITHMS),
        "request_object_signing_alg_values_supported": list(REQUEST_OBJECT_ALGORITHMS),
    }
    for kind in ("id_token", "userinfo", "authorization"):
        document[f"{kind}_signing_alg_values_supported"] = list(SIGNING_ALGORITHMS)
        document[f"{kind}_encryption_alg_values_supported"] = list(ENCRYPTION_ALGORITHMS)
        document[f"{kind}_encryption_enc_values_supported"] = list(CONTENT_ENCRYPTIONS)
    document["introspection_signing_alg_values_supported"] = list(SIGNING_ALGORITHMS)
    return document


def _claims() -> dict[str, object]:
    return {
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": True,
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid", "upstream",
            *_released(),
        ],
    }  # fmt: skip


def _identity_assurance() -> dict[str, object]:
    """OpenID Connect for Identity Assurance 1.0 cl. 7."""
    return {
        "verified_claims_supported": True,
        "trust_frameworks_supported": [PERMIT_FRAMEWORK, *UPSTREAM_FRAMEWORKS],
        "evidence_supported": ["document"],
        "documents_supported": [kind.value for kind in DocumentType],
        "claims_in_verified_claims_supported": _released(),
    }


def _released() -> list[str]:
    return sorted({claim for names in CLAIMS_OF_ITEM.values() for claim in names})


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

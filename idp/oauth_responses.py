"""The HTTP of answers and refusals at the doors for programs: which status, which headers, which shape.

Owns:    the one table of this package from error class to HTTP status; OAuth error bodies, challenges, `no-store` answers.
Leaves:  problem documents of the APIs to `service.problem_details`.
Spec:    RFC 6749 cl. 5.1, 5.2; RFC 6750 cl. 3; RFC 7591 cl. 3.2.2; RFC 9449 cl. 7.1, 8; RFC 9470 cl. 3; RFC 6585 cl. 4 (429)
"""

from collections.abc import Awaitable, Callable, Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from idp.deps import IdpDeps
from idp.errors import (
    AccessDenied,
    IdpError,
    IdpUnavailable,
    InsufficientScope,
    InsufficientUserAuthentication,
    InvalidClient,
    InvalidDpopProof,
    InvalidToken,
    ProtocolError,
    TooManyRequests,
    UseDpopNonce,
)
from idp.page_errors import LoginNotYours, LoginStepRepeated, UnknownConnector
from idp.protocol import DPOP_ALGORITHMS
from idp.resource_access import Presented

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
Handler = Callable[[Request], Awaitable[Response]]
_STATUS: tuple[tuple[type[IdpError], int], ...] = (
    (TooManyRequests, 429),
    (InvalidClient, 401),
    (InvalidToken, 401),
    (InsufficientScope, 403),
    (InsufficientUserAuthentication, 401),
    (AccessDenied, 403),
    (LoginNotYours, 403),
    (LoginStepRepeated, 409),
    (UnknownConnector, 404),
    (IdpUnavailable, 503),
)
_TOKEN_STATUS: tuple[tuple[type[IdpError], int], ...] = ((AccessDenied, 400), *_STATUS)
"""At `/token` a person's no is an error of the grant like any other (RFC 8628 cl. 3.5)."""
_ENCODER = msgspec.json.Encoder()


def json_response(body: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer that nobody may store."""
    content = _ENCODER.encode(body)
    return Response(content, status, {**NO_STORE, **(headers or {})}, media_type="application/json")


def jwt_response(token: str, media_type: str) -> Response:
    """Return a JWT that nobody may store."""
    return Response(token.encode("ascii"), 200, dict(NO_STORE), media_type=media_type)


def status_of(error: IdpError) -> int:
    """Return the HTTP status of a refusal; 400 unless the table says otherwise."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 400)


def answered(handler: Handler, deps: IdpDeps) -> Handler:
    """Wrap a back-channel door: its refusals are OAuth errors, and every answer offers a fresh DPoP nonce where nonces are used."""

    async def door(request: Request) -> Response:
        try:
            response = await handler(request)
        except IdpError as error:
            response = oauth_error(error, basic="authorization" in request.headers)
        if deps.dpop_nonces is not None:
            response.headers["DPoP-Nonce"] = deps.dpop_nonces.current(at=deps.clock())
        return response

    return door


def oauth_error(error: IdpError, *, basic: bool = False) -> Response:
    """Return an error of a back-channel endpoint (RFC 6749 cl. 5.2)."""
    headers: dict[str, str] = {}
    code, description = error.code, str(error)
    if isinstance(error, ProtocolError):
        description = error.description
    elif isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(error.retry_after_s)
        code = "temporarily_unavailable"  # RFC 6749 knows no word for 429; the status says it
    elif not isinstance(error, IdpUnavailable):
        code = "invalid_request"
    if isinstance(error, InvalidClient) and basic:
        headers["WWW-Authenticate"] = 'Basic realm="token", charset="UTF-8"'
    status = next((status for kind, status in _TOKEN_STATUS if isinstance(error, kind)), 400)
    return json_response({"error": code, "error_description": description}, status, headers)


def challenge_of(error: ProtocolError, *, scope: str, presented: Presented | None) -> str:
    """Return the `WWW-Authenticate` of a resource's refusal; without a token there is no error to name (RFC 6750 cl. 3.1)."""
    dpop = isinstance(error, (InvalidDpopProof, UseDpopNonce)) or (presented is not None and presented.scheme == "dpop")
    challenge = f'DPoP algs="{" ".join(DPOP_ALGORITHMS)}"' if dpop else 'Bearer realm="gba-trust"'
    if presented is not None:
        challenge += f', error="{error.code}", error_description="{error.description}"'
    if isinstance(error, InsufficientScope):
        challenge += f', scope="{scope}"'
    if isinstance(error, InsufficientUserAuthentication):
        challenge += f', acr_values="{error.acr_values}", max_age="{error.max_age_s}"'
    return challenge


def bearer_error(error: ProtocolError, *, scope: str, presented: Presented | None) -> Response:
    """Return a resource's refusal (RFC 6750 cl. 3)."""
    headers = {"WWW-Authenticate": challenge_of(error, scope=scope, presented=presented)}
    status = status_of(error)
    if isinstance(error, (InvalidDpopProof, UseDpopNonce)):
        status = 401  # RFC 9449 cl. 7.1, 9: a resource answers 401
    if isinstance(error, UseDpopNonce):
        headers["DPoP-Nonce"] = error.nonce
    return json_response({"error": error.code, "error_description": error.description}, status, headers)

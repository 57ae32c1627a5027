"""The HTTP of refusals: which status, which headers, which shape.

Owns:    the one table of this package from error class to HTTP status; OAuth error bodies and challenges.
Leaves:  problem documents of the APIs to `service.problem_details`.
Spec:    RFC 6749 cl. 5.2; RFC 6750 cl. 3; RFC 7591 cl. 3.2.2; RFC 6585 cl. 4 (429)
"""

from starlette.responses import JSONResponse, Response

from idp.errors import (
    AccessDenied,
    IdpError,
    IdpUnavailable,
    InsufficientScope,
    InvalidClient,
    InvalidToken,
    LoginNotYours,
    LoginStepRepeated,
    ProtocolError,
    TooManyRequests,
    UnknownConnector,
)

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_STATUS: tuple[tuple[type[IdpError], int], ...] = (
    (TooManyRequests, 429),
    (InvalidClient, 401),
    (InvalidToken, 401),
    (InsufficientScope, 403),
    (AccessDenied, 403),
    (LoginNotYours, 403),
    (LoginStepRepeated, 409),
    (UnknownConnector, 404),
    (IdpUnavailable, 503),
)


def status_of(error: IdpError) -> int:
    """Return the HTTP status of a refusal; 400 unless the table says otherwise."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 400)


def oauth_error(error: IdpError, *, basic: bool = False) -> Response:
    """Return an error of a back-channel endpoint (RFC 6749 cl. 5.2)."""
    headers = dict(NO_STORE)
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
    return JSONResponse({"error": code, "error_description": description}, status_of(error), headers)


def bearer_error(error: ProtocolError, *, scope: str, presented: bool) -> Response:
    """Return a resource's refusal (RFC 6750 cl. 3); without a token there is no error to name (cl. 3.1)."""
    challenge = 'Bearer realm="gba-trust"'
    if presented:
        challenge += f', error="{error.code}", error_description="{error.description}"'
    if isinstance(error, InsufficientScope):
        challenge += f', scope="{scope}"'
    body = {"error": error.code, "error_description": error.description}
    return JSONResponse(body, status_of(error), {**NO_STORE, "WWW-Authenticate": challenge})

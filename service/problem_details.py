"""From a domain error to a problem document: the one table that knows HTTP.

Owns:    error class → status and title; the media type; what a bug looks like outside.
Leaves:  codes and texts to the packages' error trees. OAuth endpoints answer in OAuth's own shape (`idp`), not here.
Rules:   1 the nearest class in the table decides; a refusal without a row is 400, an unavailable edge 503
         2 what is not one of our errors is 500 and says nothing of the inside, only a reference number
Spec:    RFC 9457 (problem details); RFC 9110 cl. 15 (status codes), cl. 10.2.3 (Retry-After)
"""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from idp.errors import IdpError, IdpUnavailable, TooManyRequests
from liveness.errors import (
    Busy,
    CheckUnknown,
    DocumentRefused,
    FrameTooLarge,
    LivenessError,
    LivenessUnavailable,
    ModelsRefused,
    SessionRefused,
)
from service.errors import DataFolderInUse, ServiceError, ServiceUnavailable
from signing.errors import (
    AccessRefused,
    DocumentTooLarge,
    SigningError,
    SigningUnavailable,
    TransactionUnknown,
)
from trust_lists.errors import TrustListError, TrustListUnavailable

MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "urn:gba-trust:problem:"
DOMAIN_ERRORS = (TrustListError, SigningError, LivenessError, IdpError, ServiceError)

STATUS: dict[type[Exception], int] = {
    TrustListUnavailable: 503,
    SigningUnavailable: 503,
    AccessRefused: 401,
    TransactionUnknown: 404,
    DocumentTooLarge: 413,
    LivenessUnavailable: 503,
    ModelsRefused: 503,
    Busy: 503,
    CheckUnknown: 404,
    SessionRefused: 409,
    DocumentRefused: 422,
    FrameTooLarge: 413,
    IdpUnavailable: 503,
    TooManyRequests: 429,
    ServiceUnavailable: 503,
    DataFolderInUse: 503,
}


STATUS_BY_CODE = {
    "insufficient_scope": 403,  # RFC 6750 cl. 3.1: the token is good, but not for this
    "transaction_state": 409,
    "transaction_expired": 410,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is told outside."""

    status: int
    code: str
    detail: str
    retry_after_s: int | None = None


def problem_of(error: Exception) -> Problem:
    """Return the problem that a domain error is; anything else is `internal_error`."""
    if not isinstance(error, DOMAIN_ERRORS):
        return Problem(500, "internal_error", "Something failed on our side.")
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 400)
    status = STATUS_BY_CODE.get(error.code, status)
    retry = getattr(error, "retry_after_s", None)
    return Problem(status, error.code, str(error) or error.code, retry if isinstance(retry, int) else None)


def write_problem(request: Request, problem: Problem, error: Exception) -> Response:
    """Answer a request with a problem document."""
    reference = request.scope.get("state", {}).get("reference", "")
    headers = {"Cache-Control": "no-store"}
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(problem.retry_after_s)
    if problem.status == 401:
        headers["WWW-Authenticate"] = f'Bearer error="{problem.code}"'  # RFC 6750 cl. 3
    if isinstance(error, AccessRefused) and error.challenge:
        headers["WWW-Authenticate"] = error.challenge
    if isinstance(error, AccessRefused) and error.dpop_nonce is not None:
        headers["DPoP-Nonce"] = error.dpop_nonce  # RFC 9449 cl. 9
    return JSONResponse(
        {
            "type": TYPE_BASE + problem.code,
            "title": problem.code.replace("_", " "),
            "status": problem.status,
            "code": problem.code,
            "detail": problem.detail,
            "instance": f"urn:gba-trust:reference:{reference}",
            **_more_members(error),
        },
        problem.status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def _more_members(error: Exception) -> dict[str, object]:
    """Return what a form needs to point at the wrong character of a document (RFC 9457 cl. 3.2)."""
    if not isinstance(error, DocumentRefused):
        return {}
    return {"field": error.field, "position": error.position, "found": error.found, "expected": error.expected}


def exit_code(error: Exception) -> int:
    """Return what a command ends with: 1 refused, 2 usage, 3 unavailable."""
    if isinstance(error, DataFolderInUse):
        return 3
    return 3 if problem_of(error).status >= 500 else 1

"""Calls from pages of other origins: an app without a backend, run by the browser itself, redeems its code and reads userinfo.

Owns:    which doors answer such calls, and how. Leaves what they answer to the doors.
Rules:   1 only doors whose caller proves itself in the request: never one that looks at a cookie, and never `/authorize`
         2 any origin, without credentials: the browser sends no cookie and so lends nobody the person's session
         3 a call from a backend (no Origin) is answered as ever
Spec:    RFC 9700 cl. 2.6; OpenID Connect Core 1.0 cl. 5.3; RFC 9449 cl. 8.2; WHATWG Fetch cl. 3.2
"""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

Handler = Callable[[Request], Awaitable[Response]]

_PREFLIGHT = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, DPoP",
    "Access-Control-Max-Age": "600",
}
_EXPOSED = "DPoP-Nonce, Retry-After, WWW-Authenticate"


def cross_origin(handler: Handler) -> Handler:
    """Wrap a door: it answers a browser's preflight, and lets a page of another origin read its answers."""

    async def door(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        response = await handler(request)
        if "origin" in request.headers:
            response.headers["Access-Control-Allow-Origin"] = "*"
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        return response

    return door

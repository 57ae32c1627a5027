"""The doors for people: a refusal that may not be redirected becomes a page, with a reference that finds the audit entry.

Owns:    that page, for every browser door of this package. Leaves the words to `login_pages`.
"""

import secrets
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from idp.browser import choose_locale
from idp.deps import IdpDeps
from idp.errors import IdpError, IdpUnavailable, TooManyRequests
from idp.login_pages import ERROR_TEXTS
from idp.oauth_responses import status_of
from idp.page_errors import PageError

Handler = Callable[[Request], Awaitable[Response]]


def shown(deps: IdpDeps, handler: Handler) -> Handler:
    """Wrap a door."""

    async def door(request: Request) -> Response:
        try:
            return await handler(request)
        except (PageError, IdpUnavailable, TooManyRequests) as error:
            return await refusal_page(deps, request, error)

    return door


async def refusal_page(deps: IdpDeps, request: Request, error: IdpError) -> Response:
    """Show a refusal."""
    reference = secrets.token_urlsafe(9)
    detail = {"door": request.url.path[:64] if request.url.path.isascii() else ""}
    await deps.audit.record("page.refused", correlation=reference, outcome=error.code, detail=detail)
    headline, advice = ERROR_TEXTS.get(error.code, ERROR_TEXTS["temporarily_unavailable"])
    context = {
        "headline": headline,
        "advice": advice,
        "code": error.code,
        "reference": reference,
        "ui_locales": choose_locale(request, ()),
    }
    response = deps.render(request, "idp_error.html", context, status=status_of(error))
    if isinstance(error, TooManyRequests):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response

"""How every page of the portal is rendered, and how a refusal becomes one. Owns the templates' environment and the headers."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sandbox.portal.errors import PortalError

FOLDER = Path(__file__).with_name("templates")
Handler = Callable[[Request], Awaitable[Response]]
_PAGES = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined)
# No form-action: a browser would hold the whole chain of redirects after the button against it.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def page(template: str, *, status: int = 200, refresh_s: int | None = None, **context: object) -> Response:
    """Render a page."""
    return HTMLResponse(_PAGES.get_template(template).render(refresh_s=refresh_s, **context), status, _HEADERS)


def paged(handler: Handler) -> Handler:
    """Wrap a door for people."""

    async def door(request: Request) -> Response:
        try:
            return await handler(request)
        except PortalError as error:
            return page("refused.html", status=error.status, code=error.code, detail=error.detail)

    return door

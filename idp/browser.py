"""One visit of one browser: its cookies, its language, and how bodies are read.

Owns:    the two cookies and the bounded reading of forms. Leaves what they name to the store.
Rules:   1 cookies are HttpOnly, SameSite=Lax, Path=/, and on https Secure with the `__Host-` prefix
         2 a cookie holds a random secret; the store knows its hash only
         3 a body is read up to its limit and no further
Spec:    RFC 6265bis cl. 4.1.3; OpenID Connect Core 1.0 cl. 3.1.2.1 (ui_locales)
"""

import secrets
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from idp.config import IdpConfig
from idp.hashes import hash_token
from idp.page_errors import MalformedRequest
from idp.parameters import Parameters, parse_parameters
from idp.protocol import LOCALES

MAX_COOKIE_CHARS = 128
_FORM = "application/x-www-form-urlencoded"
_LOCALE_OF = {
    "zh": "zh-Hant", "zh-hk": "zh-Hant", "zh-mo": "zh-Hant", "zh-tw": "zh-Hant", "zh-hant": "zh-Hant",
    "zh-cn": "zh-Hans", "zh-sg": "zh-Hans", "zh-hans": "zh-Hans", "pt": "pt", "en": "en",
}  # fmt: skip


@dataclass(slots=True)
class Visit:
    """One request of a browser, with what its answer must set. Lives as long as the request."""

    request: Request
    at: datetime
    handle: str | None = None
    """The secret that binds a login to this browser."""
    session: str | None = None
    """The secret of the sign-in session."""
    stored: bool = False
    """Whether the login of this visit is in the store."""
    new_handle: bool = False
    new_session: bool = False
    ended: bool = False

    @property
    def handle_hash(self) -> str:
        """The store's key of the login; a handle is made when there is none."""
        if self.handle is None:
            self.handle, self.new_handle = secrets.token_urlsafe(32), True
        return hash_token(self.handle)

    @property
    def session_hash(self) -> str | None:
        """The store's key of the sign-in session."""
        return None if self.session is None else hash_token(self.session)


def read_visit(request: Request, config: IdpConfig, at: datetime) -> Visit:
    """Read a browser's cookies."""
    return Visit(
        request,
        at,
        handle=_cookie(request, config.login_cookie),
        session=_cookie(request, config.session_cookie),
    )


def finish_visit(visit: Visit, response: Response, config: IdpConfig) -> Response:
    """Put the cookies on the answer."""
    if visit.ended:
        drop_cookie(response, config.login_cookie, config)
    elif visit.new_handle and visit.stored and visit.handle is not None:
        lifetime = int(config.login_lifetime.total_seconds())
        _set(response, config.login_cookie, visit.handle, config, max_age=lifetime)
    if visit.new_session and visit.session is not None:
        _set(response, config.session_cookie, visit.session, config, max_age=None)
    return response


def redirect(location: str) -> Response:
    """Send the browser elsewhere with GET (RFC 9700 cl. 4.12: 303), leaving no trace in caches or referrers."""
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return RedirectResponse(location, status_code=303, headers=headers)


async def read_form(request: Request, config: IdpConfig) -> Parameters:
    """Read a form body, bounded.

    Raises:
        MalformedRequest: too large, or of another type.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != _FORM:
        raise MalformedRequest(f"The body must be {_FORM}")
    return parse_parameters(await read_body(request, config.max_form_bytes), config, max_bytes=config.max_form_bytes)


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Read a body up to its limit and no further.

    Raises:
        MalformedRequest: too large.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise MalformedRequest("The request is too large")
    return bytes(body)


def choose_locale(request: Request, ui_locales: tuple[str, ...]) -> str:
    """Return the language for the steps elsewhere: the person's choice, the portal's, the browser's, zh-Hant."""
    asked = request.query_params.get("lang") if b"lang=" in request.scope["query_string"] else None
    for chosen in (asked, request.cookies.get("lang")):
        if chosen in LOCALES:
            return str(chosen)
    accepted = [part.split(";")[0].strip() for part in request.headers.get("accept-language", "")[:200].split(",")]
    for tag in (*ui_locales, *accepted):
        words = tag.lower().split("-")
        known = _LOCALE_OF.get("-".join(words[:2])) or _LOCALE_OF.get(words[0])
        if known is not None:
            return known
    return LOCALES[0]


def _cookie(request: Request, name: str) -> str | None:
    value = request.cookies.get(name)
    return value if value and len(value) <= MAX_COOKIE_CHARS and value.isascii() else None


def drop_cookie(response: Response, name: str, config: IdpConfig) -> None:
    """Make the browser forget a cookie of ours."""
    _set(response, name, "", config, max_age=0)


def _set(response: Response, name: str, value: str, config: IdpConfig, *, max_age: int | None) -> None:
    """Our values are base64url, so the line needs no quoting (RFC 6265 cl. 4.1.1)."""
    age = "" if max_age is None else f"; Max-Age={max_age}"
    secure = "; Secure" if config.secure else ""
    line = f"{name}={value}{age}; Path=/; HttpOnly; SameSite=Lax{secure}"
    response.raw_headers.append((b"set-cookie", line.encode("ascii")))

"""The operator's gateway for notices, simulated: what the service would push to people's phones, and a page that shows it.

Owns:    `POST /notices` (the service's call, with the bearer secret), `GET /phone` (page, or JSON for programs).
Rules:   1 only the service that holds the secret is heard; a notice is bounded, and of the expected shape
         2 the gateway knows people by the service's own identifiers; which persona that is, it cannot know, and does not pretend
         3 the latest notices are kept, in memory
Spec:    OpenID Connect CIBA Core 1.0 cl. 5
"""

import hmac
import html
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from trust_lists.clock import Clock

MAX_NOTICES = 50
MAX_BODY_BYTES = 8_192
SECRET_FILE = "notifier-secret"  # noqa: S105 - a file's name
_MEMBERS = ("person", "portal", "message", "url")
_PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Notices (simulated)</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/iam-smart/style.css"></head>'
    '<body><main><h1><span lang="zh-Hant">手機通知</span> Notices <small>simulated</small></h1>'
    "<p>What the operator's gateway would push to people's phones. It knows people by the service's own identifiers, so it cannot tell "
    "which persona is meant: the link does, for only the person who was asked can answer.</p>{rows}</main></body></html>"
)


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice as it arrived."""

    person: str
    portal: str
    message: str
    url: str
    at: datetime


class NoticeBoard:
    """Receives and shows notices."""

    def __init__(self, secret_file: Path, clock: Clock, *, service_url: str) -> None:
        self._secret_file = secret_file
        self._clock = clock
        self._service_url = service_url
        self._notices: deque[Notice] = deque(maxlen=MAX_NOTICES)

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [Route("/notices", self.receive, methods=["POST"]), Route("/phone", self.show, methods=["GET"])]

    async def receive(self, request: Request) -> Response:
        """`POST /notices`."""
        presented = request.headers.get("authorization", "")
        if not hmac.compare_digest(presented.encode(), f"Bearer {self._secret()}".encode()):
            return JSONResponse({"code": "secret_refused"}, 401)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                return JSONResponse({"code": "notice_too_large"}, 413)
        members = _members(bytes(body))
        if members is None or not self._is_of_the_service(members["url"]):
            return JSONResponse({"code": "notice_malformed"}, 400)
        self._notices.appendleft(Notice(**members, at=self._clock()))
        return Response(status_code=202)

    async def show(self, request: Request) -> Response:
        """`GET /phone`: the latest first."""
        if "text/html" in request.headers.get("accept", ""):
            rows = "".join(_section(notice) for notice in self._notices) or "<p>No notice has come.</p>"
            return HTMLResponse(_PAGE.format(rows=rows))
        notices = [
            {"person": n.person, "portal": n.portal, "message": n.message, "url": n.url, "at": n.at.isoformat()}
            for n in self._notices
        ]
        return JSONResponse({"simulated": True, "notices": notices})

    def _secret(self) -> str:
        return self._secret_file.read_text(encoding="ascii").strip()

    def _is_of_the_service(self, url: str) -> bool:
        return urlsplit(url)[:2] == urlsplit(self._service_url)[:2]


def _members(body: bytes) -> dict[str, str] | None:
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(members, Mapping) or set(members) != set(_MEMBERS):
        return None
    return dict(members) if all(isinstance(value, str) for value in members.values()) else None


def _section(notice: Notice) -> str:
    told = {name: html.escape(getattr(notice, name)) for name in _MEMBERS}
    message = f"<dt>It shows</dt><dd><strong>{told['message']}</strong></dd>" if notice.message else ""
    return (
        f"<section><h2>{told['portal']} asks you to confirm</h2><dl>{message}"
        f"<dt>Person</dt><dd><code>{told['person'][:8]}…</code></dd>"
        f"<dt>Came</dt><dd>{notice.at.strftime('%Y-%m-%d %H:%M:%S')} UTC</dd></dl>"
        f'<p><a href="{told["url"]}">Look at it and answer</a></p></section>'
    )

"""No answer before its audit trail: the events of one request are kept together, and are on disk before the answer leaves.

Owns:    the gathering of a request's events, and the one wait for them. Leaves appending to `audit_store`.
Rules:   1 the answer's first byte waits until every event that led to it is durable
         2 if they cannot be kept, there is no answer but "unavailable": nothing happens here unseen
         3 what a request starts and leaves running records for itself, at once, as outside any request
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.audit_writer import UnlinkedEntry
from service.errors import ServiceError
from service.problem_details import MEDIA_TYPE, problem_of

Append = Callable[[list[UnlinkedEntry]], Awaitable[object]]


class GatheredEvents:
    """The events of one request, until its answer starts."""

    __slots__ = ("entries", "open")

    def __init__(self) -> None:
        self.entries: list[UnlinkedEntry] = []
        self.open = True


gathered: ContextVar[GatheredEvents | None] = ContextVar("audit events of this request", default=None)


class AuditedAnswers:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, *, append: Append) -> None:
        self._app = app
        self._append = append

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        events = GatheredEvents()
        token = gathered.set(events)
        refused = False

        async def after_the_trail(message: Message) -> None:
            nonlocal refused
            if events.open:
                try:
                    await self._close(events)
                except ServiceError as error:
                    refused = True
                    await _unavailable(error, scope, receive, send)
            if not refused:
                await send(message)

        try:
            await self._app(scope, receive, after_the_trail)
        finally:
            gathered.reset(token)
            await self._close(events)

    async def _close(self, events: GatheredEvents) -> None:
        events.open = False
        entries, events.entries = events.entries, []
        if entries:
            await self._append(entries)


async def _unavailable(error: ServiceError, scope: Scope, receive: Receive, send: Send) -> None:
    problem = problem_of(error)
    body = {"type": "about:blank", "title": problem.code, "status": problem.status, "code": problem.code}
    await JSONResponse(body, problem.status, media_type=MEDIA_TYPE)(scope, receive, send)

"""The doors that everybody passes, found by one look-up instead of a walk through every route.

Owns:    the table (method, path) → door, in front of the framework; what a door raises becomes the same answer as behind it.
Leaves:  every other request to the application behind.
Rules:   1 a door here is a plain Starlette route of ours, called as Starlette calls it: with a Request, for a Response
         2 only whole paths and known methods are here; what does not match exactly is the application's (405, HEAD, other spellings)
         3 the route that served stands in the scope, so that metrics are labelled by its template
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

Door = Callable[[Request], Awaitable[Response]]
ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]


class DoorTable:
    """ASGI: serves the doors of its table, passes on the rest."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        routes: Iterable[BaseRoute],
        on_error: ErrorHandler,
        expansions: Mapping[str, Iterable[str]],
    ) -> None:
        """Build the table.

        Args:
            app: the application behind.
            routes: routes that may be called directly.
            on_error: makes an answer of whatever a door raises.
            expansions: the values of path parameters that are known beforehand, by name.
        """
        self._app = app
        self._on_error = on_error
        self._table: dict[tuple[str, str], tuple[Route, dict[str, str]]] = {}
        for route in routes:
            if isinstance(route, Route):
                self._add(route, expansions)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        found = self._table.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        scope["route"], scope["path_params"] = found
        scope["app"] = self._app
        request = Request(scope, receive, send)
        try:
            response = await cast("Door", found[0].endpoint)(request)
        except Exception as error:  # noqa: BLE001 - the process door: nothing of the inside is told outside
            response = await self._on_error(request, error)
        await response(scope, receive, send)

    def _add(self, route: Route, expansions: Mapping[str, Iterable[str]]) -> None:
        methods = (route.methods or set()) - {"HEAD"}
        names = list(route.param_convertors)
        if not names:
            places: list[tuple[str, dict[str, str]]] = [(route.path, {})]
        elif len(names) == 1 and names[0] in expansions:
            name = names[0]
            places = [(route.path.replace(f"{{{name}}}", value), {name: value}) for value in expansions[name]]
        else:
            return
        for path, parameters in places:
            for method in methods:
                self._table.setdefault((method, path), (route, parameters))

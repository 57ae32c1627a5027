"""Health for orchestrators: alive, and able to judge.

Owns:    `/healthz` (the process answers) and `/readyz` (it may be sent traffic).
Rules:   1 ready means: a trust list is accepted, not stale and not empty, where this process needs one
         2 every part that is not ready is named with its code; nothing else of the inside is shown
"""

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

Check = Callable[[], str | None]
"""Returns None when ready, else the code of what is missing."""


def health_routes(checks: Mapping[str, Check]) -> list[Route]:
    """Return the two routes."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})

    async def readyz(_: Request) -> Response:
        found = {name: check() for name, check in checks.items()}
        ready = not any(found.values())
        parts = {name: code or "ok" for name, code in found.items()}
        return JSONResponse(
            {"ready": ready, "parts": parts}, 200 if ready else 503, headers={"Cache-Control": "no-store"}
        )

    return [Route("/healthz", healthz), Route("/readyz", readyz)]

"""The operators' port: metrics and the audit log. It listens on loopback unless told otherwise, and serves no portal or citizen.

Owns:    `/metrics`, `/audit/verify`, `/audit/entries`. Leaves verification to `audit_log`.
"""

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.audit_store import AuditLog
from service.errors import AuditBroken
from service.telemetry import Metrics

MAX_ENTRIES = 5_000


def build_management(metrics: Metrics, audit: AuditLog) -> Starlette:
    """Return the operators' application."""

    async def show_metrics(_: Request) -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def verify(_: Request) -> Response:
        try:
            verified = await audit.verify()
        except AuditBroken as error:
            return JSONResponse({"ok": False, "code": error.code, "detail": str(error)}, 409)
        return JSONResponse(
            {"ok": True, "entries": verified.head.seq, "head": verified.head.hash, "checkpoints": verified.checkpoints}
        )

    async def checkpoint(_: Request) -> Response:
        head = await audit.checkpoint()
        return JSONResponse({"entries": head.seq, "head": head.hash})

    async def entries(request: Request) -> Response:
        after = request.query_params.get("after", "0")
        limit = request.query_params.get("limit", "1000")
        if not (after.isdecimal() and limit.isdecimal() and int(limit) <= MAX_ENTRIES and len(after) < 16):
            return JSONResponse({"code": "bad_range", "detail": "after and limit must be whole numbers"}, 400)
        found = await audit.entries(
            correlation=request.query_params.get("correlation"), after=int(after), limit=int(limit)
        )
        return JSONResponse({"entries": [entry.as_json() for entry in found]})

    return Starlette(
        routes=[
            Route("/metrics", show_metrics),
            Route("/audit/verify", verify),
            Route("/audit/checkpoint", checkpoint, methods=["POST"]),
            Route("/audit/entries", entries),
        ]
    )

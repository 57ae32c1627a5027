"""The operators' doors: the published list for readers, and a remote control for the errand.

Owns:    HTTP over `operators.Operators`. Leaves what happens to it.
Rules:   only names of the published layout are served; a versioned file is immutable, the timestamp is always asked for again.
         Refusals come back as `{code, detail}` with 409; bad requests with 400.
"""

import hashlib
import json
import re
from collections.abc import Callable, Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.operators import FAULTS, Operators
from sandbox.operators_scheme import ServiceDraft
from trust_lists.bundle import TIMESTAMP_NAME
from trust_lists.errors import TrustListError
from trust_lists.log_tiles import CHECKPOINT_NAME
from trust_lists.snapshot import Snapshot

_LAYOUT = re.compile(
    r"metadata/(?:[0-9]{1,10}\.)?[a-z]{2,9}\.json|targets/(?:(?:hk|mo|gd)/)?[0-9a-f]{64}\.[a-z]{4,8}\.json"
    r"|log/checkpoint|log/[0-9]{1,10}\.tlog-proof|log/tile/(?:[0-5]|entries)/(?:x[0-9]{3}/)*[0-9]{3}(?:\.p/[0-9]{1,3})?"
    r"|xml/[0-9]{1,10}\.(?:hk|mo|gd|lists)\.xml"
)
_MEDIA_TYPES = {".json": "application/json", ".xml": "application/vnd.etsi.tsl+xml"}
_MAX_BODY_BYTES = 1024


def build_operator_routes(operators: Operators, services: Callable[[], Sequence[ServiceDraft]]) -> Sequence[BaseRoute]:
    """Return the routes.

    Args:
        operators: the three offices.
        services: gives the services of the first publication when it is asked for.
    """

    async def published_file(request: Request) -> Response:
        name = request.path_params["path"]
        if name == TIMESTAMP_NAME and operators.fault is None:
            await run_in_threadpool(operators.keep_fresh)
        if name.startswith("xml/") and operators.snapshot is not None:
            base = str(request.base_url).rstrip("/") + "/trust-list"
            await run_in_threadpool(operators.export_xml, base)
        path = operators.served / name
        if _LAYOUT.fullmatch(name) is None or not path.is_file():
            return JSONResponse({"code": "not_found", "detail": "no such file of the list"}, 404)
        data = await run_in_threadpool(path.read_bytes)
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        caching = "no-cache" if name in (TIMESTAMP_NAME, CHECKPOINT_NAME) else "public, max-age=31536000, immutable"
        headers = {"ETag": etag, "Cache-Control": caching}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(data, media_type=_MEDIA_TYPES.get(path.suffix, "text/plain"), headers=headers)

    async def show(_: Request) -> Response:
        return JSONResponse(describe(operators))

    async def publish_first(_: Request) -> Response:
        return await _answer(operators, lambda: operators.publish_first(services()))

    async def set_status(request: Request) -> Response:
        status = await _member(request, "status")
        service = request.path_params["service"]
        return await _answer(operators, lambda: operators.set_status(service, str(status)))

    async def set_fault(request: Request) -> Response:
        fault = await _member(request, "fault")
        return await _answer(operators, lambda: operators.set_fault(None if fault is None else str(fault)))

    return [
        Route("/trust-list/{path:path}", published_file, methods=["GET"]),
        Route("/operators", show, methods=["GET"]),
        Route("/operators/publish-first", publish_first, methods=["POST"]),
        Route("/operators/services/{service}/status", set_status, methods=["POST"]),
        Route("/operators/fault", set_fault, methods=["PUT"]),
    ]


def describe(operators: Operators) -> dict[str, object]:
    """Return what the offices have published, as JSON."""
    snapshot = operators.snapshot
    return {
        "published": snapshot is not None,
        "version": snapshot.version if snapshot else None,
        "sha256": snapshot.sha256 if snapshot else None,
        "services": _services(snapshot) if snapshot else [],
        "fault": operators.fault,
        "faults": list(FAULTS),
        "trusted_root": operators.trusted_root().decode("utf-8"),
    }


def _services(snapshot: Snapshot) -> list[dict[str, str]]:
    return [
        {"id": service.id, "region": service.region.value, "type": service.type.word, "status": service.status.word}
        for service in snapshot.services
    ]


async def _member(request: Request, name: str) -> object:
    body = await request.body()
    try:
        value = json.loads(body[:_MAX_BODY_BYTES])
    except ValueError:
        return ""  # no word of ours: refused with its code
    return value.get(name) if isinstance(value, dict) else ""


async def _answer(operators: Operators, work: Callable[[], object]) -> Response:
    try:
        await run_in_threadpool(work)
    except TrustListError as error:
        return JSONResponse({"code": error.code, "detail": str(error)}, 409)
    return JSONResponse(describe(operators))

"""The read-only API of the list: which version this service uses, what it says, and its files.

Owns:    `/api/v1/trust-list` with `/services` and `/versions/{sha256}/{file}`. Leaves the list to `client`, pages to
         `page_routes`, errors to the service's problem table.
Rules:   answers about a version carry its hash as ETag; what stands under a version's hash never changes. A stale or missing list is an
         error (`trust_list_stale`), never an empty list. An XML export is handed on only when it says what the accepted list says.
"""

import hashlib
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from trust_lists.bundle import SCHEME_PATH, section_path
from trust_lists.client import TrustListClient
from trust_lists.presentation import service_row
from trust_lists.snapshot import Snapshot
from trust_lists.vocabulary import Region

IMMUTABLE = "public, max-age=31536000, immutable"
DOCUMENTS = {"scheme.json": SCHEME_PATH} | {f"{region.value}.json": section_path(region) for region in Region}
EXPORTS = {f"{region.value}.xml": region.value for region in Region} | {"lists.xml": "lists"}
STATEMENTS = ("root.json", "snapshot.json", "checkpoint.txt")
"""What else a stranger needs to check the version: the root, the signed snapshot, and the witnessed checkpoint."""


def build_routes(client: TrustListClient) -> Sequence[BaseRoute]:
    """Return the routes over one reader."""

    async def status(_: Request) -> Response:
        """What the reader uses now; 200 even when that is nothing, so that monitoring can read the reason."""
        return JSONResponse(client.status().to_json(), headers={"Cache-Control": "no-store"})

    async def services(request: Request) -> Response:
        """Every listed service with its history; `region`, `type` and `status` narrow it down."""
        snapshot = client.current()
        etag = f'"{snapshot.sha256}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"ETag": etag})
        wanted = {name: request.query_params.get(name) for name in ("region", "type", "status")}
        rows = [row for row in map(service_row, snapshot.services) if _matches(row, wanted)]
        body = {"version": snapshot.version, "sha256": snapshot.sha256, "services": rows}
        return JSONResponse(body, headers={"ETag": etag, "Cache-Control": "no-cache"})

    async def version_file(request: Request) -> Response:
        """A file of the version in use, under an address that never means anything else."""
        snapshot, name = client.current(), request.path_params["file"]
        if request.path_params["sha256"] != snapshot.sha256:
            return JSONResponse({"code": "not_found", "detail": "this reader holds another version"}, 404)
        data = await _file(client, snapshot, name)
        if data is None:
            return JSONResponse({"code": "not_found", "detail": "no such file of the list"}, 404)
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        headers = {"ETag": etag, "Cache-Control": IMMUTABLE, "X-Content-Type-Options": "nosniff"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        headers["Content-Disposition"] = f'attachment; filename="trust-list-{snapshot.version}-{name}"'
        return Response(data, media_type=_media_type(name), headers=headers)

    return [
        Route("/api/v1/trust-list", status, methods=["GET"]),
        Route("/api/v1/trust-list/services", services, methods=["GET"]),
        Route("/api/v1/trust-list/versions/{sha256}/{file}", version_file, methods=["GET"]),
    ]


async def _file(client: TrustListClient, snapshot: Snapshot, name: str) -> bytes | None:
    if name in DOCUMENTS:
        return await client.document(snapshot, DOCUMENTS[name])
    if name in EXPORTS:
        return await client.export(snapshot, EXPORTS[name])
    logged = snapshot.envelope.logged
    statements = {
        "root.json": snapshot.envelope.root,
        "snapshot.json": snapshot.envelope.snapshot,
        "checkpoint.txt": logged.note if logged else None,
    }
    return statements.get(name)


def _media_type(name: str) -> str:
    return {
        "json": "application/json",
        "xml": "application/vnd.etsi.tsl+xml",
        "txt": "text/plain; charset=utf-8",
    }[name.rpartition(".")[2]]


def _matches(row: dict[str, object], wanted: dict[str, str | None]) -> bool:
    return all(value is None or row[name] == value for name, value in wanted.items())

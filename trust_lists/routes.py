"""The read-only API of the list: which version this service uses, and what it says.

Owns:    `/api/v1/trust-list` and `/api/v1/trust-list/services`. Leaves the list to `client`, errors to the service's problem table.
Rules:   answers about a version carry its hash as ETag; a stale or missing list is an error (`trust_list_stale`), never an empty list.
"""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from trust_lists.client import TrustListClient
from trust_lists.model import TrustService
from trust_lists.strict_json import write_instant


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

    return [
        Route("/api/v1/trust-list", status, methods=["GET"]),
        Route("/api/v1/trust-list/services", services, methods=["GET"]),
    ]


def _matches(row: dict[str, object], wanted: dict[str, str | None]) -> bool:
    return all(value is None or row[name] == value for name, value in wanted.items())


def service_row(service: TrustService) -> dict[str, object]:
    """Return a service as JSON for people and programs; the signed documents remain the source."""
    admission = service.admission
    return {
        "id": service.id,
        "region": service.region.value,
        "provider": service.provider,
        "type": service.type.word,
        "name": service.name,
        "status": service.status.word,
        "key_sha256": service.key_sha256,
        "admitted_since": write_instant(admission.since) if admission else None,
        "admitted_until": write_instant(admission.until) if admission and admission.until else None,
        "history": [
            {"status": period.status.word, "starting_time": write_instant(period.starting_time)}
            for period in service.periods
        ],
        "certificate_types": [
            {"name": kind.name, "policy_oid_prefix": kind.policy_oid_prefix, "purposes": list(kind.purposes)}
            for kind in service.certificate_types
        ],
    }

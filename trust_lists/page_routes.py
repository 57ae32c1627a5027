"""The browse pages of the list: `/trust-list` with search, and one page for each service with its history.

Owns:    what the pages show. Leaves rendering, language and headers to the service's renderer, the list to `client`.
Rules:   everybody may read them, so they carry an ETag and may be kept; they work without JavaScript. A list that may not be used is said
         to be so, with its reason, and nothing of it is shown as if it counted.
Spec:    design/pages.md (`/trust-list`); RFC 9110 cl. 8.8.3 (ETag), 13.1.2 (If-None-Match).
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from trust_lists.client import TrustListClient
from trust_lists.errors import TrustListError, TrustListUnavailable
from trust_lists.model import Agreement, ServiceStatus, ServiceType, TrustService
from trust_lists.routes import DOCUMENTS, EXPORTS, STATEMENTS
from trust_lists.snapshot import Snapshot
from trust_lists.vocabulary import Region

PAGE_SIZE = 50
MAX_QUERY = 200


class PageRenderer(Protocol):
    """Renders a template in the reader's language."""

    def __call__(
        self, request: Request, template: str, context: Mapping[str, object], *, status: int = 200
    ) -> Response:
        """Return the page."""
        ...


def build_page_routes(client: TrustListClient, render: PageRenderer) -> Sequence[BaseRoute]:
    """Return the pages' routes."""

    async def browse(request: Request) -> Response:
        return _answer(
            request, client, render, lambda snapshot: ("trust_lists_browse.html", _browse(request, snapshot), 200)
        )

    async def service(request: Request) -> Response:
        def page(snapshot: Snapshot) -> tuple[str, dict[str, object], int]:
            found = snapshot.service(request.path_params["service"])
            if found is None:
                return "trust_lists_unknown.html", {"snapshot": snapshot}, 404
            return "trust_lists_service.html", {"snapshot": snapshot, **_service(snapshot, found)}, 200

        return _answer(request, client, render, page)

    return [
        Route("/trust-list", browse, methods=["GET"]),
        Route("/trust-list/services/{service}", service, methods=["GET"]),
    ]


def _answer(request: Request, client: TrustListClient, render: PageRenderer, page: "Page") -> Response:
    """Render a page of the list in use, with its ETag; a list that may not be used has a page of its own."""
    try:
        template, context, status = page(client.current())
    except TrustListError as error:
        unavailable = 503 if isinstance(error, TrustListUnavailable) else 500
        return render(request, "trust_lists_unusable.html", {"code": error.code}, status=unavailable)
    response = render(request, template, context, status=status)
    etag = f'"{hashlib.sha256(bytes(response.body)).hexdigest()[:32]}"'
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Vary"] = "Accept-Language, Cookie"
    if status == 200 and request.headers.get("if-none-match") == etag:
        kept = {name: response.headers[name] for name in ("ETag", "Cache-Control", "Vary")}
        return Response(status_code=304, headers=kept)
    return response


class Page(Protocol):
    """Chooses template, context and status for the list in use."""

    def __call__(self, snapshot: Snapshot) -> tuple[str, dict[str, object], int]:
        """Return them."""
        ...


# --- what the pages show -----------------------------------------------------------------------------------------------


def _browse(request: Request, snapshot: Snapshot) -> dict[str, object]:
    asked = {name: request.query_params.get(name, "")[:MAX_QUERY] for name in ("q", "region", "type", "status")}
    found = [service for service in snapshot.services if _fits(service, asked)]
    pages = max(1, -(-len(found) // PAGE_SIZE))
    text = request.query_params.get("page", "1")
    number = min(pages, max(1, int(text))) if text.isascii() and text.isdigit() and len(text) < 7 else 1
    shown = found[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
    logged = snapshot.envelope.logged
    return {
        "snapshot": snapshot,
        "asked": asked,
        "rows": [{"service": service, "region": service.region.value} for service in shown],
        "found": len(found),
        "page": number,
        "pages": pages,
        "regions": [region.value for region in Region],
        "types": [kind.word for kind in ServiceType],
        "statuses": [status.word for status in ServiceStatus],
        "agreements": [_agreement(agreement) for agreement in snapshot.scheme.agreements],
        "enacted": {_pair(a) for a in snapshot.scheme.agreements if a.periods[-1].status.value == "enacted"},
        "witnesses": [region.value for region in logged.witnesses] if logged else [],
        "log_size": logged.checkpoint.size if logged else 0,
        "documents": sorted(DOCUMENTS),
        "exports": sorted(EXPORTS),
        "statements": STATEMENTS,
        "address": f"/api/v1/trust-list/versions/{snapshot.sha256}",
    }


def _fits(service: TrustService, asked: Mapping[str, str]) -> bool:
    if asked["region"] and service.region.value != asked["region"]:
        return False
    if asked["type"] and service.type.word != asked["type"]:
        return False
    if asked["status"] and service.status.word != asked["status"]:
        return False
    words = asked["q"].casefold().split()
    texts = [service.id, service.provider, service.key_sha256, *(name.value for name in service.names)]
    texts += [kind.policy_oid_prefix for kind in service.certificate_types] + [
        k.name for k in service.certificate_types
    ]
    whole = "\n".join(texts).casefold()
    return all(word in whole for word in words)


def _pair(agreement: Agreement) -> str:
    return "-".join(sorted(region.value for region in agreement.regions))


def _agreement(agreement: Agreement) -> dict[str, object]:
    return {
        "id": agreement.id,
        "name": agreement.names[0],
        "regions": [region.value for region in agreement.regions],
        "purposes": agreement.purposes,
        "status": agreement.periods[-1].status.value,
        "since": agreement.periods[-1].starting_time,
    }


def _service(snapshot: Snapshot, service: TrustService) -> dict[str, object]:
    ends: list[datetime | None] = [period.starting_time for period in service.periods[1:]]
    history = [
        {"status": period.status.word, "since": period.starting_time, "until": until}
        for period, until in zip(service.periods, [*ends, None], strict=True)
    ]
    home = [a for a in snapshot.scheme.agreements if service.region in a.regions]
    return {
        "service": service,
        "region": service.region.value,
        "history": history[::-1],
        "kinds": service.certificate_types,
        "agreements": [_agreement(agreement) for agreement in home],
    }

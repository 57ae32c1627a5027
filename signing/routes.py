"""The signing and validation API for portals.

Owns:    parsing requests, shapes of answers. Leaves every rule to `transactions` and `validation`, errors to the service's table.
Rules:   bodies are bounded before they are read; a portal sees its own transactions only.
Spec:    the project's interfaces: /api/v1/signing/…, /api/v1/validation; RFC 6750 (bearer tokens)
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from signing.doors import SigningDoors, shown
from signing.errors import RequestRefused
from signing.forms import open_form, read_document, text_of
from signing.model import SignatureLevel
from signing.page_routes import build_page_routes
from signing.policy import DEFAULT, POLICIES
from signing.report import narrowed
from signing.store import DocumentKind
from signing.transaction_model import Transaction
from signing.transactions import SigningDemand

SCOPE = "signing"
_NO_STORE = {"Cache-Control": "no-store"}
_MAX_KEY = 200


def build_routes(doors: SigningDoors) -> list[BaseRoute]:
    """Return the API's and the pages' routes."""

    async def own_transaction(request: Request) -> Transaction:
        access = await doors.authorisations.portal_access(request, scope=SCOPE)
        return await doors.transactions.view_for_portal(request.path_params["transaction"], access)

    async def create(request: Request) -> Response:
        access = await doors.authorisations.portal_access(request, scope=SCOPE)
        async with open_form(request, doors.config.document) as form:
            demand = SigningDemand(
                document=await read_document(form, doors.config.document),
                document_name=text_of(form, "document_name"),
                reason=text_of(form, "reason"),
                level=_level(text_of(form, "level")),
                idempotency_key=_idempotency_key(request),
            )
        return JSONResponse(shown(await doors.transactions.create(access, demand), doors), 201, headers=_NO_STORE)

    async def show(request: Request) -> Response:
        return JSONResponse(shown(await own_transaction(request), doors), headers=_NO_STORE)

    async def document(request: Request) -> Response:
        signed = await doors.transactions.document((await own_transaction(request)).id, DocumentKind.SIGNED)
        return Response(signed, media_type="application/pdf", headers=_NO_STORE)

    async def report(request: Request) -> Response:
        found = await doors.transactions.document((await own_transaction(request)).id, DocumentKind.REPORT)
        return Response(found, media_type="application/json", headers=_NO_STORE)

    async def validation(request: Request) -> Response:
        async with open_form(request, doors.config.document) as form:
            policy, purpose = text_of(form, "policy") or DEFAULT.name, text_of(form, "purpose")
            if policy not in POLICIES:
                raise RequestRefused("there is no such validation policy")
            name = text_of(form, "document_name")
            document = await read_document(form, doors.config.document)
        found = await doors.validate(document, policy)
        return JSONResponse(narrowed(found, purpose, name), headers=_NO_STORE)

    return [
        Route("/api/v1/signing/transactions", create, methods=["POST"]),
        Route("/api/v1/signing/transactions/{transaction}", show),
        Route("/api/v1/signing/transactions/{transaction}/document", document),
        Route("/api/v1/signing/transactions/{transaction}/report", report),
        Route("/api/v1/validation", validation, methods=["POST"]),
        *build_page_routes(doors),
    ]


def _level(text: str) -> SignatureLevel:
    try:
        return SignatureLevel(text or SignatureLevel.B_T.value)
    except ValueError as error:
        raise RequestRefused("the level must be B-B or B-T") from error


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= _MAX_KEY:
        raise RequestRefused("the idempotency key must have 1 to 200 characters")
    return key

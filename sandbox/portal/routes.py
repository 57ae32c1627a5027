"""The portal's doors: a page for people, and a small JSON interface for the errand and for portal teams.

Owns:    parsing, the browser cookie, pages and problem documents. Leaves everything else to `Portal`.
Rules:   1 every page says that it is simulated
         2 an errand started at the page is finished only in the same browser (login CSRF)
Spec:    RFC 9457
"""

import json
import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.portal.elsewhere_routes import build_elsewhere_routes
from sandbox.portal.errors import PortalError
from sandbox.portal.pages import FOLDER, Handler, page, paged
from sandbox.portal.portal import Portal

MAX_BODY_BYTES = 4_096
COOKIE = "sample-portal"
HINTS = ("login_hint", "connector", "ui_locales")


def build_portal_routes(portal: Portal) -> list[BaseRoute]:
    """Return the portal's routes."""
    return [*_page_routes(portal), *build_elsewhere_routes(portal), *_interface_routes(portal)]


def _page_routes(portal: Portal) -> list[BaseRoute]:
    async def front(_request: Request) -> Response:
        return page("start.html")

    async def start(_request: Request) -> Response:
        browser = secrets.token_urlsafe(16)
        _, url = await portal.start(browser=browser)
        response = RedirectResponse(url, 303)
        response.set_cookie(COOKIE, browser, httponly=True, samesite="lax", path="/portal")
        return response

    async def callback(request: Request) -> Response:
        pairs = request.query_params.multi_items()
        parameters = dict(pairs)
        if len(parameters) != len(pairs):
            raise PortalError("response_malformed", "A parameter of the response is repeated")
        errand = await portal.finish_login(parameters, browser=request.cookies.get(COOKIE))
        return page("errand.html", status=400 if errand.error else 200, evidence=portal.evidence(errand.id))

    async def sign(request: Request) -> Response:
        errand = await portal.post_document(request.path_params["errand"])
        return RedirectResponse(str(errand.sign_url), 303)

    async def style(_request: Request) -> Response:
        return Response((FOLDER / "style.css").read_bytes(), media_type="text/css")

    return [
        Route("/portal", paged(front), methods=["GET"]),
        Route("/portal/start", paged(start), methods=["POST"]),
        Route("/portal/callback", paged(callback), methods=["GET"]),
        Route("/portal/errands/{errand}/sign", paged(sign), methods=["POST"]),
        Route("/portal/style.css", style, methods=["GET"]),
    ]


def _interface_routes(portal: Portal) -> list[BaseRoute]:
    async def start(request: Request) -> Response:
        body = await _read_object(request)
        hints = {name: str(body[name]) for name in HINTS if body.get(name)}
        tamper = body.get("tamper")
        errand, url = await portal.start(tamper=None if tamper is None else str(tamper), extra=hints)
        return JSONResponse({"errand": errand.id, "authorize_url": url}, 201)

    async def evidence(request: Request) -> Response:
        return JSONResponse(portal.evidence(request.path_params["errand"]))

    async def post_document(request: Request) -> Response:
        errand = await portal.post_document(request.path_params["errand"])
        return JSONResponse({"transaction": errand.transaction, "url": errand.sign_url}, 201)

    async def signing(request: Request) -> Response:
        return JSONResponse(await portal.signing_status(request.path_params["errand"]))

    async def signed(request: Request) -> Response:
        return _pdf(await portal.signed_document(request.path_params["errand"]), "signed.pdf")

    async def application(request: Request) -> Response:
        return _pdf(portal.application(request.path_params["errand"]), "application.pdf")

    return [
        Route("/portal/errands", _answered(start), methods=["POST"]),
        Route("/portal/errands/{errand}", _answered(evidence), methods=["GET"]),
        Route("/portal/errands/{errand}/document", _answered(post_document), methods=["POST"]),
        Route("/portal/errands/{errand}/document", _answered(signed), methods=["GET"]),
        Route("/portal/errands/{errand}/application", _answered(application), methods=["GET"]),
        Route("/portal/errands/{errand}/signing", _answered(signing), methods=["GET"]),
    ]


def _answered(handler: Handler) -> Handler:
    async def door(request: Request) -> Response:
        try:
            return await handler(request)
        except PortalError as error:
            problem = {"title": "Refused", "status": error.status, "code": error.code, "detail": error.detail}
            return JSONResponse(problem, error.status, media_type="application/problem+json")

    return door


async def _read_object(request: Request) -> dict[str, object]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise PortalError("body_too_large", "The request is too large")
    try:
        members = json.loads(bytes(body) or b"{}")
    except ValueError as error:
        raise PortalError("body_malformed", "The body is not JSON") from error
    if not isinstance(members, dict):
        raise PortalError("body_malformed", "The body is not a JSON object")
    return members


def _pdf(content: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type="application/pdf", headers=headers)

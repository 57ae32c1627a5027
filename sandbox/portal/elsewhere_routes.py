"""The doors of what the portal asks elsewhere: the kiosk, and the confirmation by phone.

Owns:    `/kiosk`, `/portal/errands/{errand}/confirm`, `/portal/confirmations/{id}`, and the QR code. Leaves everything else to `Portal`.
Rules:   the pages look again by themselves; without their refresh there is a link
Spec:    ISO/IEC 18004 (QR code); RFC 8628 cl. 3.3.1
"""

import io

import segno
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.portal.elsewhere import Waiting
from sandbox.portal.pages import page, paged
from sandbox.portal.portal import Portal

REFRESH_S = 5


def build_elsewhere_routes(portal: Portal) -> list[BaseRoute]:
    """Return the routes."""

    async def kiosk(_request: Request) -> Response:
        return page("kiosk.html")

    async def kiosk_start(_request: Request) -> Response:
        waiting = await portal.elsewhere.start_kiosk()
        return RedirectResponse(f"/kiosk/{waiting.id}", 303)

    async def kiosk_look(request: Request) -> Response:
        waiting = await portal.elsewhere.look(request.path_params["id"])
        return _shown(request, waiting, "kiosk_code.html")

    async def confirm(request: Request) -> Response:
        subject = portal.subject_of(request.path_params["errand"])
        waiting = await portal.elsewhere.ask_by_phone(subject)
        return RedirectResponse(f"/portal/confirmations/{waiting.id}", 303)

    async def confirmation(request: Request) -> Response:
        waiting = await portal.elsewhere.look(request.path_params["id"])
        return _shown(request, waiting, "confirmation.html")

    return [
        Route("/kiosk", paged(kiosk), methods=["GET"]),
        Route("/kiosk", paged(kiosk_start), methods=["POST"]),
        Route("/kiosk/{id}", paged(kiosk_look), methods=["GET"]),
        Route("/portal/errands/{errand}/confirm", paged(confirm), methods=["POST"]),
        Route("/portal/confirmations/{id}", paged(confirmation), methods=["GET"]),
    ]


def _shown(request: Request, waiting: Waiting, template: str) -> Response:
    open_still = not waiting.agreed and waiting.error is None
    if "text/html" not in request.headers.get("accept", ""):
        status = "waiting" if open_still else "agreed" if waiting.agreed else "refused"
        told = {
            "simulated": True,
            "status": status,
            "shown": waiting.shown,
            "link": waiting.link,
            "error": waiting.error,
        }
        return JSONResponse(told)
    qr = qr_code(waiting.link) if waiting.link and open_still else None
    return page(template, refresh_s=REFRESH_S if open_still else None, waiting=waiting, qr=qr)


def qr_code(text: str) -> Markup:
    """Return a QR code as an inline picture; level M, with the quiet zone of four modules that the standard wants."""
    drawn = io.BytesIO()
    code = segno.make(text, error="m", micro=False)
    code.save(
        drawn,
        kind="svg",
        scale=5,
        border=4,
        dark="#000",
        light="#fff",
        xmldecl=False,
        svgns=False,
        nl=False,
        svgclass="qr",
    )
    return Markup(drawn.getvalue().decode())  # noqa: S704 - drawn by segno from squares alone; the text is not in it

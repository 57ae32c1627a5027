"""The sandbox's application: every simulator, joined in one visible list.

Owns:    composition and the front page. Leaves every wire to its simulator.
Rules:   every page says that it is simulated; nothing here is reachable by an import of the product.
"""

import asyncio
import html
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.config_routes import build_config_routes
from sandbox.foreign_signer import build_foreign_signer_routes
from sandbox.holders import CitizenKeys, build_holder_routes
from sandbox.iam_smart import IamSmartSimulator, build_iam_smart_routes
from sandbox.notices import SECRET_FILE, NoticeBoard
from sandbox.operators import Operators
from sandbox.operators_routes import build_operator_routes
from sandbox.permit_authority import PermitAuthoritySimulator, build_permit_authority_routes
from sandbox.persona_pages import build_persona_routes
from sandbox.pki import SandboxPki, build_pki
from sandbox.pki_routes import build_pki_routes
from sandbox.portal import Portal, build_portal_routes
from sandbox.services import service_drafts
from sandbox.state import SandboxState
from trust_lists.clock import Clock, utc_now

SIMULATED = (
    ("/portal", "Sample portal", "A bank in Guangdong: the relying party of the errand. Start here."),
    ("/kiosk", "Kiosk", "The bank's terminal without a keyboard: a QR code, and your own phone (device grant)."),
    ("/phone", "Notices", "What the operator's gateway pushes to people's phones when a portal asks them to confirm."),
    ("/personas", "Personas", "Who can sign in, and what is printed on their permits."),
    (
        "/iam-smart/phone",
        "iAM Smart",
        "Upstream identity provider and hash signing, with a phone that shows what it approves.",
    ),
    ("/operators", "Operators", "The three regions' trust-list operators: keys, ceremonies, publications."),
    ("/trust-list/metadata/timestamp.json", "Trust list", "Where the operators publish; readers fetch it here."),
    (
        "/pki/hk-rsa/ca.cer",
        "Certification authorities",
        "One per region (Guangdong two): CRL, OCSP, repository; and a TSA at /tsa.",
    ),
    ("/permit-authority", "Permit authority", "Answers whether a permit and a face belong together; results only."),
    ("/config", "Configuration", "Which persona signs in without a click, and who presses the phone's buttons."),
    ("/faults", "Faults", "What can be injected, and what is."),
)


def create_sandbox(data: Path, *, base_url: str, service_url: str, models: Path, clock: Clock = utc_now) -> Starlette:
    """Build every simulator on its folder under `data`/sandbox.

    Args:
        data: the demonstration's data folder, prepared by `setup.prepare`.
        base_url: the sandbox's own address.
        service_url: the service, for the sample portal.
        models: the face models, for the permit authority's comparison.
        clock: time.
    """
    folder = data / "sandbox"
    state = SandboxState()
    pki = build_pki(folder / "pki", base_url, clock())
    keys = CitizenKeys(pki, clock)
    keys.publish_all()
    operators = Operators(folder / "operators", clock)
    iam_smart = IamSmartSimulator(folder / "iam-smart", base_url, clock, state, keys)
    authority = PermitAuthoritySimulator(folder / "permit-authority", models, clock)
    portal = Portal(folder / "portal", service_url, base_url, clock)
    notices = NoticeBoard(folder / "onboarding" / SECRET_FILE, clock, service_url=service_url)
    return Starlette(
        routes=[*_routes(state, pki, keys, operators, iam_smart, authority, portal, clock), *notices.routes()],
        lifespan=_lifespan(iam_smart, authority, portal),
    )


def _routes(
    state: SandboxState,
    pki: SandboxPki,
    keys: CitizenKeys,
    operators: Operators,
    iam_smart: IamSmartSimulator,
    authority: PermitAuthoritySimulator,
    portal: Portal,
    clock: Clock,
) -> list[BaseRoute]:
    return [
        Route("/", front_page),
        Route("/healthz", healthy),
        *build_config_routes(state),
        *build_persona_routes(),
        *build_iam_smart_routes(iam_smart),
        *build_pki_routes(pki, clock),
        *build_holder_routes(keys),
        *build_foreign_signer_routes(pki, clock),
        *build_operator_routes(operators, lambda: service_drafts(pki)),
        *build_permit_authority_routes(authority),
        *build_portal_routes(portal),
    ]


def _lifespan(iam_smart: IamSmartSimulator, authority: PermitAuthoritySimulator, portal: Portal):  # type: ignore[no-untyped-def]  # noqa: ANN202 - starlette's own type
    @asynccontextmanager
    async def hold(_: Starlette) -> AsyncIterator[None]:
        warming = asyncio.create_task(asyncio.to_thread(authority.warm), name="permit-authority")
        async with iam_smart.running():
            yield
            await portal.close()
        await asyncio.gather(warming, return_exceptions=True)

    return hold


async def front_page(_: Request) -> Response:
    """List what is simulated."""
    rows = "".join(
        f'<li><a href="{path}">{html.escape(name)}</a><br><span>{html.escape(what)}</span></li>'
        for path, name, what in SIMULATED
    )
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>GBA Trust sandbox (simulated)</title>'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/iam-smart/style.css"></head>'
        "<body><main><h1>Simulated</h1><p>Other organisations' systems, run on this machine on the far side of a faithful wire. "
        f"Nothing here is real.</p><ul>{rows}</ul></main></body></html>"
    )
    return HTMLResponse(page)


async def healthy(_: Request) -> Response:
    """Answer the launcher."""
    return PlainTextResponse("ok\n")

"""The composition root: each object is built once, by hand, in one visible list; `parts` chooses what this process serves.

Owns:    the order of building and the lifespan. Leaves every rule to the parts.
Rules:   1 a part is handed what it consumes as its own Protocols say; no part finds another by itself
         2 what is started is stopped, in the opposite order; the audit log goes last
         3 a combination of parts that cannot work is refused at the start
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from idp.app_routes import build_routes as build_idp_routes
from idp.authorisations import IdpAuthorisations
from idp.connectors.iam_smart.config import IamSmartConfig, parse_credentials
from idp.connectors.iam_smart.connector import IamSmartConnector
from idp.connectors.iam_smart.sqlite_store import SqliteIamSmartStore
from idp.deps import IdpDeps
from idp.logout_delivery import deliver_forever
from idp.stores.choice import store_on
from idp.upstream import Connector
from service.audited_answers import AuditedAnswers
from service.door_table import DoorTable
from service.error_pages import build_error_handler
from service.errors import SettingsRefused
from service.foundation import PACKAGES, ROOT, Foundation, build_foundation
from service.health import Check, health_routes
from service.management import build_management
from service.notifier import HttpNotifier
from service.page_renderer import static_routes
from service.problem_details import DOMAIN_ERRORS
from service.provider_settings import build_idp_config
from service.settings import Mode, Settings
from service.signing_part import SigningPart, build_signing_part
from service.telemetry import RequestTelemetry, set_up_logging
from trust_lists.clock import Clock, utc_now
from trust_lists.errors import TrustListError
from trust_lists.model import ServiceType
from trust_lists.page_routes import build_page_routes as build_trust_list_pages
from trust_lists.routes import build_routes as build_trust_list_routes

if TYPE_CHECKING:
    from service.permit_part import PermitPart


def create_app(settings: Settings, parts: frozenset[str], clock: Clock = utc_now) -> tuple[ASGIApp, Starlette]:
    """Build the public application and the operators' one.

    Raises:
        SettingsRefused: the parts cannot work together, or lack a setting.
        KeyRefused, DataFolderRefused: the keys cannot be opened.
    """
    set_up_logging()
    check_parts(settings, parts)
    base = build_foundation(settings, clock)
    permit = _permit_part(base) if "liveness" in parts else None
    connectors, iam_smart = _connectors(base) if "idp" in parts else ({}, None)
    idp = _idp_deps(base, connectors, permit) if "idp" in parts else None
    idp_routes = [] if idp is None else build_idp_routes(idp)
    authorisations = None if idp is None else IdpAuthorisations(idp)
    signing = (
        build_signing_part(base, authorisations, iam_smart, lambda: _ca_certificates(base))
        if "signing" in parts
        else None
    )
    app = FastAPI(
        title="GBA Trust",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=_lifespan(base, permit, signing, idp),
        routes=[
            *health_routes(_readiness(base)),
            *static_routes({name: ROOT / name for name in PACKAGES}),
            *(
                []
                if base.trust_list is None or "trust-lists" not in parts
                else [*build_trust_list_routes(base.trust_list), *build_trust_list_pages(base.trust_list, base.render)]
            ),
            *idp_routes,
        ],
    )
    for part in (permit, signing):
        if part is not None:
            app.include_router(part.router)
    handler = build_error_handler(base.render)
    for error in (*DOMAIN_ERRORS, HTTPException, Exception):
        app.add_exception_handler(error, handler)
    doors = DoorTable(app, routes=idp_routes, on_error=handler, expansions={"connector": tuple(connectors)})
    public = RequestTelemetry(AuditedAnswers(doors, append=base.audit.append), metrics=base.metrics)
    return public, build_management(base.metrics, base.audit)


def check_parts(settings: Settings, parts: frozenset[str]) -> None:
    """Refuse what cannot work.

    Raises:
        SettingsRefused: naming what is missing.
    """
    if {"signing", "idp"} & parts and settings.trust_list_url is None:
        raise SettingsRefused("GBA_TRUST_TRUST_LIST_URL is missing: nothing can be judged without a trust list")
    if settings.trust_list_url is not None and settings.trust_list_root_file is None:
        raise SettingsRefused(
            "GBA_TRUST_TRUST_LIST_ROOT_FILE is missing: the first root is never taken from the network"
        )
    if "signing" in parts and settings.tsa_url is None:
        raise SettingsRefused("GBA_TRUST_TSA_URL is missing: signatures carry a time stamp")
    if "liveness" in parts and settings.permit_authority is None:
        raise SettingsRefused("GBA_TRUST_PERMIT_AUTHORITY_URL is missing: a permit is checked by its authority")
    if "idp" in parts and settings.iam_smart is None:
        raise SettingsRefused("GBA_TRUST_IAM_SMART_BASE_URL is missing: nobody could sign in")


def _permit_part(base: Foundation) -> "PermitPart":
    from service.permit_part import build_permit_part  # noqa: PLC0415 - loads face models: only where they are served

    return build_permit_part(base)


def _connectors(base: Foundation) -> tuple[Mapping[str, Connector], IamSmartConnector | None]:
    """Build every connector that is configured."""
    settings = base.settings.iam_smart
    if settings is None:
        return {}, None
    try:
        config = IamSmartConfig(
            base_url=settings.base_url,
            redirect_uri=f"{base.settings.issuer}/callback/iam_smart",
            credentials=parse_credentials(settings.credentials_file.read_bytes()),
            certificate_repository=settings.certificate_repository_url,
        )
        store = SqliteIamSmartStore(base.database)
        connector = IamSmartConnector(config, store, base.cipher, base.http, base.clock, base.audit)
    except OSError as error:
        raise SettingsRefused(f"GBA_TRUST_IAM_SMART_CREDENTIALS_FILE cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsRefused(f"iAM Smart: {error}") from error
    return {connector.name: connector}, connector


def _idp_deps(base: Foundation, connectors: Mapping[str, Connector], permit: "PermitPart | None") -> IdpDeps:
    settings = base.settings
    return IdpDeps(
        config=build_idp_config(
            settings.provider,
            issuer=settings.issuer,
            demo=settings.mode is Mode.DEMO,
            rate_limits=settings.rate_limits,
        ),
        store=store_on(base.provider_database, base.cipher),
        connectors=connectors,
        permit_checks=None if permit is None else permit.checks,
        permit_keys=None if permit is None else base.keys("attestation"),
        token_keys=base.keys("token"),
        cipher=base.cipher,
        audit=base.audit,
        clock=base.clock,
        render=base.render,
        http=base.http,
        notifier=_notifier(base),
    )


def _notifier(base: Foundation) -> HttpNotifier | None:
    settings = base.settings.notifier
    if settings is None:
        return None
    try:
        secret = settings.secret_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsRefused("GBA_TRUST_NOTIFIER_SECRET_FILE cannot be read") from error
    if not 16 <= len(secret) <= 512 or not secret.isprintable() or " " in secret:
        raise SettingsRefused("GBA_TRUST_NOTIFIER_SECRET_FILE must hold one word of 16 to 512 characters")
    return HttpNotifier(settings.url, secret, base.http, base.audit)


def _ca_certificates(base: Foundation) -> list[bytes]:
    """Return the listed CAs' certificates, for the chain beside a citizen's certificate; empty without a list."""
    try:
        snapshot = None if base.trust_list is None else base.trust_list.current()
    except TrustListError:
        return []
    services = [] if snapshot is None else snapshot.services
    return [
        certificate
        for service in services
        if service.type is not ServiceType.TSA
        for certificate in service.certificates
    ]


def _readiness(base: Foundation) -> dict[str, Check]:
    client = base.trust_list
    if client is None:
        return {}

    def trust_list() -> str | None:
        status = client.status()
        if not status.usable:
            return status.last_error_code or "trust_list_stale"
        return None if status.anchors else "trust_list_empty"

    def seconds_left() -> float:
        until = client.status().fresh_until
        return 0.0 if until is None else (until - base.clock()).total_seconds()

    base.metrics.trust_list_version.set_function(lambda: client.status().version or 0)
    base.metrics.trust_list_seconds_left.set_function(seconds_left)
    return {"trust_list": trust_list}


def _lifespan(base: Foundation, permit: "PermitPart | None", signing: SigningPart | None, idp: IdpDeps | None):  # type: ignore[no-untyped-def]  # noqa: ANN202 - starlette's own type
    @asynccontextmanager
    async def run(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(base.database.close)
            stack.push_async_callback(base.provider_database.close)
            await base.provider_database.start()
            await base.audit.start()
            stack.push_async_callback(base.audit.stop)
            stack.push_async_callback(base.http.aclose)
            await base.audit.record("service.started", correlation="service")
            if base.trust_list is not None:
                await base.trust_list.load()
                refreshing = asyncio.create_task(base.trust_list.keep_refreshing(), name="trust-list")
                stack.push_async_callback(_end, refreshing)
            if idp is not None:
                delivering = asyncio.create_task(deliver_forever(idp), name="logout-delivery")
                stack.push_async_callback(_end, delivering)
            for part in (permit, signing):
                if part is not None:
                    await stack.enter_async_context(part.running())
            yield

    return run


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

"""The steps that end a login: ask for consent, issue the code, or refuse.

Owns:    the consent page, the commit of code, grant and consent, the way back to the portal. Leaves the order to `login`.
Rules:   1 code, grant, consent and the end of the login are one transaction: two windows get one code
         2 the way back is the redirect URI that was verified at the start
Spec:    OpenID Connect Core 1.0 cl. 3.1.2.4 to 3.1.2.6; RFC 9207
"""

import secrets
from urllib.parse import urlsplit

from starlette.responses import Response

from idp.authorization import RefusedRequest, error_location, response_location
from idp.browser import Visit, choose_locale, redirect
from idp.claims import ReleaseSource, release
from idp.consent import record_consent
from idp.errors import LoginStepRepeated, StoreUnavailable
from idp.grants import build_code, build_grant, hash_token, new_code
from idp.identity import sector_reference
from idp.login import Consent, IssueCode, Login, Refuse
from idp.login_desk import LoginDesk
from idp.login_pages import REGION_NAMES, consent_rows
from idp.model import ConsentRecord, Grant


def show_consent(desk: LoginDesk, visit: Visit, login: Login, step: Consent) -> Response:
    """Show what goes where, and why."""
    context = {
        "rows": consent_rows(step.items),
        "crosses": step.sign_in.region is not login.relying_party.region,
        "home_region": REGION_NAMES[step.sign_in.region],
        "csrf": login.transaction.csrf,
        "days": desk.deps.config.consent_lifetime.days,
        # Chromium holds the redirect that follows a form against CSP form-action
        "form_targets": (_origin(login.transaction.request.redirect_uri),),
    }
    return desk.page(visit, login, "idp_consent.html", context)


async def issue_code(desk: LoginDesk, visit: Visit, login: Login, step: IssueCode) -> Response:
    """Give the portal its code."""
    deps, request = desk.deps, login.transaction.request
    grant = await _grant(desk, visit, login, step)
    consent = _consent_record(desk, visit, login, step)
    code = new_code()
    kept = await deps.store.commit_code(
        build_code(login, grant, config=deps.config, at=visit.at),
        grant,
        code_hash=hash_token(code),
        consent=consent,
        handle_hash=visit.handle_hash if visit.stored else None,
    )
    if not kept:
        raise LoginStepRepeated
    visit.ended = visit.stored
    if consent is not None:
        items, to = " ".join(consent.granted), consent.destination_region.value
        await desk.record(login, "consent.given", consent=consent.id, items=items, to=to)
    acr, permit = step.assessment.level.acr, step.permit
    await desk.record(
        login,
        "code.issued",
        client=grant.client_id,
        acr=acr,
        mapping=deps.table.version,
        permit=None if permit is None else permit.attestation,
    )
    return redirect(
        response_location(request.redirect_uri, {"code": code, "state": request.state}, issuer=deps.config.issuer)
    )


async def refuse(desk: LoginDesk, visit: Visit, login: Login, step: Refuse) -> Response:
    """Send the portal the standard's error."""
    request, error = login.transaction.request, step.error
    if visit.stored:
        if not await desk.deps.store.close_login(visit.handle_hash):
            raise LoginStepRepeated
        visit.ended = True
    await desk.record(login, "login.refused", outcome=error.code, client=request.client_id, reason=error.description)
    refused = RefusedRequest(error, request.redirect_uri, request.state)
    return redirect(error_location(refused, issuer=desk.deps.config.issuer))


async def _grant(desk: LoginDesk, visit: Visit, login: Login, step: IssueCode) -> Grant:
    deps = desk.deps
    identity = await deps.store.load_identity(step.sign_in.person, step.sign_in.connector)
    if identity is None:
        raise StoreUnavailable
    reference = ""
    if step.permit is not None:
        sector = login.relying_party.sector
        reference = sector_reference(deps.cipher, sector=sector, reference=step.permit.document_reference)
    source = ReleaseSource(identity, step.sign_in, step.permit, step.assessment.level, visit.at, reference)
    return build_grant(
        login,
        step,
        release(login.transaction.request, step.granted, source),
        identifier=secrets.token_urlsafe(16),
        cipher=deps.cipher,
        config=deps.config,
        at=visit.at,
    )


def _consent_record(desk: LoginDesk, visit: Visit, login: Login, step: IssueCode) -> ConsentRecord | None:
    decision = login.transaction.consent
    if not step.newly_agreed or decision is None:
        return None
    return record_consent(
        secrets.token_urlsafe(12),
        decision,
        party=login.relying_party,
        sign_in=step.sign_in,
        locale=choose_locale(visit.request, login.transaction.request.ui_locales),
        lifetime=desk.deps.config.consent_lifetime,
        at=visit.at,
    )


def _origin(uri: str) -> str:
    """Return the origin of a redirect URI; of an app's own scheme, the scheme."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else f"{parts.scheme}:"

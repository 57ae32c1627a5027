"""The steps that end a login: ask for consent, issue the grant, or refuse.

Owns:    the consent page, the commit of grant and consent, the way back to the portal or to the closing page. Leaves the order to `login`.
Rules:   1 grant, consent and the end of the login are one transaction: two windows get one grant
         2 the way back is the redirect URI that was verified at the start
         3 a login for a device or a backend ends at a page: nothing of it travels through this browser
Spec:    OpenID Connect Core 1.0 cl. 3.1.2.4 to 3.1.2.6; RFC 9207; RFC 8628 cl. 3.3; CIBA Core 1.0 cl. 8
"""

import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.responses import Response

from idp.authorization import RefusedRequest
from idp.authorization_response import answer_location, error_answer
from idp.browser import Visit, choose_locale, redirect
from idp.claims import ReleaseSource, release
from idp.closing_page import closing_location
from idp.consent import record_consent
from idp.errors import StoreUnavailable
from idp.grants.codes import build_grant
from idp.grants.handles import new_handle, new_identifier
from idp.identity import sector_reference
from idp.login import Consent, IssueGrant, Login, Refuse
from idp.login_desk import LoginDesk
from idp.login_pages import REGION_NAMES, consent_rows
from idp.model import AuthorizationRequest, ConsentRecord, Grant, Target
from idp.page_errors import LoginStepRepeated
from idp.store import Ending


def show_consent(desk: LoginDesk, visit: Visit, login: Login, step: Consent) -> Response:
    """Show what goes where, and why."""
    request = login.transaction.request
    context = {
        "rows": consent_rows(step.items),
        "documents": [document.label for document in request.documents],
        "crosses": step.sign_in.region is not login.relying_party.region,
        "home_region": REGION_NAMES[step.sign_in.region],
        "csrf": login.transaction.csrf,
        "days": desk.deps.config.consent_lifetime.days,
        "binding_message": request.binding_message,
        "device": request.target is Target.DEVICE,
        # Chromium holds the redirect that follows a form against CSP form-action
        "form_targets": (_origin(request.redirect_uri),) if request.redirect_uri else (),
    }
    return desk.page(visit, login, "idp_consent.html", context)


async def issue_grant(desk: LoginDesk, visit: Visit, login: Login, step: IssueGrant) -> Response:
    """Give the portal its code, or the device and the backend their answer."""
    deps, request = desk.deps, login.transaction.request
    grant = await _grant(desk, visit, login, step)
    consent = _consent_record(desk, visit, login, step)
    code, code_hash = new_handle(grant.id) if request.target is Target.PORTAL else ("", None)
    kept = await deps.store.commit_grant(grant, code_hash=code_hash, consent=consent, ending=_ending(visit, request))
    if not kept:
        raise LoginStepRepeated
    visit.ended = visit.stored
    await _record_issue(desk, login, step, grant, consent)
    if request.target is not Target.PORTAL:
        return _closed(desk, login, agreed=True)
    return _answer(desk, visit, login, {"code": code, "state": request.state})


async def refuse(desk: LoginDesk, visit: Visit, login: Login, step: Refuse) -> Response:
    """Send the portal the standard's error; a device or a backend hears it at its next poll."""
    request, error = login.transaction.request, step.error
    if visit.stored or request.pushed is not None or request.decoupled is not None:
        if not await desk.deps.store.close_login(_ending(visit, request)):
            raise LoginStepRepeated
        visit.ended = visit.stored
    await desk.record(login, "login.refused", outcome=error.code, client=request.client_id, reason=error.description)
    if request.target is not Target.PORTAL:
        return _closed(desk, login, agreed=False)
    refused = RefusedRequest(error, request.redirect_uri, request.state, request.response_mode)
    return _answer(desk, visit, login, error_answer(refused))


async def open_account(desk: LoginDesk, visit: Visit, login: Login) -> Response:
    """End the login of a person who came for their own account."""
    if visit.stored:
        await desk.deps.store.close_login(Ending(handle_hash=visit.handle_hash))
        visit.ended = True
    return redirect(f"{desk.deps.config.issuer}/account")


def _closed(desk: LoginDesk, login: Login, *, agreed: bool) -> Response:
    """Rule 3."""
    request, deps = login.transaction.request, desk.deps
    if request.target is Target.ACCOUNT:  # the person gave up signing in to their account: nobody waits for an answer
        return redirect(f"{deps.config.issuer}/logout")
    device, reference = request.target is Target.DEVICE, login.transaction.id
    return redirect(
        closing_location(deps, agreed=agreed, device=device, client_id=request.client_id, reference=reference)
    )


def _answer(desk: LoginDesk, visit: Visit, login: Login, answer: Mapping[str, str | None]) -> Response:
    deps, request = desk.deps, login.transaction.request
    return redirect(
        answer_location(
            request.redirect_uri,
            answer,
            response_mode=request.response_mode,
            party=login.relying_party,
            keys=deps.token_keys,
            config=deps.config,
            at=visit.at,
        )
    )


def _ending(visit: Visit, request: AuthorizationRequest) -> Ending:
    handle_hash = visit.handle_hash if visit.stored else None
    return Ending(handle_hash=handle_hash, pushed=request.pushed, decoupled=request.decoupled)


async def _grant(desk: LoginDesk, visit: Visit, login: Login, step: IssueGrant) -> Grant:
    deps = desk.deps
    identity = login.identity or await deps.store.load_identity(step.sign_in.person, step.sign_in.connector)
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
        identifier=new_identifier(visit.at),
        cipher=deps.cipher,
        config=deps.config,
        at=visit.at,
    )


def _consent_record(desk: LoginDesk, visit: Visit, login: Login, step: IssueGrant) -> ConsentRecord | None:
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


async def _record_issue(
    desk: LoginDesk, login: Login, step: IssueGrant, grant: Grant, consent: ConsentRecord | None
) -> None:
    if consent is not None:
        items, to = " ".join(consent.granted), consent.destination_region.value
        await desk.record(login, "consent.given", consent=consent.id, items=items, to=to)
    await desk.record(
        login,
        "code.issued" if grant.conditions is not None else "grant.approved",
        client=grant.client_id,
        acr=step.assessment.level.acr,
        mapping=desk.deps.table.version,
        permit=None if step.permit is None else step.permit.attestation,
    )


def _origin(uri: str) -> str:
    """Return the origin of a redirect URI; of an app's own scheme, the scheme."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else f"{parts.scheme}:"

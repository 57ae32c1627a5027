"""The steps at an identity provider: choose, go, come back, wait, sign in.

Owns:    what each does to the store and the browser. Leaves the order to `login`, the wire to the connectors.
Rules:   1 a browser's return is claimed in the store before its query is used: a second return finds it taken
         2 a return that belongs to no visit of this browser is refused (login CSRF)
         3 an upstream's refusal sets the login back to the choice, with its reason; the portal hears of it only if the person gives up
         4 a sign-in always starts a new session under a new secret (session fixation)
Spec:    RFC 6749 cl. 10.12; RFC 9700 cl. 4.7; OWASP ASVS 3.2
"""

import secrets
from dataclasses import replace
from datetime import timedelta

from starlette.responses import Response

from idp.browser import Visit, choose_locale, redirect
from idp.errors import UpstreamError, UpstreamTimedOut
from idp.hashes import hash_token
from idp.identity import sign_in_of
from idp.login import Login, WaitUpstream, with_notice
from idp.login_desk import LoginDesk
from idp.login_pages import ANOTHER_PERSON, NOTICES, OTHER_NOTICE, choice_rows
from idp.model import UpstreamAttempt
from idp.oauth_responses import status_of
from idp.page_errors import LoginNotYours, LoginStepRepeated
from idp.session_ending import end_session
from idp.store import LoadedLogin
from idp.upstream import PendingAssertion, UpstreamAssertion

WAIT_REFRESH_S = 2
MAX_WAIT = timedelta(minutes=18)
"""iAM Smart's own ceiling; no connector may ask for longer."""

Outcome = Response | Login
"""A step either answers the browser, or has advanced the login."""


async def show_choice(desk: LoginDesk, visit: Visit, login: Login, *, status: int = 200) -> Response:
    """Show the identity providers."""
    if not visit.stored:
        login = await desk.keep(visit, login, login.transaction)
    notice = login.transaction.notice or (ANOTHER_PERSON if _is_another(login) else None)
    context = {
        "rows": choice_rows(desk.deps.connectors),
        "notice": None if notice is None else NOTICES.get(notice, OTHER_NOTICE),
        "notice_code": notice,
    }
    return desk.page(visit, login, "idp_choose.html", context, status=status)


def _is_another(login: Login) -> bool:
    """Tell whether somebody signed in for this very login, and it is not the person whom the portal named."""
    sign_in = login.sign_in
    return sign_in is not None and sign_in.session == login.transaction.session and not login.hinted_person


async def go_upstream(desk: LoginDesk, visit: Visit, login: Login, connector: str) -> Outcome:
    """Send the browser to an identity provider."""
    state = secrets.token_urlsafe(24)
    locale = choose_locale(visit.request, login.transaction.request.ui_locales)
    try:
        begun = await desk.deps.connectors[connector].begin(login.transaction.id, state=state, locale=locale)
    except UpstreamError as error:
        return await _refused(desk, visit, login, connector, error)
    attempt = UpstreamAttempt(connector, state)
    login = await desk.keep(visit, login, replace(login.transaction, attempt=attempt, notice=None))
    await desk.record(login, "login.upstream_started", connector=connector)
    return redirect(begun.url)


async def take_return(desk: LoginDesk, visit: Visit, login: Login, connector: str, query: str) -> Outcome:
    """Take the browser's return.

    Raises:
        LoginNotYours: this browser was not sent to this provider.
    """
    attempt = login.transaction.attempt
    if attempt is not None and attempt.connector == connector and attempt.returned:
        return login  # the person reloads the page of the same return
    if attempt is None or attempt.connector != connector or attempt.state is None:
        await desk.record(login, "login.return_refused", outcome=LoginNotYours.code, connector=connector)
        raise LoginNotYours
    login = await desk.keep(visit, login, replace(login.transaction, attempt=replace(attempt, returned=True)))
    try:
        answer = await desk.deps.connectors[connector].exchange(login.transaction.id, query=query, state=attempt.state)
    except UpstreamError as error:
        return await _refused(desk, visit, login, connector, error)
    if isinstance(answer, UpstreamAssertion):
        return await _sign_in(desk, visit, login, answer)
    deadline = min(answer.deadline, visit.at + MAX_WAIT)
    waiting = UpstreamAttempt(connector, returned=True, reference=answer.reference, deadline=deadline)
    return await desk.keep(visit, login, replace(login.transaction, attempt=waiting))


async def wait_upstream(desk: LoginDesk, visit: Visit, login: Login, step: WaitUpstream) -> Outcome:
    """Ask for the late answer; until it comes, show the waiting page."""
    connector = desk.deps.connectors[step.connector]
    try:
        if visit.at >= step.deadline:
            raise UpstreamTimedOut
        answer = await connector.collect(step.reference)
    except UpstreamError as error:
        return await _refused(desk, visit, login, step.connector, error)
    if isinstance(answer, PendingAssertion):
        provider = connector.display_names.get("native", step.connector)
        return desk.page(visit, login, "idp_wait.html", {"provider": provider, "refresh_s": WAIT_REFRESH_S})
    return await _sign_in(desk, visit, login, answer)


async def _sign_in(desk: LoginDesk, visit: Visit, login: Login, assertion: UpstreamAssertion) -> Login:
    """Recognise the person and start their session."""
    store, lifetime = desk.deps.store, desk.deps.config.session_lifetime
    secret, replaced = secrets.token_urlsafe(32), visit.session_hash
    # the session is named by the hash of its secret: one value to find it by and to speak of it
    sign_in = sign_in_of(
        assertion, session=hash_token(secret), person=secrets.token_urlsafe(16), lifetime=lifetime, at=visit.at
    )
    transaction = replace(login.transaction, attempt=None, notice=None, session=sign_in.session)
    kept = await store.commit_sign_in(
        transaction,
        assertion,
        sign_in,
        handle_hash=visit.handle_hash,
        replaces_session=replaced,
    )
    if kept is None:
        raise LoginStepRepeated
    visit.session, visit.new_session = secret, True
    if kept.displaced is not None:  # another person was signed in at this browser: their portals hear that it is over
        await end_session(desk.deps, kept.displaced, by="displaced", at=visit.at)
    signed_in = kept.sign_in
    await desk.record(
        login,
        "login.signed_in",
        connector=signed_in.connector,
        account_level=signed_in.account_level,
        method=signed_in.session_method,
    )
    advanced = replace(transaction, version=transaction.version + 1)
    judged = desk.judgeable(LoadedLogin(advanced, login.relying_party, signed_in, kept.earlier_consent))
    return replace(judged, identity=kept.identity)


async def _refused(desk: LoginDesk, visit: Visit, login: Login, connector: str, error: UpstreamError) -> Response:
    login = await desk.keep(visit, login, with_notice(login.transaction, error.code))
    await desk.record(
        login, "login.upstream_refused", outcome=error.code, connector=connector, upstream_code=error.upstream_code
    )
    return await show_choice(desk, visit, login, status=status_of(error))

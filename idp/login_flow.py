"""The walk through a login: ask the dispatcher, perform the step, ask again, until the browser has its answer.

Owns:    the joining of steps to what performs them. Leaves their order to `login.next_step`, their doing to the `*_steps`.
Rules:   a step that advances the login ends there; only the dispatcher knows what follows
"""

from starlette.responses import Response

from idp.browser import Visit, finish_visit, redirect
from idp.closing_steps import issue_grant, open_account, refuse, show_consent
from idp.errors import StoreUnavailable
from idp.login import (
    Consent,
    GoUpstream,
    IssueGrant,
    Login,
    OpenAccount,
    Refuse,
    VerifyPermit,
    WaitUpstream,
    next_step,
)
from idp.login_desk import LoginDesk
from idp.permit_step import open_permit_check
from idp.upstream_steps import Outcome, go_upstream, show_choice, wait_upstream

MAX_STEPS = 6
"""More than any login takes in one request; a guard against a dispatcher that goes round."""


async def proceed(desk: LoginDesk, visit: Visit, login: Login, *, reloadable: bool = False) -> Response:
    """Perform the next steps until one answers the browser.

    Args:
        desk: the shared means.
        visit: the browser.
        login: as loaded.
        reloadable: this request's own address must not be loaded twice, so pages are shown at `/login` instead.
    """
    config = desk.deps.config
    for _ in range(MAX_STEPS):
        outcome = await _perform(desk, visit, login, reloadable=reloadable)
        if isinstance(outcome, Response):
            return finish_visit(visit, outcome, config)
        login = outcome
    raise StoreUnavailable("The sign-in cannot go on")


async def _perform(desk: LoginDesk, visit: Visit, login: Login, *, reloadable: bool) -> Outcome:  # noqa: PLR0911 - one return a step
    step = next_step(login, desk.deps.policy, visit.at)
    match step:
        case GoUpstream(connector):
            return await go_upstream(desk, visit, login, connector)
        case VerifyPermit(sign_in):
            return await open_permit_check(desk, visit, login, sign_in)
        case IssueGrant():
            return await issue_grant(desk, visit, login, step)
        case OpenAccount():
            return await open_account(desk, visit, login)
        case Refuse():
            return await refuse(desk, visit, login, step)
        case _ if reloadable and visit.stored:
            return redirect(f"{desk.deps.config.issuer}/login")
        case WaitUpstream():
            return await wait_upstream(desk, visit, login, step)
        case Consent():
            kept = login if visit.stored else await desk.keep(visit, login, login.transaction)
            return show_consent(desk, visit, kept, step)
        case _:
            return await show_choice(desk, visit, login)

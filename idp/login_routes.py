"""The doors that a person's browser passes: `/authorize`, `/login`, the returns, the consent form.

Owns:    parsing and the page for a refusal that may not be redirected. Leaves rules to `authorization`, the walk to `login_flow`.
Rules:   1 what may not be redirected is shown, with a reference that finds the audit entry
         2 a page's form is taken only with the login's own token, from the browser that holds the login
Spec:    OpenID Connect Core 1.0 cl. 3.1.2; RFC 9700 cl. 4.1
"""

import hmac
import secrets
from dataclasses import replace
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.account import ACCOUNT_PARTY
from idp.arriving_requests import arrive
from idp.authorization import RefusedRequest, read_client_id
from idp.authorization_response import answer_location, error_answer
from idp.browser import Visit, finish_visit, read_form, read_visit, redirect
from idp.closing_steps import refuse
from idp.consent import decide_consent
from idp.deps import IdpDeps
from idp.errors import AccessDenied
from idp.login import Consent, Login, Refuse, next_step
from idp.login_desk import LoginDesk
from idp.login_flow import proceed
from idp.model import UnverifiedRequest, UpstreamAttempt
from idp.page_doors import shown
from idp.page_errors import FormRefused, LoginExpired, UnknownConnector, UnknownRelyingParty
from idp.parameters import parse_parameters
from idp.permit_step import take_permit_return
from idp.rate_limits import RateLimiter
from idp.relying_parties import RelyingParty
from idp.store import LoadedLogin
from idp.upstream_steps import take_return

PURGE_EVERY = timedelta(minutes=5)


class LoginRoutes:
    """The browser's doors."""

    def __init__(self, deps: IdpDeps, limiter: RateLimiter) -> None:
        self._deps = deps
        self._desk = LoginDesk(deps)
        self._limiter = limiter
        self._purged_at = deps.clock()

    def routes(self) -> list[Route]:
        """Return the routes; `/callback/permit` stands before `/callback/{connector}`, whose name it reserves."""
        return [
            Route("/authorize", shown(self._deps, self.authorize), methods=["GET", "POST"]),
            Route("/login", shown(self._deps, self.login), methods=["GET"]),
            Route("/login/with/{connector}", shown(self._deps, self.choose), methods=["GET"]),
            Route("/login/consent", shown(self._deps, self.consent), methods=["POST"]),
            Route("/login/cancel", shown(self._deps, self.cancel), methods=["GET"]),
            Route("/callback/permit", shown(self._deps, self.permit_return), methods=["GET"]),
            Route("/callback/{connector}", shown(self._deps, self.upstream_return), methods=["GET"]),
        ]

    async def authorize(self, request: Request) -> Response:
        """`GET|POST /authorize`."""
        deps, visit = self._deps, self._visit(request)
        self._limiter.check(request, at=visit.at)
        await self._purge(visit)
        if request.method == "POST":
            parameters = await read_form(request, deps.config)
        else:
            raw = request.scope["query_string"]
            parameters = parse_parameters(raw, deps.config, max_bytes=deps.config.max_query_bytes)
        client_id = read_client_id(UnverifiedRequest(parameters))
        entry = await deps.store.load_entry(client_id, visit.session_hash, at=visit.at)
        if entry.relying_party is None or client_id == ACCOUNT_PARTY.client_id:
            raise UnknownRelyingParty
        accepted = await arrive(parameters, entry.relying_party, deps, at=visit.at)
        if isinstance(accepted, RefusedRequest):
            return await self._refused(accepted, entry.relying_party, visit)
        transaction = self._desk.new_transaction(accepted, at=visit.at)
        login = self._desk.judgeable(
            LoadedLogin(transaction, entry.relying_party, entry.sign_in, entry.earlier_consent)
        )
        if request.method == "POST":
            # A form from another site carries no SameSite=Lax cookie: the session is looked for at a GET of our own.
            await self._desk.keep(visit, login, transaction)
            return finish_visit(visit, redirect(f"{deps.config.issuer}/login"), deps.config)
        return await proceed(self._desk, visit, login)

    async def login(self, request: Request) -> Response:
        """`GET /login`: whatever the next step is."""
        visit = self._visit(request)
        return await proceed(self._desk, visit, await self._load(visit))

    async def choose(self, request: Request) -> Response:
        """`GET /login/with/{connector}`: a row of the choice was taken.

        A link, not a form: it changes nothing that the person owns, and Chromium would hold the redirect to the upstream against
        the page's `form-action`.
        """
        visit = self._visit(request)
        login = await self._load(visit)
        attempt = UpstreamAttempt(self._connector(request.path_params["connector"]))
        chosen = replace(login, transaction=replace(login.transaction, attempt=attempt))
        return await proceed(self._desk, visit, chosen, reloadable=True)

    async def upstream_return(self, request: Request) -> Response:
        """`GET /callback/{connector}`: the browser comes back."""
        visit = self._visit(request)
        self._limiter.check(request, at=visit.at)
        login = await self._load(visit)
        raw = request.scope["query_string"]
        parse_parameters(
            raw, self._deps.config, max_bytes=self._deps.config.max_query_bytes
        )  # bounded; the connector reads
        outcome = await take_return(
            self._desk, visit, login, self._connector(request.path_params["connector"]), raw.decode("ascii")
        )
        return await self._go_on(visit, outcome)

    async def permit_return(self, request: Request) -> Response:
        """`GET /callback/permit`: the browser comes back from the permit check."""
        visit = self._visit(request)
        login = await self._load(visit)
        raw = request.scope["query_string"]
        query = parse_parameters(raw, self._deps.config, max_bytes=self._deps.config.max_query_bytes)
        outcome = await take_permit_return(
            self._desk, visit, login, code=query.get("permit_code"), refusal=query.get("permit_error")
        )
        return await self._go_on(visit, outcome)

    async def consent(self, request: Request) -> Response:
        """`POST /login/consent`: agree or not."""
        visit = self._visit(request)
        form = await read_form(request, self._deps.config)
        login = await self._load(visit)
        if not hmac.compare_digest((form.get("csrf") or "").encode(), login.transaction.csrf.encode()):
            raise FormRefused
        step = next_step(login, self._deps.policy, visit.at)
        if not isinstance(step, Consent):
            return await proceed(self._desk, visit, login, reloadable=True)
        agreed = form.get("decision") == "agree"
        ticked = frozenset(line.item.value for line in step.items if form.get(f"item_{line.item.value}"))
        decision = decide_consent(step.items, ticked, person=step.sign_in.person, agreed=agreed)
        if not agreed:
            await self._desk.record(login, "consent.declined", client=login.relying_party.client_id)
        decided = replace(login, transaction=replace(login.transaction, consent=decision))
        return await proceed(self._desk, visit, decided)

    async def cancel(self, request: Request) -> Response:
        """`GET /login/cancel`: the person gives up; the portal hears `access_denied`."""
        visit = self._visit(request)
        login = await self._load(visit)
        refusal = Refuse(AccessDenied("The person gave up"))
        return finish_visit(visit, await refuse(self._desk, visit, login, refusal), self._deps.config)

    async def _refused(self, refused: RefusedRequest, party: RelyingParty, visit: Visit) -> Response:
        deps, error = self._deps, refused.error
        await deps.audit.record(
            "authorize.refused",
            correlation=secrets.token_urlsafe(9),
            outcome=error.code,
            detail={"client": party.client_id, "reason": error.description},
        )
        return redirect(
            answer_location(
                refused.redirect_uri,
                error_answer(refused),
                response_mode=refused.response_mode,
                party=party,
                keys=deps.token_keys,
                config=deps.config,
                at=visit.at,
            )
        )

    def _visit(self, request: Request) -> Visit:
        return read_visit(request, self._deps.config, self._deps.clock())

    async def _load(self, visit: Visit) -> Login:
        login = await self._desk.load(visit)
        if login is None:
            raise LoginExpired
        return login

    async def _go_on(self, visit: Visit, outcome: Response | Login) -> Response:
        if isinstance(outcome, Response):
            return finish_visit(visit, outcome, self._deps.config)
        return await proceed(self._desk, visit, outcome, reloadable=True)

    def _connector(self, name: str) -> str:
        if name not in self._deps.connectors:
            raise UnknownConnector
        return name

    async def _purge(self, visit: Visit) -> None:
        if visit.at - self._purged_at >= PURGE_EVERY:
            self._purged_at = visit.at
            await self._deps.store.purge(at=visit.at)

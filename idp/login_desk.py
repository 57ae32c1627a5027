"""What every step of a login shares: keeping the transaction, showing a page, writing the audit trail.

Owns:    the versioned saving of a login, and the facts that each of its pages shows. Leaves the steps to `*_steps`.
Rules:   1 a login is saved from the version that was read, or not at all
         2 a new login has a new secret; the browser's earlier login ends with it
"""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from starlette.responses import Response

from idp.browser import Visit, choose_locale
from idp.deps import IdpDeps
from idp.identity import pairwise_subject
from idp.login import Login
from idp.login_pages import portal_facts
from idp.model import AuthorizationRequest, LoginTransaction
from idp.page_errors import LoginStepRepeated
from idp.ports import AuditValue
from idp.relying_parties import RelyingParty
from idp.store import LoadedLogin


class LoginDesk:
    """The shared means of the steps."""

    def __init__(self, deps: IdpDeps) -> None:
        self.deps = deps

    def new_transaction(self, request: AuthorizationRequest, *, at: datetime) -> LoginTransaction:
        """Make a login for a request that was accepted."""
        return LoginTransaction(
            id=secrets.token_urlsafe(12),
            request=request,
            created_at=at,
            expires_at=at + self.deps.config.login_lifetime,
            csrf=secrets.token_urlsafe(24),
        )

    async def start(self, visit: Visit, transaction: LoginTransaction, party: RelyingParty) -> None:
        """Keep a new login for a browser that is not at `/authorize`; the browser's earlier one ends."""
        await self.keep(visit, Login(transaction, party), transaction)

    async def load(self, visit: Visit) -> Login | None:
        """Load the login of a browser; None when there is none in progress."""
        if visit.handle is None:
            return None
        loaded = await self.deps.store.load_login(visit.handle_hash, visit.session_hash, at=visit.at)
        visit.stored = loaded is not None
        return None if loaded is None else self.judgeable(loaded)

    def judgeable(self, loaded: LoadedLogin) -> Login:
        """Join what was loaded into what the dispatcher judges."""
        hinted, sign_in, party = loaded.transaction.request.hinted_subject, loaded.sign_in, loaded.relying_party
        is_hinted = hinted is None or (
            sign_in is not None
            and hinted == pairwise_subject(self.deps.cipher, sector=party.sector, person=sign_in.person)
        )
        return Login(loaded.transaction, party, sign_in, is_hinted, loaded.earlier_consent)

    async def keep(self, visit: Visit, login: Login, transaction: LoginTransaction) -> Login:
        """Store the changed transaction of a login.

        Raises:
            LoginStepRepeated: it changed meanwhile, in another window.
        """
        if visit.stored:
            if not await self.deps.store.save_login(transaction, handle_hash=visit.handle_hash):
                raise LoginStepRepeated
            return replace(login, transaction=replace(transaction, version=transaction.version + 1))
        earlier = None if visit.handle is None else visit.handle_hash
        visit.handle = None
        await self.deps.store.open_login(transaction, handle_hash=visit.handle_hash, replaces=earlier)
        visit.stored = True
        await self.record(login, "login.started", client=transaction.request.client_id)
        return replace(login, transaction=transaction)

    def page(
        self, visit: Visit, login: Login, template: str, context: Mapping[str, object], *, status: int = 200
    ) -> Response:
        """Render a page of a login: who asks, in which language, under which reference."""
        ui_locales = login.transaction.request.ui_locales
        facts = {
            **portal_facts(login.relying_party, choose_locale(visit.request, ui_locales)),
            "ui_locales": " ".join(ui_locales),
            "reference": login.transaction.id,
        }
        return self.deps.render(visit.request, template, {**facts, **context}, status=status)

    async def record(self, login: Login, event: str, *, outcome: str = "ok", **detail: AuditValue) -> None:
        """Append to the audit trail under the login's reference."""
        await self.deps.audit.record(event, correlation=login.transaction.id, outcome=outcome, detail=detail)

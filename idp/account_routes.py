"""The account page: what a person has here, each of which they can end: sessions, consents, identities; and who waits for them.

Owns:    `/account` and its forms. Leaves ending to `session_ending` and the store, signing in to the login like any portal's.
Rules:   1 whoever is not signed in signs in first; what is shown is their own, found by their session
         2 every form carries a token of this very session; a change by a stale session is refused
         3 ending an identity needs a recent sign-in: an unattended browser must not erase a person
         4 the page holds pseudonyms, portal names, times and item names; a value is shown only where the person needs it to recognise it
Spec:    PIPL art. 15, 47 and PDPO DPP 6 as policy: withdrawal as easy as consent; ISO/IEC TS 27560:2023 (receipts)
"""

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.account import ACCOUNT_PARTY
from idp.browser import Visit, choose_locale, finish_visit, read_form, read_visit, redirect
from idp.deps import IdpDeps
from idp.login_desk import LoginDesk
from idp.login_pages import ITEM_LABELS, KNOWN_PROVIDERS, REGION_NAMES
from idp.model import AuthorizationRequest, ConsentRecord, SignIn, Target
from idp.oauth_responses import json_response
from idp.page_doors import shown
from idp.page_errors import FormRefused
from idp.parameters import Parameters
from idp.protocol import Prompt, ReleasedItem, Scope
from idp.session_ending import end_session

LOCAL_TIME = timezone(timedelta(hours=8))
"""The clock of all three regions."""
RECENT = timedelta(minutes=10)
"""How fresh a sign-in must be to erase an identity."""


class AccountRoutes:
    """The person's own doors."""

    def __init__(self, deps: IdpDeps) -> None:
        self._deps = deps
        self._desk = LoginDesk(deps)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/account", shown(self._deps, self.account), methods=["GET"]),
            Route("/account/sign-in", shown(self._deps, self.sign_in_again), methods=["GET"]),
            Route("/account/sessions/end", shown(self._deps, self.end_session), methods=["POST"]),
            Route("/account/consents/revoke", shown(self._deps, self.revoke_consent), methods=["POST"]),
            Route("/account/consents/{consent}", shown(self._deps, self.receipt), methods=["GET"]),
            Route("/account/identities/remove", shown(self._deps, self.remove_identity), methods=["POST"]),
        ]

    async def account(self, request: Request) -> Response:
        """`GET /account`."""
        deps, visit = self._deps, self._visit(request)
        sign_in = await self._signed_in(visit)
        if sign_in is None:
            return await self._sign_in(visit)
        store, person = deps.store, sign_in.person
        consents = [record for record in await store.list_consents(person) if record.expires_at > visit.at]
        names = {record.client_id: await self._portal_name(record.client_id, visit) for record in consents}
        context = {
            "csrf": self._csrf(visit),
            "sessions": [
                {
                    **_session_row(session, current=session.session == sign_in.session),
                    **self._provider(session.connector),
                }
                for session in await store.list_sessions(person, at=visit.at)
            ],
            "consents": [_consent_row(record, names[record.client_id]) for record in consents],
            "identities": [
                {
                    "connector": found.connector,
                    "name": found.name_chinese or found.name_latin,
                    **self._provider(found.connector),
                }
                for found in await store.list_identities(person)
            ],
            "requests": [
                {
                    "id": waiting.id,
                    "portal": await self._portal_name(waiting.request.client_id, visit),
                    "message": waiting.request.binding_message,
                }
                for waiting in await store.list_decoupled(person, at=visit.at)
            ],
            "recent": visit.at - sign_in.authenticated_at <= RECENT,
            "ui_locales": choose_locale(request, ()),
        }
        return deps.render(request, "idp_account.html", context)

    async def sign_in_again(self, request: Request) -> Response:
        """`GET /account/sign-in`: a fresh sign-in, for what needs one."""
        return await self._sign_in(self._visit(request), prompt=(Prompt.LOGIN.value,))

    async def end_session(self, request: Request) -> Response:
        """`POST /account/sessions/end`: this session or another of the person's."""
        visit, sign_in, form = await self._form(request)
        own = {session.session for session in await self._deps.store.list_sessions(sign_in.person, at=visit.at)}
        if (session := form.get("session") or "") in own:
            await end_session(self._deps, session, by="account", at=visit.at)
        return self._onward(signed_in=session != sign_in.session)

    async def revoke_consent(self, request: Request) -> Response:
        """`POST /account/consents/revoke`: the portal's tokens end with it."""
        visit, sign_in, form = await self._form(request)
        revoked = await self._deps.store.revoke_consent(sign_in.person, form.get("consent") or "", at=visit.at)
        if revoked is not None:
            detail = {"consent": revoked.id, "client": revoked.client_id}
            await self._deps.audit.record("consent.revoked", correlation=sign_in.session, detail=detail)
        return redirect(f"{self._deps.config.issuer}/account")

    async def remove_identity(self, request: Request) -> Response:
        """`POST /account/identities/remove`: what the upstream told is erased; with the last one, so is the account."""
        visit, sign_in, form = await self._form(request)
        if visit.at - sign_in.authenticated_at > RECENT:
            return redirect(f"{self._deps.config.issuer}/account/sign-in")
        connector = form.get("connector") or ""
        known = {identity.connector for identity in await self._deps.store.list_identities(sign_in.person)}
        if connector in known:
            for session in await self._deps.store.list_sessions(sign_in.person, at=visit.at):
                if session.connector == connector:
                    await end_session(self._deps, session.session, by="account", at=visit.at)
            await self._deps.store.remove_identity(sign_in.person, connector, at=visit.at)
            detail = {"connector": connector}
            await self._deps.audit.record("identity.removed", correlation=sign_in.session, detail=detail)
        return self._onward(signed_in=connector != sign_in.connector)

    async def receipt(self, request: Request) -> Response:
        """`GET /account/consents/{id}`: the consent as a receipt (ISO/IEC TS 27560), for the person to keep."""
        visit = self._visit(request)
        sign_in = await self._signed_in(visit)
        if sign_in is None:
            return await self._sign_in(visit)
        for record in await self._deps.store.list_consents(sign_in.person):
            if record.id == request.path_params["consent"]:
                name = f'attachment; filename="consent-{record.id}.json"'
                return json_response(
                    consent_receipt(record, self._deps.config.issuer), headers={"Content-Disposition": name}
                )
        return redirect(f"{self._deps.config.issuer}/account")

    def _onward(self, *, signed_in: bool) -> Response:
        """Back to the account, or, when this very session has ended, to the page that says so: not into a new sign-in."""
        return redirect(f"{self._deps.config.issuer}/{'account' if signed_in else 'logout'}")

    def _visit(self, request: Request) -> Visit:
        return read_visit(request, self._deps.config, self._deps.clock())

    async def _signed_in(self, visit: Visit) -> SignIn | None:
        if visit.session_hash is None:
            return None
        return await self._deps.store.load_sign_in(visit.session_hash, at=visit.at)

    async def _sign_in(self, visit: Visit, prompt: tuple[str, ...] = ()) -> Response:
        request = AuthorizationRequest(
            client_id=ACCOUNT_PARTY.client_id,
            redirect_uri="",
            scope=(Scope.OPENID.value,),
            code_challenge="",
            prompt=prompt,
            target=Target.ACCOUNT,
        )
        transaction = self._desk.new_transaction(request, at=visit.at)
        await self._desk.start(visit, transaction, ACCOUNT_PARTY)
        return finish_visit(visit, redirect(f"{self._deps.config.issuer}/login"), self._deps.config)

    async def _form(self, request: Request) -> tuple[Visit, SignIn, Parameters]:
        """Rule 2."""
        visit = self._visit(request)
        form = await read_form(request, self._deps.config)
        sign_in = await self._signed_in(visit)
        genuine = hmac.compare_digest((form.get("csrf") or "").encode(), self._csrf(visit).encode())
        if sign_in is None or not genuine:
            raise FormRefused
        return visit, sign_in, form

    def _csrf(self, visit: Visit) -> str:
        return self._deps.cipher.lookup(visit.session_hash or "", purpose="idp.account_form")

    async def _portal_name(self, client_id: str, visit: Visit) -> str:
        party = await self._deps.store.load_client(client_id)
        return client_id if party is None else party.named(choose_locale(visit.request, ()))

    def _provider(self, connector: str) -> dict[str, object]:
        known = self._deps.connectors.get(connector)
        names: Mapping[str, str] = {} if known is None else known.display_names
        lang = next((known.native_lang for known in KNOWN_PROVIDERS if known.name == connector), "")
        return {"provider": names.get("native", connector), "lang": lang}


def _session_row(session: SignIn, *, current: bool) -> dict[str, object]:
    return {
        "session": session.session,
        "connector": session.connector,
        "since": _local(session.authenticated_at, "%Y-%m-%d %H:%M"),
        "since_iso": session.authenticated_at.isoformat(timespec="seconds"),
        "until": _local(session.expires_at, "%Y-%m-%d %H:%M"),
        "until_iso": session.expires_at.isoformat(timespec="seconds"),
        "current": current,
    }


def _consent_row(record: ConsentRecord, portal: str) -> dict[str, object]:
    return {
        "id": record.id,
        "portal": portal,
        "purpose": record.purpose,
        "to": REGION_NAMES[record.destination_region],
        "crosses": record.source_region is not record.destination_region,
        "items": [ITEM_LABELS[ReleasedItem(item)][0] for item in record.granted],
        "given": _local(record.given_at, "%Y-%m-%d"),
        "until": _local(record.expires_at, "%Y-%m-%d"),
        "revoked": None if record.revoked_at is None else _local(record.revoked_at, "%Y-%m-%d"),
    }


def _local(at: datetime, form: str) -> str:
    return at.astimezone(LOCAL_TIME).strftime(form)


def consent_receipt(record: ConsentRecord, issuer: str) -> dict[str, object]:
    """Return a consent as a receipt: who, what, to whom, why, across which border, until when (ISO/IEC TS 27560 cl. 6)."""
    return {
        "schema_version": "TS 27560:2023",
        "record_id": record.id,
        "issuer": issuer,
        "data_controller": record.client_id,
        "purpose": record.purpose,
        "pii_categories": list(record.granted),
        "declined": list(record.declined),
        "source_region": record.source_region.value,
        "destination_region": record.destination_region.value,
        "language": record.locale,
        "given_at": record.given_at.isoformat(),
        "expires_at": record.expires_at.isoformat(),
        "revoked_at": None if record.revoked_at is None else record.revoked_at.isoformat(),
    }

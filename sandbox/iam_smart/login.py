"""The broker page of iAM Smart (`auth/getQR`): where the simulated person signs in and is sent back.

Owns:    the checks of the browser's request, the page with one button per persona, the redirect back.
Rules:   1 nobody is redirected to an address that the client did not register: such a request ends on a page
         2 the page works without JavaScript; the button posts back the request, which is checked again
         3 `persona=` on the address, else the sandbox's configured persona, signs in without a click
Spec:    fact sheet upstreams.md §1.2.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox.iam_smart import faults, pages
from sandbox.iam_smart.api import SOURCES
from sandbox.iam_smart.codes import CallRefused, Place, place_of
from sandbox.iam_smart.holders import account_holders, find_holder
from sandbox.iam_smart.ledger import IssuedCode, Ledger
from sandbox.iam_smart.registry import Registry, RelyingParty
from sandbox.personas import Persona
from sandbox.state import SandboxState
from trust_lists.clock import Clock

LANGUAGES = ("zh-HK", "zh-CN", "en-US")
REQUEST_FIELDS = (
    "clientID",
    "responseType",
    "source",
    "redirectURI",
    "scope",
    "lang",
    "state",
    "brokerPage",
    "ticketID",
)
_STATE = re.compile(r"[A-Za-z0-9_-]{1,36}")
REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """A request of the browser that may be answered by a redirect."""

    party: RelyingParty
    redirect_uri: str
    state: str
    scopes: frozenset[str]
    language: str


class LoginPage:
    """Answers `auth/getQR` and the form of its page."""

    def __init__(self, *, registry: Registry, ledger: Ledger, state: SandboxState, clock: Clock) -> None:
        self._registry = registry
        self._ledger = ledger
        self._state = state
        self._clock = clock

    async def show(self, request: Request) -> Response:
        """Answer the browser's arrival: sign in at once where a persona is chosen, else show the buttons."""
        parameters = request.query_params
        if "ticketID" in parameters:
            # A request that goes on in the app: here the app is the phone page.
            return RedirectResponse("/iam-smart/phone", status_code=302)
        chosen = parameters.get("persona")
        try:
            login = self._check(parameters)
            if chosen is not None:
                return self._sign_in(login, _holder(chosen))
            default = find_holder(self._state.persona)
            if default is not None:
                return self._sign_in(login, default)
        except CallRefused as refusal:
            return pages.refused(refusal.code)
        fields = {name: parameters[name] for name in REQUEST_FIELDS if name in parameters}
        return pages.login(login.party.name, login.language, fields, account_holders())

    async def press(self, request: Request) -> Response:
        """Take the button that was pressed."""
        form = await request.form(max_files=0, max_fields=20)
        try:
            login = self._check(_texts(form))
            pressed = str(form.get("persona", ""))
            return self._send_back(login, "D40001") if pressed == REFUSE else self._sign_in(login, _holder(pressed))
        except CallRefused as refusal:
            return pages.refused(refusal.code)

    def _check(self, parameters: Mapping[str, str]) -> LoginRequest:
        party = self._registry.find(parameters.get("clientID", ""))
        if party is None:
            raise CallRefused("D20102")
        redirect_uri = parameters.get("redirectURI", "")
        if redirect_uri not in party.redirect_uris:
            raise CallRefused("D20008")
        state = parameters.get("state", "")
        if parameters.get("responseType") != "code" or not _STATE.fullmatch(state):
            raise CallRefused("D20003")
        if parameters.get("source") not in SOURCES:
            raise CallRefused("D20007")
        scopes = frozenset(parameters.get("scope", "").split())
        if not scopes or not scopes <= party.scopes:
            raise CallRefused("D20015")
        language = parameters.get("lang", LANGUAGES[0])
        if language not in LANGUAGES or parameters.get("brokerPage", "false") not in ("true", "false"):
            raise CallRefused("D20003")
        return LoginRequest(party, redirect_uri, state, scopes, language)

    def _sign_in(self, login: LoginRequest, persona: Persona) -> Response:
        if self._state.take(faults.CONNECTOR, faults.DENIAL_STATE_ONLY):
            return self._send_back(login, None)
        injected = faults.injected_code(self._state)
        if injected is not None and place_of(injected) is Place.FRONT_CHANNEL:
            self._state.take(faults.CONNECTOR, f"code:{injected}")
            return self._send_back(login, injected)
        issued = IssuedCode(login.party.client_id, persona, login.scopes, self._clock())
        return _redirect(login, {"code": self._ledger.issue_code(issued), "state": login.state})

    def _send_back(self, login: LoginRequest, code: str | None) -> Response:
        failure = {} if code is None else {"error_code": code}
        return _redirect(login, {**failure, "state": login.state})


def _holder(persona_id: str) -> Persona:
    persona = find_holder(persona_id)
    if persona is None:
        raise CallRefused("D40002")
    return persona


def _texts(form: FormData) -> dict[str, str]:
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _redirect(login: LoginRequest, parameters: Mapping[str, str]) -> Response:
    added = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
    parts = urlsplit(login.redirect_uri)
    query = f"{parts.query}&{added}" if parts.query else added
    return RedirectResponse(urlunsplit(parts._replace(query=query)), status_code=302)

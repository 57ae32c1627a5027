"""The doors of requests whose person is at another device: device authorization and back-channel authentication.

Owns:    `/device_authorization`, `/backchannel_authentication`, the page `/device`, the link `/approve/{id}`, the end `/done`.
         Leaves the login to `login_flow`, polling to `grants.decoupled`.
Rules:   1 the person always sees what they approve, and what to compare with the other screen: an earlier consent never serves
         2 a user code is short, so it is guarded: few tries an address, ten minutes, one use, found by its keyed hash
         3 a back-channel request names its person beforehand; only they can answer it, signed in anew
         4 a portal has few requests waiting for one person: whoever is asked again and again agrees in the end
         5 a code comes from our own page or the person's own hand: another site's form does not skip the question
         6 for a person who never used the portal there is nobody to ask: the portal learns `unknown_user_id`, and no more
Spec:    RFC 8628 cl. 3.1 to 3.3, 5.1, 6.1; OpenID Connect CIBA Core 1.0 cl. 7, 13
"""

import re
import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.arriving_requests import request_context
from idp.authorization import build_request
from idp.back_channel import BackChannel, Caller
from idp.browser import choose_locale, finish_visit, read_form, read_visit, redirect
from idp.closing_page import closing_page
from idp.deps import IdpDeps
from idp.errors import AccessDenied, InvalidBindingMessage, InvalidRequest, UnauthorizedClient, UnknownUserId
from idp.grants.handles import new_handle, new_identifier
from idp.login_desk import LoginDesk
from idp.login_pages import ERROR_TEXTS
from idp.model import AuthorizationRequest, DecoupledRequest, Target, UnverifiedRequest
from idp.oauth_responses import answered, json_response
from idp.page_doors import shown
from idp.page_errors import FormRefused, LoginExpired, NothingToAnswer, UnknownDeviceCode
from idp.parameters import parse_parameters
from idp.profiles import PROFILES
from idp.protocol import ClientAuthMethod, GrantType, Prompt
from idp.rate_limits import RateLimiter
from idp.tokens.hints import verify_id_token_hint

USER_CODE_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""RFC 8628 cl. 6.1: no vowels, so no words; no letter that looks like another. 20^8 codes."""
_USER_CODE = re.compile(rf"[{USER_CODE_ALPHABET}]{{8}}")
MAX_BINDING_MESSAGE = 64
MAX_WAITING = 3
"""How many requests of one portal may wait for one person (rule 4)."""
_CODE_TRIES = 5
"""How often a new user code is made when one is taken."""


class DecoupledRoutes:
    """Requests that are decided elsewhere."""

    def __init__(self, deps: IdpDeps, back_channel: BackChannel, code_limiter: RateLimiter) -> None:
        self._deps = deps
        self._desk = LoginDesk(deps)
        self._back_channel = back_channel
        self._code_limiter = code_limiter

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/device_authorization", answered(self.device_authorization, self._deps), methods=["POST"]),
            Route("/backchannel_authentication", answered(self.authentication, self._deps), methods=["POST"]),
            Route("/device", shown(self._deps, self.device), methods=["GET", "POST"]),
            Route("/approve/{identifier}", shown(self._deps, self.approve), methods=["GET"]),
            Route("/done", shown(self._deps, self.done), methods=["GET"]),
        ]

    async def device_authorization(self, request: Request) -> Response:
        """`POST /device_authorization` (RFC 8628 cl. 3.1, 3.2)."""
        deps, caller = self._deps, await self._back_channel.caller(request)
        accepted = self._accepted(caller, GrantType.DEVICE_CODE, Target.DEVICE)
        for _ in range(_CODE_TRIES):
            user_code = "".join(secrets.choice(USER_CODE_ALPHABET) for _ in range(8))
            shown_code = f"{user_code[:4]}-{user_code[4:]}"
            opened = self._open(replace(accepted, binding_message=shown_code), caller, deps.config.device_code_lifetime)
            opened = replace(opened, user_code=shown_code)
            device_code, secret_hash = new_handle(opened.id)
            kept = await deps.store.open_decoupled(
                opened, secret_hash=secret_hash, user_code_lookup=self._lookup(user_code), uses=caller.uses
            )
            if kept:
                break
        else:
            await self._back_channel.refuse_replay(caller)
        await self._record("device.authorization_opened", opened)
        uri = f"{deps.config.issuer}/device"
        return json_response(
            {
                "device_code": device_code,
                "user_code": shown_code,
                "verification_uri": uri,
                "verification_uri_complete": f"{uri}?user_code={shown_code}",
                "expires_in": int(deps.config.device_code_lifetime.total_seconds()),
                "interval": deps.config.poll_interval_s,
            }
        )

    async def authentication(self, request: Request) -> Response:
        """`POST /backchannel_authentication` (CIBA cl. 7)."""
        deps, caller = self._deps, await self._back_channel.caller(request)
        if caller.party.auth_method is ClientAuthMethod.NONE:
            raise UnauthorizedClient("Only a confidential client can ask for back-channel authentication")
        message = caller.form.get("binding_message")
        if message is not None and not _showable(message):
            raise InvalidBindingMessage
        accepted = self._accepted(caller, GrantType.CIBA, Target.BACKCHANNEL)
        subject = self._hinted_subject(caller)
        person = await deps.store.find_person(caller.party.client_id, subject, at=caller.at)
        if person is None:
            raise UnknownUserId
        waiting = await deps.store.list_decoupled(person, at=caller.at)
        if sum(found.request.client_id == caller.party.client_id for found in waiting) >= MAX_WAITING:
            raise AccessDenied("Enough requests wait for this person")
        lifetime = _requested_lifetime(caller.form.get("requested_expiry"), deps.config.backchannel_lifetime)
        asked = replace(accepted, hinted_subject=subject, prompt=(Prompt.LOGIN.value,))
        opened = replace(self._open(asked, caller, lifetime), person=person)
        auth_req_id, secret_hash = new_handle(opened.id)
        if not await deps.store.open_decoupled(
            opened, secret_hash=secret_hash, user_code_lookup=None, uses=caller.uses
        ):
            await self._back_channel.refuse_replay(caller)
        await self._record("backchannel.authentication_opened", opened)
        response = json_response(
            {"auth_req_id": auth_req_id, "expires_in": int(lifetime.total_seconds()), "interval": opened.interval_s}
        )
        if deps.notifier is not None:  # after the answer: a slow gateway holds up no portal, and tells it nothing
            url, portal = f"{deps.config.issuer}/approve/{opened.id}", caller.party.client_name
            response.background = BackgroundTask(
                deps.notifier.notify, person=person, portal=portal, message=message or "", url=url
            )
        return response

    async def device(self, request: Request) -> Response:
        """`GET|POST /device` (RFC 8628 cl. 3.3): type the code, or confirm the one that the link brought."""
        deps, visit = self._deps, read_visit(request, self._deps.config, self._deps.clock())
        if request.method == "GET":
            raw = request.scope["query_string"]
            code = parse_parameters(raw, deps.config, max_bytes=deps.config.max_query_bytes).get("user_code") or ""
            shown_code = code[:9] if _normal(code) else ""
            return self._code_page(request, user_code=shown_code)
        if request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
            raise FormRefused  # rule 5
        self._code_limiter.check(request, at=visit.at)  # rule 2, cl. 5.1
        typed = _normal((await read_form(request, deps.config)).get("user_code") or "")
        found = None if typed is None else await deps.store.find_decoupled(self._lookup(typed), at=visit.at)
        return await (self._unknown_code(request) if found is None else self._enter(request, found, visit.at))

    async def approve(self, request: Request) -> Response:
        """`GET /approve/{id}`: the person follows the notice of a back-channel request.

        The id alone decides nothing: whoever opens it must sign in as the person who is named in the request.
        """
        at = self._deps.clock()
        self._code_limiter.check(request, at=at)
        found = await self._deps.store.load_decoupled(request.path_params["identifier"][:64], at=at)
        if found is None or found.request.target is not Target.BACKCHANNEL:
            raise NothingToAnswer
        return await self._enter(request, found, at)

    async def done(self, request: Request) -> Response:
        """`GET /done`: the end, for a person whose answer went another way than through this browser."""
        return await closing_page(request, self._deps)

    def _code_page(self, request: Request, *, user_code: str, reference: str = "", status: int = 200) -> Response:
        headline, advice = ERROR_TEXTS[UnknownDeviceCode.code]
        context = {
            "user_code": user_code,
            "reference": reference,
            "code": UnknownDeviceCode.code,
            "headline": headline,
            "advice": advice,
            "ui_locales": choose_locale(request, ()),
        }
        return self._deps.render(request, "idp_device.html", context, status=status)

    async def _unknown_code(self, request: Request) -> Response:
        """Show the form again with what is wrong; what was typed is not repeated."""
        reference = secrets.token_urlsafe(9)
        await self._deps.audit.record(
            "page.refused", correlation=reference, outcome=UnknownDeviceCode.code, detail={"door": "/device"}
        )
        return self._code_page(request, user_code="", reference=reference, status=400)

    async def _enter(self, request: Request, found: DecoupledRequest, at: datetime) -> Response:
        """Start the login that answers the request; a reloadable page follows."""
        deps, visit = self._deps, read_visit(request, self._deps.config, at)
        party = await deps.store.load_client(found.request.client_id)
        if party is None:
            raise LoginExpired
        made = self._desk.new_transaction(found.request, at=at)
        transaction = replace(
            made, expires_at=min(made.expires_at, found.expires_at)
        )  # nobody agrees to what nobody awaits
        await self._desk.start(visit, transaction, party)
        return finish_visit(visit, redirect(f"{deps.config.issuer}/login"), deps.config)

    def _accepted(self, caller: Caller, grant: GrantType, target: Target) -> AuthorizationRequest:
        """Judge the request: the profile's checks for what does not travel through a browser."""
        if grant.value not in caller.party.grant_types:
            raise UnauthorizedClient("This relying party is not registered for this grant")
        if caller.form.get("request") is not None or caller.form.get("request_uri") is not None:
            raise InvalidRequest("Signed authentication requests are not offered at this endpoint")
        arrived, context = UnverifiedRequest(caller.form, pushed=True), request_context(caller.party, self._deps)
        for check in PROFILES[caller.party.profile].decoupled:
            check(arrived, context)
        # hints are read by this door itself; an id_token_hint is a hint here, not a demand
        without_hint = replace(
            caller.form, values={k: v for k, v in caller.form.values.items() if k != "id_token_hint"}
        )
        return build_request(UnverifiedRequest(without_hint), context, target=target)

    def _open(self, accepted: AuthorizationRequest, caller: Caller, lifetime: timedelta) -> DecoupledRequest:
        identifier = new_identifier(caller.at)
        return DecoupledRequest(
            id=identifier,
            request=replace(accepted, decoupled=identifier),
            created_at=caller.at,
            expires_at=caller.at + lifetime,
            interval_s=self._deps.config.poll_interval_s,
            dpop_jkt=caller.jkt,
        )

    def _hinted_subject(self, caller: Caller) -> str:
        """CIBA cl. 7.1: exactly one hint. `login_hint` is the `sub` that this relying party knows."""
        hints = [name for name in ("login_hint", "id_token_hint", "login_hint_token") if caller.form.get(name)]
        if len(hints) != 1:
            raise InvalidRequest("Exactly one hint is needed")
        hint = caller.form.get(hints[0]) or ""
        if hints[0] == "login_hint":
            return hint
        if hints[0] == "login_hint_token":
            raise InvalidRequest("login_hint_token is not offered")
        keys, issuer = self._deps.token_keys.published(), self._deps.config.issuer
        claims = verify_id_token_hint(hint, keys, issuer=issuer)
        if claims is None or claims["aud"] != caller.party.client_id:
            raise UnknownUserId
        return str(claims["sub"])

    def _lookup(self, user_code: str) -> str:
        return self._deps.cipher.lookup(user_code, purpose="idp.user_code")

    async def _record(self, event: str, opened: DecoupledRequest) -> None:
        await self._deps.audit.record(event, correlation=opened.id, detail={"client": opened.request.client_id})


def _normal(typed: str) -> str | None:
    """RFC 8628 cl. 6.1: case, spaces and dashes do not matter."""
    code = typed.upper().replace("-", "").replace(" ", "") if len(typed) <= 32 else ""
    return code if _USER_CODE.fullmatch(code) else None


def _showable(message: str) -> bool:
    """CIBA cl. 7.1: short and plain; without control, invisible or direction-changing characters it cannot pretend."""
    return 1 <= len(message) <= MAX_BINDING_MESSAGE and message.isprintable() and bool(message.strip())


def _requested_lifetime(text: str | None, longest: timedelta) -> timedelta:
    """CIBA cl. 7.1: a positive whole number of seconds; we never wait longer than configured."""
    if text is None:
        return longest
    if not re.fullmatch(r"[1-9][0-9]{0,5}", text):
        raise InvalidRequest("requested_expiry must be a positive number of seconds")
    return min(timedelta(seconds=int(text)), longest)

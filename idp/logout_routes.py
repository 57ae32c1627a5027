"""Logout that a portal starts: the session ends here, and the browser goes back where it was registered to go.

Owns:    `/logout`. Leaves the session to the store.
Rules:   1 the session cookie decides: a hint that does not belong to this very session ends nothing by itself, the person is asked
         2 a browser goes only to a registered post-logout URI, compared as a string
Spec:    OpenID Connect RP-Initiated Logout 1.0 cl. 2, 3
"""

import hmac
import json
from collections.abc import Mapping

from joserfc import jws
from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.authorization import response_location
from idp.browser import Visit, read_form, read_visit, redirect
from idp.deps import IdpDeps
from idp.errors import MalformedRequest
from idp.identity import session_identifier
from idp.model import SignIn
from idp.parameters import Parameters, parse_parameters
from idp.relying_parties import RelyingParty

MAX_HINT_CHARS = 8_192


class LogoutRoutes:
    """The logout door."""

    def __init__(self, deps: IdpDeps) -> None:
        self._deps = deps

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/logout", self.logout, methods=["GET", "POST"])]

    async def logout(self, request: Request) -> Response:
        """`GET|POST /logout`."""
        deps = self._deps
        visit = read_visit(request, deps.config, deps.clock())
        try:
            asked = await self._parameters(request)
        except MalformedRequest:
            return self._page(visit, state="refused", status=400)
        sign_in = None if visit.session_hash is None else await deps.store.load_sign_in(visit.session_hash, at=visit.at)
        party, hint = await self._caller(asked)
        back = _return_uri(asked, party)
        if sign_in is None or visit.session_hash is None:
            return self._signed_out(visit, asked, back)
        csrf = deps.cipher.lookup(visit.session_hash, purpose="idp.logout_form")
        confirmed = request.method == "POST" and hmac.compare_digest((asked.get("csrf") or "").encode(), csrf.encode())
        if not confirmed and not self._is_of_session(hint, sign_in, party):
            form = {
                "csrf": csrf,
                "client_id": "" if party is None else party.client_id,
                "post_logout_redirect_uri": back or "",
                "return_state": (asked.get("state") or "")[:512],
            }
            return self._page(visit, state="ask", form=form)
        await deps.store.end_session(visit.session_hash)
        detail = {"client": None if party is None else party.client_id, "confirmed": confirmed}
        await deps.audit.record("session.ended", correlation=sign_in.session, detail=detail)
        return self._signed_out(visit, asked, back)

    async def _parameters(self, request: Request) -> Parameters:
        if request.method == "POST":
            return await read_form(request, self._deps.config)
        config = self._deps.config
        return parse_parameters(request.scope["query_string"], config, max_bytes=config.max_query_bytes)

    async def _caller(self, asked: Parameters) -> tuple[RelyingParty | None, dict[str, object]]:
        """Find the relying party by the hint's audience, else by `client_id`; the two must not differ (cl. 2)."""
        hint = self._verified_hint(asked.get("id_token_hint"))
        audience, claimed = hint.get("aud"), asked.get("client_id")
        if isinstance(audience, str) and claimed is not None and audience != claimed:
            return None, {}
        client_id = audience if isinstance(audience, str) else claimed
        return (None if client_id is None else await self._deps.store.load_client(client_id[:256])), hint

    def _verified_hint(self, hint: str | None) -> dict[str, object]:
        """Return an ID token's claims, or nothing: it may have expired, its signature may not fail (cl. 4)."""
        if hint is None or len(hint) > MAX_HINT_CHARS:
            return {}
        try:
            token = jws.deserialize_compact(hint, self._deps.token_keys.published(), algorithms=["ES256"])
            claims = json.loads(token.payload or b"")
        except (JoseError, ValueError):
            return {}
        ours = isinstance(claims, dict) and claims.get("iss") == self._deps.config.issuer
        return claims if ours and token.headers().get("typ") == "JWT" else {}

    def _is_of_session(self, hint: dict[str, object], sign_in: SignIn, party: RelyingParty | None) -> bool:
        """Rule 1: the hint's `sid` is this session's, as this relying party knows it."""
        sid = hint.get("sid")
        if party is None or not isinstance(sid, str):
            return False
        expected = session_identifier(self._deps.cipher, session=sign_in.session, client_id=party.client_id)
        return hmac.compare_digest(sid.encode(), expected.encode())

    def _signed_out(self, visit: Visit, asked: Parameters, back: str | None) -> Response:
        config = self._deps.config
        if back is not None:
            state = asked.get("state")
            usable = state if state is not None and len(state) <= 512 and state.isprintable() else None
            response = redirect(response_location(back, {"state": usable}, issuer=None))
        else:
            response = self._page(visit, state="done")
        response.delete_cookie(config.session_cookie, path="/", secure=config.secure, httponly=True, samesite="lax")
        return response

    def _page(self, visit: Visit, *, state: str, status: int = 200, form: Mapping[str, str] | None = None) -> Response:
        context = {"state": state, "form": form or {}}
        return self._deps.render(visit.request, "idp_logout.html", context, status=status)


def _return_uri(asked: Parameters, party: RelyingParty | None) -> str | None:
    uri = asked.get("post_logout_redirect_uri")
    registered = party is not None and uri in party.post_logout_redirect_uris
    return uri if registered and "post_logout_redirect_uri" not in asked.repeated else None

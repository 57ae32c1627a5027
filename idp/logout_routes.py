"""Logout that a portal starts: the session ends here, everybody who relied on it hears, the browser goes back where it may.

Owns:    `/logout`, `/logout/return`. Leaves the end itself to `session_ending`.
Rules:   1 the session cookie decides: a hint that does not belong to this very session ends nothing by itself, the person is asked
         2 a browser goes only to a registered post-logout URI, compared as a string
         3 the way: the portals' frames, then the upstream where it has a logout, then back; what follows is sealed, not believed
         4 a portal's frame may run its logout and nothing else: it is sandboxed, and the page goes on whether it answers or not
Spec:    OpenID Connect RP-Initiated Logout 1.0 cl. 2, 3; Front-Channel Logout 1.0 cl. 2
"""

import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.authorization_response import response_location
from idp.browser import Visit, choose_locale, drop_cookie, read_form, read_visit, redirect
from idp.deps import IdpDeps
from idp.identity import session_identifier
from idp.model import SignIn
from idp.page_doors import shown
from idp.page_errors import MalformedRequest
from idp.parameters import Parameters, parse_parameters
from idp.relying_parties import RelyingParty
from idp.sealed_values import open_value, seal_value
from idp.session_ending import end_session
from idp.tokens.hints import verify_id_token_hint

FRAMES_SHOWN_S = 3
"""How long the portals' frames have to load before the browser goes on."""
_THEN = "idp.logout_then"


class LogoutRoutes:
    """The logout doors."""

    def __init__(self, deps: IdpDeps) -> None:
        self._deps = deps

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/logout", shown(self._deps, self.logout), methods=["GET", "POST"]),
            Route("/logout/return", shown(self._deps, self.upstream_return), methods=["GET"]),
        ]

    async def logout(self, request: Request) -> Response:
        """`GET|POST /logout`."""
        deps = self._deps
        visit = read_visit(request, deps.config, deps.clock())
        try:
            asked = await self._parameters(request)
        except MalformedRequest:
            return self._page(visit, "refused", status=400)
        sign_in = None if visit.session_hash is None else await deps.store.load_sign_in(visit.session_hash, at=visit.at)
        party, hint = await self._caller(asked)
        back = _return_location(asked, party)
        if sign_in is None or visit.session_hash is None:
            return self._signed_out(self._onward(visit, back))
        csrf = deps.cipher.lookup(visit.session_hash, purpose="idp.logout_form")
        confirmed = request.method == "POST" and hmac.compare_digest((asked.get("csrf") or "").encode(), csrf.encode())
        if not confirmed and not self._is_of_session(hint, sign_in, party):
            return self._ask(visit, asked, party, sign_in, csrf)
        ended = await end_session(deps, sign_in.session, by="logout", at=visit.at)
        frames = () if ended is None else ended.frames
        then = self._upstream_location(sign_in, back) or back
        return self._signed_out(self._framed(visit, frames, then) if frames else self._onward(visit, then))

    async def upstream_return(self, request: Request) -> Response:
        """`GET /logout/return`: back from the upstream's logout, on to what was sealed at the start."""
        deps = self._deps
        visit = read_visit(request, deps.config, deps.clock())
        then = open_value(deps.cipher, request.query_params.get("then"), purpose=_THEN)
        return self._onward(visit, then if isinstance(then, str) else None)

    async def _parameters(self, request: Request) -> Parameters:
        if request.method == "POST":
            return await read_form(request, self._deps.config)
        config = self._deps.config
        return parse_parameters(request.scope["query_string"], config, max_bytes=config.max_query_bytes)

    async def _caller(self, asked: Parameters) -> tuple[RelyingParty | None, Mapping[str, object]]:
        """Find the relying party by the hint's audience, else by `client_id`; the two must not differ (cl. 2)."""
        text, claimed = asked.get("id_token_hint"), asked.get("client_id")
        keys, issuer = self._deps.token_keys.published(), self._deps.config.issuer
        hint = (None if text is None else verify_id_token_hint(text, keys, issuer=issuer)) or {}
        audience = hint.get("aud")
        if isinstance(audience, str) and claimed is not None and audience != claimed:
            return None, {}
        client_id = audience if isinstance(audience, str) else claimed
        return (None if client_id is None else await self._deps.store.load_client(client_id[:256])), hint

    def _is_of_session(self, hint: Mapping[str, object], sign_in: SignIn, party: RelyingParty | None) -> bool:
        """Rule 1: the hint's `sid` is this session's, as this relying party knows it."""
        sid = hint.get("sid")
        if party is None or not isinstance(sid, str):
            return False
        expected = session_identifier(self._deps.cipher, session=sign_in.session, client_id=party.client_id)
        return hmac.compare_digest(sid.encode(), expected.encode())

    def _ask(self, visit: Visit, asked: Parameters, party: RelyingParty | None, sign_in: SignIn, csrf: str) -> Response:
        back = _return_location(asked, party)
        form = {
            "csrf": csrf,
            "client_id": "" if party is None else party.client_id,
            "post_logout_redirect_uri": "" if back is None else asked.get("post_logout_redirect_uri") or "",
            "return_state": (asked.get("state") or "")[:512],
        }
        # Chromium holds every redirect that follows the form against CSP form-action: the upstream's logout, and the way back
        onward = (self._upstream_location(sign_in, back), back)
        context = {
            "form": form,
            "portal": None if party is None else party.named(choose_locale(visit.request, ())),
            "form_targets": tuple(_origin(uri) for uri in onward if uri is not None),
            "ui_locales": (asked.get("ui_locales") or "")[:100],
        }
        return self._page(visit, "ask", context)

    def _upstream_location(self, sign_in: SignIn, back: str | None) -> str | None:
        """Return where the upstream ends its own session, if it has such a place."""
        connector = self._deps.connectors.get(sign_in.connector)
        if connector is None:
            return None
        then = seal_value(self._deps.cipher, back, purpose=_THEN)
        return connector.logout_url(return_to=f"{self._deps.config.issuer}/logout/return?then={then}")

    def _framed(self, visit: Visit, frames: tuple[str, ...], then: str | None) -> Response:
        context: dict[str, object] = {
            "frames": frames,
            "frame_sources": tuple(sorted({_origin(frame) for frame in frames})),
            "then": then or f"{self._deps.config.issuer}/logout",
            "seconds": FRAMES_SHOWN_S,
        }
        return self._page(visit, "frames", context)

    def _onward(self, visit: Visit, then: str | None) -> Response:
        return self._page(visit, "done") if then is None else redirect(then)

    def _signed_out(self, response: Response) -> Response:
        drop_cookie(response, self._deps.config.session_cookie, self._deps.config)
        return response

    def _page(
        self, visit: Visit, state: str, more: Mapping[str, object] | None = None, *, status: int = 200
    ) -> Response:
        context = {"state": state, "form": {}, "portal": None, "frames": (), "then": None, **(more or {})}
        return self._deps.render(visit.request, "idp_logout.html", context, status=status)


def _return_location(asked: Parameters, party: RelyingParty | None) -> str | None:
    """Return where the browser goes in the end, with `state` (cl. 3); None when nothing registered was asked for."""
    uri = asked.get("post_logout_redirect_uri")
    if party is None or uri is None or uri not in party.post_logout_redirect_uris:
        return None
    if "post_logout_redirect_uri" in asked.repeated:
        return None
    state = asked.get("state")
    usable = state if state is not None and len(state) <= 512 and state.isprintable() else None
    return response_location(uri, {"state": usable}, issuer=None)


def _origin(uri: str) -> str:
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else f"{parts.scheme}:"

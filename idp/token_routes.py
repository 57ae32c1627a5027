"""The back-channel doors: `/token`, `/userinfo`, `/introspect`, `/revoke`.

Owns:    parsing, the order load → verify → spend → mint, and the answers. Leaves rules to `proof`, `grants`, `tokens`.
Rules:   1 a code is spent before anything is minted; three statements on the way that succeeds
         2 a refusal names the standard's code and nothing of the inside
         3 every answer is `no-store`
Spec:    RFC 6749 cl. 3.2, 5; OpenID Connect Core 1.0 cl. 3.1.3, 5.3; RFC 6750; RFC 7009; RFC 7662
"""

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from idp.browser import read_form
from idp.deps import IdpDeps
from idp.errors import (
    IdpError,
    InsufficientScope,
    InvalidClient,
    InvalidGrant,
    InvalidRequest,
    InvalidToken,
    ProtocolError,
    UnauthorizedClient,
    UnsupportedGrantType,
)
from idp.grants import check_redemption, hash_token
from idp.model import Grant
from idp.oauth_responses import NO_STORE, bearer_error, oauth_error
from idp.parameters import Parameters
from idp.proof.client_authentication import PresentedClient, read_presented_client, verify_client
from idp.proof.replay import ReplayUse
from idp.protocol import GrantType, Scope
from idp.rate_limits import RateLimiter
from idp.relying_parties import RelyingParty
from idp.store import AssertionReplayed, CodeReused, Redeemed
from idp.tokens import AccessToken

Handler = Callable[[Request], Awaitable[Response]]


class TokenRoutes:
    """The relying parties' doors."""

    def __init__(self, deps: IdpDeps, limiter: RateLimiter) -> None:
        self._deps = deps
        self._limiter = limiter
        self._tokens = deps.tokens

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/token", self._answered(self.token), methods=["POST"]),
            Route("/userinfo", self.userinfo, methods=["GET", "POST"]),
            Route("/introspect", self._answered(self.introspect), methods=["POST"]),
            Route("/revoke", self._answered(self.revoke), methods=["POST"]),
        ]

    async def token(self, request: Request) -> Response:
        """`POST /token`: the authorization code grant."""
        deps, at = self._deps, self._deps.clock()
        form = await read_form(request, deps.config)
        # 1 who asks (statement 1)
        party, assertion = await self._verified_client(request, form, at)
        # 2 what it asks for
        grant_type, code = form.get("grant_type"), form.get("code")
        if grant_type is None or {"grant_type", "code", "redirect_uri", "code_verifier"} & form.repeated:
            raise InvalidRequest("grant_type is missing, or a parameter is repeated")
        if grant_type != GrantType.AUTHORIZATION_CODE:
            raise UnsupportedGrantType
        if code is None:
            raise InvalidRequest("code is missing")
        if grant_type not in party.grant_types:
            raise UnauthorizedClient("This relying party is not registered for this grant")
        # 3 the assertion is remembered and the code spent, in one transaction (statements 2 and 3)
        redemption = await deps.store.redeem_code(
            hash_token(code), client_id=party.client_id, assertion=assertion, at=at
        )
        if isinstance(redemption, AssertionReplayed):
            await self._refused(secrets.token_urlsafe(9), "assertion_replayed", party)
            raise InvalidClient
        if isinstance(redemption, CodeReused):
            await self._refused(redemption.correlation, "code_reused", party)
            raise InvalidGrant("The code was used before; what it gave is revoked")
        if not isinstance(redemption, Redeemed):
            await self._refused(secrets.token_urlsafe(9), "code_unknown", party)
            raise InvalidGrant
        # 4 its conditions
        grant = redemption.grant
        try:
            check_redemption(
                redemption.code,
                client_id=party.client_id,
                redirect_uri=form.get("redirect_uri"),
                verifier=form.get("code_verifier"),
            )
        except ProtocolError as error:
            await deps.store.revoke_grant(grant.id, at=at)
            await self._refused(grant.correlation, error.code, party)
            raise
        # 5 only now are tokens made
        access_token = self._tokens.mint_access_token(grant, at=at)
        body = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": int(deps.config.access_token_lifetime.total_seconds()),
            "scope": " ".join(grant.scope),
            "id_token": self._tokens.mint_id_token(
                grant, nonce=redemption.code.nonce, access_token=access_token, at=at
            ),
        }
        await self._record(grant, "token.issued")
        return JSONResponse(body, headers=NO_STORE)

    async def userinfo(self, request: Request) -> Response:
        """`GET|POST /userinfo` (Core cl. 5.3): the token in the header, or in a form body."""
        presented = False
        try:
            token = await self._presented_token(request)
            presented = token is not None
            if token is None:
                raise InvalidToken("An access token is needed")
            grant = await self._standing_grant(token)
            if Scope.OPENID not in grant.scope:
                raise InsufficientScope
        except ProtocolError as error:
            return bearer_error(error, scope=Scope.OPENID.value, presented=presented)
        except IdpError as error:
            return oauth_error(error)
        await self._record(grant, "userinfo.read")
        return JSONResponse({"sub": grant.subject, **grant.userinfo_claims}, headers=NO_STORE)

    async def introspect(self, request: Request) -> Response:
        """`POST /introspect` (RFC 7662): a relying party asks about its own tokens; of others' it learns nothing."""
        party, form = await self._authenticated(request)
        token = form.get("token")
        if token is None:
            raise InvalidRequest("token is missing")
        try:
            access, grant = await self._standing_token(token)
        except InvalidToken:
            return JSONResponse({"active": False}, headers=NO_STORE)
        if grant.client_id != party.client_id:
            return JSONResponse({"active": False}, headers=NO_STORE)
        body = {
            "active": True,
            "iss": self._deps.config.issuer,
            "aud": self._deps.config.issuer,
            "client_id": grant.client_id,
            "sub": grant.subject,
            "scope": " ".join(grant.scope),
            "exp": int(access.expires_at.timestamp()),
            "token_type": "Bearer",
        }
        return JSONResponse(body, headers=NO_STORE)

    async def revoke(self, request: Request) -> Response:
        """`POST /revoke` (RFC 7009): the whole grant goes; an unknown token is no error (cl. 2.2)."""
        party, form = await self._authenticated(request)
        token = form.get("token")
        if token is None:
            raise InvalidRequest("token is missing")
        try:
            _, grant = await self._standing_token(token)
        except InvalidToken:
            return Response(status_code=200, headers=NO_STORE)
        if grant.client_id == party.client_id:  # cl. 2.1: only a token that was issued to it
            await self._deps.store.revoke_grant(grant.id, at=self._deps.clock())
            await self._record(grant, "grant.revoked")
        return Response(status_code=200, headers=NO_STORE)

    async def _authenticated(self, request: Request) -> tuple[RelyingParty, Parameters]:
        """Authenticate a caller outside a redemption: its assertion is remembered on its own."""
        form = await read_form(request, self._deps.config)
        party, assertion = await self._verified_client(request, form, self._deps.clock())
        if assertion is not None and not await self._deps.store.remember_assertion(assertion):
            await self._refused(secrets.token_urlsafe(9), "assertion_replayed", party)
            raise InvalidClient
        return party, form

    async def _verified_client(
        self, request: Request, form: Parameters, at: datetime
    ) -> tuple[RelyingParty, ReplayUse | None]:
        presented: PresentedClient | None = None
        try:
            presented = read_presented_client(form, request.headers.get("authorization"))
            self._limiter.check(request, at=at, key=f"client:{presented.client_id[:64]}")
            party = await self._deps.store.load_client(presented.client_id[:256])
            assertion = verify_client(presented, party, self._deps.config, at=at)
            if party is None:
                raise InvalidClient
        except InvalidClient as error:
            claimed = presented.client_id if presented is not None and presented.client_id.isascii() else ""
            await self._deps.audit.record(
                "client.refused",
                correlation=secrets.token_urlsafe(9),
                outcome=error.code,
                detail={"client": claimed[:64]},
            )
            raise
        return party, assertion

    async def _presented_token(self, request: Request) -> str | None:
        """Read the token; two at once are refused (RFC 6750 cl. 2)."""
        scheme, _, header = request.headers.get("authorization", "").partition(" ")
        in_header = header.strip() if scheme.lower() == "bearer" else None
        if request.method != "POST" or not request.headers.get("content-type"):
            return in_header
        in_body = (await read_form(request, self._deps.config)).get("access_token")
        if in_header and in_body:
            raise InvalidRequest("The access token is presented twice")
        return in_header or in_body

    async def _standing_grant(self, token: str) -> Grant:
        return (await self._standing_token(token))[1]

    async def _standing_token(self, token: str) -> tuple[AccessToken, Grant]:
        at = self._deps.clock()
        access = self._tokens.verify_access_token(token, at=at)
        grant = await self._deps.store.load_grant(access.grant, at=at)
        if grant is None:
            raise InvalidToken("The access token was revoked")
        return access, grant

    async def _refused(self, correlation: str, outcome: str, party: RelyingParty) -> None:
        detail = {"client": party.client_id}
        await self._deps.audit.record("token.refused", correlation=correlation, outcome=outcome, detail=detail)

    async def _record(self, grant: Grant, event: str) -> None:
        detail = {"client": grant.client_id, "subject": grant.subject}
        await self._deps.audit.record(event, correlation=grant.correlation, detail=detail)

    def _answered(self, handler: Handler) -> Handler:
        async def door(request: Request) -> Response:
            try:
                return await handler(request)
            except IdpError as error:
                return oauth_error(error, basic="authorization" in request.headers)

        return door

"""The doors of a token's fate: introspection and revocation.

Owns:    `/introspect`, `/revoke`. Leaves authentication to `back_channel`, tokens to `resource_access` and `grants`.
Rules:   1 a relying party asks about its own tokens; of others' it learns nothing, not even that they exist
         2 revocation ends the whole grant; an unknown token is no error (RFC 7009 cl. 2.2)
Spec:    RFC 7662; RFC 9701; RFC 7009
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.back_channel import BackChannel, Caller
from idp.cross_origin import cross_origin
from idp.deps import IdpDeps
from idp.errors import InvalidRequest, InvalidToken
from idp.grants.refresh_tokens import verify_refresh_token
from idp.jose.compact import sign_compact
from idp.model import Grant
from idp.oauth_responses import NO_STORE, answered, json_response, jwt_response
from idp.resource_access import ResourceAccess
from idp.tokens.access_tokens import access_token_claims

SIGNED = "application/token-introspection+jwt"


class IntrospectionRoutes:
    """What became of a token, and its end."""

    def __init__(self, deps: IdpDeps, back_channel: BackChannel) -> None:
        self._deps = deps
        self._back_channel = back_channel
        self._access = ResourceAccess(deps)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/introspect", answered(self.introspect, self._deps), methods=["POST"]),
            Route("/revoke", cross_origin(answered(self.revoke, self._deps)), methods=["POST", "OPTIONS"]),
        ]

    async def introspect(self, request: Request) -> Response:
        """`POST /introspect` (RFC 7662); signed when the caller asks for it (RFC 9701 cl. 4)."""
        caller = await self._back_channel.authenticated(request)
        body = await self._introspected(caller)
        if SIGNED not in request.headers.get("accept", ""):
            return json_response(body)
        algorithm = caller.party.introspection_alg or "ES256"
        claims = {
            "iss": self._deps.config.issuer,
            "aud": caller.party.client_id,
            "iat": int(caller.at.timestamp()),
            "token_introspection": body,  # RFC 9701 cl. 5
        }
        key = self._deps.token_keys.current(algorithm)
        return jwt_response(sign_compact(key, algorithm, "token-introspection+jwt", claims), SIGNED)

    async def _introspected(self, caller: Caller) -> dict[str, object]:
        presented = _presented(caller)
        try:
            access = await self._access.standing(presented)
        except InvalidToken:
            return await self._refresh_token(caller, presented)
        if access.token.client_id != caller.party.client_id:
            return {"active": False}
        claims = access_token_claims(access.token, self._deps.config.issuer)
        del claims["grant"]
        kind = "DPoP" if "jkt" in access.token.cnf else "Bearer"
        return {"active": True, **claims, "token_type": kind}

    async def _refresh_token(self, caller: Caller, presented: str) -> dict[str, object]:
        """A public client's refresh token may be bound to a key that does not speak here: it is not introspected."""
        grant = await self._grant_of_refresh_token(caller, presented, current=True)
        if grant is None:
            return {"active": False}
        return {
            "active": True,
            "iss": self._deps.config.issuer,
            "client_id": grant.client_id,
            "sub": grant.subject,
            "scope": " ".join(grant.scope),
            "exp": int(grant.expires_at.timestamp()),
        }

    async def revoke(self, request: Request) -> Response:
        """`POST /revoke` (RFC 7009)."""
        caller = await self._back_channel.authenticated(request, takes_proof=True)
        presented = _presented(caller)
        try:
            access = await self._access.standing(presented)
            # cl. 2.1: only a token that was issued to it; a delegate's token ends nobody else's grant
            own = access.token.client_id == caller.party.client_id == access.grant.client_id
            grant = access.grant if own else None
        except InvalidToken:
            grant = await self._grant_of_refresh_token(caller, presented)
        if grant is not None:
            await self._deps.store.revoke_grant(grant.id, at=caller.at)
            detail = {"client": grant.client_id, "subject": grant.subject}
            await self._deps.audit.record("grant.revoked", correlation=grant.correlation, detail=detail)
        return Response(status_code=200, headers=NO_STORE)

    async def _grant_of_refresh_token(self, caller: Caller, presented: str, *, current: bool = False) -> Grant | None:
        token = verify_refresh_token(self._deps.cipher, caller.party, presented, jkt=caller.jkt)
        if token is None:
            return None
        generation = token.generation if current else None
        return await self._deps.store.load_grant(token.grant, at=caller.at, generation=generation)


def _presented(caller: Caller) -> str:
    """RFC 7662 cl. 2.1, RFC 7009 cl. 2.1: one token."""
    presented = caller.form.get("token")
    if presented is None or {"token", "token_type_hint"} & caller.form.repeated:
        raise InvalidRequest("token is missing or repeated")
    return presented

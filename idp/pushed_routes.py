"""The door for pushed authorization requests.

Owns:    `/par`. Leaves authentication to `back_channel`, the request to `arriving_requests` and `authorization`.
Rules:   1 a pushed request is judged here, whole; what comes back is a name for a request that was accepted
         2 that name is random, bound to its relying party, and short-lived
         3 a DPoP proof at this door binds the code to its key (RFC 9449 cl. 10.1)
Spec:    RFC 9126 cl. 2; RFC 9449 cl. 10
"""

import secrets
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.arriving_requests import REQUEST_URI_PREFIX, open_request, request_context
from idp.authorization import RefusedRequest, accept_request
from idp.back_channel import BackChannel, Caller
from idp.deps import IdpDeps
from idp.errors import InvalidDpopProof, InvalidRequest, UnauthorizedClient
from idp.hashes import hash_token
from idp.model import AuthorizationRequest, UnverifiedRequest
from idp.oauth_responses import answered, json_response
from idp.page_errors import PageError
from idp.protocol import GrantType


class PushedRoutes:
    """Pushed authorization requests."""

    def __init__(self, deps: IdpDeps, back_channel: BackChannel) -> None:
        self._deps = deps
        self._back_channel = back_channel

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/par", answered(self.push, self._deps), methods=["POST"])]

    async def push(self, request: Request) -> Response:
        """`POST /par`."""
        deps = self._deps
        # 1 RFC 9126 cl. 2.1 (1): who asks
        caller = await self._back_channel.caller(request)
        if GrantType.AUTHORIZATION_CODE.value not in caller.party.grant_types:
            raise UnauthorizedClient("This relying party is not registered for the authorization code grant")
        # 2 cl. 2.1 (2), (3): the request, judged as at the authorization endpoint
        accepted = self._accepted(caller)
        # 3 cl. 2.2: kept under a random name
        request_uri = REQUEST_URI_PREFIX + secrets.token_urlsafe(32)
        uri_hash = hash_token(request_uri)
        kept = await deps.store.push_request(
            replace(accepted, pushed=uri_hash),
            uri_hash=uri_hash,
            expires_at=caller.at + deps.config.pushed_request_lifetime,
            uses=caller.uses,
        )
        if not kept:
            await self._back_channel.refuse_replay(caller)
        detail = {"client": caller.party.client_id}
        await deps.audit.record("request.pushed", correlation=secrets.token_urlsafe(9), detail=detail)
        lifetime = int(deps.config.pushed_request_lifetime.total_seconds())
        return json_response({"request_uri": request_uri, "expires_in": lifetime}, 201)

    def _accepted(self, caller: Caller) -> AuthorizationRequest:
        party, arrived = caller.party, UnverifiedRequest(caller.form, pushed=True)
        if arrived.get("request_uri") is not None:
            raise InvalidRequest("request_uri must not be pushed")  # cl. 2.1
        try:
            opened = open_request(arrived, party, self._deps, at=caller.at)
            judged = accept_request(opened, request_context(party, self._deps))
        except PageError as error:  # here nobody is redirected: the relying party hears it at once (cl. 2.3)
            raise InvalidRequest(str(error)) from error
        if isinstance(judged, RefusedRequest):
            raise judged.error
        return _bound(judged, caller.jkt)


def _bound(request: AuthorizationRequest, jkt: str | None) -> AuthorizationRequest:
    """RFC 9449 cl. 10.1: the proof's key and `dpop_jkt` must agree; either binds the code."""
    if jkt is None:
        return request
    if request.dpop_jkt not in {None, jkt}:
        raise InvalidDpopProof("dpop_jkt names another key than the proof")
    return replace(request, dpop_jkt=jkt)

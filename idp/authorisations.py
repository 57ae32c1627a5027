"""What the signing API may know of a caller: the portal behind an access token, the citizen behind a session cookie.

Owns:    `IdpAuthorisations`, which keeps `signing.ports.Authorisations`. Leaves the gate to `resource_access`, sessions to the store.
Rules:   1 a portal acts for the citizen of its own token only; with an exchanged token it is the actor that acts
         2 a token that names documents serves for those documents and no others (RFC 9396 cl. 2)
         3 a citizen's token must stand on a sign-in that is strong and fresh enough; the refusal says what to ask for (RFC 9470)
         4 a session whose account cannot sign is nobody here
Spec:    RFC 6750 cl. 2.1, 3.1; RFC 9068 cl. 4; RFC 9449 cl. 7; RFC 9470 cl. 3; RFC 9396
"""

from starlette.requests import Request

from idp.browser import read_visit
from idp.deps import IdpDeps
from idp.errors import ProtocolError, UseDpopNonce
from idp.oauth_responses import challenge_of
from idp.resource_access import Presented, ResourceAccess, read_presented
from idp.resources import signing_api
from signing.errors import AccessRefused
from signing.ports import PortalAccess, SignedInCitizen


class IdpAuthorisations:
    """Access tokens and sign-in sessions, as the signing API asks for them."""

    def __init__(self, deps: IdpDeps) -> None:
        self._deps = deps
        self._access = ResourceAccess(deps)

    async def portal_access(self, request: Request, *, scope: str) -> PortalAccess:
        """Judge the access token of a request.

        Raises:
            AccessRefused: no token, a bad or revoked one, one without the scope, or on too weak a sign-in.
        """
        presented: Presented | None = None
        config = self._deps.config
        try:
            presented = read_presented(request)
            access = await self._access.judge(request, presented, scope=scope, resource=signing_api(config))
            if access.grant.person:
                self._access.check_level(access.token, acr=config.step_up_acr, max_age=config.step_up_max_age)
        except ProtocolError as error:
            challenge = challenge_of(error, scope=scope, presented=presented)
            nonce = error.nonce if isinstance(error, UseDpopNonce) else None
            raise AccessRefused(str(error), code=error.code, challenge=challenge, dpop_nonce=nonce) from error
        party = await self._deps.store.load_client(access.token.client_id)
        if party is None:
            raise AccessRefused("The access token was revoked", code="invalid_token")
        return PortalAccess(
            party.client_id,
            party.client_name,
            party.region,
            access.grant.person or None,
            tuple(document.digest for document in access.token.documents),
        )

    async def citizen(self, request: Request) -> SignedInCitizen | None:
        """Return who is signed in at this browser, or None."""
        visit = read_visit(request, self._deps.config, self._deps.clock())
        if visit.session_hash is None:
            return None
        sign_in = await self._deps.store.load_sign_in(visit.session_hash, at=visit.at)
        if sign_in is None or sign_in.signer is None:
            return None
        return SignedInCitizen(sign_in.person, sign_in.connector, sign_in.signer)

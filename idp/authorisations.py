"""What the signing API may know of a caller: the portal behind an access token, the citizen behind a session cookie.

Owns:    `IdpAuthorisations`, which keeps `signing.ports.Authorisations`. Leaves tokens to `tokens`, sessions to the store.
Rules:   1 a portal acts for the citizen of its own token only
         2 a session whose account cannot sign is nobody here
Spec:    RFC 6750 cl. 2.1, 3.1; RFC 9068 cl. 4
"""

from starlette.requests import Request

from idp.browser import read_visit
from idp.deps import IdpDeps
from idp.errors import InvalidToken
from signing.errors import AccessRefused
from signing.ports import PortalAccess, SignedInCitizen


class IdpAuthorisations:
    """Access tokens and sign-in sessions, as the signing API asks for them."""

    def __init__(self, deps: IdpDeps) -> None:
        self._deps = deps
        self._tokens = deps.tokens

    async def portal_access(self, authorization: str | None, *, scope: str) -> PortalAccess:
        """Judge an Authorization header.

        Raises:
            AccessRefused: no token, a bad or revoked one, or one without the scope.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise AccessRefused("An access token is needed", code="invalid_token")
        at = self._deps.clock()
        try:
            access = self._tokens.verify_access_token(token.strip(), at=at)
        except InvalidToken as error:
            raise AccessRefused(str(error), code=error.code) from error
        grant = await self._deps.store.load_grant(access.grant, at=at)
        party = await self._deps.store.load_client(access.client_id)
        if grant is None or party is None:
            raise AccessRefused("The access token was revoked", code="invalid_token")
        if scope not in grant.scope:
            raise AccessRefused(f"The access token does not carry the scope {scope}", code="insufficient_scope")
        return PortalAccess(party.client_id, party.client_name, party.region, grant.person)

    async def citizen(self, request: Request) -> SignedInCitizen | None:
        """Return who is signed in at this browser, or None."""
        visit = read_visit(request, self._deps.config, self._deps.clock())
        if visit.session_hash is None:
            return None
        sign_in = await self._deps.store.load_sign_in(visit.session_hash, at=visit.at)
        if sign_in is None or sign_in.signer is None:
            return None
        return SignedInCitizen(sign_in.person, sign_in.connector, sign_in.signer)

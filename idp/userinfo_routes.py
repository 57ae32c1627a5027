"""The userinfo door: what the person agreed to hand over, plain, signed or encrypted.

Owns:    `/userinfo`. Leaves the gate to `resource_access`, what is released to `claims`.
Rules:   1 the form is the registered one: JSON, or a JWT for the relying party as audience (Core cl. 5.3.2)
         2 a token with which somebody acts for the person does not read who the person is
Spec:    OpenID Connect Core 1.0 cl. 5.3; RFC 6750; RFC 9449 cl. 7
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.browser import read_form
from idp.cross_origin import cross_origin
from idp.deps import IdpDeps
from idp.errors import IdpError, InsufficientScope, ProtocolError
from idp.jose.compact import sign_compact
from idp.jose.encryption import encrypt_for
from idp.oauth_responses import bearer_error, json_response, jwt_response, oauth_error
from idp.protocol import Scope
from idp.relying_parties import RelyingParty
from idp.resource_access import Access, Presented, ResourceAccess, read_presented


class UserinfoRoutes:
    """The door to what a person released."""

    def __init__(self, deps: IdpDeps) -> None:
        self._deps = deps
        self._access = ResourceAccess(deps)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/userinfo", cross_origin(self.userinfo), methods=["GET", "POST", "OPTIONS"])]

    async def userinfo(self, request: Request) -> Response:
        """`GET|POST /userinfo`: the token in the header, or in a form body."""
        presented: Presented | None = None
        try:
            presented = await self._presented(request)
            access = await self._access.judge(
                request, presented, scope=Scope.OPENID.value, resource=self._deps.config.issuer
            )
            if access.token.act is not None:
                raise InsufficientScope("This access token does not tell who the person is")
            response = self._answer(access)
        except ProtocolError as error:
            return bearer_error(error, scope=Scope.OPENID.value, presented=presented)
        except IdpError as error:
            return oauth_error(error)
        detail = {"client": access.grant.client_id, "subject": access.grant.subject}
        await self._deps.audit.record("userinfo.read", correlation=access.grant.correlation, detail=detail)
        return response

    async def _presented(self, request: Request) -> Presented | None:
        if request.method != "POST" or not request.headers.get("content-type"):
            return read_presented(request)
        return read_presented(request, in_body=(await read_form(request, self._deps.config)).get("access_token"))

    def _answer(self, access: Access) -> Response:
        grant, party = access.grant, access.owner
        claims = {"sub": grant.subject, **grant.userinfo_claims}
        if party.userinfo_alg is None and party.userinfo_encryption is None:
            return json_response(claims)
        return jwt_response(self._jwt(claims, party), "application/jwt")

    def _jwt(self, claims: dict[str, object], party: RelyingParty) -> str:
        """Core cl. 5.3.2: signed claims name issuer and audience; encryption comes after."""
        if party.userinfo_alg is None and party.userinfo_encryption is not None:
            return encrypt_for(party.encryption_keys, party.userinfo_encryption, _json(claims), cty=None, typ="JWT")
        algorithm = party.userinfo_alg or party.id_token_alg
        claims = {"iss": self._deps.config.issuer, "aud": party.client_id, **claims}
        signed = sign_compact(self._deps.token_keys.current(algorithm), algorithm, "userinfo+jwt", claims)
        if party.userinfo_encryption is None:
            return signed
        return encrypt_for(party.encryption_keys, party.userinfo_encryption, signed.encode(), cty="JWT", typ="JWT")


def _json(claims: dict[str, object]) -> bytes:
    return bytes(json_response(claims).body)

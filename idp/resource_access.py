"""What a protected resource of ours may know of its caller: the access token, proved to be theirs, and the grant behind it.

Owns:    the one gate of `/userinfo`, of the registration of grants at our APIs, and of introspection. Leaves tokens to `tokens`.
Rules:   1 a bound token is taken only with its key: presented as Bearer, or with another key, it is refused (RFC 9449 cl. 7.2)
         2 audience, then grant, then scope, then level: each refusal with its own code and challenge
         3 a proof is remembered, so that it serves one request
Spec:    RFC 6750 cl. 2, 3; RFC 8705 cl. 3; RFC 9449 cl. 7; RFC 9068 cl. 4; RFC 9470 cl. 3
"""

from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import Request

from idp.back_channel import certificate_of
from idp.deps import IdpDeps
from idp.errors import InsufficientScope, InsufficientUserAuthentication, InvalidDpopProof, InvalidRequest, InvalidToken
from idp.model import Grant
from idp.proof.binding import check_binding
from idp.proof.dpop import DpopProof, verify_proof
from idp.relying_parties import RelyingParty
from idp.resources import serves
from idp.tokens.access_tokens import AccessToken
from trust_lists.vocabulary import AssuranceLevel


@dataclass(frozen=True, slots=True)
class Presented:
    """A token as it arrived."""

    token: str
    scheme: str
    """`bearer` or `dpop`."""


@dataclass(frozen=True, slots=True)
class Access:
    """A token that holds, and what it stands for."""

    token: AccessToken
    grant: Grant
    owner: RelyingParty
    """The relying party that the grant was given to; who presents a token may act for it (`token.client_id`)."""


def read_presented(request: Request, *, in_body: str | None = None) -> Presented | None:
    """Read the token of a request; None when there is none.

    Raises:
        InvalidRequest: it is presented twice (RFC 6750 cl. 2).
    """
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    in_header = value.strip() if scheme.lower() in {"bearer", "dpop"} else ""
    if in_header and in_body:
        raise InvalidRequest("The access token is presented twice")
    if in_header:
        return Presented(in_header, scheme.lower())
    return Presented(in_body, "bearer") if in_body else None


class ResourceAccess:
    """Judges the callers of our resources."""

    def __init__(self, deps: IdpDeps) -> None:
        self._deps = deps

    async def judge(self, request: Request, presented: Presented | None, *, scope: str, resource: str) -> Access:
        """Judge a caller.

        Raises:
            InvalidToken: none, not ours, expired, revoked, for another resource, or not with its key.
            InvalidDpopProof, UseDpopNonce: the proof does not hold.
            InsufficientScope: the token does not carry the scope.
        """
        if presented is None:
            raise InvalidToken("An access token is needed")
        at = self._deps.clock()
        # 1 the token itself, and the key it is bound to
        token = self._deps.access_tokens.verify(presented.token, at=at)
        await self._check_key(request, presented, token)
        # 2 it is for this resource
        if not serves(token.audience, resource, self._deps.config):
            raise InvalidToken("The access token is for another resource")
        # 3 its grant stands
        loaded = await self._deps.store.load_access(token.grant, at=at)
        if loaded is None:
            raise InvalidToken("The access token was revoked")
        # 4 it carries the scope
        if scope not in token.scope:
            raise InsufficientScope(f"The access token does not carry the scope {scope}")
        return Access(token, *loaded)

    async def standing(self, token: str) -> Access:
        """Return a token that stands, whoever holds it: for introspection, revocation.

        Raises:
            InvalidToken: it does not stand.
        """
        at = self._deps.clock()
        verified = self._deps.access_tokens.verify(token, at=at)
        loaded = await self._deps.store.load_access(verified.grant, at=at)
        if loaded is None:
            raise InvalidToken("The access token was revoked")
        return Access(verified, *loaded)

    def check_level(self, token: AccessToken, *, acr: str, max_age: timedelta) -> None:
        """Check how strong and how fresh the sign-in behind a token is.

        Raises:
            InsufficientUserAuthentication: with what the portal must ask for (RFC 9470 cl. 3).
        """
        have, wanted = AssuranceLevel.from_acr(token.acr or ""), AssuranceLevel.from_acr(acr)
        age_s = self._deps.clock().timestamp() - (token.auth_time or 0)
        strong = have is not None and wanted is not None and have >= wanted
        if not strong or age_s > max_age.total_seconds():
            reason = "not fresh enough" if strong else "not strong enough"
            raise InsufficientUserAuthentication(
                f"The sign-in behind the access token is {reason}",
                acr_values=acr,
                max_age_s=int(max_age.total_seconds()),
            )

    async def _check_key(self, request: Request, presented: Presented, token: AccessToken) -> None:
        by_key, by_certificate = "jkt" in token.cnf, "x5t#S256" in token.cnf
        if (presented.scheme == "dpop") != by_key:
            raise InvalidToken("The access token is not of this type")  # no downgrade to Bearer, no upgrade either
        proof = self._proof(request, presented) if by_key else None
        certificate = certificate_of(request, self._deps) if by_certificate else None
        check_binding(
            token.cnf,
            jkt=None if proof is None else proof.jkt,
            x5t=None if certificate is None else certificate.thumbprint,
        )
        if proof is not None and not await self._deps.store.remember((proof.use,)):
            raise InvalidDpopProof("The proof was used before")

    def _proof(self, request: Request, presented: Presented) -> DpopProof:
        config = self._deps.config
        return verify_proof(
            request.headers.getlist("dpop"),
            method=request.method,
            url=f"{config.issuer}{request.scope['path']}",
            at=self._deps.clock(),
            config=config,
            access_token=presented.token,
            nonces=self._deps.dpop_nonces,
        )

"""Who calls a back-channel door: the relying party, authenticated, with the key and certificate that it proved.

Owns:    the one way every such door authenticates: read, limit, load, verify. Leaves the rules to `proof`, the memory of what was
         used to the transaction that relies on it (`Caller.uses`), or to `authenticated`, for doors that spend nothing.
Rules:   1 a door's own URL is made from the issuer, never from the Host header
         2 a refusal of the client is one word, whatever was wrong; the audit trail knows who claimed to be whom
Spec:    RFC 6749 cl. 2.3, 3.2.1; RFC 8705 cl. 2; RFC 9449 cl. 4.3, 5
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request

from idp.browser import read_form
from idp.deps import IdpDeps
from idp.errors import InvalidClient, InvalidDpopProof, InvalidRequest, ProtocolError
from idp.parameters import Parameters
from idp.proof.client_authentication import PresentedClient, read_presented_client, verify_client
from idp.proof.dpop import verify_proof
from idp.proof.mutual_tls import ClientCertificate, read_client_certificate
from idp.proof.replay import ReplayUse
from idp.rate_limits import RateLimiter
from idp.relying_parties import RelyingParty


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated relying party and its request."""

    party: RelyingParty
    form: Parameters
    uses: tuple[ReplayUse, ...]
    jkt: str | None
    x5t: str | None
    at: datetime


class BackChannel:
    """Authenticates callers."""

    def __init__(self, deps: IdpDeps, limiter: RateLimiter) -> None:
        self._deps = deps
        self._limiter = limiter

    async def caller(self, request: Request, *, takes_proof: bool = True) -> Caller:
        """Authenticate; what was used is still to be remembered.

        Raises:
            MalformedRequest: the body cannot be read.
            InvalidClient, InvalidRequest: the client is not proved.
            InvalidDpopProof, UseDpopNonce: a proof was sent and does not hold.
            TooManyRequests: more than this relying party may.
        """
        deps, at = self._deps, self._deps.clock()
        form = await read_form(request, deps.config)
        certificate = certificate_of(request, deps)
        party, assertion = await self._verified_client(request, form, certificate, at)
        proofs = request.headers.getlist("dpop") if takes_proof else []
        proof = None
        if proofs:
            url = f"{deps.config.issuer}{request.scope['path']}"
            proof = verify_proof(
                proofs, method=request.method, url=url, at=at, config=deps.config, nonces=deps.dpop_nonces
            )
        uses = tuple(use for use in (assertion, None if proof is None else proof.use) if use is not None)
        return Caller(
            party,
            form,
            uses,
            None if proof is None else proof.jkt,
            None if certificate is None else certificate.thumbprint,
            at,
        )

    async def authenticated(self, request: Request, *, takes_proof: bool = False) -> Caller:
        """Authenticate a caller whose request spends nothing: what was used is remembered at once.

        Raises:
            As `caller`; a replay is refused like any other failure.
        """
        caller = await self.caller(request, takes_proof=takes_proof)
        if caller.form.repeated:  # RFC 6749 cl. 3.2
            raise InvalidRequest("A parameter is repeated")
        if not await self._deps.store.remember(caller.uses):
            await self.refuse_replay(caller)
        return caller

    async def refuse_replay(self, caller: Caller) -> None:
        """Refuse what was used before.

        Raises:
            InvalidDpopProof, InvalidClient: as `replay_refusal` says.
        """
        await self._deps.audit.record(
            "client.refused",
            correlation=secrets.token_urlsafe(9),
            outcome="assertion_replayed",
            detail={"client": caller.party.client_id},
        )
        raise await replay_refusal(caller.uses, self._deps)

    async def _verified_client(
        self, request: Request, form: Parameters, certificate: ClientCertificate | None, at: datetime
    ) -> tuple[RelyingParty, ReplayUse | None]:
        deps = self._deps
        presented: PresentedClient | None = None
        try:
            presented = read_presented_client(form, request.headers.get("authorization"), certificate)
            self._limiter.check(request, at=at, key=f"client:{presented.client_id[:64]}")
            party = await deps.store.load_client(presented.client_id[:256])
            assertion = verify_client(
                presented, party, deps.config, at=at, certificate=certificate, anchors=deps.config.mtls_anchors
            )
            if party is None:
                raise InvalidClient
        except InvalidClient as error:
            claimed = presented.client_id if presented is not None and presented.client_id.isascii() else ""
            await deps.audit.record(
                "client.refused",
                correlation=secrets.token_urlsafe(9),
                outcome=error.code,
                detail={"client": claimed[:64]},
            )
            raise
        return party, assertion


async def replay_refusal(uses: Sequence[ReplayUse], deps: IdpDeps) -> ProtocolError:
    """Return the refusal of uses of which one was a replay: a new assertion is spent now, and then it was the proof.

    RFC 7523 cl. 3 (7): `invalid_client`. RFC 9449 cl. 11.1: `invalid_dpop_proof`.
    """
    assertions = [use for use in uses if not use.space.startswith("dpop:")]
    fresh = await deps.store.remember(assertions)
    return InvalidDpopProof("The proof was used before") if fresh else InvalidClient()


def certificate_of(request: Request, deps: IdpDeps) -> ClientCertificate | None:
    """Return the client's certificate, as a trusted proxy reports it."""
    peer = request.client.host if request.client else ""
    return read_client_certificate(request.headers, peer, deps.config)

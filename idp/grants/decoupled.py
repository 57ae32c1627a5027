"""The device and CIBA grants: a poll for what the person decides elsewhere.

Rules:   one answer a poll, in the standard's words; an approved request is redeemed once
Spec:    RFC 8628 cl. 3.4, 3.5; OpenID Connect CIBA Core 1.0 cl. 10.1, 10.1.1, 11
"""

from idp.deps import IdpDeps
from idp.errors import (
    AccessDenied,
    AuthorizationPending,
    ExpiredToken,
    InvalidGrant,
    InvalidRequest,
    ProtocolError,
    SlowDown,
)
from idp.grants.handles import parse_handle
from idp.grants.outcomes import refuse_outcome, refused
from idp.protocol import Scope
from idp.resources import audience_of, signing_api
from idp.store import PollOutcome, Redeemed
from idp.token_request import Issue, TokenRequest

_ANSWERS: dict[PollOutcome, type[ProtocolError]] = {
    PollOutcome.PENDING: AuthorizationPending,
    PollOutcome.SLOW_DOWN: SlowDown,
    PollOutcome.DENIED: AccessDenied,
    PollOutcome.EXPIRED: ExpiredToken,
    PollOutcome.UNKNOWN: InvalidGrant,
}


async def redeem_device_code(asked: TokenRequest, deps: IdpDeps) -> Issue:
    """Answer a device's poll (RFC 8628 cl. 3.4)."""
    return await _redeem(asked, deps, "device_code")


async def redeem_auth_req_id(asked: TokenRequest, deps: IdpDeps) -> Issue:
    """Answer a backend's poll (CIBA cl. 10.1)."""
    return await _redeem(asked, deps, "auth_req_id")


async def _redeem(asked: TokenRequest, deps: IdpDeps, parameter: str) -> Issue:
    presented = asked.form.get(parameter)
    if presented is None:
        raise InvalidRequest(f"{parameter} is missing")
    handle = parse_handle(presented)
    if handle is None:
        await refused(asked, deps, f"{parameter}_unknown")
        raise InvalidGrant
    outcome = await deps.store.redeem_decoupled(
        handle.identifier, handle.secret_hash, client_id=asked.party.client_id, uses=asked.uses, at=asked.at
    )
    if isinstance(outcome, PollOutcome):
        if outcome not in {PollOutcome.PENDING, PollOutcome.SLOW_DOWN}:
            await refused(asked, deps, outcome.value)
        raise _ANSWERS[outcome]
    if not isinstance(outcome, Redeemed):
        return await refuse_outcome(asked, deps, outcome, what=parameter)
    grant = outcome.grant
    return Issue(
        grant,
        grant.scope,
        audience_of(asked.form.all("resource"), grant.resources, deps.config),
        asked.documents_of(grant.documents, api=signing_api(deps.config)),
        id_token=Scope.OPENID in grant.scope,
        refresh_generation=outcome.generation if grant.refreshable else None,
    )

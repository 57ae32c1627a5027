"""The refresh token grant: prove the token ours, spend its generation, issue no more than was granted.

Rules:   1 under the basic profile every use rotates: the next token is another, and the old one's return revokes the family
         2 under FAPI 2.0 tokens are sender-constrained and not rotated (FAPI 2.0 Security Profile cl. 5.3.2.1)
         3 scope, resource and details can be narrowed for one access token; the grant stays as it is, and a wish for
           more does not cost the token
Spec:    RFC 6749 cl. 6; RFC 9700 cl. 4.14.2; OpenID Connect Core 1.0 cl. 12
"""

from idp.deps import IdpDeps
from idp.errors import InvalidGrant, InvalidRequest, InvalidScope
from idp.grants.outcomes import refuse_outcome, refused
from idp.grants.refresh_tokens import RefreshToken, verify_refresh_token
from idp.protocol import Scope
from idp.resources import audience_of, signing_api
from idp.store import Redeemed
from idp.token_request import Issue, TokenRequest


async def redeem_refresh_token(asked: TokenRequest, deps: IdpDeps) -> Issue:
    """Redeem a refresh token.

    Raises:
        ProtocolError: `invalid_grant`, `invalid_scope`, `invalid_target`, `invalid_request`.
    """
    form, party = asked.form, asked.party
    presented = form.get("refresh_token")
    if presented is None:
        raise InvalidRequest("refresh_token is missing")
    token = verify_refresh_token(deps.cipher, party, presented, jkt=asked.jkt)
    if token is None:
        await refused(asked, deps, "refresh_token_unknown")
        raise InvalidGrant("The refresh token is not valid")
    await _check_wishes(asked, deps, token)
    outcome = await deps.store.redeem_refresh(
        token.grant, token.generation, client_id=party.client_id, rotate=asked.rotates, uses=asked.uses, at=asked.at
    )
    if not isinstance(outcome, Redeemed):
        return await refuse_outcome(asked, deps, outcome, what="refresh_token")
    grant = outcome.grant
    return Issue(
        grant,
        narrowed_scope(form.get("scope"), grant.scope),
        audience_of(form.all("resource"), grant.resources, deps.config),
        asked.documents_of(grant.documents, api=signing_api(deps.config)),
        # Core cl. 12.2: same iss, sub, auth_time; no nonce
        id_token=Scope.OPENID in grant.scope,
        refresh_generation=outcome.generation,
    )


async def _check_wishes(asked: TokenRequest, deps: IdpDeps, token: RefreshToken) -> None:
    """Rule 3: judged before the token is spent; a caller without wishes pays no statement for it."""
    scope, resources = asked.form.get("scope"), asked.form.all("resource")
    if scope is None and not resources and asked.form.get("authorization_details") is None:
        return
    grant = await deps.store.load_grant(token.grant, at=asked.at, generation=token.generation)
    if grant is not None:
        narrowed_scope(scope, grant.scope)
        audience_of(resources, grant.resources, deps.config)
        asked.documents_of(grant.documents, api=signing_api(deps.config))


def narrowed_scope(wanted: str | None, granted: tuple[str, ...]) -> tuple[str, ...]:
    """Return the scope of one token (RFC 6749 cl. 6).

    Raises:
        InvalidScope: more than was granted.
    """
    if wanted is None:
        return granted
    words = set(wanted.split(" "))
    if not words <= set(granted):
        raise InvalidScope("scope is more than was granted")
    return tuple(word for word in granted if word in words)

"""The token exchange grant: a portal's backend acts for a citizen whose access token it was handed.

Rules:   1 the subject token is an access token of ours whose grant stands, for the same relying party or one that named the caller
           a delegate
         2 the new token has less: scope, resource and life are at most the old one's; it hangs on the same grant and dies with it
         3 it says who acts: `act` names the caller, and before it whoever acted already (RFC 8693 cl. 4.1)
         4 the caller sees the subject of its own sector
         5 a bound subject token is exchanged only by who holds its key: a stolen one is no more use here than anywhere.
           A delegate, which cannot hold it, brings a key of its own: what is bound never becomes a bearer token
Spec:    RFC 8693 cl. 2.1, 2.2, 4.1; RFC 9700 cl. 2.3
"""

from idp.deps import IdpDeps
from idp.errors import InvalidGrant, InvalidRequest, InvalidScope, InvalidToken
from idp.grants.outcomes import refuse_replay, refused
from idp.grants.refresh_token import narrowed_scope
from idp.identity import pairwise_subject
from idp.model import Grant
from idp.proof.binding import check_binding
from idp.protocol import Scope
from idp.resources import audience_of, signing_api
from idp.token_request import Issue, TokenRequest
from idp.tokens.access_tokens import AccessToken

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - the standard's name of a type
API_SCOPES = (Scope.SIGNING,)
"""What somebody else may do for a person; who the person is stays between them and the portal they signed in at."""
_MAX_ACTORS = 3


async def redeem_token_exchange(asked: TokenRequest, deps: IdpDeps) -> Issue:
    """Exchange a citizen's access token for one with which the caller acts.

    Raises:
        ProtocolError: `invalid_request` (RFC 8693 cl. 2.2.2), `invalid_scope`, `invalid_target`, `invalid_grant`.
    """
    form, party = asked.form, asked.party
    _check_types(asked)
    subject_token = form.get("subject_token")
    if subject_token is None:
        raise InvalidRequest("subject_token is missing")
    try:
        token = deps.access_tokens.verify(subject_token, at=asked.at)
    except InvalidToken as error:
        await refused(asked, deps, "subject_token_unknown")
        raise InvalidRequest("subject_token is not valid") from error
    grant = await deps.store.load_grant(token.grant, at=asked.at)
    if grant is None or not grant.person:
        await refused(asked, deps, "subject_token_revoked")
        raise InvalidRequest("subject_token is not valid")
    await _check_may_act(asked, deps, token, grant)
    exchangeable = {scope.value for scope in API_SCOPES} & set(token.scope) & set(party.scope)
    if not exchangeable:
        raise InvalidScope("subject_token carries no scope that can be handed on")
    scope = narrowed_scope(form.get("scope"), tuple(sorted(exchangeable)))
    # RFC 8693 cl. 2.1: `audience` is the logical name, `resource` the location; here both are the URI of our API
    wanted = (*form.all("resource"), *form.all("audience")) or (signing_api(deps.config),)
    audience = audience_of(wanted, token.audience, deps.config)
    documents = asked.documents_of(token.documents, api=signing_api(deps.config))
    if not await deps.store.remember(asked.uses):
        await refuse_replay(asked, deps)
    return Issue(
        grant,
        scope,
        audience,
        documents,
        act=_actor(party.client_id, token),
        latest_expiry=token.expires_at,
        subject=pairwise_subject(deps.cipher, sector=party.sector, person=grant.person),
        issued_token_type=ACCESS_TOKEN,
    )


def _check_types(asked: TokenRequest) -> None:
    form = asked.form
    if form.get("subject_token_type") != ACCESS_TOKEN:
        raise InvalidRequest(f"subject_token_type must be {ACCESS_TOKEN}")
    if form.get("requested_token_type") not in {None, ACCESS_TOKEN}:
        raise InvalidRequest(f"requested_token_type can only be {ACCESS_TOKEN}")
    if form.get("actor_token") is not None or form.get("actor_token_type") is not None:
        raise InvalidRequest("The actor is the relying party that authenticates; an actor_token is not taken")


async def _check_may_act(asked: TokenRequest, deps: IdpDeps, token: AccessToken, grant: Grant) -> None:
    """Rules 1 and 5."""
    caller = asked.party.client_id
    owner = asked.party if grant.client_id == caller else await deps.store.load_client(grant.client_id)
    named = owner is not None and (owner.client_id == caller or caller in owner.delegates)
    if not named or token.client_id not in {grant.client_id, caller}:
        await refused(asked, deps, "not_a_delegate", correlation=grant.correlation)
        raise InvalidGrant("This relying party may not act on that token")
    if token.cnf and not asked.confirmation:
        await refused(asked, deps, "subject_token_unbound", correlation=grant.correlation)
        raise InvalidGrant("subject_token is bound to a key; a proof of one's own is required")
    if token.client_id != caller:
        return  # the token reached the delegate from its owner, over their own channel
    try:
        check_binding(token.cnf, jkt=asked.jkt, x5t=asked.x5t)
    except InvalidToken as error:
        await refused(asked, deps, "subject_token_key", correlation=grant.correlation)
        raise InvalidGrant("subject_token is bound to another key") from error


def _actor(client_id: str, token: AccessToken) -> dict[str, object]:
    actor: dict[str, object] = {"sub": client_id}
    depth, earlier = 1, token.act
    while isinstance(earlier, dict):
        depth += 1
        inner = earlier.get("act")
        earlier = inner if isinstance(inner, dict) else None
    if depth > _MAX_ACTORS:
        raise InvalidRequest("Too many act for one another already")
    return actor if token.act is None else {**actor, "act": token.act}

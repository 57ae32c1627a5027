"""The authorization code grant: spend the code, check its conditions, issue.

Spec:    RFC 6749 cl. 4.1.3, 4.1.4; RFC 7636 cl. 4.5, 4.6; OpenID Connect Core 1.0 cl. 3.1.3
"""

from idp.deps import IdpDeps
from idp.errors import InvalidGrant, InvalidRequest, ProtocolError
from idp.grants.codes import check_redemption
from idp.grants.handles import parse_handle
from idp.grants.outcomes import refuse_outcome, refused
from idp.protocol import Scope
from idp.resources import audience_of, signing_api
from idp.store import Redeemed
from idp.token_request import Issue, TokenRequest


async def redeem_authorization_code(asked: TokenRequest, deps: IdpDeps) -> Issue:
    """Redeem a code.

    Raises:
        ProtocolError: `invalid_grant`, `invalid_request`, `invalid_target`; the code is spent all the same.
    """
    form, party = asked.form, asked.party
    code = form.get("code")
    if code is None:
        raise InvalidRequest("code is missing")
    handle = parse_handle(code)
    if handle is None:
        await refused(asked, deps, "code_unknown")
        raise InvalidGrant
    # 1 assertion and proof are remembered and the code is spent, in one transaction
    outcome = await deps.store.redeem_code(
        handle.identifier, handle.secret_hash, client_id=party.client_id, uses=asked.uses, at=asked.at
    )
    if not isinstance(outcome, Redeemed):
        return await refuse_outcome(asked, deps, outcome, what="code")
    # 2 its conditions; whoever fails them may be a thief: what the code gave is revoked
    grant = outcome.grant
    if grant.conditions is None:
        raise InvalidGrant
    try:
        check_redemption(
            grant.conditions,
            redirect_uri=form.get("redirect_uri"),
            verifier=form.get("code_verifier"),
            jkt=asked.jkt,
        )
        audience = audience_of(form.all("resource"), grant.resources, deps.config)
        documents = asked.documents_of(grant.documents, api=signing_api(deps.config))
    except ProtocolError as error:
        await deps.store.revoke_grant(grant.id, at=asked.at)
        await refused(asked, deps, error.code, correlation=grant.correlation)
        raise
    # 3 only now is anything minted
    return Issue(
        grant,
        grant.scope,
        audience,
        documents,
        nonce=grant.conditions.nonce,
        id_token=Scope.OPENID in grant.scope,
        refresh_generation=outcome.generation if grant.refreshable else None,
    )

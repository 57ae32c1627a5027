"""The client credentials grant: a portal calls our APIs for itself, no person is involved.

Rules:   1 no scope about a person: neither openid nor what a person must agree to
         2 the subject is the relying party (RFC 9068 cl. 2.2); there is no ID token and no refresh token (RFC 6749 cl. 4.4.3)
Spec:    RFC 6749 cl. 4.4
"""

import secrets

from idp.deps import IdpDeps
from idp.errors import InvalidScope, UnauthorizedClient
from idp.grants.handles import new_identifier
from idp.grants.outcomes import refuse_replay
from idp.model import Grant
from idp.protocol import ClientAuthMethod, Scope
from idp.resources import audience_of
from idp.token_request import Issue, TokenRequest

OWN_SCOPES = (Scope.SIGNING,)
"""What a portal may do in its own name: look after the signing transactions that it opened, validate documents."""


async def redeem_client_credentials(asked: TokenRequest, deps: IdpDeps) -> Issue:
    """Grant a relying party access in its own name.

    Raises:
        ProtocolError: `unauthorized_client` (a public client), `invalid_scope`, `invalid_target`.
    """
    party = asked.party
    if party.auth_method is ClientAuthMethod.NONE:  # RFC 6749 cl. 4.4: confidential clients only
        raise UnauthorizedClient("Only a confidential client has credentials")
    allowed = tuple(word.value for word in OWN_SCOPES if word in party.scope)
    wanted = tuple((asked.form.get("scope") or " ".join(allowed)).split())
    if not set(wanted) <= set(allowed):
        raise InvalidScope("The client credentials grant gives no scope that concerns a person")
    audience = audience_of(asked.form.all("resource"), (), deps.config)
    grant = Grant(
        id=new_identifier(asked.at),
        client_id=party.client_id,
        person="",
        session="",
        correlation=secrets.token_urlsafe(9),
        subject=party.client_id,
        scope=tuple(dict.fromkeys(wanted)),
        created_at=asked.at,
        expires_at=asked.at + deps.config.access_token_lifetime,
        id_token_claims={},
        userinfo_claims={},
    )
    if not await deps.store.save_own_grant(grant, uses=asked.uses):
        await refuse_replay(asked, deps)
    return Issue(grant, grant.scope, audience, ())

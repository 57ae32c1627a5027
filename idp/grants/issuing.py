"""From an issue to the token response: mint what the grant yields, and say what was granted.

Owns:    the response body of `/token`, and the binding of what is minted. Leaves signing to `tokens`.
Rules:   1 a token is bound to the key that was proved in this very request: DPoP before certificate
         2 an access token lives no longer than its grant, and no longer than the token it was exchanged for
         3 the response says the scope and details that were granted, whatever was asked
Spec:    RFC 6749 cl. 5.1; RFC 8705 cl. 3; RFC 8693 cl. 2.2.1; RFC 9396 cl. 7; RFC 9449 cl. 5; OpenID Connect Core 1.0 cl. 3.1.3.3
"""

from idp.authorization_details import details_of
from idp.deps import IdpDeps
from idp.grants.refresh_tokens import make_refresh_token
from idp.token_request import Issue, TokenRequest
from idp.tokens.access_tokens import AccessToken, new_jti
from idp.tokens.id_tokens import mint_id_token


def mint_response(issue: Issue, asked: TokenRequest, deps: IdpDeps) -> dict[str, object]:
    """Mint everything, and return the response's members."""
    token = _access_token(issue, asked, deps)
    access_token = deps.access_tokens.mint(token, opaque=asked.party.access_token_format == "opaque")  # noqa: S105 - a format
    body: dict[str, object] = {
        "access_token": access_token,
        "token_type": "DPoP" if "jkt" in token.cnf else "Bearer",
        "expires_in": max(1, int((token.expires_at - asked.at).total_seconds())),
        "scope": " ".join(issue.scope),
    }
    if issue.id_token:
        body["id_token"] = mint_id_token(
            issue.grant,
            asked.party,
            keys=deps.token_keys,
            config=deps.config,
            nonce=issue.nonce,
            access_token=access_token,
            at=asked.at,
        )
    if issue.refresh_generation is not None:
        body["refresh_token"] = make_refresh_token(
            deps.cipher, asked.party, grant=issue.grant.id, generation=issue.refresh_generation, jkt=asked.jkt
        )
    if issue.documents:
        body["authorization_details"] = details_of(issue.documents)
    if issue.issued_token_type is not None:
        body["issued_token_type"] = issue.issued_token_type
    return body


def _access_token(issue: Issue, asked: TokenRequest, deps: IdpDeps) -> AccessToken:
    grant = issue.grant
    ends = [asked.at + deps.config.access_token_lifetime, grant.expires_at]
    if issue.latest_expiry is not None:
        ends.append(issue.latest_expiry)
    acr, auth_time = grant.id_token_claims.get("acr"), grant.id_token_claims.get("auth_time")
    return AccessToken(
        grant=grant.id,
        client_id=asked.party.client_id,
        subject=issue.subject or grant.subject,
        scope=issue.scope,
        audience=issue.audience,
        issued_at=asked.at,
        expires_at=min(ends),
        jti=new_jti(),
        cnf=asked.confirmation,
        acr=acr if isinstance(acr, str) else None,
        auth_time=auth_time if isinstance(auth_time, int) else None,
        documents=issue.documents,
        act=issue.act,
    )

"""What a finished login is worth: the grant, its code, and the conditions under which the code becomes tokens.

Owns:    grant and code values, PKCE, the redemption's rules. Leaves atomic consumption to the store, minting to `tokens`.
Rules:   1 a code is a handle of its grant, kept only as its hash, good once and for 60 seconds
         2 the store consumes it before anything is judged here: a failed redemption costs the code
         3 a second redemption revokes the grant (RFC 6749 cl. 4.1.2; RFC 9700 cl. 4.5)
Spec:    RFC 6749 cl. 4.1.3; RFC 7636 cl. 4.6; RFC 9449 cl. 10
"""

import base64
import hashlib
import hmac
import re
from datetime import datetime

from idp.claims import Release
from idp.config import IdpConfig
from idp.errors import InvalidGrant, InvalidRequest
from idp.identity import pairwise_subject, session_identifier
from idp.login import IssueGrant, Login
from idp.model import AuthorizationRequest, CodeConditions, Grant, SignIn, Target
from idp.ports import PersonalDataCipher
from idp.protocol import GrantType, ReleasedItem, Scope
from idp.relying_parties import RelyingParty
from idp.tokens.id_tokens import sign_in_claims

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


def build_grant(
    login: Login,
    step: IssueGrant,
    released: Release,
    *,
    identifier: str,
    cipher: PersonalDataCipher,
    config: IdpConfig,
    at: datetime,
) -> Grant:
    """Make the grant of a finished login."""
    party, request, sign_in = login.relying_party, login.transaction.request, step.sign_in
    subject = pairwise_subject(cipher, sector=party.sector, person=sign_in.person)
    sid = session_identifier(cipher, session=sign_in.session, client_id=party.client_id)
    refreshable = GrantType.REFRESH_TOKEN.value in party.grant_types
    offline = refreshable and Scope.OFFLINE_ACCESS in request.scope and ReleasedItem.OFFLINE in step.granted
    return Grant(
        id=identifier,
        client_id=party.client_id,
        person=sign_in.person,
        session=sign_in.session,
        correlation=login.transaction.id,
        subject=subject,
        scope=request.scope if offline else tuple(word for word in request.scope if word != Scope.OFFLINE_ACCESS),
        created_at=at,
        expires_at=_end(party, sign_in, config, offline=offline, at=at),
        id_token_claims={
            "sid": sid,
            **sign_in_claims(sign_in, request.told_level(step.assessment.level)),
            **released.id_token,
        },
        userinfo_claims=released.userinfo,
        offline=offline,
        refreshable=refreshable,
        resources=request.resources,
        documents=request.documents,
        conditions=_conditions(request, config, at) if request.target is Target.PORTAL else None,
    )


def _end(party: RelyingParty, sign_in: SignIn, config: IdpConfig, *, offline: bool, at: datetime) -> datetime:
    """A grant lives as long as the longest token that can come of it."""
    if offline:
        return at + config.refresh_token_lifetime
    shortest = at + config.code_lifetime + config.access_token_lifetime
    return max(shortest, sign_in.expires_at) if GrantType.REFRESH_TOKEN.value in party.grant_types else shortest


def _conditions(request: AuthorizationRequest, config: IdpConfig, at: datetime) -> CodeConditions:
    return CodeConditions(
        redirect_uri=request.redirect_uri,
        code_challenge=request.code_challenge,
        nonce=request.nonce,
        expires_at=at + config.code_lifetime,
        dpop_jkt=request.dpop_jkt,
    )


def check_redemption(
    conditions: CodeConditions, *, redirect_uri: str | None, verifier: str | None, jkt: str | None
) -> None:
    """Check a consumed code against the token request, rule by rule; the store has matched its relying party.

    Raises:
        InvalidGrant: another redirect URI, the wrong or no verifier, or another key than the one the code is bound to.
        InvalidRequest: the verifier is malformed.
    """
    # RFC 6749 cl. 4.1.3: the same redirect URI, as a string
    if redirect_uri is None or not hmac.compare_digest(conditions.redirect_uri.encode(), redirect_uri.encode()):
        raise InvalidGrant("redirect_uri is not the one of the authorization request")
    # RFC 7636 cl. 4.6
    if verifier is None:
        raise InvalidGrant("code_verifier is missing")
    if not _VERIFIER.fullmatch(verifier):
        raise InvalidRequest("code_verifier is malformed")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    if not hmac.compare_digest(challenge, conditions.code_challenge):
        raise InvalidGrant("code_verifier does not belong to the code_challenge")
    # RFC 9449 cl. 10: the proof's key is the one that the authorization request named
    if conditions.dpop_jkt is not None and not hmac.compare_digest(conditions.dpop_jkt, jkt or ""):
        raise InvalidGrant("The code is bound to another DPoP key")

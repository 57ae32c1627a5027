"""What a code is worth: its making, and the conditions under which it becomes tokens.

Owns:    code and grant values, PKCE, the redemption's rules. Leaves atomic consumption to the store, minting to `tokens`.
Rules:   1 a code is 256 random bits, kept only as its hash, good once and for 60 seconds
         2 the store consumes it before anything is judged here: a failed redemption costs the code
         3 a second redemption revokes the grant (RFC 6749 cl. 4.1.2; RFC 9700 cl. 4.5)
Spec:    RFC 6749 cl. 4.1.3; RFC 7636 cl. 4.6
"""

import base64
import hashlib
import hmac
import re
import secrets
from datetime import datetime

from idp.claims import Release
from idp.config import IdpConfig
from idp.errors import InvalidGrant, InvalidRequest
from idp.identity import pairwise_subject, session_identifier
from idp.login import IssueCode, Login
from idp.model import AuthorizationCode, Grant
from idp.ports import PersonalDataCipher
from idp.tokens import sign_in_claims

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


def new_code() -> str:
    """Make an authorization code."""
    return secrets.token_urlsafe(32)


def hash_token(value: str) -> str:
    """Hash one of our own random values for storage."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def build_grant(
    login: Login,
    step: IssueCode,
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
    return Grant(
        id=identifier,
        client_id=party.client_id,
        person=sign_in.person,
        session=sign_in.session,
        correlation=login.transaction.id,
        subject=subject,
        scope=request.scope,
        created_at=at,
        expires_at=at + config.code_lifetime + config.access_token_lifetime,
        id_token_claims={"sid": sid, **sign_in_claims(sign_in, step.assessment.level), **released.id_token},
        userinfo_claims=released.userinfo,
    )


def build_code(login: Login, grant: Grant, *, config: IdpConfig, at: datetime) -> AuthorizationCode:
    """Make the conditions of a code."""
    request = login.transaction.request
    return AuthorizationCode(
        grant=grant.id,
        client_id=grant.client_id,
        redirect_uri=request.redirect_uri,
        code_challenge=request.code_challenge,
        nonce=request.nonce,
        expires_at=at + config.code_lifetime,
    )


def check_redemption(
    code: AuthorizationCode, *, client_id: str, redirect_uri: str | None, verifier: str | None
) -> None:
    """Check a consumed code against the token request, rule by rule.

    Raises:
        InvalidGrant: another relying party, another redirect URI, or the wrong verifier.
        InvalidRequest: the verifier is missing or malformed.
    """
    # RFC 6749 cl. 4.1.3: issued to this relying party
    if not hmac.compare_digest(code.client_id, client_id):
        raise InvalidGrant
    # RFC 6749 cl. 4.1.3: the same redirect URI, as a string
    if redirect_uri is None or not hmac.compare_digest(code.redirect_uri.encode(), redirect_uri.encode()):
        raise InvalidGrant("redirect_uri is not the one of the authorization request")
    # RFC 7636 cl. 4.6
    if verifier is None or not _VERIFIER.fullmatch(verifier):
        raise InvalidRequest("code_verifier is missing or malformed")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    if not hmac.compare_digest(challenge, code.code_challenge):
        raise InvalidGrant("code_verifier does not belong to the code_challenge")

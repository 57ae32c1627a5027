"""ID tokens: minted with the relying party's algorithm, encrypted to it when it registered so, accepted again as a hint.

Owns:    their claims' layout. Leaves their return as a hint to `hints`, keys to the key ring, what is released to `claims`.
Rules:   1 the algorithm is the registered one, under a key that serves no other algorithm
         2 `at_hash` binds the access token that comes along
Spec:    OpenID Connect Core 1.0 cl. 2, 3.1.3.6, 10.2; RFC 7519; RFC 8725
"""

import base64
import hashlib
from datetime import datetime

from idp.config import IdpConfig
from idp.jose.compact import sign_compact
from idp.jose.encryption import encrypt_for
from idp.model import Grant, SignIn
from idp.ports import JwtKeys
from idp.relying_parties import RelyingParty
from trust_lists.vocabulary import AssuranceLevel


def sign_in_claims(sign_in: SignIn, level: AssuranceLevel) -> dict[str, object]:
    """Return the claims about the authentication: the upstream is always named (NIST SP 800-63C-4 cl. 4.1)."""
    authenticated_at = int(sign_in.authenticated_at.timestamp())
    return {
        "auth_time": authenticated_at,
        "acr": level.acr,
        "amr": list(sign_in.amr),
        "upstream": {
            "connector": sign_in.connector,
            "region": sign_in.region.value,
            "level": sign_in.account_level,
            "method": sign_in.session_method,
            "time": authenticated_at,
        },
    }


def mint_id_token(
    grant: Grant,
    party: RelyingParty,
    *,
    keys: JwtKeys,
    config: IdpConfig,
    nonce: str | None,
    access_token: str,
    at: datetime,
) -> str:
    """Mint an ID token (Core cl. 2)."""
    claims: dict[str, object] = {
        "iss": config.issuer,
        "aud": grant.client_id,
        "sub": grant.subject,
        "iat": int(at.timestamp()),
        "exp": int((at + config.id_token_lifetime).timestamp()),
        "at_hash": left_half_hash(access_token, party.id_token_alg),
        **grant.id_token_claims,
    }
    if nonce is not None:
        claims["nonce"] = nonce
    signed = sign_compact(keys.current(party.id_token_alg), party.id_token_alg, "JWT", claims)
    if party.id_token_encryption is None:
        return signed
    # Core cl. 10.2: signed first, then encrypted
    return encrypt_for(party.encryption_keys, party.id_token_encryption, signed.encode(), cty="JWT", typ="JWT")


def left_half_hash(token: str, algorithm: str) -> str:
    """Return `at_hash`: base64url of the left half of the hash that the ID token's algorithm uses (Core cl. 3.1.3.6).

    Ed25519 uses SHA-512 (RFC 8032 cl. 5.1), every other algorithm of ours SHA-256.
    """
    digest = hashlib.sha512(token.encode("ascii")) if algorithm == "EdDSA" else hashlib.sha256(token.encode("ascii"))
    half = digest.digest()[: digest.digest_size // 2]
    return base64.urlsafe_b64encode(half).rstrip(b"=").decode()

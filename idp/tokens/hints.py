"""ID tokens that come back as a hint: who a portal thinks it speaks of.

Owns:    their acceptance. Leaves what the hint decides to the doors: by itself nothing.
Rules:   a hint is an ID token of ours; it may have expired, its signature may not fail, its `typ` tells it from every other token
Spec:    OpenID Connect Core 1.0 cl. 3.1.2.1 (id_token_hint); OpenID Connect RP-Initiated Logout 1.0 cl. 2, 4
"""

from joserfc.jwk import KeySet

from idp.errors import JoseRefused
from idp.jose.compact import verify_compact
from idp.protocol import SIGNING_ALGORITHMS

MAX_HINT_CHARS = 8_192
_ID_TOKEN_TYPES = ("JWT",)


def verify_id_token_hint(hint: str, keys: KeySet, *, issuer: str) -> dict[str, object] | None:
    """Return the claims of an ID token of ours, whatever its age; None when it is not one."""
    try:
        verified = verify_compact(hint, keys, SIGNING_ALGORITHMS, types=_ID_TOKEN_TYPES, max_chars=MAX_HINT_CHARS)
    except JoseRefused:
        return None
    claims = dict(verified.claims)
    # a logout token or access token has another `typ`; ours always names who it is for
    shaped = claims.get("iss") == issuer and isinstance(claims.get("aud"), str) and isinstance(claims.get("sub"), str)
    return claims if shaped else None

"""The keys of a registration.

Owns:    the checks of `jwks` as a whole, and the two sets that come of it. Leaves single keys to `jose.public_keys`.
Rules:   1 keys come by value
         2 a key serves signatures unless it says `use: enc`
Spec:    RFC 7517 cl. 5; RFC 7591 cl. 2; OpenID Connect Dynamic Client Registration 1.0 cl. 2
"""

import json
from functools import lru_cache

from joserfc.jwk import Key, KeySet

from idp.errors import InvalidClientMetadata, JoseRefused
from idp.jose.public_keys import parse_public_key

MAX_KEYS = 10
MAX_JWKS_CHARS = 32_768


def parse_jwks(value: object) -> str:
    """Check a JWK set; return it as the text that is kept.

    Raises:
        InvalidClientMetadata: a key is private, weak, unreadable or of no use here.
    """
    members = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(members, list) or not 1 <= len(members) <= MAX_KEYS:
        raise InvalidClientMetadata(f"jwks must hold 1 to {MAX_KEYS} keys")
    try:
        for member in members:
            parse_public_key(member)
    except JoseRefused as refusal:
        raise InvalidClientMetadata(f"jwks: {refusal}") from refusal
    text = json.dumps({"keys": members}, sort_keys=True)
    if len(text) > MAX_JWKS_CHARS:
        raise InvalidClientMetadata("jwks is too large")
    return text


@lru_cache(maxsize=1024)
def signature_keys(jwks: str | None) -> KeySet:
    """Return the keys of a kept set that verify signatures."""
    return KeySet([key for key in _import(jwks) if key.get("use") != "enc"])


@lru_cache(maxsize=1024)
def encryption_keys(jwks: str | None) -> KeySet:
    """Return the keys of a kept set to which we may encrypt."""
    return KeySet([key for key in _import(jwks) if key.get("use") == "enc"])


def _import(jwks: str | None) -> list[Key]:
    return [] if jwks is None else KeySet.import_key_set(json.loads(jwks)).keys

"""The public keys of a registration: which are taken, and which serve what.

Owns:    the checks of `jwks` and the two sets that come of it. Leaves the use of a key to `jose`.
Rules:   1 keys come by value, public and suitable only: nothing is fetched
         2 a key serves signatures unless it says `use: enc`; for encryption it must say so (RFC 7517 cl. 4.2)
         3 a certificate in `x5c` is the key's own (RFC 7517 cl. 4.7)
Spec:    RFC 7517; RFC 7518 cl. 6; RFC 8037; FAPI 2.0 Security Profile cl. 5.4.1
"""

import base64
import binascii
import json
from collections.abc import Mapping
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey

from idp.errors import InvalidClientMetadata

MAX_KEYS = 10
MAX_JWKS_CHARS = 32_768
_KINDS: Mapping[tuple[str, str | None], frozenset[str]] = {
    ("EC", "P-256"): frozenset({"sig", "enc"}),
    ("OKP", "Ed25519"): frozenset({"sig"}),
    ("OKP", "X25519"): frozenset({"enc"}),
    ("RSA", None): frozenset({"sig", "enc"}),
}
"""Key type and curve, and what such a key can be used for."""
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def parse_jwks(value: object) -> str:
    """Check a JWK set; return it as the text that is kept.

    Raises:
        InvalidClientMetadata: a key is private, weak, unreadable or of no use here.
    """
    members = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(members, list) or not 1 <= len(members) <= MAX_KEYS:
        raise InvalidClientMetadata(f"jwks must hold 1 to {MAX_KEYS} keys")
    for member in members:
        _check_members(member)
    text = json.dumps({"keys": members}, sort_keys=True)
    if len(text) > MAX_JWKS_CHARS:
        raise InvalidClientMetadata("jwks is too large")
    try:
        keys = KeySet.import_key_set(json.loads(text))
        for key, member in zip(keys, members, strict=True):
            _check_strength(key)
            _check_certificate(key, member)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm) as error:
        raise InvalidClientMetadata("jwks holds a key that cannot be read") from error
    return text


@lru_cache(maxsize=1024)
def signature_keys(jwks: str | None) -> KeySet:
    """Return the keys of a kept set that verify signatures."""
    return KeySet([] if jwks is None else [key for key in _import(jwks) if key.get("use") != "enc"])


@lru_cache(maxsize=1024)
def encryption_keys(jwks: str | None) -> KeySet:
    """Return the keys of a kept set to which we may encrypt."""
    return KeySet([] if jwks is None else [key for key in _import(jwks) if key.get("use") == "enc"])


def public_key_of(key: Key) -> bytes:
    """Return a key's SubjectPublicKeyInfo: what two forms of one key have in common."""
    if not isinstance(key, (ECKey, OKPKey, RSAKey)):
        raise TypeError("a symmetric key has no public part")
    return key.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _import(jwks: str) -> list[Key]:
    return KeySet.import_key_set(json.loads(jwks)).keys


def _check_members(member: object) -> None:
    if not isinstance(member, dict):
        raise InvalidClientMetadata("jwks: a key is a JSON object")
    kind, curve = member.get("kty"), member.get("crv")
    if _PRIVATE_MEMBERS & member.keys():
        raise InvalidClientMetadata("jwks must hold public keys only")
    if not isinstance(kind, str) or not isinstance(curve, str | None) or (kind, curve) not in _KINDS:
        raise InvalidClientMetadata("jwks: only EC P-256, OKP Ed25519, OKP X25519 and RSA keys are taken")
    if str(member.get("use", "sig")) not in _KINDS[kind, curve]:
        raise InvalidClientMetadata("jwks: a key has an unsuitable use; a key for encryption must say use=enc")
    if "x5u" in member:
        raise InvalidClientMetadata("jwks: x5u is not fetched")
    for name in ("kid", "alg"):
        text = member.get(name, "-")
        if not isinstance(text, str) or not 1 <= len(text) <= 200 or not text.isprintable():
            raise InvalidClientMetadata(f"jwks: {name} must be a text of at most 200 characters")


def _check_strength(key: Key) -> None:
    """FAPI 2.0 Security Profile cl. 5.4.1; the upper bound keeps a verification cheap."""
    if isinstance(key, RSAKey) and not 2048 <= key.public_key.key_size <= 8192:
        raise InvalidClientMetadata("jwks: RSA keys must have 2048 to 8192 bits")
    public_key_of(key)  # a point that is not on its curve does not load


def _check_certificate(key: Key, member: Mapping[str, object]) -> None:
    chain = member.get("x5c")
    if chain is None:
        return
    if not isinstance(chain, list) or not 1 <= len(chain) <= 5 or not all(isinstance(one, str) for one in chain):
        raise InvalidClientMetadata("jwks: x5c must hold 1 to 5 certificates")
    try:
        certificate = x509.load_der_x509_certificate(base64.b64decode(chain[0], validate=True))
    except (binascii.Error, ValueError) as error:
        raise InvalidClientMetadata("jwks: x5c cannot be read") from error
    stated = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if stated != public_key_of(key):
        raise InvalidClientMetadata("jwks: x5c is the certificate of another key")

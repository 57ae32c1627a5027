"""Public keys that come from outside as JWK: which are taken, and which serve what.

Owns:    the one gate for a foreign key, whether it was registered or arrives in a DPoP proof.
Leaves:  the use of a key to `compact` and `encryption`.
Rules:   1 public and suitable only: type, curve, size, and a use that such a key can have
         2 a key serves signatures unless it says `use: enc`; for encryption it must say so (RFC 7517 cl. 4.2)
         3 nothing is fetched; a certificate in `x5c` is the key's own (RFC 7517 cl. 4.7)
Spec:    RFC 7517; RFC 7518 cl. 6; RFC 8037; FAPI 2.0 Security Profile cl. 5.4.1
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key

from idp.errors import JoseRefused
from idp.jose.certificates import key_of_certificate, load_certificate

_KINDS: Final[Mapping[tuple[str, str | None], frozenset[str]]] = {
    ("EC", "P-256"): frozenset({"sig", "enc"}),
    ("OKP", "Ed25519"): frozenset({"sig"}),
    ("OKP", "X25519"): frozenset({"enc"}),
    ("RSA", None): frozenset({"sig", "enc"}),
}
"""Key type and curve, and what such a key can be used for."""
PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
MAX_COORDINATE_CHARS: Final = 1_400
"""An RSA modulus of 8192 bits in base64url."""


def parse_public_key(member: object) -> Key:
    """Check and load one public key.

    Raises:
        JoseRefused: it is private, weak, unreadable or of no use here.
    """
    if not isinstance(member, dict):
        raise JoseRefused("a key is a JSON object")
    _check_members(member)
    try:
        key = import_key(member)
        public_key_of(key)  # a point that is not on its curve does not load
        _check_certificate(key, member)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm) as error:
        raise JoseRefused("a key cannot be read") from error
    return key


def public_key_of(key: Key) -> bytes:
    """Return a key's SubjectPublicKeyInfo: what two forms of one key have in common."""
    if not isinstance(key, (ECKey, OKPKey, RSAKey)):
        raise JoseRefused("a symmetric key has no public part")
    return key.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _check_members(member: Mapping[str, object]) -> None:
    kind, curve = member.get("kty"), member.get("crv")
    if PRIVATE_MEMBERS & member.keys():
        raise JoseRefused("only public keys are taken")
    if not isinstance(kind, str) or not isinstance(curve, str | None) or (kind, curve) not in _KINDS:
        raise JoseRefused("only EC P-256, OKP Ed25519, OKP X25519 and RSA keys are taken")
    if str(member.get("use", "sig")) not in _KINDS[kind, curve]:
        raise JoseRefused("a key has an unsuitable use; a key for encryption must say use=enc")
    if "x5u" in member:
        raise JoseRefused("x5u is not fetched")
    for name in ("kid", "alg"):
        text = member.get(name, "-")
        if not isinstance(text, str) or not 1 <= len(text) <= 200 or not text.isprintable():
            raise JoseRefused(f"{name} must be a text of at most 200 characters")
    if any(len(str(member.get(name, ""))) > MAX_COORDINATE_CHARS for name in ("x", "y", "n", "e")):
        raise JoseRefused("a key is too large")
    if kind == "RSA":
        _check_modulus(str(member.get("n")))


def _check_modulus(n: str) -> None:
    """FAPI 2.0 Security Profile cl. 5.4.1; the upper bound keeps a verification cheap."""
    try:
        modulus = base64.b64decode(n + "=" * (-len(n) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise JoseRefused("a key cannot be read") from error
    if not 2048 <= int.from_bytes(modulus, "big").bit_length() <= 8192:
        raise JoseRefused("RSA keys must have 2048 to 8192 bits")


def _check_certificate(key: Key, member: Mapping[str, object]) -> None:
    chain = member.get("x5c")
    if chain is None:
        return
    if not isinstance(chain, list) or not 1 <= len(chain) <= 5 or not all(isinstance(one, str) for one in chain):
        raise JoseRefused("x5c must hold 1 to 5 certificates")
    try:
        der = base64.b64decode(chain[0], validate=True)
    except (binascii.Error, ValueError) as error:
        raise JoseRefused("x5c cannot be read") from error
    if key_of_certificate(load_certificate(der)) != public_key_of(key):
        raise JoseRefused("x5c is the certificate of another key")

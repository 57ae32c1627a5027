"""Which signature and encryption algorithms exist here, and which keys fit them.

Owns:    the tables, and the rule that a key serves only its own algorithm and use. Leaves which of them a message may use to its reader.
Rules:   1 no `none`, no HMAC, no RSA1_5, no RSA-OAEP with SHA-1: what is not in a table does not exist
         2 the algorithm fixes key type and curve; a key's own `alg`, `use` and `key_ops` are kept (RFC 8725 cl. 3.1)
         3 `Ed25519` (RFC 9864) and `EdDSA` (RFC 8037) are two names of one algorithm
Spec:    RFC 7518 cl. 3, 4, 5; RFC 8037; RFC 8725; RFC 9864
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import Key

from idp.errors import JoseRefused

_ES256_BYTES: Final = 32
_HASH: Final = SHA256()
_ECDSA: Final = ec.ECDSA(_HASH)
_PKCS1: Final = padding.PKCS1v15()
_PSS: Final = padding.PSS(mgf=padding.MGF1(_HASH), salt_length=padding.PSS.DIGEST_LENGTH)  # RFC 7518 cl. 3.5


@dataclass(frozen=True, slots=True)
class SignatureAlgorithm:
    """One row: the key that it takes, and its two operations on the cryptography library's key objects."""

    key_type: str
    curve: str | None
    sign: Callable[[Any, bytes], bytes]
    verify: Callable[[Any, bytes, bytes], None]
    """Takes key, signature and message; raises InvalidSignature or ValueError."""


@dataclass(frozen=True, slots=True)
class Encryption:
    """How something is encrypted for a relying party (RFC 7516): the JWE `alg` and `enc`."""

    alg: str
    enc: str


def _sign_es256(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """RFC 7518 cl. 3.4: R and S, 32 octets each."""
    r, s = decode_dss_signature(key.sign(message, _ECDSA))
    return r.to_bytes(_ES256_BYTES, "big") + s.to_bytes(_ES256_BYTES, "big")


def _verify_es256(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> None:
    if len(signature) != 2 * _ES256_BYTES:
        raise ValueError("an ES256 signature has 64 octets")
    r, s = int.from_bytes(signature[:_ES256_BYTES], "big"), int.from_bytes(signature[_ES256_BYTES:], "big")
    key.verify(encode_dss_signature(r, s), message, _ECDSA)


def _sign_rs256(key: RSAPrivateKey, message: bytes) -> bytes:
    return key.sign(message, _PKCS1, _HASH)


def _verify_rs256(key: RSAPublicKey, signature: bytes, message: bytes) -> None:
    key.verify(signature, message, _PKCS1, _HASH)


def _sign_ps256(key: RSAPrivateKey, message: bytes) -> bytes:
    return key.sign(message, _PSS, _HASH)


def _verify_ps256(key: RSAPublicKey, signature: bytes, message: bytes) -> None:
    key.verify(signature, message, _PSS, _HASH)


def _sign_eddsa(key: Ed25519PrivateKey, message: bytes) -> bytes:
    return key.sign(message)


def _verify_eddsa(key: Ed25519PublicKey, signature: bytes, message: bytes) -> None:
    key.verify(signature, message)


_EDDSA = SignatureAlgorithm("OKP", "Ed25519", _sign_eddsa, _verify_eddsa)
SIGNATURES: Final[Mapping[str, SignatureAlgorithm]] = {
    "ES256": SignatureAlgorithm("EC", "P-256", _sign_es256, _verify_es256),
    "RS256": SignatureAlgorithm("RSA", None, _sign_rs256, _verify_rs256),
    "PS256": SignatureAlgorithm("RSA", None, _sign_ps256, _verify_ps256),
    "EdDSA": _EDDSA,
    "Ed25519": _EDDSA,
}
_NAMES: Final = {"Ed25519": frozenset({"Ed25519", "EdDSA"}), "EdDSA": frozenset({"Ed25519", "EdDSA"})}
KEYS_OF_ENCRYPTION: Final[Mapping[str, frozenset[tuple[str, str | None]]]] = {
    "ECDH-ES": frozenset({("EC", "P-256"), ("OKP", "X25519")}),
    "ECDH-ES+A128KW": frozenset({("EC", "P-256"), ("OKP", "X25519")}),
    "ECDH-ES+A256KW": frozenset({("EC", "P-256"), ("OKP", "X25519")}),
    "RSA-OAEP-256": frozenset({("RSA", None)}),
}
"""Key type and curve that a key management algorithm takes."""


def names_of(algorithm: str) -> frozenset[str]:
    """Return every name of a signature algorithm (rule 3)."""
    return _NAMES.get(algorithm, frozenset({algorithm}))


def check_signature_key(key: Key, algorithm: str, operation: str) -> SignatureAlgorithm:
    """Return the algorithm when this key may do this (`sign` or `verify`) with it.

    Raises:
        JoseRefused: unknown algorithm, or a key of another type, curve, algorithm or use.
    """
    row = SIGNATURES.get(algorithm)
    if row is None:
        raise JoseRefused("The algorithm is not one of ours")
    members = key.dict_value
    own, operations = members.get("alg"), members.get("key_ops")
    if key.key_type != row.key_type or members.get("crv") != row.curve or members.get("use", "sig") != "sig":
        raise JoseRefused("The key does not fit the algorithm")
    if (own is not None and own not in names_of(algorithm)) or (operations and operation not in operations):
        raise JoseRefused("The key is registered for something else")
    return row


def fits_encryption(key: Key, algorithm: str) -> bool:
    """Tell whether a public key can receive a content key by this algorithm."""
    members = key.dict_value
    kind = (key.key_type, str(members["crv"]) if "crv" in members else None)
    return (
        kind in KEYS_OF_ENCRYPTION.get(algorithm, frozenset())
        and members.get("use") == "enc"
        and members.get("alg", algorithm) == algorithm
    )

"""Key material: made, sealed under the key-encryption key, opened again as keys of the JOSE library.

Owns:    which algorithms a purpose has, generation, the seal. Leaves states and their order to `key_rotation`.
Rules:   1 private material leaves the folder only sealed (AES-256-GCM; purpose and key id are additional data, the algorithm lies inside)
         2 RS256 and PS256 have each a key of their own: one key, one algorithm (RFC 8725 cl. 3.1; RFC 8017 cl. 8)
Spec:    NIST SP 800-38D (GCM, random 96-bit IV); RFC 7517, RFC 7518, RFC 8037; RFC 7638 key identifiers
"""

import base64
import binascii
import hashlib
import json
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.util import urlsafe_b64decode

from service.errors import KeyRefused
from service.key_ring_file import ES256, SECRET, SIGNING, SYMMETRIC, Purpose, State, StoredKey

IV_BYTES = 12
KEY_BYTES = 32
RSA_BITS = 2048
TOKEN_ALGORITHMS = (ES256, "RS256", "PS256", "EdDSA")

GROUPS: tuple[tuple[Purpose, str], ...] = (
    *(("token", algorithm) for algorithm in TOKEN_ALGORITHMS),
    *((purpose, ES256) for purpose in SIGNING if purpose != "token"),
    *((purpose, SYMMETRIC) for purpose in SECRET),
)
"""Every purpose with every algorithm that it has."""


class Sealer:
    """Seals and opens key material under the key-encryption key."""

    def __init__(self, key_encryption_key: bytes) -> None:
        """Take the key.

        Raises:
            KeyRefused: it has not the right size.
        """
        if len(key_encryption_key) != KEY_BYTES:
            raise KeyRefused(f"the key-encryption key must have {KEY_BYTES} bytes")
        self._cipher = AESGCM(key_encryption_key)

    def generate(self, purpose: Purpose, algorithm: str, state: State, *, created: str) -> StoredKey:
        """Make a key."""
        if purpose in SECRET:
            material = os.urandom(KEY_BYTES)
            kid = hashlib.sha256(b"gba-trust-kid" + material).hexdigest()[:16]
        else:
            key = _generate_signing(algorithm)
            kid = key.thumbprint()
            material = json.dumps({**key.as_dict(private=True), "alg": algorithm}).encode()
        iv = os.urandom(IV_BYTES)
        sealed = base64.b64encode(iv + self._cipher.encrypt(iv, material, _bound(purpose, kid))).decode()
        activated = created if state == "current" else None
        return StoredKey(kid, purpose, state, created, None, sealed, algorithm, activated)

    def open(self, key: StoredKey) -> bytes:
        """Return the material of a stored key.

        Raises:
            KeyRefused: sealed under another key-encryption key, altered, or moved to another place.
        """
        try:
            blob = base64.b64decode(key.sealed, validate=True)
            return self._cipher.decrypt(blob[:IV_BYTES], blob[IV_BYTES:], _bound(key.purpose, key.kid))
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise KeyRefused("the key-encryption key does not open the key ring") from error

    def open_members(self, key: StoredKey) -> dict[str, str]:
        """Return a signing key's private JWK.

        Raises:
            KeyRefused: it does not open, or is of another algorithm than the ring says.
        """
        members: dict[str, str] = json.loads(self.open(key))
        if members.get("alg", ES256) != key.algorithm:
            raise KeyRefused("a key of the ring is of another algorithm than it was made for")
        return {**members, "kid": key.kid, "use": "sig", "alg": key.algorithm}


def private_key(members: dict[str, str]) -> Key:
    """Return the private key of a JWK that came from under our own seal."""
    if members["kty"] == "EC":
        return ECKey.import_key(dict(members))
    if members["kty"] == "OKP":
        return OKPKey.import_key(dict(members))
    number = {name: int.from_bytes(urlsafe_b64decode(members[name].encode())) for name in _RSA_MEMBERS}
    numbers = rsa.RSAPrivateNumbers(
        p=number["p"],
        q=number["q"],
        d=number["d"],
        dmp1=number["dp"],
        dmq1=number["dq"],
        iqmp=number["qi"],
        public_numbers=rsa.RSAPublicNumbers(e=number["e"], n=number["n"]),
    )
    # The primes were ours and lay under an authenticated seal: proving them prime again takes 60 ms of the event loop.
    native = numbers.private_key(unsafe_skip_rsa_key_validation=True)
    return RSAKey.import_key(native, {"kid": members["kid"], "use": "sig", "alg": members["alg"]})


def public_key(members: dict[str, str]) -> Key:
    """Return the public half of a private JWK."""
    public: dict[str, str | list[str]] = {
        name: value for name, value in members.items() if name not in _PRIVATE_MEMBERS
    }
    kinds: dict[str, type[ECKey] | type[OKPKey] | type[RSAKey]] = {"EC": ECKey, "OKP": OKPKey, "RSA": RSAKey}
    return kinds[members["kty"]].import_key(public)


def load_key_encryption_key(path: Path, *, create: bool) -> bytes:
    """Return the key-encryption key of a file (32 raw bytes); with `create` a missing file is made (demo only).

    Raises:
        KeyRefused: missing, of the wrong size, or readable by others.
    """
    if not path.exists():
        if not create:
            raise KeyRefused("the key-encryption key file is missing")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(KEY_BYTES))
    if path.stat().st_mode & 0o077:
        raise KeyRefused("the key-encryption key file must be readable by its owner only (chmod 600)")
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise KeyRefused(f"the key-encryption key file must hold {KEY_BYTES} bytes")
    return key


_RSA_MEMBERS = ("n", "e", "d", "p", "q", "dp", "dq", "qi")
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi"})


def _generate_signing(algorithm: str) -> Key:
    if algorithm == ES256:
        return ECKey.generate_key("P-256", private=True)
    if algorithm == "EdDSA":
        return OKPKey.generate_key("Ed25519", private=True)
    return RSAKey.generate_key(RSA_BITS, private=True)


def _bound(purpose: Purpose, kid: str) -> bytes:
    return f"{purpose}:{kid}".encode()

"""The key ring: the service's own keys, encrypted at rest, each with a rotation.

Owns:    generation, sealing, staged rotation and retirement of every key, and the two views that the packages consume:
         `JwtKeys` (ES256 signing keys with their published public halves) and the personal-data cipher.
Leaves:  what is signed or sealed to the packages.
Rules:   1 private material leaves the folder only sealed under the key-encryption key (AES-256-GCM, the key id and purpose as AAD)
         2 a signing key is published before it signs, and stays published until what it signed last has expired
         3 the look-up key cannot be rotated without re-indexing: `rotate` refuses it (docs/divergences.md)
Spec:    NIST SP 800-38D (GCM, random 96-bit IV); RFC 7638 key identifiers
"""

import base64
import hashlib
import hmac
import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc.jwk import ECKey, KeySet

from service.errors import DataFolderRefused, KeyRefused

Purpose = Literal["token", "attestation", "audit", "permit-request", "column", "lookup"]
SIGNING: tuple[Purpose, ...] = ("token", "attestation", "audit", "permit-request")
SECRET: tuple[Purpose, ...] = ("column", "lookup")
State = Literal["next", "current", "retired"]

IV_BYTES = 12
KEY_BYTES = 32
PUBLISHED_AFTER_RETIREMENT = timedelta(days=1)
"""Longer than any token that a retired key signed lives."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One key of the ring; `sealed` is base64 of IV ‖ AES-GCM(private JWK or secret bytes)."""

    kid: str
    purpose: Purpose
    state: State
    created: str
    retired: str | None
    sealed: str


class JwtKeys:
    """The ES256 keys of one purpose: the one that signs now, and all that verifiers may still meet."""

    def __init__(self, current: ECKey, published: KeySet) -> None:
        self._current = current
        self._published = published

    def current(self, algorithm: str = "ES256") -> ECKey:
        """Return the private key that signs now; its `kid` is the RFC 7638 thumbprint."""
        return self._current

    def published(self) -> KeySet:
        """Return the public keys: current, next, and retired ones whose last signature may still be alive."""
        return self._published


class PersonalDataCipher:
    """Column encryption and keyed look-up for personal data."""

    def __init__(self, keys: dict[str, bytes], current: str, lookup_key: bytes) -> None:
        self._ciphers = {kid: AESGCM(key) for kid, key in keys.items()}
        self._current = current
        self._lookup_key = lookup_key

    def seal(self, plaintext: bytes, *, purpose: str) -> bytes:
        """Return key id length ‖ key id ‖ IV ‖ ciphertext; `purpose` is bound as additional data."""
        kid = self._current.encode()
        iv = os.urandom(IV_BYTES)
        return bytes([len(kid)]) + kid + iv + self._ciphers[self._current].encrypt(iv, plaintext, purpose.encode())

    def open(self, sealed: bytes, *, purpose: str) -> bytes:
        """Return the plaintext.

        Raises:
            ValueError: unknown key, other purpose, or altered bytes.
        """
        if not sealed:
            raise ValueError("nothing sealed")
        end = 1 + sealed[0]
        cipher = self._ciphers.get(sealed[1:end].decode("ascii", "replace"))
        if cipher is None:
            raise ValueError("sealed under an unknown key")
        try:
            return cipher.decrypt(sealed[end : end + IV_BYTES], sealed[end + IV_BYTES :], purpose.encode())
        except InvalidTag as error:
            raise ValueError("sealed data does not open") from error

    def lookup(self, value: str, *, purpose: str) -> str:
        """Return a deterministic keyed hash of a value, base64url: HMAC-SHA-256 over purpose, NUL, value."""
        mac = hmac.new(self._lookup_key, purpose.encode() + b"\x00" + value.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


class KeyRing:
    """All keys of one data folder."""

    def __init__(self, path: Path, key_encryption_key: bytes, keys: tuple[StoredKey, ...]) -> None:
        self._path = path
        self._kek = AESGCM(key_encryption_key)
        self._keys = keys

    @property
    def keys(self) -> tuple[StoredKey, ...]:
        """Every key, oldest first, sealed."""
        return self._keys

    @classmethod
    def open(cls, folder: Path, key_encryption_key: bytes, *, at: datetime) -> "KeyRing":
        """Open the ring of a folder; on the first start make one key for each purpose.

        Raises:
            DataFolderRefused: the ring file is damaged.
            KeyRefused: the key-encryption key does not open it.
        """
        if len(key_encryption_key) != KEY_BYTES:
            raise KeyRefused(f"the key-encryption key must have {KEY_BYTES} bytes")
        path = folder / "ring.json"
        ring = cls(path, key_encryption_key, _read(path))
        missing = [purpose for purpose in (*SIGNING, *SECRET) if ring._current(purpose) is None]
        if missing:
            ring._save((*ring.keys, *(ring._generate(purpose, "current", at) for purpose in missing)))
        for key in ring.keys:
            ring._unseal(key)
        return ring

    def jwt_keys(self, purpose: Purpose, *, at: datetime | None = None) -> JwtKeys:
        """Return the signing keys of a purpose; with `at`, retired keys past their overlap are left out."""
        current = self._require_current(purpose)
        published = [
            ECKey.import_key(self._private(key).as_dict(private=False))
            for key in self._keys
            if key.purpose == purpose and (at is None or _still_published(key, at))
        ]
        return JwtKeys(self._private(current), KeySet(list(published)))

    def personal_data_cipher(self) -> PersonalDataCipher:
        """Return the cipher for personal data columns."""
        columns = {key.kid: self._unseal(key) for key in self._keys if key.purpose == "column"}
        lookup = self._unseal(self._require_current("lookup"))
        return PersonalDataCipher(columns, self._require_current("column").kid, lookup)

    def rotate(self, purpose: Purpose, *, at: datetime) -> StoredKey:
        """Take one step of a rotation: publish a next key, or, when one is published already, let it sign.

        Raises:
            KeyRefused: the look-up key, which needs a re-index.
        """
        if purpose == "lookup":
            raise KeyRefused("the look-up key cannot be rotated without re-indexing what it found")
        waiting = next((key for key in self._keys if key.purpose == purpose and key.state == "next"), None)
        if purpose in SIGNING and waiting is None:
            fresh = self._generate(purpose, "next", at)
            self._save((*self._keys, fresh))
            return fresh
        promoted = waiting if waiting is not None else self._generate(purpose, "next", at)
        promoted = replace(promoted, state="current")
        kept = tuple(
            replace(key, state="retired", retired=_text(at))
            if key.purpose == purpose and key.state == "current"
            else key
            for key in self._keys
            if key.kid != promoted.kid
        )
        self._save((*kept, promoted))
        return promoted

    def retire(self, kid: str, *, at: datetime) -> None:
        """Delete a retired signing key whose overlap has passed.

        Raises:
            KeyRefused: unknown, still in use, or still needed to verify or open what it made.
        """
        key = next((key for key in self._keys if key.kid == kid), None)
        if key is None:
            raise KeyRefused("no such key")
        if key.state != "retired" or key.purpose not in SIGNING:
            raise KeyRefused("only a retired signing key can be deleted")
        if _still_published(key, at) or key.purpose == "audit":
            raise KeyRefused("what this key signed must still be verified")
        self._save(tuple(other for other in self._keys if other.kid != kid))

    def _current(self, purpose: Purpose) -> StoredKey | None:
        return next((key for key in self._keys if key.purpose == purpose and key.state == "current"), None)

    def _require_current(self, purpose: Purpose) -> StoredKey:
        key = self._current(purpose)
        if key is None:
            raise KeyRefused(f"no current {purpose} key")
        return key

    def _generate(self, purpose: Purpose, state: State, at: datetime) -> StoredKey:
        if purpose in SECRET:
            material = os.urandom(KEY_BYTES)
            kid = hashlib.sha256(b"gba-trust-kid" + material).hexdigest()[:16]
        else:
            key = ECKey.generate_key("P-256", private=True)
            kid = key.thumbprint()
            material = json.dumps(key.as_dict(private=True)).encode()
        iv = os.urandom(IV_BYTES)
        sealed = base64.b64encode(iv + self._kek.encrypt(iv, material, f"{purpose}:{kid}".encode())).decode()
        return StoredKey(kid, purpose, state, _text(at), None, sealed)

    def _unseal(self, key: StoredKey) -> bytes:
        blob = base64.b64decode(key.sealed)
        try:
            return self._kek.decrypt(blob[:IV_BYTES], blob[IV_BYTES:], f"{key.purpose}:{key.kid}".encode())
        except InvalidTag as error:
            raise KeyRefused("the key-encryption key does not open the key ring") from error

    def _private(self, key: StoredKey) -> ECKey:
        members = json.loads(self._unseal(key))
        return ECKey.import_key({**members, "kid": key.kid, "use": "sig", "alg": "ES256"})

    def _save(self, keys: tuple[StoredKey, ...]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self._path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"keys": [asdict(key) for key in keys]}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        self._keys = keys


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


def _read(path: Path) -> tuple[StoredKey, ...]:
    if not path.exists():
        return ()
    try:
        return tuple(StoredKey(**members) for members in json.loads(path.read_text(encoding="utf-8"))["keys"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataFolderRefused("the key ring file is damaged: restore it from a backup") from error


def _still_published(key: StoredKey, at: datetime) -> bool:
    return key.retired is None or at < datetime.fromisoformat(key.retired) + PUBLISHED_AFTER_RETIREMENT


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")

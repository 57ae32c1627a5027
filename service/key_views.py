"""The two live views of the key ring that the packages consume: signing keys, and the personal-data cipher.

Owns:    how a package sees keys. Leaves when the ring is read again to `key_ring`.
"""

import base64
import hmac
import os
from collections.abc import Callable
from typing import overload

from cryptography.exceptions import InvalidTag
from joserfc.jwk import ECKey, Key, KeySet

from service.key_material import IV_BYTES
from service.key_ring_file import ES256, Purpose
from service.opened_ring import OpenedRing


class JwtKeys:
    """The signing keys of one purpose: the ones that sign now, and all that verifiers may still meet."""

    def __init__(self, opened: Callable[[], OpenedRing], purpose: Purpose) -> None:
        self._opened = opened
        self._purpose = purpose

    @overload
    def current(self) -> ECKey: ...
    @overload
    def current(self, algorithm: str = ES256) -> Key: ...
    def current(self, algorithm: str = ES256) -> Key:
        """Return the private key that signs now by an algorithm; `kid` is the RFC 7638 thumbprint.

        Raises:
            KeyRefused: this purpose has no key of that algorithm.
        """
        return self._opened().current(self._purpose, algorithm)

    def published(self) -> KeySet:
        """Return the public keys: current, next, and retired ones whose last signature may still be alive.

        It is the same object until the ring changes, or a retired key's time is over.
        """
        return self._opened().published[self._purpose]


class PersonalDataCipher:
    """Column encryption and keyed look-up for personal data."""

    def __init__(self, opened: Callable[[], OpenedRing], reopened: Callable[[], OpenedRing]) -> None:
        """Take the ring as last seen, and a way to look at its file at once."""
        self._opened = opened
        self._reopened = reopened

    def seal(self, plaintext: bytes, *, purpose: str) -> bytes:
        """Return key id length ‖ key id ‖ IV ‖ ciphertext; `purpose` is bound as additional data."""
        kid, cipher = self._opened().column
        iv = os.urandom(IV_BYTES)
        return b"".join((bytes((len(kid),)), kid, iv, cipher.encrypt(iv, plaintext, purpose.encode())))

    def open(self, sealed: bytes, *, purpose: str) -> bytes:
        """Return the plaintext.

        Raises:
            ValueError: unknown key, other purpose, or altered bytes.
        """
        if not sealed:
            raise ValueError("nothing sealed")
        end = 1 + sealed[0]
        kid = bytes(sealed[1:end])
        # A key that is not known yet may have been made a moment ago by a command: look before refusing.
        cipher = self._opened().columns.get(kid) or self._reopened().columns.get(kid)
        if cipher is None:
            raise ValueError("sealed under an unknown key")
        try:
            return cipher.decrypt(sealed[end : end + IV_BYTES], sealed[end + IV_BYTES :], purpose.encode())
        except InvalidTag as error:
            raise ValueError("sealed data does not open") from error

    def lookup(self, value: str, *, purpose: str) -> str:
        """Return a deterministic keyed hash of a value, base64url: HMAC-SHA-256 over purpose, NUL, value."""
        message = purpose.encode() + b"\x00" + value.encode()
        mac = hmac.digest(self._opened().lookup, message, "sha256")
        return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()

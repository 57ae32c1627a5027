"""One state of the key ring, opened: what the views read, and never changed.

Owns:    which keys of a state sign, are published, seal and look up. Leaves its replacement to `key_ring`.
"""

from datetime import datetime

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc.jwk import Key, KeySet

from service.errors import KeyRefused
from service.key_material import Sealer, private_key, public_key
from service.key_ring_file import SECRET, SIGNING, Purpose, Ring, StoredKey
from service.key_rotation import RotationPolicy, until

_ORDER = {"current": 0, "next": 1, "retired": 2}


class OpenedRing:
    """Every key of one state of the ring file."""

    def __init__(self, ring: Ring, sealer: Sealer, policy: RotationPolicy, *, at: datetime) -> None:
        """Open every key.

        Raises:
            KeyRefused: one does not open, or a purpose has no current key.
        """
        self.keys = ring
        signing = {key.kid: sealer.open_members(key) for key in ring if key.purpose in SIGNING}
        secrets = {key.kid: sealer.open(key) for key in ring if key.purpose in SECRET}
        self.published = {purpose: _published(ring, signing, purpose, policy, at) for purpose in SIGNING}
        self._members = {key.group: signing[key.kid] for key in ring if key.state == "current" and key.kid in signing}
        self._private: dict[tuple[Purpose, str], Key] = {}
        self.columns = {key.kid.encode(): AESGCM(secrets[key.kid]) for key in ring if key.purpose == "column"}
        column = _one_current(ring, "column").kid.encode()
        self.column = (column, self.columns[column])
        self.lookup = secrets[_one_current(ring, "lookup").kid]
        ends = [until(key, policy) for key in ring if key.state == "retired" and not _forever(key)]
        self.changes_at = min((end for end in ends if end > at), default=None)
        """When a retired key's time is over."""

    def current(self, purpose: Purpose, algorithm: str) -> Key:
        """Return the private key in use; it is made once and kept.

        Raises:
            KeyRefused: there is none.
        """
        group = (purpose, algorithm)
        key = self._private.get(group)
        if key is None:
            members = self._members.get(group)
            if members is None:
                raise KeyRefused(f"no {purpose} key signs by {algorithm}")
            key = self._private[group] = private_key(members)
        return key


def _published(
    ring: Ring, members: dict[str, dict[str, str]], purpose: Purpose, policy: RotationPolicy, at: datetime
) -> KeySet:
    keys = [
        key
        for key in ring
        if key.purpose == purpose and (key.state != "retired" or _forever(key) or at < until(key, policy))
    ]
    keys.sort(key=lambda key: _ORDER[key.state])
    return KeySet([public_key(members[key.kid]) for key in keys])


def _forever(key: StoredKey) -> bool:
    """Tell whether a key stays published as long as it is in the ring: the audit log's, whose checkpoints live on."""
    return key.purpose == "audit" or key.purpose in SECRET


def _one_current(ring: Ring, purpose: Purpose) -> StoredKey:
    key = next((key for key in ring if key.purpose == purpose and key.state == "current"), None)
    if key is None:
        raise KeyRefused(f"no current {purpose} key")
    return key

"""The key ring: the service's own keys, encrypted at rest, each with a rotation.

Owns:    opening, completing, watching and changing the ring of one data folder. Leaves the file to `key_ring_file`, material to
         `key_material`, the stages of a key to `key_rotation`, what the packages see to `key_views`.
Rules:   1 the views are live: a change by another process is seen within `LOOK_INTERVAL_S`
         2 a ring that is damaged, does not open, or has another look-up key is not taken over: the last good one stays, and the log says so
         3 each change starts from the file, under its lock, and is one replacement of it
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from service.errors import KeyRefused, ServiceError
from service.key_material import GROUPS, Sealer, load_key_encryption_key
from service.key_ring_file import (
    SECRET,
    SIGNING,
    Purpose,
    Ring,
    Stamp,
    State,
    StoredKey,
    instant_text,
    read_ring,
    ring_lock,
    stamp,
    write_ring,
)
from service.key_rotation import Group, RotationPolicy, Step, due_steps, find, next_due, next_steps, retire
from service.key_views import JwtKeys, PersonalDataCipher
from service.opened_ring import OpenedRing
from trust_lists.clock import Clock, utc_now

T = TypeVar("T")
LOOK_INTERVAL_S = 1.0

_LOG = logging.getLogger(__name__)


class KeyRing:
    """All keys of one data folder."""

    def __init__(self, path: Path, sealer: Sealer, policy: RotationPolicy, clock: Clock) -> None:
        """Open the ring file.

        Raises:
            DataFolderRefused: it is damaged.
            KeyRefused: the key-encryption key does not open it, or a purpose has no key.
        """
        self._path = path
        self._sealer = sealer
        self._policy = policy
        self._clock = clock
        self._guard = threading.Lock()
        self._stamp: Stamp | None = stamp(path)
        self._opened = OpenedRing(read_ring(path), sealer, policy, at=clock())
        self._look_at = time.monotonic() + LOOK_INTERVAL_S

    @classmethod
    def open(
        cls,
        folder: Path,
        key_encryption_key: bytes,
        *,
        at: datetime,
        clock: Clock = utc_now,
        policy: RotationPolicy | None = None,
        complete: bool = True,
    ) -> "KeyRing":
        """Open the ring of a folder; with `complete`, keys that this program needs and the ring lacks are made at `at`.

        Raises:
            DataFolderRefused: the ring file is damaged.
            KeyRefused: the key-encryption key does not open it.
        """
        path = folder / "ring.json"
        sealer = Sealer(key_encryption_key)
        if complete and _missing(read_ring(path)):
            with ring_lock(path):
                _complete(path, sealer, at)
        return cls(path, sealer, policy or RotationPolicy(), clock)

    @property
    def keys(self) -> Ring:
        """Every key, oldest first, sealed."""
        return self.opened().keys

    def jwt_keys(self, purpose: Purpose) -> JwtKeys:
        """Return the live signing keys of a purpose."""
        return JwtKeys(self.opened, purpose)

    def personal_data_cipher(self) -> PersonalDataCipher:
        """Return the live cipher for personal data columns."""
        return PersonalDataCipher(self.opened, self._look)

    def opened(self) -> OpenedRing:
        """Return the ring's present state; the file is looked at once a second at most."""
        if time.monotonic() < self._look_at:
            return self._opened
        return self._look()

    def rotate(self, groups: Iterable[Group], *, at: datetime, hasten: bool = False) -> list[Step]:
        """Take one step of a rotation in each of these groups: publish a next key, or let the published one sign.

        Raises:
            KeyRefused: the look-up key; or a key that is not published long enough. Nothing is changed then.
        """
        return self._change(
            lambda ring: next_steps(ring, groups, self._policy, self._generate(at), at=at, hasten=hasten)
        )

    def rotate_due(self, *, at: datetime) -> list[Step]:
        """Take every step whose time has come."""
        return self._change(lambda ring: due_steps(ring, self._policy, self._generate(at), at=at))

    def next_due(self) -> datetime | None:
        """Return when `rotate_due` will next have something to do."""
        return next_due(self.keys, self._policy)

    def retire(self, kid: str, *, at: datetime) -> None:
        """Delete a retired signing key whose overlap has passed.

        Raises:
            KeyRefused: unknown, still in use, or still needed to verify or open what it made.
        """
        self._change(lambda ring: (retire(ring, kid, self._policy, at=at), None))

    def groups(self, purpose: Purpose) -> list[Group]:
        """Return what of a purpose rotates by turns: one group for each algorithm."""
        return [group for group in dict.fromkeys(key.group for key in self.keys) if group[0] == purpose]

    def _change(self, change: Callable[[Ring], tuple[Ring, T]]) -> T:
        with ring_lock(self._path):
            before = read_ring(self._path)
            after, told = change(before)
            if after != before:
                OpenedRing(
                    after, self._sealer, self._policy, at=self._clock()
                )  # what would not open again is not written
                write_ring(self._path, after)
        self._look()
        return told

    def _generate(self, at: datetime) -> Callable[[Purpose, str, State], StoredKey]:
        return lambda purpose, algorithm, state: self._sealer.generate(
            purpose, algorithm, state, created=instant_text(at)
        )

    def _look(self) -> OpenedRing:
        """Look at the file, and take over what it holds now if it is good."""
        with self._guard:
            self._look_at = time.monotonic() + LOOK_INTERVAL_S
            present, at = stamp(self._path), self._clock()
            changes_at = self._opened.changes_at
            if present != self._stamp:
                self._stamp = present
                self._take_over(at)
            elif changes_at is not None and at >= changes_at:
                self._opened = OpenedRing(self._opened.keys, self._sealer, self._policy, at=at)
            return self._opened

    def _take_over(self, at: datetime) -> None:
        try:
            found = OpenedRing(read_ring(self._path), self._sealer, self._policy, at=at)
            if found.lookup != self._opened.lookup:
                raise KeyRefused("the ring file has another look-up key: every pairwise subject would change")
        except ServiceError as error:
            _LOG.error("the key ring file is not taken over, the last good ring stays: %s: %s", error.code, error)
        else:
            self._opened = found


def _missing(ring: Ring) -> list[Group]:
    return [group for group in GROUPS if find(ring, group, "current") is None]


def _complete(path: Path, sealer: Sealer, at: datetime) -> None:
    """Add the keys that the ring lacks; a ring that this key-encryption key does not open is left alone."""
    ring = read_ring(path)
    for key in ring:
        sealer.open(key)
    lacking = _missing(ring)
    if ring and ("lookup" in {purpose for purpose, _ in lacking}):
        raise KeyRefused("the key ring has lost its look-up key: restore it from a backup")
    fresh = [sealer.generate(*group, "current", created=instant_text(at)) for group in lacking]
    write_ring(path, (*ring, *fresh))


__all__ = [
    "SECRET",
    "SIGNING",
    "Group",
    "JwtKeys",
    "KeyRing",
    "PersonalDataCipher",
    "Purpose",
    "RotationPolicy",
    "Step",
    "load_key_encryption_key",
]

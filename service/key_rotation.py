"""Rotation as pure decisions over the ring: what is due, what one step by hand would do, and when to look again.

Owns:    the stages of a key and their times. Leaves generation to `key_material`, the file to `key_ring_file`.
Rules:   1 a signing key is published before it signs, for at least the lead: twice as long as readers cache the key set
         2 it stays published after it was retired, for at least the overlap: the longest life of what it signed
         3 audit keys and column keys are never deleted: what they signed or sealed lives on
         4 the look-up key never rotates: it keys pairwise subjects and look-up columns, which would all change silently
         5 a secret has no readers outside: its next key is current at once, and the old one still opens
Spec:    OpenID Connect Core 1.0 cl. 10.1.1; NIST SP 800-57 part 1 cl. 5.3 (cryptoperiods)
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from service.errors import KeyRefused
from service.key_ring_file import SIGNING, Purpose, Ring, State, StoredKey, instant, instant_text

Group = tuple[Purpose, str]
Action = Literal["publish", "promote", "delete"]
Generate = Callable[[Purpose, str, State], StoredKey]


@dataclass(frozen=True, slots=True)
class RotationPolicy:
    """How long a key lives in each of its stages."""

    period: timedelta = timedelta(days=90)
    """How long a current key signs or seals before the next one is made."""
    lead: timedelta = timedelta(minutes=10)
    """How long a key is published before it signs: twice the cache time of discovery and key set."""
    overlap: timedelta = timedelta(days=1)
    """How long a retired key stays published: longer than any token that it signed."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one key."""

    action: Action
    purpose: Purpose
    algorithm: str
    kid: str


def due_steps(ring: Ring, policy: RotationPolicy, generate: Generate, *, at: datetime) -> tuple[Ring, list[Step]]:
    """Take every step whose time has come; asked again, nothing is left to do."""
    steps: list[Step] = []
    for group in _rotating(ring):
        current, waiting = find(ring, group, "current"), find(ring, group, "next")
        if waiting is not None and at >= instant(waiting.created) + policy.lead:
            ring, step = _promote(ring, waiting, at)
        elif waiting is None and current is not None and at >= _since(current) + policy.period:
            ring, step = _begin(ring, group, generate, at)
        else:
            continue
        steps.append(step)
    gone = [key for key in ring if _deletable(key) and at >= until(key, policy)]
    steps += [Step("delete", key.purpose, key.algorithm, key.kid) for key in gone]
    return tuple(key for key in ring if key not in gone), steps


def next_steps(
    ring: Ring, groups: Iterable[Group], policy: RotationPolicy, generate: Generate, *, at: datetime, hasten: bool
) -> tuple[Ring, list[Step]]:
    """Take one step in each of these groups: publish a next key, or let the published one sign. All are taken, or none.

    Raises:
        KeyRefused: a look-up key; or a key that is not published long enough, unless `hasten`.
    """
    steps: list[Step] = []
    for group in groups:
        if group[0] == "lookup":
            raise KeyRefused("the look-up key cannot be rotated without re-indexing what it found")
        waiting = find(ring, group, "next")
        if waiting is None:
            ring, step = _begin(ring, group, generate, at)
        else:
            ready = instant(waiting.created) + policy.lead
            if at < ready and not hasten:
                raise KeyRefused(
                    f"the next {group[0]} key ({group[1]}) may sign from {instant_text(ready)}: readers still hold the old"
                    " key set; --now lets it sign at once"
                )
            ring, step = _promote(ring, waiting, at)
        steps.append(step)
    return ring, steps


def next_due(ring: Ring, policy: RotationPolicy) -> datetime | None:
    """Return when `due_steps` will next have something to do."""
    times = [until(key, policy) for key in ring if _deletable(key)]
    for group in _rotating(ring):
        current, waiting = find(ring, group, "current"), find(ring, group, "next")
        if waiting is not None:
            times.append(instant(waiting.created) + policy.lead)
        elif current is not None:
            times.append(_since(current) + policy.period)
    return min(times, default=None)


def retire(ring: Ring, kid: str, policy: RotationPolicy, *, at: datetime) -> Ring:
    """Delete a retired signing key whose overlap has passed.

    Raises:
        KeyRefused: unknown, still in use, or still needed to verify or open what it made.
    """
    key = next((key for key in ring if key.kid == kid), None)
    if key is None:
        raise KeyRefused("no such key")
    if key.state != "retired" or key.purpose not in SIGNING:
        raise KeyRefused("only a retired signing key can be deleted")
    if not _deletable(key) or at < until(key, policy):
        raise KeyRefused("what this key signed must still be verified")
    return tuple(other for other in ring if other is not key)


def find(ring: Ring, group: Group, state: State) -> StoredKey | None:
    """Return the key of a group in a state that only one can have."""
    return next((key for key in ring if key.group == group and key.state == state), None)


def until(key: StoredKey, policy: RotationPolicy) -> datetime:
    """Return until when a retired key stays published."""
    return instant(key.retired or key.created) + policy.overlap


def _rotating(ring: Ring) -> list[Group]:
    return list(dict.fromkeys(key.group for key in ring if key.purpose != "lookup"))


def _since(current: StoredKey) -> datetime:
    return instant(current.activated or current.created)


def _deletable(key: StoredKey) -> bool:
    return key.state == "retired" and key.purpose in SIGNING and key.purpose != "audit"


def _begin(ring: Ring, group: Group, generate: Generate, at: datetime) -> tuple[Ring, Step]:
    purpose, algorithm = group
    fresh = generate(purpose, algorithm, "next")
    if purpose not in SIGNING:
        return _promote((*ring, fresh), fresh, at)
    return (*ring, fresh), Step("publish", purpose, algorithm, fresh.kid)


def _promote(ring: Ring, waiting: StoredKey, at: datetime) -> tuple[Ring, Step]:
    promoted = replace(waiting, state="current", activated=instant_text(at))
    kept = (
        replace(key, state="retired", retired=instant_text(at))
        if key.group == waiting.group and key.state == "current"
        else key
        for key in ring
        if key.kid != waiting.kid
    )
    return (*kept, promoted), Step("promote", promoted.purpose, promoted.algorithm, promoted.kid)

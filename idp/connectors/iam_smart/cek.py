"""The content keys (CEK) in force, by client id.

Owns:    reading getKey's answer, keeping the key until it ends, one fetch at a time. Leaves the call to whoever gives `fetch`.
Rules:   1 a key ends at issueAt + expiresIn; an expiresIn beyond 1e12 is an absolute time (the upstream's own example has one)
         2 however many callers need a key, one fetch runs; a caller whose key was refused fetches only when nobody did since
         3 a key that is already over when it arrives means that the clocks disagree; it is not used
         4 keys live in this process's memory only
Spec:    fact sheet upstreams.md §1.1.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from idp.connectors.iam_smart.errors import ClockSkewed, ContentMalformed
from trust_lists.clock import Clock

ABSOLUTE_FROM = 1_000_000_000_000
MAX_TIME_MS = 100_000_000_000_000
LONGEST_LIFE = timedelta(days=7)
EARLY = timedelta(seconds=30)
"""A key is renewed this long before its end, so that no call is under way with an ended key."""


@dataclass(frozen=True, slots=True)
class ContentKey:
    """A content key and when it ends."""

    key: bytes = field(repr=False)
    ends_at: datetime


Fetch = Callable[[], Awaitable[ContentKey]]


def read_lifetime(content: Mapping[str, object], *, at: datetime, max_skew: timedelta) -> datetime:
    """Return when a key that arrived at `at` ends.

    Raises:
        ContentMalformed: issueAt or expiresIn is no time.
        ClockSkewed: issued in the future beyond `max_skew`, or already over.
    """
    issued_ms, expires_ms = (read_time_ms(content, name) for name in ("issueAt", "expiresIn"))
    issued_at = from_ms(issued_ms)
    if issued_at > at + max_skew:
        raise ClockSkewed
    ends_at = from_ms(expires_ms) if expires_ms > ABSOLUTE_FROM else from_ms(issued_ms + expires_ms)
    if ends_at <= at:
        raise ClockSkewed
    return min(ends_at, at + LONGEST_LIFE)


def read_time_ms(content: Mapping[str, object], name: str) -> int:
    """Return a member that is a number of milliseconds.

    Raises:
        ContentMalformed: missing, negative, absurd, or no integer.
    """
    value = content.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < MAX_TIME_MS:
        raise ContentMalformed
    return value


def from_ms(value_ms: int) -> datetime:
    """Return the instant of a number of milliseconds since the epoch."""
    return datetime.fromtimestamp(value_ms / 1000, UTC)


class ContentKeys:
    """The keys by client id, fetched when needed, once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[str, ContentKey] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def current(self, client_id: str, fetch: Fetch) -> ContentKey:
        """Return the client's key, fetching one when there is none that lasts."""
        held = self._held.get(client_id)
        if held is not None and self._lasts(held):
            return held
        return await self.renew(client_id, fetch, refused=held)

    async def renew(self, client_id: str, fetch: Fetch, *, refused: ContentKey | None) -> ContentKey:
        """Return a key other than `refused`: one that somebody else fetched meanwhile, or a new one."""
        async with self._locks.setdefault(client_id, asyncio.Lock()):
            held = self._held.get(client_id)
            if held is not None and held is not refused and self._lasts(held):
                return held
            self._held.pop(client_id, None)
            self._held[client_id] = await fetch()
            return self._held[client_id]

    def forget(self, client_id: str, key: ContentKey) -> None:
        """Drop a key that has failed, unless it is already replaced."""
        if self._held.get(client_id) is key:
            del self._held[client_id]

    def _lasts(self, held: ContentKey) -> bool:
        return self._clock() + EARLY < held.ends_at

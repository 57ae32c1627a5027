"""The liveness sessions that are going on in this process.

Owns:    the registry, its bounds, the memory of frames seen. Leaves use-once across processes to `store`.
Rules:   1 frames' readings live here and nowhere else; a session that ends is forgotten whole
         2 as many sessions as configured, the next is told to come back; expired ones are swept on every entry
         3 a frame whose bytes were seen in another session is a replay
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec

from liveness.capture import CaptureReader
from liveness.errors import Busy, SessionReplayed
from liveness.frame_chain import FrameChain
from liveness.session import Challenge

REMEMBERED_FRAMES = 50_000
"""Digests of 32 bytes: about 1,600 sessions, some 8 MB."""


@dataclass(slots=True)
class LiveSession:
    """One session: what was asked, what has come."""

    session_key: str
    check_key: str
    challenge: Challenge
    public_key: ec.EllipticCurvePublicKey
    chain: FrameChain
    reader: CaptureReader
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One batch at a time, in the order of arrival."""


class LiveSessions:
    """The registry."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sessions: dict[str, LiveSession] = {}
        self._seen: OrderedDict[bytes, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def add(self, session: LiveSession, *, at: datetime) -> None:
        """Take a new session; an older one of the same check ends.

        Raises:
            Busy: the registry is full.
        """
        for key, other in list(self._sessions.items()):
            if other.challenge.expires_at <= at or other.check_key == session.check_key:
                del self._sessions[key]
        if len(self._sessions) >= self._limit:
            raise Busy("too many checks at this moment: try again", retry_after_s=10)
        self._sessions[session.session_key] = session

    def find(self, session_key: str) -> LiveSession | None:
        """Return a session that is going on."""
        return self._sessions.get(session_key)

    def end(self, session_key: str) -> None:
        """Forget a session with all its readings."""
        self._sessions.pop(session_key, None)

    def remember(self, session_key: str, digests: Sequence[bytes]) -> None:
        """Note frames as this session's.

        Raises:
            SessionReplayed: one of them was another session's.
        """
        for digest in digests:
            if self._seen.setdefault(digest, session_key) != session_key:
                raise SessionReplayed("these frames were sent before")
        while len(self._seen) > REMEMBERED_FRAMES:
            self._seen.popitem(last=False)

"""What this connector keeps between calls, as a Protocol: timestamps, pending requests, citizens' upstream sessions.

Owns:    the rows and what the store must guarantee. Leaves SQL to `sqlite_store`, sealing to `records`.
Rules:   1 what could name a person or open the upstream's door is sealed before it comes here
         2 a pending request is settled once; whoever settles second gets the row as the first left it
         3 timestamps of one client id never go back, whichever worker asks
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class PendingKind(StrEnum):
    """What a pending request asked for."""

    PROFILE = "profile"
    SIGNING = "signing"


class PendingStatus(StrEnum):
    """Where a pending request stands."""

    WAITING = "waiting"
    ANSWERED = "answered"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """One request that the upstream answers by a callback."""

    reference: str
    """Our handle, given to the broker or to a signing transaction; the upstream never sees it."""
    kind: PendingKind
    business_id: str
    """Given to the upstream; random, one use."""
    state: str
    """Given to the upstream; random, one use; only with it does a callback count."""
    transaction: str
    deadline: datetime
    sealed_context: bytes = field(repr=False)
    status: PendingStatus = PendingStatus.WAITING
    outcome: str = ""
    """The upstream's return code or our error code, when refused."""
    sealed_answer: bytes | None = field(default=None, repr=False)
    answer_digest: str = ""
    """Keyed hash of the callback that settled it: a duplicate is told from a contradiction by it."""
    delivered: bool = False
    """Whether the receiver of the answer has taken it (signing)."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A citizen's upstream session, sealed."""

    handle: str
    sealed: bytes = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a pending request is settled, and the session that is written with it."""

    status: PendingStatus
    outcome: str = ""
    sealed_answer: bytes | None = field(default=None, repr=False)
    answer_digest: str = ""
    session: SessionRow | None = None


class IamSmartStore(Protocol):
    """The store; every method is one transaction."""

    async def next_timestamp(self, client_id: str, now_ms: int) -> int:
        """Return `now_ms`, or the client's last timestamp where that is later; remember it."""
        ...

    async def add_pending(self, request: PendingRequest, *, at: datetime) -> None:
        """Keep a request; what is past its deadline goes."""
        ...

    async def load_pending(self, reference: str) -> PendingRequest | None:
        """Return the request with our reference."""
        ...

    async def find_pending(self, business_id: str) -> PendingRequest | None:
        """Return the request with the upstream's business id."""
        ...

    async def settle_pending(self, reference: str, settlement: Settlement) -> PendingRequest | None:
        """Settle a request that waits; return the row as it stands then, whoever settled it. None when it is gone."""
        ...

    async def mark_delivered(self, reference: str) -> None:
        """Note that the receiver has taken the answer."""
        ...

    async def drop_pending(self, reference: str) -> None:
        """Forget a request that the upstream never took."""
        ...

    async def save_session(self, session: SessionRow) -> None:
        """Write a session in the place of an older one."""
        ...

    async def load_session(self, handle: str, *, at: datetime) -> SessionRow | None:
        """Return a session that has not expired."""
        ...

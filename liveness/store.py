"""What of a permit check outlives a request.

Owns:    the rows and the `Store` Protocol. Leaves SQL to `sqlite_store`, sealing to `records`.
Rules:   capabilities (check, session, code) are stored as hashes only; what identifies a person is sealed; no image is stored
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class CheckState(StrEnum):
    """Where a check stands."""

    OPEN = "open"
    PASSED = "passed"
    FAILED = "failed"
    REVIEW = "review"


class SessionClaim(StrEnum):
    """What became of the attempt to use a session."""

    CLAIMED = "claimed"
    USED_BEFORE = "used_before"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One permit check."""

    check_key: str
    sealed_request: bytes
    sealed_document: bytes | None
    state: CheckState
    document_attempts: int
    attempts: int
    expires_at_s: int


class Store(Protocol):
    """Keeps checks, sessions' use and one-time codes."""

    async def add_check(self, check_key: str, sealed_request: bytes, *, created_at_s: int, expires_at_s: int) -> None:
        """Keep a new check."""
        ...

    async def find_check(self, check_key: str) -> CheckRow | None:
        """Return a check."""
        ...

    async def count_document_attempt(self, check_key: str, *, limit: int) -> bool:
        """Count one try at the document; False when none is left."""
        ...

    async def keep_document(self, check_key: str, sealed_document: bytes) -> None:
        """Keep the checked document of an open check."""
        ...

    async def start_session(self, check_key: str, session_key: str, *, expires_at_s: int, limit: int) -> bool:
        """Count one attempt and keep the session; False when no attempt is left."""
        ...

    async def refund_attempt(self, check_key: str) -> None:
        """Give an attempt back: it failed through no fault of the citizen."""
        ...

    async def is_answered(self, session_key: str) -> bool:
        """Whether a session was used."""
        ...

    async def claim_session(self, session_key: str, *, at_s: int) -> SessionClaim:
        """Use a session, once."""
        ...

    async def close_check(self, check_key: str, state: CheckState) -> bool:
        """End an open check; False when it had ended."""
        ...

    async def pass_check(self, check_key: str, code_key: str, sealed_token: bytes, *, expires_at_s: int) -> bool:
        """End an open check as passed and keep its attestation, in one transaction; False when it had ended."""
        ...

    async def redeem(self, code_key: str, *, at_s: int) -> bytes | None:
        """Return an attestation, once and in time."""
        ...

    async def purge(self, *, before_s: int) -> int:
        """Delete everything that expired before; return how many checks."""
        ...

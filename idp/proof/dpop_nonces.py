"""Nonces for DPoP proofs that need no memory: a keyed hash of the time step.

Owns:    making and accepting them. Leaves the header that hands them out to the doors, the key to the composition root.
Rules:   the current and the previous step are accepted, so that a nonce serves between one and two steps
Spec:    RFC 9449 cl. 8, 9, 11.3
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta

MIN_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class DpopNonces:
    """The nonces of one key; several processes with the same key accept each other's."""

    key: bytes = field(repr=False)
    step: timedelta = timedelta(minutes=5)

    def __post_init__(self) -> None:
        """Refuse a weak key.

        Raises:
            ValueError: the key is too short, or the step is no time.
        """
        if len(self.key) < MIN_KEY_BYTES or self.step < timedelta(seconds=1):
            raise ValueError(f"the key needs {MIN_KEY_BYTES} bytes, and the step a second")

    def current(self, *, at: datetime) -> str:
        """Return the nonce to hand out."""
        return self._nonce(self._count(at))

    def accepts(self, nonce: str, *, at: datetime) -> bool:
        """Tell, in constant time, whether this is the current nonce or the one before."""
        count, given = self._count(at), nonce.encode("utf-8", "surrogatepass")
        good = [hmac.compare_digest(given, self._nonce(count - back).encode()) for back in (0, 1)]
        return any(good)

    def _count(self, at: datetime) -> int:
        return int(at.timestamp() // self.step.total_seconds())

    def _nonce(self, count: int) -> str:
        mac = hmac.new(self.key, b"gba-trust dpop nonce\0" + count.to_bytes(8, "big"), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(mac[:18]).decode("ascii")

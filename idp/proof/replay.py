"""What may be used once, and must be remembered so that it is not used again.

Owns:    the value. Leaves the memory to the store, in the transaction that relies on what was proved.
Spec:    RFC 7523 cl. 3 (7); RFC 9449 cl. 11.1
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ReplayUse:
    """One use: of an assertion's `jti` in the space of its client, of a proof's in the space of its key (`dpop:` and the thumbprint)."""

    space: str
    identifier: str
    expires_at: datetime
    """From when on what was used would be refused for its age alone."""

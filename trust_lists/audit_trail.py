"""The audit trail as the packages see it: something that takes events.

Owns:    `AuditTrail` (Protocol) and the shape of an event. Leaves the chain, its storage and its proof to `service.audit_log`.
Rules:   an event carries pseudonyms only: no name, number, token, secret or image may be in `detail`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

AuditValue = str | int | bool | None


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One event, with the members that `AuditTrail.record` explains."""

    event: str
    correlation: str
    outcome: str = "ok"
    detail: Mapping[str, AuditValue] | None = None


class AuditTrail(Protocol):
    """Takes events in order; returns when the event is durable."""

    async def record(
        self, event: str, *, correlation: str, outcome: str = "ok", detail: Mapping[str, AuditValue] | None = None
    ) -> None:
        """Append one event.

        Args:
            event: dotted name, for example `token.issued`, `permit.refused`.
            correlation: the login or signing transaction (opaque) that ties an errand's events together.
            outcome: `ok` or the refusal's code.
            detail: pseudonymous facts; values are scalars.
        """
        ...

    async def record_all(self, events: Sequence[AuditEvent]) -> None:
        """Append the events of one request, in order and all or none, with one wait."""
        ...

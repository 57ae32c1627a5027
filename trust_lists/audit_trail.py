"""The audit trail as the packages see it: something that takes events.

Owns:    `AuditTrail` (Protocol) and the shape of an event. Leaves the chain, its storage and its proof to `service.audit_log`.
Rules:   an event carries pseudonyms only: no name, number, token, secret or image may be in `detail`.
"""

from collections.abc import Mapping
from typing import Protocol

AuditValue = str | int | bool | None


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


class SilentTrail:
    """A trail that keeps nothing: for commands that run outside the service."""

    async def record(
        self, event: str, *, correlation: str, outcome: str = "ok", detail: Mapping[str, AuditValue] | None = None
    ) -> None:
        """Take the event and forget it."""

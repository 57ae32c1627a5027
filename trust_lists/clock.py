"""The one place that reads the wall clock.

Owns:    `utc_now`, and the `Clock` type by which doors and edges receive it.
Rules:   the pure core never calls this; it takes `at: datetime`.
"""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one place


__all__ = ["Clock", "utc_now"]

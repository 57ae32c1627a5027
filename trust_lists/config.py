"""Settings of the trust list: how long what is signed lives, and how long a reader may go on without news.

Owns:    frozen values with units and safe defaults. Leaves the environment to `service.settings` and to `cli`.
Rules:   nonsense is refused when the value is built.
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class PublicationPolicy:
    """Lifetimes of what a publisher signs."""

    root_lifetime: timedelta = timedelta(days=365)
    list_lifetime: timedelta = timedelta(days=180)
    """Sections and scheme: TS 119 612 cl. 5.3.15 allows six months at most."""
    snapshot_lifetime: timedelta = timedelta(days=30)
    timestamp_lifetime: timedelta = timedelta(hours=24)
    """The freeze window: a reader that is fed old data notices at the latest then."""

    def __post_init__(self) -> None:
        if (
            not timedelta()
            < self.timestamp_lifetime
            <= self.snapshot_lifetime
            <= self.list_lifetime
            <= self.root_lifetime
        ):
            raise ValueError("lifetimes must be positive and rise from timestamp to root")
        if self.list_lifetime > timedelta(days=184):
            raise ValueError("a list may live six months at most (TS 119 612)")


@dataclass(frozen=True, slots=True)
class ReaderPolicy:
    """What a reader of the list may do."""

    offline_grace: timedelta = timedelta(hours=24)
    """How long after the timestamp's expiry the last-good list may still be used, when the source does not answer."""
    request_timeout: timedelta = timedelta(seconds=5)
    refresh_timeout: timedelta = timedelta(seconds=60)
    refresh_interval: timedelta = timedelta(minutes=5)

    def __post_init__(self) -> None:
        if self.offline_grace < timedelta() or self.offline_grace > timedelta(days=180):
            raise ValueError("the offline grace must be between nothing and 180 days")
        if not timedelta() < self.request_timeout <= self.refresh_timeout or self.refresh_interval <= timedelta():
            raise ValueError("timeouts and interval must be positive, and one request no longer than a refresh")

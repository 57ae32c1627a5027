"""Limits and addresses of this package, as frozen values with units.

Owns:    defaults that are safe. Leaves reading the environment to `service.settings`.
"""

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """Bounds for reading a PDF; a document beyond one of them is refused, never half read."""

    max_pdf_bytes: int = 50_000_000
    max_objects: int = 500_000
    max_revisions: int = 200
    max_fields: int = 5_000
    max_signatures: int = 100
    max_stream_bytes: int = 64_000_000
    """Of one decoded cross-reference or object stream."""
    max_decoded_bytes: int = 256_000_000
    """Of all decoded streams together."""
    max_cms_bytes: int = 2_000_000
    max_depth: int = 64
    """Nesting of arrays and dictionaries."""


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """Bounds of the process in which a hostile file is read (interfaces: 30 s CPU and 1 GiB a file)."""

    cpu_s: int = 30
    address_space_bytes: int = 1 << 30
    wall_time: timedelta = timedelta(seconds=60)
    max_concurrent: int = 4


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Bounds for fetching revocation data and time stamps."""

    timeout: timedelta = timedelta(seconds=10)
    max_bytes: int = 5_000_000
    max_fetches: int = 20
    schemes: frozenset[str] = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True)
class SigningConfig:
    """How this process signs.

    Attributes:
        public_url: of the service, without trailing slash; transactions' URLs begin with it.
        tsa_url: of the time-stamping authority.
        transaction_lifetime: from creation to expiry.
        retention: a finished transaction's document is kept that long.
    """

    public_url: str
    tsa_url: str
    transaction_lifetime: timedelta = timedelta(minutes=30)
    retention: timedelta = timedelta(days=7)
    document: DocumentLimits = field(default_factory=DocumentLimits)
    worker: WorkerLimits = field(default_factory=WorkerLimits)
    fetch: FetchLimits = field(default_factory=FetchLimits)

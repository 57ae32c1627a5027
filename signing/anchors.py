"""Where trust begins: the services of the accepted trust list, or roots that the caller names.

Owns:    `Anchor`, and turning a snapshot or a set of roots into anchors. Leaves path building to `path`.
Rules:   anchors come from the list or from the caller alone, never from the operating system or a library's bundle;
         an anchor is known by name and public key, its own certificate's dates do not count (RFC 5280 sec. 6.1.1 d);
         an anchor without a service counts for every use at all times.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from signing.certificates import Certificate, parse_certificate
from signing.errors import CmsMalformed
from trust_lists.model import ServiceType, TrustService
from trust_lists.vocabulary import Region


class ListedAnchor(Protocol):
    """One anchor as the trust list gives it."""

    @property
    def certificate(self) -> bytes:
        """DER."""
        ...

    @property
    def service(self) -> TrustService | None:
        """The service it identifies; None for a root that the caller named."""
        ...


class TrustAnchors(Protocol):
    """What validation needs of a snapshot; `trust_lists.snapshot.Snapshot` and `TrustedRoots` have it."""

    def anchors(self) -> Sequence[ListedAnchor]:
        """Return all anchors."""
        ...


@dataclass(frozen=True, slots=True)
class NamedRoot:
    """A root certificate that the caller trusts for everything."""

    certificate: bytes
    service: None = None


@dataclass(frozen=True, slots=True)
class TrustedRoots:
    """Roots named by the caller (`--trusted-roots`) instead of a trust list; empty means integrity only."""

    certificates: tuple[bytes, ...] = ()

    def anchors(self) -> Sequence[ListedAnchor]:
        """Return them as anchors."""
        return tuple(NamedRoot(certificate) for certificate in self.certificates)


@dataclass(frozen=True, slots=True)
class Anchor:
    """One anchor, parsed."""

    certificate: Certificate
    service: TrustService | None

    def granted_at(self, at: datetime) -> bool:
        """Tell whether its service counted at that time."""
        return self.service is None or self.service.granted_at(at)

    def sunset_before(self, at: datetime) -> datetime | None:
        """Return since when it has not counted, when it did before."""
        return None if self.service is None else self.service.sunset_before(at)

    @property
    def region(self) -> Region | None:
        """The region that lists it."""
        return None if self.service is None else self.service.region


def signer_anchors(source: TrustAnchors) -> tuple[Anchor, ...]:
    """Return the anchors under which signing certificates may hang."""
    return _parsed(item for item in source.anchors() if item.service is None or item.service.type.is_ca)


def time_anchors(source: TrustAnchors) -> tuple[Anchor, ...]:
    """Return the anchors under which time-stamping certificates may hang."""
    return _parsed(item for item in source.anchors() if item.service is None or item.service.type is ServiceType.TSA)


def _parsed(items: Iterable[ListedAnchor]) -> tuple[Anchor, ...]:
    result = []
    for item in items:
        try:
            result.append(Anchor(parse_certificate(item.certificate), item.service))
        except CmsMalformed:
            continue  # a listed certificate that cannot be read anchors nothing
    return tuple(result)

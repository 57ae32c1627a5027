"""The accepted list of all three regions: immutable, identified, quick to ask.

Owns:    `Snapshot` and its look-ups. Leaves how one comes into being to `acceptance`, what it means to `recognition`.
Rules:   only `acceptance.accept` builds one. A service stands here only when the scheme admits it and its own region lists it.
         Look-ups go by public key, never by name.
Spec:    OmniTrust's wish (facts §3.2): an identified snapshot that every report can cite: `version` and `sha256`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from trust_lists.certificates import certificate_key_hash
from trust_lists.envelope import AcceptedEnvelope
from trust_lists.model import Admission, RegionList, Scheme, TrustService
from trust_lists.vocabulary import Region


@dataclass(frozen=True, slots=True)
class TrustAnchor:
    """A listed certificate and the service whose identity it is; whether it counts at a time is the service's answer."""

    certificate: bytes
    service: TrustService


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One accepted version."""

    version: int
    sha256: str
    """Hash of the signed snapshot metadata, which names all content by hash: it changes when and only when the content may have."""
    issued: datetime
    next_update: datetime
    """From then on the list may not be used at all."""
    fresh_until: datetime
    """Until then the source vouches that there is no newer version."""
    accepted_at: datetime
    scheme: Scheme = field(
        repr=False
    )  # megabytes: asyncio writes the repr of a task's result whenever it names the task
    sections: Mapping[Region, RegionList] = field(repr=False)
    services: tuple[TrustService, ...] = field(repr=False)
    """Listed by their region and admitted by the scheme, whatever their status."""
    pending: tuple[TrustService, ...] = field(repr=False)
    """Listed by their region, not admitted: they count for nothing and are kept to be shown."""
    document_hashes: Mapping[str, str] = field(repr=False)
    envelope: AcceptedEnvelope = field(repr=False)
    by_key: Mapping[str, TrustService] = field(repr=False)
    known_admissions: Mapping[bytes, Admission] = field(default_factory=dict, repr=False)
    known_services: Mapping[Region, Mapping[bytes, TrustService]] = field(default_factory=dict, repr=False)
    """Entries by the hash of their line, so that the next version parses only what changed."""

    def service_for(self, issuer_certificate: bytes) -> TrustService | None:
        """Return the service whose public key this certificate (DER) carries, None when no service has it.

        Raises:
            CertificateMalformed: not a certificate.
        """
        return self.by_key.get(certificate_key_hash(issuer_certificate))

    def service(self, service_id: str) -> TrustService | None:
        """Return the service of that identifier, None when there is none."""
        return next((service for service in self.services if service.id == service_id), None)

    def anchors(self) -> tuple[TrustAnchor, ...]:
        """Return every listed certificate, also those of services that no longer count: the past may still be proven by them."""
        return tuple(
            TrustAnchor(certificate, service) for service in self.services for certificate in service.certificates
        )

"""The words of the trust list: services, their status through time, agreements, admissions.

Owns:    frozen values with the names of TS 119 612 / TS 119 602, and the questions that one value alone can answer.
Leaves:  their JSON form to `document`, the rules between versions to `history`, what they mean together to `recognition`.
Rules:   all instants are aware UTC. Periods are in ascending order; the last one is the current status. A value here is *parsed*:
         only what hangs under a `snapshot.Snapshot` has been accepted.
Spec:    ETSI TS 119 612 cl. 5.3 to 5.6 and annex D (URIs), TS 119 602 cl. 6 (lists of trusted entities).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from trust_lists.vocabulary import Region


class ServiceType(StrEnum):
    """What a service does (TS 119 612 cl. 5.5.1); the value is the URI."""

    CA_QC = "http://uri.etsi.org/TrstSvc/Svctype/CA/QC"
    """A CA that issues qualified certificates, or what the region's law puts beside them."""
    CA_PKC = "http://uri.etsi.org/TrstSvc/Svctype/CA/PKC"
    TSA = "http://uri.etsi.org/TrstSvc/Svctype/TSA"
    OCSP = "http://uri.etsi.org/TrstSvc/Svctype/Certstatus/OCSP"
    IDENTITY_PROVIDER = "http://uri.etsi.org/TrstSvc/Svctype/IdV"

    @property
    def word(self) -> str:
        """The short form used in commands: `ca-qc`, `ca-pkc`, `tsa`, `ocsp`, `identity-provider`."""
        return self.name.lower().replace("_", "-")

    @property
    def is_ca(self) -> bool:
        """Whether certificates of people hang under it."""
        return self in (ServiceType.CA_QC, ServiceType.CA_PKC)


class ServiceStatus(StrEnum):
    """The status of a service (TS 119 612 cl. 5.5.4); the value is the URI."""

    GRANTED = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/granted"
    WITHDRAWN = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/withdrawn"
    SUSPENDED = "urn:gba-trust:service-status:suspended"
    """TS 119 612 v2 has no suspension; the schemes do. Departure: see docs/divergences.md."""

    @property
    def word(self) -> str:
        """The short form used in commands: `granted`, `withdrawn`, `suspended`."""
        return self.name.lower()


class AgreementStatus(StrEnum):
    """The state of an agreement between two regions (TS 119 612 MRA extension: enacted, repealed)."""

    ENACTED = "enacted"
    REPEALED = "repealed"


@dataclass(frozen=True, slots=True)
class LocalText:
    """A text in one language (TS 119 612 cl. 5.1.4)."""

    lang: str
    value: str


@dataclass(frozen=True, slots=True)
class StatusPeriod:
    """A status and when it began; it lasts until the next period begins."""

    status: ServiceStatus
    starting_time: datetime


@dataclass(frozen=True, slots=True)
class AgreementPeriod:
    """The same for an agreement."""

    status: AgreementStatus
    starting_time: datetime


@dataclass(frozen=True, slots=True)
class CertificateType:
    """A product of a CA that takes part in recognition; the CA's other products do not."""

    name: str
    """As the region's list names it, e.g. "e-Cert (Personal) with Mutual Recognition Status"."""
    policy_oid_prefix: str
    """A certificate is of this type when one of its policy OIDs equals this or lies under it (HK-Guangdong trust list)."""
    purposes: tuple[str, ...]
    """Names of the purposes for which the type is admitted, at home and abroad."""
    since: datetime
    until: datetime | None = None
    key_usage: tuple[str, ...] = ("non_repudiation",)
    """Key usages that the certificate must all carry, in RFC 5280's names with underscores."""

    def holds_at(self, at: datetime) -> bool:
        """Tell whether the product is admitted at that time."""
        return self.since <= at and (self.until is None or at < self.until)

    def covers_policy(self, policy_oid: str) -> bool:
        """Tell whether the OID is the prefix or lies under it; whole arcs are compared, never characters."""
        return policy_oid == self.policy_oid_prefix or policy_oid.startswith(self.policy_oid_prefix + ".")


@dataclass(frozen=True, slots=True)
class SupplyPoint:
    """Where a service can be reached (TS 119 612 cl. 5.5.7); `kind` is `ocsp`, `crl`, `ldap`, `ca-issuers` or `tsa`."""

    kind: str
    uri: str


@dataclass(frozen=True, slots=True)
class Admission:
    """The joint decision by which a region's service takes part: this key and these products, until it ends if it does.

    The products stand here and not in the region's own section: what widens recognition needs two regions.
    """

    region: Region
    service_id: str
    key_sha256: str
    since: datetime
    until: datetime | None = None
    certificate_types: tuple[CertificateType, ...] = ()

    def holds_at(self, at: datetime) -> bool:
        """Tell whether it is in force at that time."""
        return self.since <= at and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class TrustService:
    """One listed service with its identity and its whole history."""

    id: str
    region: Region
    provider: str
    type: ServiceType
    names: tuple[LocalText, ...]
    certificates: tuple[bytes, ...]
    """DER; all carry the same public key (TS 119 612 cl. 5.5.3)."""
    key_sha256: str
    periods: tuple[StatusPeriod, ...]
    supply_points: tuple[SupplyPoint, ...] = ()
    definition_uri: str | None = None
    """The certification practice statement."""
    admission: Admission | None = None
    """Set by acceptance alone; None while only the region lists it."""

    @property
    def name(self) -> str:
        """The first name, for messages."""
        return self.names[0].value

    @property
    def certificate_types(self) -> tuple[CertificateType, ...]:
        """The products that the scheme admits, past ones included; none while only the region lists the service."""
        return self.admission.certificate_types if self.admission is not None else ()

    @property
    def status(self) -> ServiceStatus:
        """The current status."""
        return self.periods[-1].status

    def period_at(self, at: datetime) -> StatusPeriod | None:
        """Return the period in force at that time, None before the first."""
        return next((period for period in reversed(self.periods) if period.starting_time <= at), None)

    def status_at(self, at: datetime) -> ServiceStatus | None:
        """Return the status at that time, None before the first."""
        period = self.period_at(at)
        return period.status if period else None

    def admitted_at(self, at: datetime) -> bool:
        """Tell whether the joint scheme admits it at that time."""
        return self.admission is not None and self.admission.holds_at(at)

    def granted_at(self, at: datetime) -> bool:
        """Tell whether it counts at that time: admitted by the scheme and granted by its region."""
        return self.admitted_at(at) and self.status_at(at) is ServiceStatus.GRANTED

    def sunset_before(self, at: datetime) -> datetime | None:
        """Return since when the service has not counted, when it does not count at `at` but did before; else None.

        This is the trust anchor's sunset date of EN 319 102-1 cl. 5.2.6: proof that a signature existed earlier keeps it good.
        """
        changes = [period.starting_time for period in self.periods]
        if self.admission is not None:
            changes += [self.admission.since, *([self.admission.until] if self.admission.until else [])]
        sunset, counted = None, False
        for change in sorted(change for change in changes if change <= at):
            counts = self.granted_at(change)
            if counts:
                sunset = None
            elif counted:
                sunset = change
            counted = counts
        return sunset


@dataclass(frozen=True, slots=True)
class TrustServiceProvider:
    """A provider and its services (TS 119 612 cl. 5.4; "trusted entity" in TS 119 602)."""

    names: tuple[LocalText, ...]
    information_uri: str
    services: tuple[TrustService, ...]


@dataclass(frozen=True, slots=True)
class RegionList:
    """The section that one region's scheme operator writes alone."""

    region: Region
    operator_names: tuple[LocalText, ...]
    sequence_number: int
    issued: datetime
    next_update: datetime
    providers: tuple[TrustServiceProvider, ...]

    @property
    def services(self) -> tuple[TrustService, ...]:
        """All services of all providers."""
        return tuple(service for provider in self.providers for service in provider.services)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a signature may be used for in a region, as recognition distinguishes it."""

    name: str
    region: Region
    descriptions: tuple[LocalText, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """A mutual recognition agreement between two regions, for some purposes, through time."""

    id: str
    names: tuple[LocalText, ...]
    regions: tuple[Region, Region]
    purposes: tuple[str, ...]
    periods: tuple[AgreementPeriod, ...]

    def joins(self, one: Region, other: Region) -> bool:
        """Tell whether it is between these two."""
        return one is not other and {one, other} == set(self.regions)

    def status_at(self, at: datetime) -> AgreementStatus | None:
        """Return its status at that time, None before it was first enacted."""
        return next((period.status for period in reversed(self.periods) if period.starting_time <= at), None)

    def enacted_at(self, at: datetime) -> bool:
        """Tell whether it is in force at that time."""
        return self.status_at(at) is AgreementStatus.ENACTED


@dataclass(frozen=True, slots=True)
class Scheme:
    """What the three regions decide together: purposes, agreements, admitted services."""

    names: tuple[LocalText, ...]
    sequence_number: int
    issued: datetime
    next_update: datetime
    purposes: tuple[Purpose, ...]
    agreements: tuple[Agreement, ...]
    admissions: tuple[Admission, ...]


def ascending(periods: Sequence[StatusPeriod | AgreementPeriod]) -> bool:
    """Tell whether every period starts later than the one before it: two changes in one instant have no order."""
    return all(a.starting_time < b.starting_time for a, b in pairwise(periods))

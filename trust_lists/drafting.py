"""The changes that a draft can take, one function each.

Owns:    what `trust-list ca|service|agreement …` does to a `Draft`. Leaves staging and signing to `publication`, files to `workspace`.
Rules:   every function returns a new draft or refuses; history is only ever added to. Nothing here needs a key.
Spec:    ETSI TS 119 612 cl. 5.4 (TSP), 5.5 (service), 5.6 (history); MRA extension (agreement).
"""

from dataclasses import dataclass, replace
from datetime import datetime

from trust_lists.certificates import certificate_key_hash
from trust_lists.errors import DraftRefused
from trust_lists.model import (
    Admission,
    Agreement,
    AgreementPeriod,
    AgreementStatus,
    CertificateType,
    LocalText,
    RegionList,
    ServiceStatus,
    ServiceType,
    StatusPeriod,
    SupplyPoint,
    TrustService,
    TrustServiceProvider,
)
from trust_lists.publication import Draft
from trust_lists.vocabulary import Region


@dataclass(frozen=True, slots=True)
class NewService:
    """What is said of a service when it is first listed."""

    id: str
    region: Region
    provider: str
    name: str
    type: ServiceType
    certificate: bytes
    certificate_types: tuple[CertificateType, ...] = ()
    supply_points: tuple[SupplyPoint, ...] = ()
    definition_uri: str | None = None


def add_provider(draft: Draft, region: Region, name: str, information_uri: str) -> Draft:
    """List a provider that has no service yet; it is published together with its first service.

    Raises:
        DraftRefused: the region lists a provider of that name.
    """
    section = draft.sections[region]
    if any(provider.names[0].value == name for provider in section.providers):
        raise DraftRefused(f"{region.value} lists a provider of that name already")
    provider = TrustServiceProvider((LocalText("en", name),), information_uri, ())
    return draft.with_section(replace(section, providers=(*section.providers, provider)))


def add_service(draft: Draft, new: NewService, at: datetime) -> Draft:
    """List a service as granted from `at` on, and put it up for admission by the scheme.

    Raises:
        DraftRefused: the identifier or the key is in use, or there is no such provider or purpose.
    """
    key_sha256 = certificate_key_hash(new.certificate)
    for section in draft.sections.values():
        for service in section.services:
            if service.id == new.id or service.key_sha256 == key_sha256:
                raise DraftRefused(f"{section.region.value} lists that identifier or key already, as {service.id}")
    unknown = {purpose for kind in new.certificate_types for purpose in kind.purposes} - {
        purpose.name for purpose in draft.scheme.purposes
    }
    if unknown:
        raise DraftRefused(f"no such purpose: {', '.join(sorted(unknown))}")
    service = TrustService(
        id=new.id,
        region=new.region,
        provider=new.provider,
        type=new.type,
        names=(LocalText("en", new.name),),
        certificates=(new.certificate,),
        key_sha256=key_sha256,
        periods=(StatusPeriod(ServiceStatus.GRANTED, at),),
        supply_points=new.supply_points,
        definition_uri=new.definition_uri,
    )
    admission = Admission(new.region, new.id, key_sha256, at, None, new.certificate_types)
    scheme = replace(draft.scheme, admissions=(*draft.scheme.admissions, admission))
    return replace(_with_service(draft, new.provider, service), scheme=scheme)


def _with_service(draft: Draft, provider_name: str, service: TrustService) -> Draft:
    section = draft.sections[service.region]
    if not any(provider.names[0].value == provider_name for provider in section.providers):
        raise DraftRefused(f"{service.region.value} lists no provider of that name; add it first")
    providers = tuple(
        replace(provider, services=(*provider.services, service))
        if provider.names[0].value == provider_name
        else provider
        for provider in section.providers
    )
    return draft.with_section(replace(section, providers=providers))


def set_status(draft: Draft, service_id: str, status: ServiceStatus, at: datetime) -> Draft:
    """Give a service a new status from `at` on; its history stays.

    Raises:
        DraftRefused: no such service, or it has that status already.
    """
    region = next(
        (s.region for s in draft.sections.values() if any(service.id == service_id for service in s.services)), None
    )
    if region is None:
        raise DraftRefused(f"no region lists a service {service_id}")
    return draft.with_section(_changed(draft.sections[region], service_id, status, at))


def _changed(section: RegionList, service_id: str, status: ServiceStatus, at: datetime) -> RegionList:
    providers = tuple(
        replace(
            provider,
            services=tuple(
                _with_period(service, status, at) if service.id == service_id else service
                for service in provider.services
            ),
        )
        for provider in section.providers
    )
    return replace(section, providers=providers)


def _with_period(service: TrustService, status: ServiceStatus, at: datetime) -> TrustService:
    if service.status is status:
        raise DraftRefused(f"{service.id} is {status.word} already")
    return replace(service, periods=(*service.periods, StatusPeriod(status, at)))


def end_admission(draft: Draft, service_id: str, at: datetime) -> Draft:
    """End a service's admission jointly: what two regions can do about a third.

    Raises:
        DraftRefused: not admitted, or ended already.
    """
    if not any(entry.service_id == service_id and entry.until is None for entry in draft.scheme.admissions):
        raise DraftRefused(f"{service_id} is not admitted")
    admissions = tuple(
        replace(entry, until=at) if entry.service_id == service_id else entry for entry in draft.scheme.admissions
    )
    return replace(draft, scheme=replace(draft.scheme, admissions=admissions))


def enact_agreement(
    draft: Draft, agreement_id: str, regions: tuple[Region, Region], purposes: tuple[str, ...], name: str, at: datetime
) -> Draft:
    """Enact a new agreement, or one that was repealed, from `at` on.

    Raises:
        DraftRefused: in force already, other terms than before, or an unknown purpose.
    """
    held = next((agreement for agreement in draft.scheme.agreements if agreement.id == agreement_id), None)
    if held is None:
        if regions[0] is regions[1] or not set(purposes) <= {purpose.name for purpose in draft.scheme.purposes}:
            raise DraftRefused("an agreement joins two regions, for purposes that the scheme names")
        period = AgreementPeriod(AgreementStatus.ENACTED, at)
        agreement = Agreement(agreement_id, (LocalText("en", name),), regions, purposes, (period,))
        return _with_agreements(draft, (*draft.scheme.agreements, agreement))
    if (set(regions), set(purposes)) != (set(held.regions), set(held.purposes)):
        raise DraftRefused("other regions or purposes need another agreement")
    return _with_agreement_period(draft, agreement_id, AgreementStatus.ENACTED, at)


def repeal_agreement(draft: Draft, agreement_id: str, at: datetime) -> Draft:
    """End an agreement from `at` on.

    Raises:
        DraftRefused: no such agreement, or not in force.
    """
    return _with_agreement_period(draft, agreement_id, AgreementStatus.REPEALED, at)


def _with_agreement_period(draft: Draft, agreement_id: str, status: AgreementStatus, at: datetime) -> Draft:
    held = next((agreement for agreement in draft.scheme.agreements if agreement.id == agreement_id), None)
    if held is None or held.periods[-1].status is status:
        raise DraftRefused(f"there is no agreement {agreement_id}, or it is {status.value} already")
    changed = replace(held, periods=(*held.periods, AgreementPeriod(status, at)))
    return _with_agreements(draft, tuple(changed if a.id == agreement_id else a for a in draft.scheme.agreements))


def _with_agreements(draft: Draft, agreements: tuple[Agreement, ...]) -> Draft:
    return replace(draft, scheme=replace(draft.scheme, agreements=agreements))

"""The founding scheme of the sandbox: four purposes, two agreements, and the listed services as drafts.

Owns:    `ServiceDraft`, and the first scheme and sections built from drafts. Leaves signing and publication to `operators`.
Rules:   all authorities, products and agreements are fictitious examples. Hong Kong-Guangdong and Guangdong-Macao are joined; Hong Kong
         and Macao have no agreement, so nothing is recognised between them (default deny).
Spec:    the method follows the Hong Kong-Guangdong mutual recognition of 2012 and the Guangdong-Macao framework of 2013 (facts §2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from trust_lists.certificates import certificate_key_hash
from trust_lists.founding import PURPOSES
from trust_lists.model import (
    Admission,
    Agreement,
    AgreementPeriod,
    AgreementStatus,
    CertificateType,
    LocalText,
    RegionList,
    Scheme,
    ServiceStatus,
    ServiceType,
    StatusPeriod,
    SupplyPoint,
    TrustService,
    TrustServiceProvider,
)
from trust_lists.publication import Draft
from trust_lists.vocabulary import Region

ALL_PURPOSES = tuple(purpose.name for purpose in PURPOSES)
_AGREEMENTS = (
    (
        "hk-gd",
        "Hong Kong-Guangdong mutual recognition (example)",
        (Region.HK, Region.GD),
        ("hk_government", "hk_private", "mainland"),
    ),
    ("gd-mo", "Guangdong-Macao mutual recognition (example)", (Region.GD, Region.MO), ("mainland", "mo_qualified")),
)
_OPERATORS = {
    Region.HK: "Scheme operator of Hong Kong (simulated)",
    Region.MO: "Scheme operator of Macao (simulated)",
    Region.GD: "Scheme operator of Guangdong (simulated)",
}


@dataclass(frozen=True, slots=True)
class ServiceDraft:
    """A service to be listed, before anybody has decided on it."""

    id: str
    """Lower-case letters, digits and hyphens; unique over the three regions."""
    region: Region
    name: str
    provider: str
    certificate: bytes
    """DER of the CA (or TSA) certificate whose key is the service's identity."""
    type: ServiceType = ServiceType.CA_QC
    certificate_type: str | None = None
    """Name of the product that takes part in recognition; None for a service that issues to nobody."""
    policy_oid_prefix: str | None = None
    purposes: tuple[str, ...] = ALL_PURPOSES
    supply_points: tuple[SupplyPoint, ...] = ()
    information_uri: str = "https://example.test/trust-list"
    definition_uri: str | None = None


def founding_draft(services: Sequence[ServiceDraft], since: datetime) -> Draft:
    """Return the first draft: everything in it admitted, granted and enacted since then."""
    scheme = Scheme(
        names=(LocalText("en", "Greater Bay Area three-region trust list (sandbox)"),),
        sequence_number=1,
        issued=since,
        next_update=since,
        purposes=PURPOSES,
        agreements=tuple(
            Agreement(
                name, (LocalText("en", title),), regions, purposes, (AgreementPeriod(AgreementStatus.ENACTED, since),)
            )
            for name, title, regions, purposes in _AGREEMENTS
        ),
        admissions=tuple(_admission(draft, since) for draft in services),
    )
    sections = {region: _section(region, services, since) for region in Region}
    return Draft(scheme, MappingProxyType(sections))


def _section(region: Region, services: Sequence[ServiceDraft], since: datetime) -> RegionList:
    own = [draft for draft in services if draft.region is region]
    providers = dict.fromkeys((draft.provider, draft.information_uri) for draft in own)
    return RegionList(
        region=region,
        operator_names=(LocalText("en", _OPERATORS[region]),),
        sequence_number=1,
        issued=since,
        next_update=since,
        providers=tuple(
            TrustServiceProvider(
                names=(LocalText("en", name),),
                information_uri=uri,
                services=tuple(
                    _service(draft, since) for draft in own if (draft.provider, draft.information_uri) == (name, uri)
                ),
            )
            for name, uri in providers
        ),
    )


def _service(draft: ServiceDraft, since: datetime) -> TrustService:
    return TrustService(
        id=draft.id,
        region=draft.region,
        provider=draft.provider,
        type=draft.type,
        names=(LocalText("en", draft.name),),
        certificates=(draft.certificate,),
        key_sha256=certificate_key_hash(draft.certificate),
        periods=(StatusPeriod(ServiceStatus.GRANTED, since),),
        supply_points=draft.supply_points,
        definition_uri=draft.definition_uri,
    )


def _admission(draft: ServiceDraft, since: datetime) -> Admission:
    types: tuple[CertificateType, ...] = ()
    if draft.certificate_type is not None and draft.policy_oid_prefix is not None:
        types = (CertificateType(draft.certificate_type, draft.policy_oid_prefix, draft.purposes, since),)
    return Admission(draft.region, draft.id, certificate_key_hash(draft.certificate), since, None, types)

"""Which trust services of the sandbox PKI the three operators list, as drafts for the first publication.

Owns:    names and identifiers of the listed services. Leaves certificates to `pki`, the ceremony to `operators`.
Rules:   the service id is the authority's id; everything is fictitious.
"""

from sandbox.operators_scheme import ServiceDraft
from sandbox.pki import Authority, SandboxPki
from trust_lists.model import ServiceType, SupplyPoint

PROVIDERS = {
    "hk-rsa": "Sandbox Post (Hong Kong)",
    "mo-p256": "Sandbox Sign (Macao)",
    "gd-rsa": "Sandbox Certificate Authority (Guangdong)",
    "gd-sm2": "Sandbox Certificate Authority (Guangdong)",
    "tsa": "Sandbox Time-Stamping (Hong Kong)",
}
TYPES = {"tsa": ServiceType.TSA}
PREFIXES = {
    "hk-rsa": "2.16.344.8.2.2008.810.2",
    "mo-p256": "2.999.446",
    "gd-rsa": "2.999.156",
    "gd-sm2": "2.999.156",
}


def service_drafts(pki: SandboxPki) -> list[ServiceDraft]:
    """Return one draft per authority: four CAs, and the time-stamping service under its own CA."""
    return [_draft(authority) for authority in pki.authorities.values()]


def _draft(authority: Authority) -> ServiceDraft:
    return ServiceDraft(
        id=authority.id,
        region=authority.region,
        name=authority.certificate_type_name,
        provider=PROVIDERS[authority.id],
        certificate=authority.certificate,
        type=TYPES.get(authority.id, ServiceType.CA_QC),
        certificate_type=authority.certificate_type_name if authority.id in PREFIXES else None,
        policy_oid_prefix=PREFIXES.get(authority.id),
        supply_points=(SupplyPoint("crl", authority.urls.crl), SupplyPoint("ocsp", authority.urls.ocsp)),
    )

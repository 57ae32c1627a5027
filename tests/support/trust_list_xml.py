"""Signed XML exports of a list for the tests."""

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.support.trust_lists import START, Offices
from trust_lists.drafting import NewService, add_service
from trust_lists.model import CertificateType, ServiceStatus, ServiceType, SupplyPoint
from trust_lists.vocabulary import Region
from trust_lists.xml_publication import export_all
from trust_lists.xml_signature import XmlSigner, self_made

BASE = "https://lists.example.test/trust-list"


def signer(name: str = "HK", kind: str = "p256") -> XmlSigner:
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "p256" else rsa.generate_private_key(65537, 2048)
    return self_made(key, f"Scheme operator of {name}", name[:2], START)


SIGNERS = {region: signer(region.territory[:2]) for region in Region}
LISTS_SIGNER = signer("XX", "rsa")


def rich_offices() -> Offices:
    """A list with everything that a section can say: history, supply points, a practice statement, several languages."""
    from tests.support.trust_lists import HK_PREFIX, authority

    offices = Offices()
    kind = CertificateType("Second", HK_PREFIX, ("mainland",), offices.clock())
    new = NewService(
        "hk-two", Region.HK, "HK Post", "二號 & <CA>", ServiceType.CA_PKC, authority("HK second CA", "rsa").certificate, (kind,),
        (SupplyPoint("ocsp", "http://example.test/ocsp?a=1&b=2"), SupplyPoint("ldap", "ldap://example.test/cn=x")),
        "https://example.test/cps",
    )  # fmt: skip
    offices.publish(add_service(offices.draft(), new, offices.clock()))
    for status in (ServiceStatus.SUSPENDED, ServiceStatus.GRANTED, ServiceStatus.WITHDRAWN):
        offices.set_status("hk-rsa", status)
    return offices


def exports(offices: Offices) -> dict[str, bytes]:
    return export_all(offices.published.snapshot, SIGNERS, LISTS_SIGNER, BASE, offices.clock())

"""What kinds of certificate the sandbox CAs issue, and to whom.

Owns:    `Subject`, `CertificateProfile`, the policy OIDs. Leaves encoding to `certificates`.
Spec:    ETSI EN 319 412-2 cl. 4.3.2 (key usage of signing certificates), RFC 3161 sec. 2.3 (critical timeStamping usage)
"""

import hashlib
from dataclasses import dataclass

from asn1crypto import x509

from sandbox.personas import Persona
from trust_lists.vocabulary import Region

# The real Hong Kong-Guangdong mutual recognition arc is 2.16.344.8.2.2008.810.2.<year>.<version>.<release>.
HK_POLICY_OID = "2.16.344.8.2.2008.810.2.2018.1.1"
# Fictitious, under the ITU-T example arc: no Macao or Guangdong mutual recognition OID is published.
MO_POLICY_OID = "2.999.446.1.1"
GD_POLICY_OID = "2.999.156.1.1"
TSA_POLICY_OID = "2.999.344.1.1"


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a certificate is for."""

    common_name: str
    country: str
    serial_number: str | None = None
    organisation: str | None = None

    @classmethod
    def of(cls, persona: Persona) -> "Subject":
        """The subject of a persona: the name, and a subscriber number that is no document number."""
        subscriber = hashlib.sha256(persona.id.encode()).hexdigest()[:10].upper()
        country = {Region.HK: "HK", Region.MO: "MO", Region.GD: "CN"}[persona.region]
        return cls(persona.name_latin, country, f"SRN{subscriber}", persona.organisation)

    def name(self) -> x509.Name:
        """The distinguished name, country first, UTF-8."""
        parts = [("country_name", self.country)]
        if self.organisation:
            parts.append(("organization_name", self.organisation))
        parts.append(("common_name", self.common_name))
        if self.serial_number:
            parts.append(("serial_number", self.serial_number))
        return x509.Name.build(dict(parts), use_printable=False)


@dataclass(frozen=True, slots=True)
class CertificateProfile:
    """Key usage and extended key usage of one kind of end-entity certificate."""

    key_usage: frozenset[str]
    extended_key_usage: tuple[str, ...] = ()
    extended_key_usage_critical: bool = False
    no_revocation_check: bool = False
    """Carries id-pkix-ocsp-nocheck (RFC 6960 sec. 4.2.2.2.1)."""


SIGNER = CertificateProfile(frozenset({"digital_signature", "non_repudiation"}))
TLS_SERVER = CertificateProfile(frozenset({"digital_signature", "key_encipherment"}), ("server_auth",))
OCSP_RESPONDER = CertificateProfile(frozenset({"digital_signature"}), ("ocsp_signing",), no_revocation_check=True)
TIME_STAMPING = CertificateProfile(
    frozenset({"digital_signature", "non_repudiation"}), ("time_stamping",), extended_key_usage_critical=True
)

"""Validation policies as data.

Owns:    the constraints that may differ, each named and cited; `DEFAULT`, `STRICT`, `POLICIES`. Leaves applying them to the rules.
Spec:    ETSI EN 319 102-1 cl. 5.1.4 (validation constraints), TS 119 172-1 annex A (their kinds)
"""

from dataclasses import dataclass
from datetime import timedelta

from trust_lists.vocabulary import Region

_DOCUMENT_SIGNING = "1.3.6.1.5.5.7.3.36"  # RFC 9336
_ADOBE_DOCUMENT_SIGNING = "1.2.840.113583.1.1.5"
_MICROSOFT_DOCUMENT_SIGNING = "1.3.6.1.4.1.311.10.3.12"
_EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4"
_CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
_ANY = "2.5.29.37.0"


@dataclass(frozen=True, slots=True)
class Policy:
    """What a signature must satisfy.

    Attributes:
        name: cited in reports.
        key_usages: the signer's keyUsage must have one of these (EN 319 412-2 cl. 4.3.2).
        extended_key_usages: where the signer has the extension, it must have one of these.
        requires_signing_certificate_attribute: ESS, mandatory in PAdES baseline (EN 319 142-1 table 1); without it,
            format PKCS7 stays INDETERMINATE.
        max_revocation_age: revocation data may be older than the best-signature-time by this much (EN 319 102-1 cl. 5.2.5).
        accepts_next_update: or its own next update may lie after the best-signature-time.
        allows_declared_form_filling: fields may be filled later where the signature itself says so (DocMDP 2 or 3, FieldMDP).
        suitability_region: whose table of algorithms applies; a listed service's own region comes first.
    """

    name: str
    key_usages: frozenset[str] = frozenset({"non_repudiation", "digital_signature"})
    extended_key_usages: frozenset[str] = frozenset(
        {_DOCUMENT_SIGNING, _ADOBE_DOCUMENT_SIGNING, _MICROSOFT_DOCUMENT_SIGNING, _EMAIL_PROTECTION, _CLIENT_AUTH, _ANY}
    )
    requires_signing_certificate_attribute: bool = True
    max_revocation_age: timedelta = timedelta(hours=24)
    accepts_next_update: bool = True
    allows_declared_form_filling: bool = True
    suitability_region: Region = Region.HK


DEFAULT = Policy("default")
STRICT = Policy(
    "strict",
    key_usages=frozenset({"non_repudiation"}),
    extended_key_usages=frozenset({_DOCUMENT_SIGNING, _ADOBE_DOCUMENT_SIGNING, _MICROSOFT_DOCUMENT_SIGNING, _ANY}),
    max_revocation_age=timedelta(0),
    accepts_next_update=False,
    allows_declared_form_filling=False,
)
POLICIES = {policy.name: policy for policy in (DEFAULT, STRICT)}

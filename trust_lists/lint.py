"""What is wrong with a draft before anybody signs it: our TS 119 614.

Owns:    findings about a draft and its roster. Leaves the gate's rules to `acceptance`; those between versions come from `history`.
Rules:   an error stops signing, a warning does not. Each finding names its subject and says what to do.
Spec:    after ETSI TS 119 614-1 (conformance of trusted lists), as far as it concerns content.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from asn1crypto import x509

from trust_lists.algorithms import check_suitable, key_kind
from trust_lists.certificates import parse_certificate, public_key_info
from trust_lists.errors import CertificateMalformed, TrustListRefused
from trust_lists.history import check_scheme_continues, check_section_continues
from trust_lists.model import RegionList, TrustService
from trust_lists.publication import Draft
from trust_lists.repository import Roster
from trust_lists.vocabulary import Region

EXPIRY_WARNING = timedelta(days=90)
_MIN_PREFIX_ARCS = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that lint has to say."""

    severity: str
    """`error` or `warning`."""
    code: str
    subject: str
    text: str


def lint(published: Draft | None, draft: Draft, roster: Roster, at: datetime) -> tuple[Finding, ...]:
    """Return all findings, errors first."""
    findings = [*_roster_findings(roster), *_history_findings(published, draft), *_scheme_findings(draft, at)]
    for section in draft.sections.values():
        for service in section.services:
            findings += _service_findings(section, service, draft, at)
        findings += [
            Finding(
                "error", "empty_provider", provider.names[0].value, "a provider without services: add its service first"
            )
            for provider in section.providers
            if not provider.services
        ]
    return tuple(sorted(findings, key=lambda finding: finding.severity))


def _roster_findings(roster: Roster) -> Iterator[Finding]:
    publics = [officer.key.keyval["public"] for officer in roster.officers] + [roster.online.keyval["public"]]
    if len(set(publics)) != len(publics):
        yield Finding(
            "error", "key_reuse", "roster", "one key is held twice: every officer and the online role need their own"
        )
    for region in Region:
        officers, threshold = len(roster.keys_of(region)), roster.section_thresholds.get(region, 1)
        if officers < threshold:
            text = f"{officers} officers cannot meet the threshold {threshold}: add an officer"
            yield Finding("error", "threshold_unreachable", region.value, text)


def _history_findings(published: Draft | None, draft: Draft) -> Iterator[Finding]:
    if published is None:
        return
    scheme = replace(draft.scheme, sequence_number=published.scheme.sequence_number + 1)
    try:
        check_scheme_continues(published.scheme, scheme)
    except TrustListRefused as error:
        yield Finding("error", error.code, "scheme", str(error))
    for region, section in draft.sections.items():
        held = published.sections[region]
        try:
            check_section_continues(held, replace(section, sequence_number=held.sequence_number + 1))
        except TrustListRefused as error:
            yield Finding("error", error.code, region.value, str(error))


def _scheme_findings(draft: Draft, at: datetime) -> Iterator[Finding]:
    listed = {service.id for section in draft.sections.values() for service in section.services}
    for admission in draft.scheme.admissions:
        if admission.service_id not in listed:
            yield Finding(
                "warning", "orphan_admission", admission.service_id, "admitted, but its region does not list it"
            )
        for kind in admission.certificate_types:
            if kind.policy_oid_prefix.count(".") + 1 < _MIN_PREFIX_ARCS:
                text = f"the prefix {kind.policy_oid_prefix} would cover everybody's policies: use a longer one"
                yield Finding("error", "policy_prefix_too_short", admission.service_id, text)
            if not kind.purposes:
                yield Finding(
                    "warning", "no_purpose", admission.service_id, f"the type {kind.name} is admitted for no purpose"
                )
    starts = [period.starting_time for agreement in draft.scheme.agreements for period in agreement.periods]
    starts += [admission.since for admission in draft.scheme.admissions]
    if any(start > at for start in starts):
        yield Finding(
            "error", "starts_in_future", "scheme", "an agreement or admission starts in the future: publish it then"
        )


def _service_findings(section: RegionList, service: TrustService, draft: Draft, at: datetime) -> Iterator[Finding]:
    admission = next((entry for entry in draft.scheme.admissions if entry.service_id == service.id), None)
    if admission is None:
        yield Finding(
            "warning", "not_admitted", service.id, "listed, but the scheme does not admit it: it counts for nothing"
        )
    elif service.type.is_ca and not admission.certificate_types:
        yield Finding(
            "warning",
            "no_certificate_type",
            service.id,
            "a CA without certificate types: none of its certificates counts",
        )
    if service.periods[-1].starting_time > at:
        yield Finding("error", "starts_in_future", service.id, "its status starts in the future: publish it then")
    if service.type.is_ca and not any(point.kind in ("ocsp", "crl", "ldap") for point in service.supply_points):
        yield Finding("warning", "no_revocation_source", service.id, "no OCSP, CRL or LDAP supply point is named")
    for certificate in service.certificates:
        yield from _certificate_findings(section.region, service, certificate, at)


def _certificate_findings(region: Region, service: TrustService, certificate: bytes, at: datetime) -> Iterator[Finding]:
    try:
        facts = parse_certificate(certificate)
        check_suitable(key_kind(public_key_info(certificate)), region, at, digest=facts.digest)
    except CertificateMalformed as error:
        yield Finding("error", error.code, service.id, "its certificate cannot be read in full")
        return
    except TrustListRefused as error:
        yield Finding("error", error.code, service.id, f"its key or certificate is too weak: {error}")
    if service.type.is_ca and not facts.is_ca:
        yield Finding("error", "not_a_ca", service.id, "its certificate is not a CA certificate")
    expiry = x509.Certificate.load(certificate).not_valid_after
    if expiry <= at:
        yield Finding("warning", "certificate_expired", service.id, f"its certificate expired on {expiry:%Y-%m-%d}")
    elif expiry - at < EXPIRY_WARNING:
        yield Finding(
            "warning", "certificate_expires_soon", service.id, f"its certificate expires on {expiry:%Y-%m-%d}"
        )


def errors_of(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return those that stop signing."""
    return tuple(finding for finding in findings if finding.severity == "error")

"""Acceptance of a signed trust list: the only way bytes from outside become a `Snapshot`.

Owns:    the order of the rules, and the rules of content. Leaves download to `client`, disk to `store`, envelope rules to `envelope`,
         rules between versions to `history`.
Rules:   1 bounded: every part is there and within its size                               list_malformed
         2 the reader's clock does not run backwards                                      list_clock
         3 TUF's workflow: signatures by threshold, versions, hashes, expiry              list_threshold_not_met, list_rollback,
           and joint roles signed by two regions                                          list_expired, list_frozen, list_mixed, …
           and the log: this snapshot is in it, witnessed, and it was only appended to    list_not_logged, list_not_witnessed,
                                                                                          list_log_inconsistent
         4 the documents are of the published form                                        list_malformed
         5 each section is its own region's, issued in the past, due in the future        list_region_overreach, list_clock, list_expired
         6 no region lists what the scheme admitted for another, or under another key     list_region_overreach
         7 history is continued                                                           list_history_rewritten, list_status_backdated
         8 only what is admitted *and* listed by its own region counts
Spec:    ETSI TS 119 612 cl. 5.3, 5.5, TS 119 615 cl. 4; rollback, freeze and mix-and-match as the TUF specification names them.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from trust_lists.bundle import SCHEME_PATH, ListBundle, check_sizes, section_path
from trust_lists.document import ParsedSection, parse_section
from trust_lists.envelope import VerifiedEnvelope, last_valid_moment, verify_envelope
from trust_lists.errors import ListClock, ListExpired, ListRegionOverreach
from trust_lists.history import check_scheme_continues, check_section_continues
from trust_lists.model import Admission, RegionList, Scheme, TrustService
from trust_lists.scheme_document import ParsedScheme, parse_scheme_lines
from trust_lists.snapshot import Snapshot
from trust_lists.vocabulary import Region

MAX_CLOCK_SKEW = timedelta(minutes=5)
"""How far the clocks of publisher and reader may differ."""


def accept(
    bundle: ListBundle, trusted_root: bytes, previous: Snapshot | None, at: datetime, *, without_log: bool = False
) -> Snapshot:
    """Return the list that these bytes are, or refuse them.

    Args:
        bundle: one published version, as found.
        trusted_root: root metadata that the reader trusts already (pinned, or the last accepted one).
        previous: what this reader accepted before, None at the very first time.
        at: the present, in UTC.
        without_log: see `envelope.verify_envelope`.

    Raises:
        TrustListRefused: see the rules above for the codes.
    """
    check_sizes(bundle)  # 1
    _check_clock(previous, at)  # 2
    held = previous.envelope if previous else None
    envelope = verify_envelope(bundle, trusted_root, held, at, without_log=without_log)  # 3
    parsed = _parse_documents(envelope, previous)  # 4
    scheme, sections = parsed.scheme, parsed.sections
    _check_dates(scheme, at)  # 5
    for region, section in sections.items():
        _check_dates(section, at)
        if previous is None or section is not previous.sections[region]:
            _check_section(region, section)
    if previous is None or scheme is not previous.scheme:
        _check_scheme_dates(scheme)
    _check_reach(scheme, sections)  # 6
    if previous is not None:  # 7
        check_scheme_continues(previous.scheme, scheme)
        for region, section in sections.items():
            check_section_continues(previous.sections[region], section)
    return _build(envelope, parsed, previous, at)  # 8


def accept_again(bundle: ListBundle, trusted_root: bytes, at: datetime, *, without_log: bool = False) -> Snapshot:
    """Return the list of a copy that was accepted before, also when it has expired since.

    It is judged at the last moment at which it was valid. What comes out is the floor for the next version, and tells by its own dates
    that it may no longer be used; nobody takes a list from outside this way.

    Raises:
        TrustListRefused: as `accept`.
    """
    check_sizes(bundle)
    return accept(bundle, trusted_root, None, last_valid_moment(bundle, trusted_root, at), without_log=without_log)


def _check_clock(previous: Snapshot | None, at: datetime) -> None:
    """A clock set back would bring expired lists to life again."""
    if previous is not None and at < previous.accepted_at - MAX_CLOCK_SKEW:
        raise ListClock("the clock of this reader was set back")


@dataclass(frozen=True, slots=True)
class _Parsed:
    """The four documents, and their entries by the hash of their line."""

    scheme: Scheme
    sections: dict[Region, RegionList]
    known_admissions: Mapping[bytes, Admission]
    known_services: Mapping[Region, Mapping[bytes, TrustService]]


def _parse_documents(envelope: VerifiedEnvelope, previous: Snapshot | None) -> _Parsed:
    """Parse the four documents; what this reader has accepted before, whole or line by line, is not parsed again."""
    documents, held = envelope.documents, previous.document_hashes if previous else {}

    def same(path: str) -> bool:
        return held.get(path) == envelope.hashes[path]

    if previous is not None and same(SCHEME_PATH):
        parsed_scheme = ParsedScheme(previous.scheme, previous.known_admissions)
    else:
        parsed_scheme = parse_scheme_lines(documents[SCHEME_PATH], previous.known_admissions if previous else {})
    sections: dict[Region, ParsedSection] = {}
    for region in Region:
        path = section_path(region)
        if previous is not None and same(path):
            sections[region] = ParsedSection(previous.sections[region], previous.known_services[region])
        else:
            sections[region] = parse_section(documents[path], previous.known_services[region] if previous else {})
    return _Parsed(
        parsed_scheme.scheme,
        {region: parsed.section for region, parsed in sections.items()},
        parsed_scheme.known,
        {region: parsed.known for region, parsed in sections.items()},
    )


def _check_section(region: Region, section: RegionList) -> None:
    if section.region is not region:
        raise ListRegionOverreach(f"the section of {region.value} is written for another territory")
    latest = max((service.periods[-1].starting_time for service in section.services), default=section.issued)
    if latest > section.issued:
        raise ListClock("a status starts after its list was issued")


def _check_dates(document: RegionList | Scheme, at: datetime) -> None:
    if document.issued > at + MAX_CLOCK_SKEW:
        raise ListClock("a document of the list is issued in the future of this reader")
    if document.next_update <= at:
        raise ListExpired("a document of the list is past its next update")


def _check_scheme_dates(scheme: Scheme) -> None:
    starts = [period.starting_time for agreement in scheme.agreements for period in agreement.periods]
    starts += [admission.since for admission in scheme.admissions]
    starts += [kind.since for admission in scheme.admissions for kind in admission.certificate_types]
    if any(start > scheme.issued for start in starts):
        raise ListClock("an agreement or admission starts after the scheme was issued")


def _check_reach(scheme: Scheme, sections: Mapping[Region, RegionList]) -> None:
    """A key or identifier admitted for one region may stand in no other's section, nor an identifier over another key."""
    region_of_key = {admission.key_sha256: admission.region for admission in scheme.admissions}
    admission_of = {admission.service_id: admission for admission in scheme.admissions}
    for region, section in sections.items():
        for service in section.services:
            if region_of_key.setdefault(service.key_sha256, region) is not region:
                raise ListRegionOverreach(f"{region.value} lists the key of {service.id}, which is another region's")
            admission = admission_of.get(service.id)
            if admission is not None and (admission.region, admission.key_sha256) != (region, service.key_sha256):
                raise ListRegionOverreach(f"{region.value} lists {service.id} otherwise than the scheme admitted it")


def _build(envelope: VerifiedEnvelope, parsed: _Parsed, previous: Snapshot | None, at: datetime) -> Snapshot:
    admissions = {(entry.region, entry.service_id): entry for entry in parsed.scheme.admissions}
    before = previous.by_key if previous else {}
    services: list[TrustService] = []
    pending: list[TrustService] = []
    for region, section in parsed.sections.items():
        for service in section.services:
            admission = admissions.get((region, service.id))
            if admission is None:
                pending.append(service)
                continue
            held = before.get(service.key_sha256)
            if held is None or held.periods is not service.periods or held.admission is not admission:
                held = replace(service, admission=admission)  # else it is the same service, as it was built before
            services.append(held)
    documents: list[RegionList | Scheme] = [parsed.scheme, *parsed.sections.values()]
    return Snapshot(
        version=envelope.version,
        sha256=hashlib.sha256(envelope.accepted.snapshot).hexdigest(),
        issued=max(document.issued for document in documents),
        next_update=min(envelope.next_update, *(document.next_update for document in documents)),
        fresh_until=envelope.fresh_until,
        accepted_at=at,
        scheme=parsed.scheme,
        sections=MappingProxyType(parsed.sections),
        services=tuple(services),
        pending=tuple(pending),
        document_hashes=MappingProxyType(dict(envelope.hashes)),
        envelope=envelope.accepted,
        by_key=MappingProxyType({service.key_sha256: service for service in services}),
        known_admissions=parsed.known_admissions,
        known_services=parsed.known_services,
    )

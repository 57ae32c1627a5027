"""Attacks on what the list says, well signed by whoever may sign it: history, dates, reach, size."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from sandbox.operators_scheme import founding_draft
from tests.support.trust_lists import HK_PREFIX, Offices, authority, drafts, refusal
from trust_lists.bundle import MAX_TIMESTAMP_BYTES
from trust_lists.certificates import certificate_key_hash
from trust_lists.document_writing import write_region_list
from trust_lists.drafting import enact_agreement, end_admission, repeal_agreement
from trust_lists.model import Admission, CertificateType, ServiceStatus, StatusPeriod, TrustService
from trust_lists.publication import Draft, Staged
from trust_lists.repository import add_signature, build_section, write_unsigned
from trust_lists.vocabulary import Region

HK, MO, GD = Region


@pytest.fixture
def offices() -> Offices:
    made = Offices()
    made.set_status("hk-rsa", ServiceStatus.SUSPENDED)
    return made


def put(offices: Offices, draft: Draft, *, reader: bool = True) -> str:
    """The code by which a reader that has the current version refuses the draft, signed by everybody as the next one."""
    bundle = offices.bundle(offices.staged(draft))
    return refusal(offices.accept, bundle, offices.published if reader else None)


def edit(
    offices: Offices, service_id: str, change: Callable[[TrustService], TrustService | None], region: Region = HK
) -> Draft:
    return offices.sections(offices.draft(), region, lambda s: change(s) if s.id == service_id else s)


def test_history_rewritten(offices: Offices) -> None:
    draft = edit(offices, "hk-rsa", lambda s: replace(s, periods=s.periods[:1]))
    assert put(offices, draft) == "list_history_rewritten"


def test_past_status_changed(offices: Offices) -> None:
    first, *rest = offices.draft().sections[HK].services[0].periods
    moved = StatusPeriod(first.status, first.starting_time - timedelta(days=1))
    assert (
        put(offices, edit(offices, "hk-rsa", lambda s: replace(s, periods=(moved, *rest)))) == "list_history_rewritten"
    )


def test_entry_deleted_instead_of_ended(offices: Offices) -> None:
    assert put(offices, edit(offices, "hk-rsa", lambda _: None)) == "list_history_rewritten"


def test_status_back_dated(offices: Offices) -> None:
    """A withdrawal for an hour ago would take standing from signatures on which others have relied since."""
    offices.clock.forward(hours=1)
    offices.set_status("hk-tsa", ServiceStatus.SUSPENDED)
    half_an_hour_ago = StatusPeriod(ServiceStatus.WITHDRAWN, offices.clock.now - timedelta(minutes=30))
    draft = edit(offices, "hk-rsa", lambda s: replace(s, periods=(*s.periods, half_an_hour_ago)))
    assert put(offices, draft) == "list_status_backdated"
    now = StatusPeriod(ServiceStatus.WITHDRAWN, offices.clock())
    good = edit(offices, "hk-rsa", lambda s: replace(s, periods=(*s.periods, now)))
    assert offices.accept(offices.bundle(offices.staged(good)), offices.published).version == 4


def test_status_in_the_future(offices: Offices) -> None:
    period = StatusPeriod(ServiceStatus.GRANTED, offices.clock.now + timedelta(hours=1))
    assert put(offices, edit(offices, "hk-rsa", lambda s: replace(s, periods=(*s.periods, period)))) == "list_clock"


def test_two_statuses_in_one_instant(offices: Offices) -> None:
    at = offices.clock()
    periods = (StatusPeriod(ServiceStatus.GRANTED, at), StatusPeriod(ServiceStatus.WITHDRAWN, at))
    draft = edit(offices, "hk-rsa", lambda s: replace(s, periods=(*s.periods, *periods)))
    assert put(offices, draft, reader=False) == "list_malformed"


def test_same_name_other_certificate(offices: Offices) -> None:
    """Under the admitted identifier stands another key."""
    other = authority("HK CA, but another")
    swapped = edit(
        offices,
        "hk-rsa",
        lambda s: replace(s, certificates=(other.certificate,), key_sha256=certificate_key_hash(other.certificate)),
    )
    assert put(offices, swapped) == "list_region_overreach"
    assert put(offices, swapped, reader=False) == "list_region_overreach"


def test_region_lists_a_service_of_another(offices: Offices) -> None:
    """Hong Kong lists the key that was admitted for Macao."""
    foreign = replace(offices.draft().sections[MO].services[0], id="hk-new", region=HK)
    section = offices.draft().sections[HK]
    provider = replace(section.providers[0], services=(*section.providers[0].services, foreign))
    draft = offices.draft().with_section(replace(section, providers=(provider, *section.providers[1:])))
    assert put(offices, draft) == "list_region_overreach"


def hand_made(offices: Offices, document: bytes) -> Staged:
    """Hong Kong signs whatever these bytes are as its section."""
    at = offices.clock()
    metadata = write_unsigned(build_section(HK, document, 3, at + timedelta(days=9)))
    return Staged({"hk": add_signature(metadata, offices.signers[HK])}, {"hk/list.json": document})


def test_section_written_for_another_territory(offices: Offices) -> None:
    document = write_region_list(replace(offices.draft().sections[MO], issued=offices.clock(), sequence_number=9))
    assert refusal(offices.accept, offices.bundle(hand_made(offices, document))) == "list_region_overreach"


def test_unadmitted_service_counts_for_nothing(offices: Offices) -> None:
    """A region alone may list what it likes; it does not count until two regions admit it."""
    other = authority("HK second CA")
    section = offices.draft().sections[HK]
    new = replace(
        section.services[0],
        id="hk-new",
        certificates=(other.certificate,),
        key_sha256=certificate_key_hash(other.certificate),
        periods=(StatusPeriod(ServiceStatus.GRANTED, offices.clock()),),
    )
    provider = replace(section.providers[0], services=(*section.providers[0].services, new))
    snapshot = offices.publish(offices.draft().with_section(replace(section, providers=(provider,)))).snapshot
    assert snapshot.service_for(other.certificate) is None
    assert [service.id for service in snapshot.pending] == ["hk-new"]
    admission = Admission(HK, "hk-new", new.key_sha256, offices.clock())
    scheme = replace(offices.draft().scheme, admissions=(*offices.draft().scheme.admissions, admission))
    snapshot = offices.publish(replace(offices.draft(), scheme=scheme)).snapshot
    assert snapshot.service_for(other.certificate).id == "hk-new"


def _with_admission(offices: Offices, change: Callable[[Admission], Admission | None]) -> Draft:
    scheme = offices.draft().scheme
    kept = tuple(
        new for entry in scheme.admissions if (new := change(entry) if entry.service_id == "hk-rsa" else entry)
    )
    return replace(offices.draft(), scheme=replace(scheme, admissions=kept))


def test_product_widened_afterwards(offices: Offices) -> None:
    """A shorter prefix would make yesterday's unrecognised certificates recognised."""

    def widen(entry: Admission) -> Admission:
        return replace(entry, certificate_types=(replace(entry.certificate_types[0], policy_oid_prefix="2.16.344"),))

    assert put(offices, _with_admission(offices, widen)) == "list_history_rewritten"
    assert (
        put(offices, _with_admission(offices, lambda e: replace(e, certificate_types=()))) == "list_history_rewritten"
    )


def test_product_admitted_for_the_past(offices: Offices) -> None:
    def add(since: object) -> Draft:
        kind = CertificateType("another", HK_PREFIX, ("mainland",), since)
        return _with_admission(offices, lambda e: replace(e, certificate_types=(*e.certificate_types, kind)))

    past = offices.published.snapshot.scheme.issued - timedelta(minutes=1)
    assert put(offices, add(past)) == "list_status_backdated"
    assert offices.accept(offices.bundle(offices.staged(add(offices.clock()))), offices.published).version == 3


def test_admission_removed_moved_or_reopened(offices: Offices) -> None:
    assert put(offices, _with_admission(offices, lambda _: None)) == "list_history_rewritten"
    moved = offices.published.snapshot.scheme.issued - timedelta(days=9)
    assert put(offices, _with_admission(offices, lambda e: replace(e, since=moved))) == "list_history_rewritten"
    ended_before = _with_admission(
        offices, lambda e: replace(e, until=offices.published.snapshot.scheme.issued - timedelta(seconds=1))
    )
    assert put(offices, ended_before) == "list_status_backdated"
    offices.publish(end_admission(offices.draft(), "hk-rsa", offices.clock()))
    assert put(offices, _with_admission(offices, lambda e: replace(e, until=None))) == "list_history_rewritten"


def test_agreement_changed_removed_or_back_dated(offices: Offices) -> None:
    scheme = offices.draft().scheme
    first, second = scheme.agreements
    for agreements in (
        (second,),
        (replace(first, purposes=("mainland",)), second),
        (replace(first, regions=(HK, MO)), second),
    ):
        draft = replace(offices.draft(), scheme=replace(scheme, agreements=agreements))
        assert put(offices, draft) == "list_history_rewritten"
    past = scheme.issued - timedelta(minutes=1)
    back_dated = enact_agreement(offices.draft(), "hk-mo", (HK, MO), ("mo_qualified",), "HK-MO", past)
    assert put(offices, back_dated) == "list_status_backdated"
    assert put(offices, repeal_agreement(offices.draft(), "hk-gd", past)) == "list_status_backdated"
    future = offices.clock.now + timedelta(hours=1)
    assert put(offices, repeal_agreement(offices.draft(), "hk-gd", future)) == "list_clock"


def test_purpose_removed(offices: Offices) -> None:
    scheme = offices.draft().scheme
    renamed = replace(scheme.purposes[0], region=MO)
    draft = replace(offices.draft(), scheme=replace(scheme, purposes=(renamed, *scheme.purposes[1:])))
    assert put(offices, draft) == "list_history_rewritten"


def test_issued_in_the_readers_future(offices: Offices) -> None:
    now = offices.clock.now
    at = now + timedelta(minutes=10)
    bundle = offices.bundle(offices.staged(repeal_agreement(offices.draft(), "hk-gd", now), at=at), at=at)
    assert refusal(offices.accept, bundle, offices.published, now) == "list_clock"


def test_one_key_for_two_services() -> None:
    first = drafts()[0]
    twin = replace(first, id="hk-twin")
    assert refusal(Offices, (first, twin)) == "list_malformed"


def test_oversized_parts(offices: Offices) -> None:
    bundle = offices.published.bundle
    huge = b"{" + b" " * MAX_TIMESTAMP_BYTES + b"}"
    assert refusal(offices.accept, replace(bundle, timestamp=huge)) == "list_malformed"
    assert refusal(offices.accept, replace(bundle, roots=(bundle.roles["hk"],) * 65)) == "list_malformed"
    assert refusal(offices.accept, replace(bundle, documents={})) == "list_malformed"
    assert refusal(offices.accept, replace(bundle, roles={**bundle.roles, "x": b""})) == "list_malformed"


@pytest.mark.parametrize(
    "junk", [b"", b"{}", b"[]", b"\xff", b'{"signed": 1, "signatures": 2}', b'{"a":' + b"[" * 8000 + b"]" * 8000 + b"}"]
)
def test_deeply_nested_and_nonsense_parts(offices: Offices, junk: bytes) -> None:
    bundle = offices.published.bundle
    for bad in (
        replace(bundle, timestamp=junk),
        replace(bundle, roots=(junk,)),
    ):
        assert refusal(offices.accept, bad) == "list_malformed"
    for name in ("targets", "hk"):
        assert refusal(offices.accept, replace(bundle, roles={**bundle.roles, name: junk})) == "list_mixed"


@pytest.mark.parametrize(
    "document", [b"{}", b"not json", b'{"ListAndSchemeInformation": {}, "TrustedEntitiesList": []}']
)
def test_nonsense_documents_that_are_well_signed(offices: Offices, document: bytes) -> None:
    assert refusal(offices.accept, offices.bundle(hand_made(offices, document))) == "list_malformed"


def test_founding_is_of_the_same_mould() -> None:
    """The founding draft itself passes the gate even without any service."""
    offices = Offices(())
    assert offices.published.snapshot.services == ()
    assert founding_draft((), offices.clock.now).scheme.admissions == ()

"""What a new version may not do to the one before it: history is only ever continued.

Owns:    the rules between two versions of a region's section and of the scheme. Leaves signatures to `envelope`.
Rules:   1 no service, agreement, purpose or admission disappears, and what identifies it stays
         2 past periods stay as they are; new ones follow, none of them starting before the previous version was issued
         3 an admission or a product may end, once, not in the past; it is never widened or reopened
         4 the sequence number rises exactly when the content changes
Spec:    ETSI TS 119 612 cl. 5.5.10, 5.6 (history), 5.3.2 (sequence number); the time rule is ours, so that nobody can withdraw a
         service, or grant one, for a day on which others have already relied on the list.
"""

from collections.abc import Sequence
from datetime import datetime

from trust_lists.errors import ListEquivocation, ListHistoryRewritten, ListRollback, ListStatusBackdated
from trust_lists.model import (
    Admission,
    Agreement,
    AgreementPeriod,
    CertificateType,
    RegionList,
    Scheme,
    StatusPeriod,
    TrustService,
)


def check_section_continues(previous: RegionList, new: RegionList) -> None:
    """Check that a region's new section continues its previous one.

    Raises:
        ListHistoryRewritten: an entry was changed or removed.
        ListStatusBackdated: a new status starts before the previous version was issued.
        ListRollback, ListEquivocation: the sequence number fell, or stayed while the content changed.
    """
    if new is previous:  # the very document that was accepted before
        return
    _check_sequence(previous, new)
    services = {service.id: service for service in new.services}
    for old in previous.services:
        service = services.get(old.id)
        if service is None:
            raise ListHistoryRewritten(f"the service {old.id} was removed instead of ended")
        if service is not old:
            _check_service_continues(old, service, previous.issued)


def _check_service_continues(old: TrustService, new: TrustService, since: datetime) -> None:
    same = (new.key_sha256, new.type) == (old.key_sha256, old.type) and set(old.certificates) <= set(new.certificates)
    if not same:
        raise ListHistoryRewritten(f"the identity or type of the service {old.id} was changed")
    _check_periods_continue(old.periods, new.periods, since, f"the service {old.id}")


def check_scheme_continues(previous: Scheme, new: Scheme) -> None:
    """Check that the new scheme continues the previous one. Raises as `check_section_continues`."""
    if new is previous:
        return
    _check_sequence(previous, new)
    if not {(p.name, p.region) for p in previous.purposes} <= {(p.name, p.region) for p in new.purposes}:
        raise ListHistoryRewritten("a purpose was removed or moved to another region")
    agreements = {agreement.id: agreement for agreement in new.agreements}
    for agreement in previous.agreements:
        _check_agreement_continues(agreement, agreements.pop(agreement.id, None), previous.issued)
    admissions = {(entry.region, entry.service_id): entry for entry in new.admissions}
    for entry in previous.admissions:
        found = admissions.pop((entry.region, entry.service_id), None)
        if found is not entry:
            _check_admission_continues(entry, found, previous.issued)
    starts = [period.starting_time for agreement in agreements.values() for period in agreement.periods]
    starts += [entry.since for entry in admissions.values()]
    starts += [kind.since for entry in admissions.values() for kind in entry.certificate_types]
    if any(start < previous.issued for start in starts):
        raise ListStatusBackdated("a new agreement or admission starts before the previous version was issued")


def _check_agreement_continues(old: Agreement, new: Agreement | None, since: datetime) -> None:
    if new is None:
        raise ListHistoryRewritten(f"the agreement {old.id} was removed instead of repealed")
    if (new.regions, new.purposes) != (old.regions, old.purposes):
        raise ListHistoryRewritten(f"the agreement {old.id} was changed; another agreement is needed")
    _check_periods_continue(old.periods, new.periods, since, f"the agreement {old.id}")


def _check_admission_continues(old: Admission, new: Admission | None, since: datetime) -> None:
    if new is None:
        raise ListHistoryRewritten(f"the admission of {old.service_id} was removed instead of ended")
    if (new.key_sha256, new.since) != (old.key_sha256, old.since):
        raise ListHistoryRewritten(f"the admission of {old.service_id} was changed")
    _check_end(old.until, new.until, since, f"the admission of {old.service_id}")
    kinds = {kind.name: kind for kind in new.certificate_types}
    for kind in old.certificate_types:
        _check_product_continues(kind, kinds.pop(kind.name, None), since)
    if any(kind.since < since for kind in kinds.values()):
        raise ListStatusBackdated("a new certificate type is admitted before the previous version was issued")


def _check_product_continues(old: CertificateType, new: CertificateType | None, since: datetime) -> None:
    if new is None:
        raise ListHistoryRewritten(f"the certificate type {old.name} was removed instead of ended")
    terms = [(kind.policy_oid_prefix, kind.purposes, kind.key_usage, kind.since) for kind in (old, new)]
    if terms[0] != terms[1]:
        raise ListHistoryRewritten(f"the certificate type {old.name} was changed; another one is needed")
    _check_end(old.until, new.until, since, f"the certificate type {old.name}")


def _check_end(old: datetime | None, new: datetime | None, since: datetime, what: str) -> None:
    if old == new:
        return
    if old is not None or new is None:
        raise ListHistoryRewritten(f"the end of {what} was changed")
    if new < since:
        raise ListStatusBackdated(f"{what} ends before the previous version was issued")


def _check_periods_continue(
    old: Sequence[StatusPeriod | AgreementPeriod],
    new: Sequence[StatusPeriod | AgreementPeriod],
    since: datetime,
    what: str,
) -> None:
    if tuple(new[: len(old)]) != tuple(old):
        raise ListHistoryRewritten(f"the history of {what} was changed")
    if any(period.starting_time < since for period in new[len(old) :]):
        raise ListStatusBackdated(f"a new status of {what} starts before the previous version was issued")


def _check_sequence(previous: RegionList | Scheme, new: RegionList | Scheme) -> None:
    if new.sequence_number < previous.sequence_number or new.issued < previous.issued:
        raise ListRollback("a document of the list is older than the one that this reader has accepted")
    if new.sequence_number == previous.sequence_number and new != previous:
        raise ListEquivocation("a sequence number that this reader knows comes back with other content")

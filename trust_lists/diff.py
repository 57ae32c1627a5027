"""What a draft changes, in words that an officer can sign.

Owns:    the differences between the published version and a draft. Leaves judging them to `lint`.
Rules:   every difference of value shows: what this module does not name in particular, it names in general.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from trust_lists.model import RegionList, Scheme, TrustService
from trust_lists.publication import Draft


@dataclass(frozen=True, slots=True)
class Change:
    """One difference."""

    part: str
    """`scheme`, `hk`, `mo` or `gd`: whose signature it needs."""
    subject: str
    text: str


def diff(published: Draft | None, draft: Draft) -> tuple[Change, ...]:
    """Return all differences, joint ones first; everything counts as new when nothing is published."""
    changes = list(_scheme_changes(published.scheme if published else None, draft.scheme))
    for region, section in draft.sections.items():
        changes += _section_changes(published.sections[region] if published else None, section)
    return tuple(changes)


def _scheme_changes(old: Scheme | None, new: Scheme) -> Iterator[Change]:
    if old is None:
        yield Change("scheme", "scheme", "founded")
    elif (old.names, old.purposes) != (new.names, new.purposes):
        yield Change("scheme", "scheme", "name or purposes changed")
    agreements = {agreement.id: agreement for agreement in old.agreements} if old else {}
    for agreement in new.agreements:
        held = agreements.pop(agreement.id, None)
        if held != agreement:
            current = agreement.periods[-1]
            terms = f"{'-'.join(region.value for region in agreement.regions)}, {', '.join(agreement.purposes)}"
            yield Change(
                "scheme", agreement.id, f"agreement ({terms}) {current.status.value} from {current.starting_time}"
            )
    yield from (Change("scheme", name, "agreement REMOVED") for name in agreements)
    admissions = {admission.service_id: admission for admission in old.admissions} if old else {}
    for admission in new.admissions:
        known = admissions.pop(admission.service_id, None)
        if known != admission:
            ended = f", ended {admission.until}" if admission.until else ""
            types = ", ".join(f"{kind.name} [{kind.policy_oid_prefix}]" for kind in admission.certificate_types)
            verb = "admitted" if known is None else "admission changed:"
            yield Change(
                "scheme", admission.service_id, f"{verb} from {admission.since}{ended}; types: {types or 'none'}"
            )
    yield from (Change("scheme", name, "admission REMOVED") for name in admissions)


def _section_changes(old: RegionList | None, new: RegionList) -> Iterator[Change]:
    part = new.region.value
    if old is None:
        yield Change(part, part, "section founded")
    elif old.operator_names != new.operator_names:
        yield Change(part, part, "name of the scheme operator changed")
    services = {service.id: service for service in old.services} if old else {}
    for service in new.services:
        yield from _service_changes(part, services.pop(service.id, None), service)
    yield from (Change(part, name, "service REMOVED") for name in services)
    if old is not None and old.services == new.services and old.providers != new.providers:
        yield Change(part, part, "providers changed")


def _service_changes(part: str, old: TrustService | None, new: TrustService) -> Iterator[Change]:
    current = new.periods[-1]
    if old is None:
        yield Change(
            part, new.id, f"listed: {new.name} ({new.type.word}), {current.status.word} from {current.starting_time}"
        )
        return
    if old.periods != new.periods:
        kept = new.periods[: len(old.periods)] == old.periods
        note = "" if kept else "; HISTORY CHANGED"
        yield Change(part, new.id, f"{old.status.word} → {current.status.word} from {current.starting_time}{note}")
    if old.key_sha256 != new.key_sha256:
        yield Change(part, new.id, "KEY CHANGED")
    ours, theirs = ((s.names, s.type, s.certificates, s.supply_points, s.definition_uri) for s in (old, new))
    if ours != theirs:
        yield Change(part, new.id, "name, type, certificates or supply points changed")

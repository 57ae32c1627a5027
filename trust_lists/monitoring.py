"""What will go wrong with a list if nobody does anything: for cron.

Owns:    findings about an accepted list at a time. Leaves asking supply points to `supply_points`, printing to `cli_monitor`.
Rules:   pure. A finding names what is due, when, and who does what. `expired` is worse than `due`.
Spec:    ETSI TS 119 612 cl. 5.3.15 (next update), TS 119 614-1 (alerts); what the EC's list manager warns of (facts §3.1).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from asn1crypto import x509
from tuf.api.metadata import Metadata, Root, Snapshot, Timestamp  # type: ignore[attr-defined]  # its public names

from trust_lists.envelope import log_keys_of_bytes
from trust_lists.model import AgreementStatus
from trust_lists.snapshot import Snapshot as ListSnapshot
from trust_lists.transparency import REQUIRED_WITNESSES


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that somebody must do."""

    severity: str
    """`expired` or `due`; `unreachable` for a supply point that does not answer."""
    code: str
    subject: str
    due: datetime | None
    text: str

    def to_json(self) -> dict[str, str | None]:
        """Return it for programs."""
        due = self.due.isoformat() if self.due else None
        return {"severity": self.severity, "code": self.code, "subject": self.subject, "due": due, "text": self.text}


def alerts_of(snapshot: ListSnapshot, at: datetime, horizon: timedelta) -> tuple[Alert, ...]:
    """Return what has run out or runs out within the horizon, the most urgent first."""
    found = [*_envelope(snapshot, at, horizon), *_documents(snapshot, at, horizon), *_services(snapshot, at, horizon)]
    found += [*_admissions(snapshot, at, horizon), *_agreements(snapshot)]
    if not snapshot.services:
        found.append(
            Alert(
                "expired", "list_empty", "list", None, "the list names no admitted service: nothing can be recognised"
            )
        )
    return tuple(sorted(found, key=lambda alert: (alert.severity != "expired", alert.due or at)))


def _alert(code: str, subject: str, due: datetime, at: datetime, horizon: timedelta, text: str) -> Iterator[Alert]:
    if due <= at:
        yield Alert("expired", code, subject, due, text)
    elif due - at <= horizon:
        yield Alert("due", code, subject, due, text)


def _envelope(snapshot: ListSnapshot, at: datetime, horizon: timedelta) -> Iterator[Alert]:
    envelope = snapshot.envelope
    root = Metadata[Root].from_bytes(envelope.root).signed.expires
    sealed = Metadata[Snapshot].from_bytes(envelope.snapshot).signed.expires
    stamp = Metadata[Timestamp].from_bytes(envelope.timestamp).signed.expires
    yield from _alert("root_expires", "root", root, at, horizon, "two regions sign a new root (`trust-list sign`)")
    yield from _alert(
        "snapshot_expires", "snapshot", sealed, at, min(horizon, timedelta(days=10)), "`trust-list publish --renew`"
    )
    stale = "readers refuse the list: run `trust-list refresh-timestamp` now, and see why cron did not"
    yield from _alert("timestamp_stale", "timestamp", stamp, at, timedelta(hours=2), stale)
    logged = envelope.logged
    if logged is not None and REQUIRED_WITNESSES == len(logged.witnesses) < len(
        log_keys_of_bytes(envelope.root).witnesses
    ):
        text = f"only {', '.join(logged.witnesses)} witnessed the last version: one more silent region stops the next"
        yield Alert("due", "witness_silent", "log", None, text)


def _documents(snapshot: ListSnapshot, at: datetime, horizon: timedelta) -> Iterator[Alert]:
    text = "its officers sign it again (`trust-list sign`): a list lives six months at most"
    yield from _alert("list_expires", "scheme", snapshot.scheme.next_update, at, horizon, text)
    for region, section in snapshot.sections.items():
        yield from _alert("list_expires", region.value, section.next_update, at, horizon, text)


def _services(snapshot: ListSnapshot, at: datetime, horizon: timedelta) -> Iterator[Alert]:
    for service in snapshot.services:
        if not service.granted_at(at):
            continue
        last = max(x509.Certificate.load(certificate).not_valid_after for certificate in service.certificates)
        text = f"{service.name}: list its renewed certificate with the same key, or its successor"
        yield from _alert("certificate_expires", service.id, last, at, horizon, text)


def _admissions(snapshot: ListSnapshot, at: datetime, horizon: timedelta) -> Iterator[Alert]:
    for admission in snapshot.scheme.admissions:
        ends = [("admission_ends", admission.service_id, admission.until)]
        ends += [
            ("certificate_type_ends", f"{admission.service_id}: {k.name}", k.until) for k in admission.certificate_types
        ]
        for code, subject, until in ends:
            if until is not None and at < until:
                yield from _alert(code, subject, until, at, horizon, "two regions admit what follows it")


def _agreements(snapshot: ListSnapshot) -> Iterator[Alert]:
    """An agreement has no end of its own; one that was repealed and not enacted again leaves its purposes without any."""
    enacted = {
        p for a in snapshot.scheme.agreements if a.periods[-1].status is AgreementStatus.ENACTED for p in a.purposes
    }
    for agreement in snapshot.scheme.agreements:
        lost = sorted(set(agreement.purposes) - enacted)
        if agreement.periods[-1].status is AgreementStatus.REPEALED and lost:
            text = f"repealed, and no other agreement covers {', '.join(lost)}"
            yield Alert("due", "agreement_repealed", agreement.id, agreement.periods[-1].starting_time, text)

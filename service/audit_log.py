"""The audit log: what happened, in an order that nobody can change unnoticed.

Owns:    the entry's canonical form, its hash chain, signed checkpoints, verification. Leaves storage to `audit_store`.
Rules:   1 hash = SHA-256 over the canonical JSON of the entry without its hash; `prev` is the hash before it; the first is 64 zeros
         2 sequence numbers have no gap
         3 a checkpoint signs {seq, head}: it finds what a chain alone cannot, a tail that was cut off or a fork
         4 entries carry pseudonyms only, so that erasing a person leaves the chain whole
Spec:    RFC 8785 (canonical JSON; our values are strings, integers, booleans and null, for which sorted keys and no spaces are enough)
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from service.errors import AuditBroken
from trust_lists.audit_trail import AuditValue

GENESIS = "0" * 64
CHECKPOINT_TYPE = "gba-trust-audit-checkpoint+jws"
MAX_DETAIL_BYTES = 4096

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
_quote = json.encoder.encode_basestring
"""A string as JSON, by the same rule as `_encode`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as it stands in the log."""

    seq: int
    at_us: int
    """Unix time in microseconds."""
    event: str
    outcome: str
    correlation: str
    detail: Mapping[str, AuditValue]
    prev: str
    hash: str

    def as_json(self) -> dict[str, object]:
        """Return the exported form: every member that is hashed, and the hash."""
        return {
            "seq": self.seq,
            "at_us": self.at_us,
            "event": self.event,
            "outcome": self.outcome,
            "correlation": self.correlation,
            "detail": dict(self.detail),
            "prev": self.prev,
            "hash": self.hash,
            "at": _instant(self.at_us).isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log ends: last sequence number and hash."""

    seq: int
    hash: str


EMPTY = Head(0, GENESIS)


@dataclass(frozen=True, slots=True)
class Verified:
    """What a whole verification found: the head reached, and how many checkpoints hold it."""

    head: Head
    checkpoints: int


def link(
    head: Head, *, at: datetime, event: str, outcome: str, correlation: str, detail: Mapping[str, AuditValue]
) -> Entry:
    """Return the entry that follows `head`.

    Raises:
        ValueError: the detail is larger than an audit event may be.
    """
    at_us = microseconds(at)
    digest = entry_hash(head.seq + 1, at_us, event, outcome, correlation, canonical_detail(detail), head.hash)
    return Entry(head.seq + 1, at_us, event, outcome, correlation, dict(detail), head.hash, digest)


def canonical_detail(detail: Mapping[str, AuditValue]) -> str:
    """Return the canonical JSON of an event's detail.

    Raises:
        ValueError: it is larger than an audit event may be.
    """
    if not detail:
        return "{}"
    text = _encode(detail)
    if len(text) > MAX_DETAIL_BYTES or len(text.encode()) > MAX_DETAIL_BYTES:
        raise ValueError("audit detail too large")
    return text


def entry_hash(seq: int, at_us: int, event: str, outcome: str, correlation: str, detail: str, prev: str) -> str:
    """Return the hash of an entry whose detail is canonical JSON already: SHA-256 over the whole object's canonical JSON, in hex."""
    text = (
        f'{{"at_us":{at_us},"correlation":{_quote(correlation)},"detail":{detail},"event":{_quote(event)},'
        f'"outcome":{_quote(outcome)},"prev":{_quote(prev)},"seq":{seq}}}'
    )
    return hashlib.sha256(text.encode()).hexdigest()


def microseconds(at: datetime) -> int:
    """Return an instant as Unix time in microseconds."""
    return int(at.timestamp() * 1_000_000)


def verify_chain(entries: Iterable[Entry], *, after: Head = EMPTY) -> Iterable[Head]:
    """Yield the head after each entry, checking the chain as it goes.

    Raises:
        AuditBroken: naming the first entry that does not follow.
    """
    head = after
    for entry in entries:
        if entry.seq != head.seq + 1:
            raise AuditBroken(f"entry {entry.seq} does not follow entry {head.seq}")
        if entry.prev != head.hash:
            raise AuditBroken(f"entry {entry.seq} does not name the entry before it")
        detail = _encode(entry.detail)
        at = (entry.seq, entry.at_us, entry.event, entry.outcome, entry.correlation, detail, entry.prev)
        if entry_hash(*at) != entry.hash:
            raise AuditBroken(f"entry {entry.seq} was altered")
        head = Head(entry.seq, entry.hash)
        yield head


def sign_checkpoint(head: Head, key: ECKey, *, at: datetime) -> str:
    """Return the head, signed: a compact JWS (ES256) over {seq, head, time}."""
    payload = canonical({"seq": head.seq, "head": head.hash, "time": at.astimezone(UTC).isoformat()})
    return jws.serialize_compact({"alg": "ES256", "typ": CHECKPOINT_TYPE, "kid": key.kid}, payload, key)


def read_checkpoint(checkpoint: str, keys: KeySet) -> Head:
    """Return the head that a checkpoint signs.

    Raises:
        AuditBroken: not signed by one of our audit keys, or not a checkpoint.
    """
    try:
        signed = jws.deserialize_compact(checkpoint, keys, algorithms=["ES256"])
        if signed.headers().get("typ") != CHECKPOINT_TYPE:
            raise AuditBroken("a checkpoint is of another type")
        payload = json.loads(signed.payload)
        return Head(int(payload["seq"]), str(payload["head"]))
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise AuditBroken("a checkpoint is not signed by an audit key") from error


def verify_log(entries: Iterable[Entry], checkpoints: Iterable[Head]) -> Verified:
    """Verify the whole log against its checkpoints (already read by `read_checkpoint`).

    Raises:
        AuditBroken: the chain does not hold, a checkpoint lies beyond the end (the tail was cut), or names another hash (a fork).
    """
    wanted = {checkpoint.seq: checkpoint.hash for checkpoint in checkpoints}
    total = len(wanted)
    head = EMPTY
    for head in verify_chain(entries):
        expected = wanted.pop(head.seq, head.hash)
        if expected != head.hash:
            raise AuditBroken(f"entry {head.seq} is not the one that a checkpoint signed")
    wanted.pop(0, None)
    if wanted:
        raise AuditBroken(f"the log ends at entry {head.seq}, before entry {max(wanted)} that a checkpoint signed")
    return Verified(head, total)


def canonical(value: Mapping[str, object]) -> bytes:
    """Return the canonical JSON of a flat mapping of scalars (RFC 8785 for our value types)."""
    return _encode(value).encode()


def _instant(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC)

"""Evidence that a list says different things to different readers, in a form that anybody can check.

Owns:    finding it between two versions or two logs, writing it, and verifying it from a pinned root alone.
Leaves:  fetching to the doors, refusing to `acceptance`.
Rules:   evidence proves itself: two statements that only the holders of the online or log key could sign, and that cannot both be honest.
         Who verifies it needs nothing but the root.
Spec:    C2SP tlog-witness (split views); facts §3.3 ("equivocation evidence").
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from tuf.api.metadata import Metadata, Root, Snapshot  # type: ignore[attr-defined]  # its public names

from trust_lists.bundle import ListBundle, parse_snapshot_version
from trust_lists.checkpoint import parse_checkpoint, parse_note, verify_note
from trust_lists.envelope import log_keys_of
from trust_lists.errors import ListMalformed, ListNotLogged, SignatureInvalid, TrustListRefused
from trust_lists.merkle import HASH_BYTES, root_of
from trust_lists.snapshot import Snapshot as ListSnapshot
from trust_lists.strict_json import Json, members, parse_object, text, write_object
from trust_lists.transparency import parse_proof

MAX_EVIDENCE_BYTES = 8 * 1024 * 1024
TWO_SNAPSHOTS = "two_snapshots_of_one_version"
TWO_LOGS = "two_logs"
_FORM = frozenset({"kind", "root", "first", "second", "leaves"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two signed statements that contradict each other."""

    kind: str
    root: bytes
    """The root whose keys signed both."""
    first: bytes
    second: bytes
    """Two snapshots (`TWO_SNAPSHOTS`) or two checkpoints' notes (`TWO_LOGS`)."""
    leaves: tuple[bytes, ...] = ()
    """Leaf hashes of the longer log, where the two logs have different lengths."""

    def to_bytes(self) -> bytes:
        """Write it."""
        return write_object(
            {
                "kind": self.kind,
                "root": self.root.decode(),
                "first": self.first.decode(),
                "second": self.second.decode(),
                "leaves": [base64.b64encode(leaf).decode("ascii") for leaf in self.leaves],
            }
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """What evidence proves."""

    kind: str
    statement: str
    """One sentence for people."""


def parse_evidence(data: bytes) -> Evidence:
    """Read evidence; nothing of it is verified.

    Raises:
        ListMalformed: not evidence.
    """
    value: Json = members(parse_object(data, max_bytes=MAX_EVIDENCE_BYTES), "evidence", _FORM)
    if value["kind"] not in (TWO_SNAPSHOTS, TWO_LOGS) or not isinstance(value["leaves"], list):
        raise ListMalformed("evidence of an unknown kind")
    parts = [value[name].encode() if isinstance(value[name], str) else b"" for name in ("root", "first", "second")]
    try:
        leaves = tuple(base64.b64decode(text(leaf, "leaves"), validate=True) for leaf in value["leaves"])
    except ValueError as error:
        raise ListMalformed("the leaves are not base64") from error
    if any(len(leaf) != HASH_BYTES for leaf in leaves):
        raise ListMalformed("a leaf hash has another length")
    return Evidence(value["kind"], parts[0], parts[1], parts[2], leaves)


def verify_evidence(evidence: Evidence) -> Finding:
    """Return what the evidence proves against the keys of its root; whoever reads it compares that root with the pinned one.

    Raises:
        SignatureInvalid: a statement is not signed by the root's keys.
        ListMalformed: a statement is none, or the two do not contradict each other.
    """
    root = _root(evidence.root)
    if evidence.kind == TWO_SNAPSHOTS:
        return _verify_snapshots(root, evidence)
    return _verify_logs(root, evidence)


def _root(data: bytes) -> Root:
    try:
        root = Metadata[Root].from_bytes(data).signed
    except Exception as error:
        raise ListMalformed("the evidence carries no root") from error
    if not isinstance(root, Root):
        raise ListMalformed("the evidence carries no root")
    return root


def _verify_snapshots(root: Root, evidence: Evidence) -> Finding:
    versions = [_signed_version(root, data) for data in (evidence.first, evidence.second)]
    hashes = [hashlib.sha256(data).hexdigest() for data in (evidence.first, evidence.second)]
    if versions[0] != versions[1] or _content(evidence.first) == _content(evidence.second):
        raise ListMalformed("the two statements do not contradict each other")
    return Finding(
        evidence.kind,
        f"The online key signed two different lists as version {versions[0]}: sha256 {hashes[0]} and sha256 {hashes[1]}.",
    )


def _signed_version(root: Root, data: bytes) -> int:
    try:
        metadata: Metadata[Snapshot] = Metadata.from_bytes(data)
        signed = metadata.signed
        good = root.get_verification_result(Snapshot.type, metadata.signed_bytes, metadata.signatures).verified
    except Exception as error:
        raise ListMalformed("a statement is not snapshot metadata") from error
    if not isinstance(signed, Snapshot):
        raise ListMalformed("a statement is not snapshot metadata")
    if not good:
        raise SignatureInvalid("a statement is not signed by the online key")
    return int(signed.version)


def _content(snapshot: bytes) -> object:
    return json.loads(snapshot)["signed"]


def _verify_logs(root: Root, evidence: Evidence) -> Finding:
    keys = log_keys_of(root)
    if keys is None:
        raise ListNotLogged("the root names no log")
    notes = [parse_note(data) for data in (evidence.first, evidence.second)]
    if any(keys.log not in verify_note(note, (keys.log,)) for note in notes):
        raise SignatureInvalid("a checkpoint is not signed by the log")
    first, second = (parse_checkpoint(note.text) for note in notes)
    differ = first.size == second.size and first.root_hash != second.root_hash
    if first.size < second.size == len(evidence.leaves) and root_of(evidence.leaves) == second.root_hash:
        differ = root_of(evidence.leaves[: first.size]) != first.root_hash
    if first.origin != second.origin or not differ:
        raise ListMalformed("the two statements do not contradict each other")
    return Finding(
        evidence.kind,
        f"The log signed two histories: one of {first.size} leaves, and one of {second.size} leaves that does not begin with them.",
    )


def compare(
    root: bytes, one: tuple[int, bytes], other: tuple[int, bytes], logs: Sequence[tuple[bytes, Sequence[bytes]]] = ()
) -> Evidence | None:
    """Return the evidence between what two readers were shown, None when they agree.

    Args:
        root: the root under which both were accepted.
        one: version and snapshot metadata that one reader holds.
        other: the same of the other reader.
        logs: for each reader the checkpoint's note and, where the whole log is at hand, its leaf hashes.
    """
    if one[0] == other[0] and _content(one[1]) != _content(other[1]):
        return Evidence(TWO_SNAPSHOTS, root, one[1], other[1])
    if len(logs) == 2:
        (first, _), (second, leaves) = sorted(logs, key=lambda log: parse_checkpoint(parse_note(log[0]).text).size)
        old, new = (parse_checkpoint(parse_note(note).text) for note in (first, second))
        same_size = old.size == new.size and old.root_hash != new.root_hash
        forked = old.size < new.size == len(leaves) and root_of(leaves[: old.size]) != old.root_hash
        if old.origin == new.origin and (same_size or forked):
            return Evidence(TWO_LOGS, root, first, second, () if same_size else tuple(leaves))
    return None


def evidence_between(held: ListSnapshot, bundle: ListBundle) -> Evidence | None:
    """Return the evidence between the list that a reader holds and the bytes that it was shown now, None when these alone prove nothing."""
    logs: list[tuple[bytes, Sequence[bytes]]] = []
    try:
        shown = (parse_snapshot_version(bundle.timestamp), bundle.snapshot)
        if held.envelope.logged is not None and bundle.proof:
            logs = [(held.envelope.logged.note, ()), (parse_proof(bundle.proof).note, ())]
        found = compare(held.envelope.root, (held.version, held.envelope.snapshot), shown, logs)
        if found is not None:
            verify_evidence(found)
    except TrustListRefused:
        return None
    return found

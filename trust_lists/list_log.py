"""The publisher's and the witnesses' side of the log: append a snapshot, sign the checkpoint, co-sign it, make the proof.

Owns:    the log as a value (`ListLog`), its files, what a witness checks before it co-signs, and `Notary`: all of them in one process.
Leaves:  what readers check to `transparency`, the directory to `store`, who the keys belong to to `repository`.
Rules:   a leaf is never taken out; the same snapshot logged twice is one leaf. A witness co-signs only what continues the checkpoint
         that it co-signed last, which it keeps whole, and no log in which one version has two contents.
Spec:    C2SP tlog-checkpoint, tlog-witness (what a witness must check), tlog-tiles; RFC 9162 cl. 2.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from securesystemslib.signer import Key, Signer  # type: ignore[attr-defined]  # its public names

from trust_lists.checkpoint import (
    Checkpoint,
    NoteKey,
    cosign_note,
    note_key,
    parse_checkpoint,
    parse_note,
    sign_note,
    verify_note,
    write_note,
)
from trust_lists.errors import (
    DraftRefused,
    KeyRefused,
    ListEquivocation,
    ListLogInconsistent,
    ListNotLogged,
    ListNotWitnessed,
    SignatureInvalid,
)
from trust_lists.log_tiles import CHECKPOINT_NAME, entry_tiles_of, tiles_of
from trust_lists.merkle import inclusion_proof, leaf_hash, root_of, subtrees_of
from trust_lists.transparency import LogKeys, LogProof, log_entry, parse_log_entry, write_proof
from trust_lists.vocabulary import Region


def log_keys(log: Signer, witnesses: Mapping[Region, Signer]) -> LogKeys:
    """Return the keys that a root will name."""
    return LogKeys(
        note_key(origin_of(log.public_key.keyid), log.public_key),
        {region: witness_key(region, signer.public_key) for region, signer in witnesses.items()},
    )


def origin_of(keyid: str) -> str:
    """Return the origin of a log: unique by its key."""
    return f"gba-trust/three-region-list/{keyid[:16]}"


def witness_key(region: Region, key: Key) -> NoteKey:
    """Return a region's witness as a verifier of co-signatures."""
    return note_key(f"gba-trust/witness/{region.value}", key, cosigns=True)


@dataclass(frozen=True, slots=True)
class ListLog:
    """Everything that was ever logged, in order."""

    entries: tuple[bytes, ...] = ()

    @property
    def last_version(self) -> int:
        """The highest version that a leaf names, 0 for none."""
        return max((parse_log_entry(entry)[0] for entry in self.entries), default=0)

    def with_entry(self, entry: bytes) -> "ListLog":
        """Return the log with this leaf; the same leaf is not logged twice."""
        return self if entry in self.entries else replace(self, entries=(*self.entries, entry))

    def checkpoint(self, origin: str) -> Checkpoint:
        """Return what a checkpoint of it says."""
        return Checkpoint(origin, len(self.entries), root_of(self.leaves))

    @property
    def leaves(self) -> list[bytes]:
        """The hashes of the leaves."""
        return [leaf_hash(entry) for entry in self.entries]

    def files(self, note: bytes) -> dict[str, bytes]:
        """Return its files by name, in the order in which they must be written: the checkpoint last."""
        return {**entry_tiles_of(self.entries), **self.tiles(), CHECKPOINT_NAME: note}

    def tiles(self) -> dict[str, bytes]:
        """Return the tiles of its tree by name."""
        leaves = self.leaves
        return tiles_of(leaves, subtrees_of(leaves))

    def proof_of(self, version: int, snapshot: bytes, note: bytes) -> bytes:
        """Return the proof file of a snapshot under a checkpoint of this log.

        Raises:
            ListNotLogged: the snapshot is not in it.
        """
        entry = log_entry(version, snapshot)
        if entry not in self.entries:
            raise ListNotLogged("the log does not hold this list")
        index, leaves = self.entries.index(entry), self.leaves
        return write_proof(LogProof(index, inclusion_proof(index, len(leaves), subtrees_of(leaves)), note))


def open_checkpoint(log: ListLog, keys: LogKeys, signer: Signer) -> bytes:
    """Return the log's checkpoint, signed by the log and still without witnesses.

    Raises:
        KeyRefused: not the log's key.
    """
    if note_key(keys.log.name, signer.public_key) != keys.log:
        raise KeyRefused("this is not the key of the log that the roster names")
    text = log.checkpoint(keys.log.name).text()
    return write_note(text, [sign_note(text, keys.log.name, signer)])


def witness(log: ListLog, keys: LogKeys, note: bytes, seen: bytes | None, signer: Signer, at: datetime) -> bytes:
    """Return the note with one more co-signature, when the witness finds that the log was only appended to.

    Args:
        log: the log that the checkpoint is of, whole.
        keys: the log's key and the witnesses'.
        note: the checkpoint.
        seen: the note that this witness co-signed last, None at its first time.
        signer: the witness's key.
        at: the present.

    Raises:
        KeyRefused: not a witness's key.
        ListNotWitnessed: the checkpoint is not the log's, or not of this log.
        ListLogInconsistent: it does not continue what this witness has seen.
        ListEquivocation: one version has two contents.
    """
    own = [key for key in keys.witnesses.values() if note_key(key.name, signer.public_key, cosigns=True) == key]
    if not own:
        raise KeyRefused("this is not the key of a witness that the roster names")
    parsed = parse_note(note)
    checkpoint = parse_checkpoint(parsed.text)
    try:
        signed = verify_note(parsed, (keys.log,))
    except SignatureInvalid as error:
        raise ListNotWitnessed(str(error)) from error
    if keys.log not in signed or checkpoint != log.checkpoint(keys.log.name):
        raise ListNotWitnessed("the checkpoint is not of the log that the roster names")
    check_appended(log, parse_checkpoint(parse_note(seen).text) if seen is not None else None)
    check_one_content_per_version(log)
    return add_line(note, cosign_note(parsed.text, own[0].name, signer, at))


def add_line(note: bytes, line: str) -> bytes:
    """Return the note with one more signature line; the same key's earlier one is replaced."""
    name = line.split(" ")[1]
    text, _, rest = note.decode().rpartition("\n\n")
    kept = [held for held in rest.split("\n")[:-1] if held.split(" ")[1] != name]
    return write_note(text + "\n", [*kept, line])


def check_appended(log: ListLog, seen: Checkpoint | None) -> None:
    """Return when the log begins with everything that was under the checkpoint seen before.

    Raises:
        ListLogInconsistent: it does not.
    """
    if seen is None:
        return
    if seen.size > len(log.entries) or root_of(log.leaves[: seen.size]) != seen.root_hash:
        raise ListLogInconsistent(
            "the log does not continue the checkpoint that was seen before: keep both, they are evidence"
        )


def check_one_content_per_version(log: ListLog) -> None:
    """Return when no version stands there with two contents.

    Raises:
        ListEquivocation: one does.
    """
    seen: dict[int, str] = {}
    for entry in log.entries:
        version, sha256 = parse_log_entry(entry)
        if seen.setdefault(version, sha256) != sha256:
            raise ListEquivocation(f"the log holds two different lists of version {version}")


class Notary:
    """The log and its witnesses where all their keys are in one process: the sandbox, tests, and a desk that holds them all."""

    def __init__(
        self,
        keys: LogKeys,
        log_signer: Signer,
        witnesses: Mapping[Region, Signer],
        log: ListLog | None = None,
        note: bytes = b"",
    ) -> None:
        """Take the keys, and the log as it stands under its newest checkpoint."""
        self.keys = keys
        self.log = log or ListLog()
        self.note = note
        """The checkpoint of the last proof."""
        self._log_signer = log_signer
        self._witnesses = witnesses

    def fork(self) -> "Notary":
        """Return another one that begins from the same log: what a log that lies to its readers would do."""
        return Notary(self.keys, self._log_signer, self._witnesses, self.log, self.note)

    def prove(self, version: int, snapshot: bytes, at: datetime) -> bytes:
        """Log a snapshot, let the witnesses see it, and return its proof.

        Raises:
            DraftRefused: another list of that version is logged already.
        """
        grown = self.log.with_entry(log_entry(version, snapshot))
        if grown is not self.log and version <= self.log.last_version:
            raise DraftRefused(f"the log has named version {version} already")
        note = open_checkpoint(grown, self.keys, self._log_signer)
        for signer in self._witnesses.values():
            note = witness(grown, self.keys, note, self.note or None, signer, at)
        self.log, self.note = grown, note
        return grown.proof_of(version, snapshot, note)

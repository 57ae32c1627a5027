"""Transparency of the list: every published snapshot is a leaf of an append-only log whose checkpoints the regions witness.

Owns:    what a leaf says, which keys a root names for the log and its witnesses, the proof that comes with a version, and the rule by
         which a reader believes it.
Leaves:  hashes to `merkle`, notes to `checkpoint`, files to `log_tiles`, making it all to `list_log`, evidence to `equivocation`.
Rules:   1 the root, signed by two regions, names the log's key and a witness of at least two regions     list_not_logged
         2 the proof holds the leaf of exactly this snapshot, under the checkpoint beside it              list_not_logged
         3 the checkpoint is signed by the log, and co-signed by witnesses of two regions                 list_not_witnessed
         4 it continues the checkpoint that this reader saw last                                          list_log_inconsistent
         So nobody can be shown a list that is not in the log that everybody sees.
Spec:    RFC 9162 cl. 2.1; C2SP tlog-checkpoint, tlog-cosignature, tlog-proof. Two of three witnesses, as for everything decided together:
         the log is kept with the joint online key, which is no region's own.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from trust_lists.checkpoint import (
    Checkpoint,
    NoteKey,
    parse_checkpoint,
    parse_note,
    parse_note_key,
    verify_note,
)
from trust_lists.errors import ListLogInconsistent, ListMalformed, ListNotLogged, ListNotWitnessed, SignatureInvalid
from trust_lists.log_tiles import LOG_FOLDER, subtrees_in, tiles_needed
from trust_lists.merkle import (
    HASH_BYTES,
    MAX_SIZE,
    ProofWrong,
    consistency_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from trust_lists.vocabulary import Region

ROOT_FIELD = "x-gba-transparency"
"""Member of the root that names the log's and the witnesses' keys."""
REQUIRED_WITNESSES = 2
MAX_PROOF_BYTES = 24 * 1024
_MAX_PATH = 64
_LEAF = "gba-trust/list-snapshot/v1"
_PROOF = "c2sp.org/tlog-proof@v1"
_ENTRY = re.compile(_LEAF + r"\n([1-9][0-9]{0,9})\n([0-9a-f]{64})\n", re.ASCII)
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,14})", re.ASCII)


# --- keys --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LogKeys:
    """Who keeps the log, and who watches it."""

    log: NoteKey
    """Its name is the log's origin."""
    witnesses: Mapping[Region, NoteKey]

    def __post_init__(self) -> None:
        publics = [self.log.public, *(key.public for key in self.witnesses.values())]
        if len(set(publics)) != len(publics) or len(self.witnesses) < REQUIRED_WITNESSES:
            raise ListMalformed("the log and at least two witnesses need a key of their own each")

    def to_json(self) -> dict[str, object]:
        """Return the member of the root."""
        return {
            "log": self.log.text(),
            "witnesses": {region.value: key.text() for region, key in self.witnesses.items()},
        }


def parse_log_keys(value: object) -> LogKeys:
    """Read the member of the root.

    Raises:
        ListMalformed: not of the form.
    """
    if not isinstance(value, dict) or set(value) != {"log", "witnesses"} or not isinstance(value["witnesses"], dict):
        raise ListMalformed("the root names its log in an unknown form")
    if not set(value["witnesses"]) <= set(Region):
        raise ListMalformed("the root names a witness of no region")
    named = value["witnesses"]
    witnesses = {region: parse_note_key(named[region.value]) for region in Region if region.value in named}
    log = parse_note_key(value["log"])
    if log.cosigns or not all(key.cosigns for key in witnesses.values()):
        raise ListMalformed("the root names keys of the wrong kind for its log")
    return LogKeys(log, MappingProxyType(witnesses))


# --- leaves ------------------------------------------------------------------------------------------------------------


def log_entry(version: int, snapshot: bytes) -> bytes:
    """Return the leaf of a published snapshot: its version and the hash of its signed metadata."""
    return f"{_LEAF}\n{version}\n{hashlib.sha256(snapshot).hexdigest()}\n".encode()


def parse_log_entry(entry: bytes) -> tuple[int, str]:
    """Return the version and hash that a leaf names.

    Raises:
        ListMalformed: a leaf of another kind.
    """
    match = _ENTRY.fullmatch(entry.decode("ascii", "replace"))
    if match is None:
        raise ListMalformed("a leaf of the log is of an unknown kind")
    return int(match[1]), match[2]


# --- the proof beside a version ----------------------------------------------------------------------------------------


def proof_name(version: int) -> str:
    """Return the file that proves a snapshot version; like every versioned file it never changes."""
    return f"{LOG_FOLDER}/{version}.tlog-proof"


@dataclass(frozen=True, slots=True)
class LogProof:
    """Where a snapshot stands in the log, unverified."""

    index: int
    path: tuple[bytes, ...]
    note: bytes


def write_proof(proof: LogProof) -> bytes:
    """Write a proof file."""
    lines = [_PROOF, f"index {proof.index}", *(base64.b64encode(part).decode("ascii") for part in proof.path)]
    return "\n".join(lines).encode() + b"\n\n" + proof.note


def parse_proof(data: bytes) -> LogProof:
    """Read a proof file.

    Raises:
        ListMalformed: not of the form, or too long.
    """
    head, separator, note = data.partition(b"\n\n")
    lines = head.decode("ascii", "replace").split("\n")
    match = _INDEX.fullmatch(lines[1]) if len(lines) > 1 else None
    if len(data) > MAX_PROOF_BYTES or not separator or lines[0] != _PROOF or match is None or len(lines) > _MAX_PATH:
        raise ListMalformed("the log proof is not of the published form")
    try:
        path = tuple(base64.b64decode(line, validate=True) for line in lines[2:])
    except ValueError as error:
        raise ListMalformed("the log proof is not of the published form") from error
    if any(len(part) != HASH_BYTES for part in path):
        raise ListMalformed("the log proof is not of the published form")
    return LogProof(int(match[1]), path, note)


def tiles_for(proof: bytes, seen_size: int) -> tuple[str, ...]:
    """Return the tiles that show that the proof's log continues one of the size seen before; unverified, it only says what to fetch.

    Raises:
        ListMalformed: not a proof.
    """
    size = parse_checkpoint(parse_note(parse_proof(proof).note).text).size
    if not 0 < seen_size < size <= MAX_SIZE:
        return ()
    return tiles_needed(size, lambda subtree: consistency_proof(seen_size, size, subtree))


# --- the rule ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Logged:
    """Where and under whose eyes a version was logged."""

    index: int
    checkpoint: Checkpoint
    witnesses: tuple[Region, ...]
    note: bytes
    """The checkpoint whole, with its signatures: should the log ever say something else, this is the evidence."""


def check_logged(keys: LogKeys, proof: bytes, version: int, snapshot: bytes) -> Logged:
    """Return where the snapshot is logged, when witnesses of two regions have seen that (rules 2 and 3).

    Raises:
        ListNotLogged: no proof, or one of something else.
        ListNotWitnessed: the checkpoint is not the log's, or not co-signed by two regions.
    """
    if not proof:
        raise ListNotLogged("the list comes without the proof that it is in the log")
    found = parse_proof(proof)
    checkpoint, witnesses = verify_checkpoint(keys, found.note)
    try:
        verify_inclusion(
            found.index, checkpoint.size, leaf_hash(log_entry(version, snapshot)), checkpoint.root_hash, found.path
        )
    except ProofWrong as error:
        raise ListNotLogged("the log does not hold this list") from error
    return Logged(found.index, checkpoint, witnesses, found.note)


def verify_checkpoint(keys: LogKeys, data: bytes) -> tuple[Checkpoint, tuple[Region, ...]]:
    """Return the checkpoint of a note and the regions that have witnessed it.

    Raises:
        ListNotWitnessed: not signed by the log, or by witnesses of fewer than two regions.
    """
    note = parse_note(data)
    checkpoint = parse_checkpoint(note.text)
    try:
        signed = verify_note(note, (keys.log, *keys.witnesses.values()))
    except SignatureInvalid as error:
        raise ListNotWitnessed(str(error)) from error
    if keys.log not in signed or checkpoint.origin != keys.log.name:
        raise ListNotWitnessed("the checkpoint is not signed by the log that the root names")
    witnesses = tuple(region for region, key in keys.witnesses.items() if key in signed)
    if len(witnesses) < REQUIRED_WITNESSES:
        raise ListNotWitnessed(f"the checkpoint is co-signed by {len(witnesses)} regions, not {REQUIRED_WITNESSES}")
    return checkpoint, witnesses


def check_continues(seen: Checkpoint, new: Checkpoint, tiles: Mapping[str, bytes]) -> None:
    """Return when the log was only appended to since this reader saw it (rule 4).

    Raises:
        ListLogInconsistent: it was not, or the tiles that would show it are missing.
    """
    if seen.origin != new.origin:
        return  # a new root has begun a new log; two regions signed that
    try:
        grown = 0 < seen.size < new.size
        proof = consistency_proof(seen.size, new.size, subtrees_in(tiles, new.size)) if grown else ()
        verify_consistency(seen.size, new.size, seen.root_hash, new.root_hash, proof)
    except ProofWrong as error:
        raise ListLogInconsistent(f"{error}: keep both checkpoints, they are evidence") from error
    except ListMalformed as error:
        raise ListLogInconsistent("the source does not show that its log continues the one seen before") from error

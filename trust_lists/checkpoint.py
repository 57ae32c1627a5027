"""Signed checkpoints of an append-only log, and the co-signatures of its witnesses.

Owns:    the checkpoint's text, signed notes, verifier keys, Ed25519 note signatures and witness co-signatures.
Leaves:  which keys count to `transparency`, the tree to `merkle`.
Rules:   a note is text, an empty line, and signature lines `— NAME BASE64`. Lines of unknown keys say nothing and are passed over;
         a line of a known key that does not verify refuses the note. Everything is bounded before it is parsed.
Spec:    C2SP signed-note, tlog-checkpoint (`origin`, size, root hash), tlog-cosignature (`cosignature/v1`, type 0x04).
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.signer import Key, Signer  # type: ignore[attr-defined]  # its public names

from trust_lists.errors import KeyRefused, ListMalformed, SignatureInvalid
from trust_lists.merkle import HASH_BYTES, MAX_SIZE

MAX_NOTE_BYTES = 16 * 1024
_MAX_LINES = 64
_SIGNATURE_TYPE = 0x01
_COSIGNATURE_TYPE = 0x04
_KEY_BYTES = 32
_SIGNATURE_BYTES = 64
_TIME_BYTES = 8
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,200}")
_SIZE = re.compile(r"0|[1-9][0-9]{0,14}", re.ASCII)
_LINE = re.compile(r"\u2014 (\S+) ([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How long a log is, and the root over everything in it."""

    origin: str
    size: int
    root_hash: bytes

    def text(self) -> str:
        """Return the text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root_hash).decode('ascii')}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint's text; extension lines are not ours and are refused.

    Raises:
        ListMalformed: not of the form.
    """
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not _NAME.fullmatch(lines[0]) or not _SIZE.fullmatch(lines[1]):
        raise ListMalformed("the checkpoint is not of the published form")
    root_hash = _decoded(lines[2])
    if len(root_hash) != HASH_BYTES or int(lines[1]) > MAX_SIZE:
        raise ListMalformed("the checkpoint is not of the published form")
    return Checkpoint(lines[0], int(lines[1]), root_hash)


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A verifier of notes: its name, whether it signs or co-signs, and its Ed25519 public key."""

    name: str
    cosigns: bool
    public: bytes

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature line names its key."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self._type]) + self.public).digest()[:4]

    @property
    def _type(self) -> int:
        return _COSIGNATURE_TYPE if self.cosigns else _SIGNATURE_TYPE

    def text(self) -> str:
        """Return it as a verifier key: `NAME+ID+BASE64`."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([self._type]) + self.public).decode('ascii')}"


def parse_note_key(text: object) -> NoteKey:
    """Read a verifier key.

    Raises:
        ListMalformed: not one.
    """
    if not isinstance(text, str) or len(text) > 512 or text.count("+") < 2:
        raise ListMalformed("not a verifier key")
    name, key_id, encoded = text.split("+", 2)
    raw = _decoded(encoded)
    if len(raw) != 1 + _KEY_BYTES or raw[0] not in (_SIGNATURE_TYPE, _COSIGNATURE_TYPE) or not _NAME.fullmatch(name):
        raise ListMalformed("not a verifier key")
    key = NoteKey(name, raw[0] == _COSIGNATURE_TYPE, raw[1:])
    if key.id.hex() != key_id:
        raise ListMalformed("not a verifier key")
    return key


@dataclass(frozen=True, slots=True)
class Note:
    """A text with its signature lines, unverified."""

    text: str
    signatures: tuple[tuple[str, bytes], ...]
    """Name, and the decoded value: key id and signature."""


def parse_note(data: bytes) -> Note:
    """Read a signed note.

    Raises:
        ListMalformed: not one, or too long.
    """
    if len(data) > MAX_NOTE_BYTES:
        raise ListMalformed("the note is too long")
    try:
        text, separator, rest = data.decode("utf-8").rpartition("\n\n")
    except UnicodeDecodeError as error:
        raise ListMalformed("the note is not text") from error
    lines = rest.split("\n")
    if not separator or len(lines) > _MAX_LINES or lines[-1]:
        raise ListMalformed("the note has no signatures")
    found = [_LINE.fullmatch(line) for line in lines[:-1]]
    if not found or None in found:
        raise ListMalformed("a signature line of the note is not of the form")
    return Note(text + "\n", tuple((match[1], _decoded(match[2])) for match in found if match is not None))


def write_note(text: str, lines: Iterable[str]) -> bytes:
    """Put a text and its signature lines together."""
    return (text + "\n" + "".join(f"{line}\n" for line in lines)).encode()


def sign_note(text: str, name: str, signer: Signer) -> str:
    """Return the log's own signature line."""
    return _line(note_key(name, signer.public_key), _value(signer, text.encode()))


def cosign_note(text: str, name: str, signer: Signer, at: datetime) -> str:
    """Return a witness's co-signature line: it has seen this checkpoint at that time, and found that the log was only appended to."""
    seconds = int(at.timestamp())
    signature = _value(signer, _cosigned(text, seconds))
    return _line(note_key(name, signer.public_key, cosigns=True), seconds.to_bytes(_TIME_BYTES, "big") + signature)


def _value(signer: Signer, message: bytes) -> bytes:
    return bytes.fromhex(signer.sign(message).signature)


def _line(key: NoteKey, signature: bytes) -> str:
    return f"\u2014 {key.name} {base64.b64encode(key.id + signature).decode('ascii')}"


def _cosigned(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def verify_note(note: Note, keys: Sequence[NoteKey]) -> dict[NoteKey, datetime | None]:
    """Return the keys that have signed, with the time that a witness states; unknown keys are passed over.

    Raises:
        SignatureInvalid: a line that names a known key does not verify.
    """
    known = {(key.name, key.id): key for key in keys}
    signed: dict[NoteKey, datetime | None] = {}
    for name, value in note.signatures:
        key = known.get((name, value[:4]))
        if key is not None:
            signed[key] = _verified(key, note.text, value[4:])
    return signed


def _verified(key: NoteKey, text: str, signature: bytes) -> datetime | None:
    at: datetime | None = None
    message = text.encode()
    try:
        if key.cosigns:
            seconds = int.from_bytes(signature[:_TIME_BYTES], "big")
            at, message, signature = (
                datetime.fromtimestamp(seconds, UTC),
                _cosigned(text, seconds),
                signature[_TIME_BYTES:],
            )
        if len(signature) != _SIGNATURE_BYTES:
            raise SignatureInvalid(f"the signature of {key.name} is not of the form")
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except (InvalidSignature, ValueError, OverflowError, OSError) as error:
        raise SignatureInvalid(f"the signature of {key.name} on the checkpoint does not verify") from error
    return at


def note_key(name: str, key: Key, *, cosigns: bool = False) -> NoteKey:
    """Return a signer's key as a verifier of notes.

    Raises:
        KeyRefused: not an Ed25519 key.
    """
    if key.keytype != "ed25519":
        raise KeyRefused("logs and witnesses sign with Ed25519 keys")
    return NoteKey(name, cosigns, bytes.fromhex(key.keyval["public"]))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ListMalformed("not base64") from error

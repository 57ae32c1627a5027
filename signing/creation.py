"""Making a PAdES signature: prepare, sign elsewhere, embed, stamp.

Owns:    the two halves of a signature around the key operation, and the value between them that may wait for minutes in a store.
Leaves:  the container to an engine, the key to its holder, tokens to `tsa`, the last word to `validation` (`accept_output`).
Rules:   1 the digest is computed once, over the final file with its empty gap
         2 one key operation per signature: what is signed is fixed when `prepare` returns
         3 the level that was asked for is reached or nothing is made
         4 nothing leaves that our own validation does not accept
Spec:    ETSI EN 319 142-1 cl. 5 and 6, EN 319 102-1 cl. 4 (creation process)
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from signing import cms_builder
from signing.certificates import parse_certificate
from signing.cms_builder import SignerMaterial, Suite
from signing.config import DocumentLimits
from signing.document import SignedDocument, digest_parts, read
from signing.engine import FieldRequest, PdfEngine, ReservedDocument
from signing.errors import DocumentRefused, DocumentTooLarge, RequestRefused, SignatureRejected
from signing.model import Indication, IntegrityVerdict, SignatureLevel
from signing.report import ValidationReport

TIMESTAMP_ROOM_BYTES = 8192
_STATE_VERSION = 1


@dataclass(frozen=True, slots=True)
class SigningOptions:
    """What the caller wishes.

    Attributes:
        level: B-B or B-T here; higher levels are reached by `extend`.
        reason: shown by readers, or None.
        location: shown by readers, or None.
        field: name of the field; None picks an empty existing one, else a new name.
        box: page index and rectangle for a new visible field.
        appearance: lines shown in a visible field.
        pss: RSA-PSS instead of PKCS #1 v1.5.
    """

    level: SignatureLevel = SignatureLevel.B_T
    reason: str | None = None
    location: str | None = None
    field: str | None = None
    box: tuple[int, int, int, int, int] | None = None
    appearance: tuple[str, ...] = ()
    pss: bool = False


@dataclass(frozen=True, slots=True)
class PreparedSignature:
    """A document that waits for its signature value; it may be stored and finished by another process.

    Attributes:
        document: the final file but for its gap.
        gap_start: offset of `<`.
        gap_end: offset after `>`.
        attributes: DER signed attributes.
        signer: certificate, chain, suite.
        level: asked for.
        field: name of the field.
    """

    document: bytes
    gap_start: int
    gap_end: int
    attributes: bytes
    signer: SignerMaterial
    level: SignatureLevel
    field: str

    @property
    def digest(self) -> bytes:
        """Hash of the signed attributes: what a hash-signing service signs. Not for SM2, whose hash includes the key (Z)."""
        return hashlib.new(self.signer.suite.digest, self.attributes).digest()

    @property
    def digest_algorithm(self) -> str:
        """Name of that hash."""
        return self.signer.suite.digest

    def state(self) -> str:
        """Return everything but the document, as JSON text for a store."""
        return json.dumps(
            {
                "version": _STATE_VERSION,
                "gap": [self.gap_start, self.gap_end],
                "attributes": _b64(self.attributes),
                "certificate": _b64(self.signer.certificate),
                "chain": [_b64(item) for item in self.signer.chain],
                "suite": self.signer.suite.name,
                "level": self.level.value,
                "field": self.field,
            }
        )

    @classmethod
    def from_state(cls, state: str, document: bytes) -> "PreparedSignature":
        """Rebuild from `state` and the stored document."""
        found: Mapping[str, object] = json.loads(state)
        gap, chain = found["gap"], found["chain"]
        if found["version"] != _STATE_VERSION or not isinstance(gap, list) or not isinstance(chain, list):
            raise DocumentRefused("the stored signature was made by another version")
        signer = SignerMaterial(
            base64.b64decode(str(found["certificate"])),
            tuple(base64.b64decode(item) for item in chain),
            Suite[str(found["suite"])],
        )
        return cls(
            document,
            gap[0],
            gap[1],
            base64.b64decode(str(found["attributes"])),
            signer,
            SignatureLevel(str(found["level"])),
            str(found["field"]),
        )


def prepare(
    document: bytes,
    certificate: bytes,
    chain: tuple[bytes, ...],
    options: SigningOptions,
    engine: PdfEngine,
    at: datetime,
    limits: DocumentLimits | None = None,
) -> PreparedSignature:
    """Write the container and fix what is to be signed.

    Raises:
        DocumentRefused: not a PDF that may be signed, or one whose present signatures are not sound.
        RequestRefused: a level that is not made here.
        EngineRefused: the engine must not touch this document.
        KeyRefused: not a key that signs documents.
    """
    if options.level not in (SignatureLevel.B_B, SignatureLevel.B_T):
        raise RequestRefused("a new signature is made at level B-B or B-T; higher levels are reached by extending it")
    existing = _read_signable(document, limits)
    signer = SignerMaterial(certificate, chain, cms_builder.suite_for(certificate, pss=options.pss))
    field = options.field or _free_field(existing)
    room = cms_builder.largest_size(signer, TIMESTAMP_ROOM_BYTES if options.level is SignatureLevel.B_T else 0)
    request = FieldRequest(field, at, options.reason, options.location, box=options.box, appearance=options.appearance)
    reserved = engine.reserve(document, request, room)
    _check_container(reserved, document, room)
    digest = _digest(reserved, signer.suite.digest)
    attributes = cms_builder.signed_attributes(digest, certificate)
    return PreparedSignature(
        reserved.data, reserved.gap_start, reserved.gap_end, attributes, signer, options.level, field
    )


def reserve_timestamp(
    document: bytes, room_bytes: int, at: datetime, engine: PdfEngine, limits: DocumentLimits | None = None
) -> ReservedDocument:
    """Write the container of a document time stamp (EN 319 142-1 cl. 5.4.3).

    Raises:
        DocumentRefused: as `prepare`.
    """
    field = _free_field(_read_signable(document, limits), reuse=False)
    reserved = engine.reserve(document, FieldRequest(field, at, sub_filter="ETSI.RFC3161"), room_bytes)
    _check_container(reserved, document, room_bytes)
    return reserved


def appearance_lines(certificate: bytes, at: datetime, reason: str | None) -> tuple[str, ...]:
    """Return the lines shown in a visible field; the container's built-in face has Latin letters only, so others are left out."""
    names = parse_certificate(certificate).common_name or "the holder of the certificate"
    lines = (f"Digitally signed by {names}", f"{at:%Y-%m-%d %H:%M:%S UTC}", reason or "")
    return tuple(line for line in lines if line and line.isascii())


def embed(prepared: PreparedSignature, signature: bytes, timestamp: bytes | None = None) -> bytes:
    """Return the finished file.

    Args:
        prepared: as `prepare` gave it.
        signature: value over `prepared.attributes`.
        timestamp: token over the signature value; required for B-T.

    Raises:
        RequestRefused: B-T without a time stamp (rule 3).
        DocumentTooLarge: the value does not fit its gap.
    """
    if (prepared.level is SignatureLevel.B_B) != (timestamp is None):
        raise RequestRefused("level B-T needs a time stamp, and level B-B has none")
    value = cms_builder.signed_data(prepared.signer, prepared.attributes, signature, timestamp)
    return fill(prepared.document, prepared.gap_start, prepared.gap_end, value)


def fill(document: bytes, gap_start: int, gap_end: int, value: bytes) -> bytes:
    """Write a DER value into a gap, zero padded.

    Raises:
        DocumentTooLarge: it does not fit.
    """
    room = gap_end - gap_start - 2
    if 2 * len(value) > room:
        raise DocumentTooLarge("the signature value does not fit the room that was kept for it")
    digits = value.hex().encode().ljust(room, b"0")
    return b"".join((document[: gap_start + 1], digits, document[gap_end - 1 :]))


def accept_output(report: ValidationReport, field: str, level: SignatureLevel, *, trusted: bool) -> None:
    """Accept what was made, or refuse it with the sub-indication of our own validation (rule 4).

    Args:
        report: our validation of the output.
        field: of the new signature.
        level: it must reach at least this.
        trusted: False where no trust anchors are at hand: then integrity and level are all that can be asked.

    Raises:
        SignatureRejected: with the sub-indication as code.
    """
    made = next((item for item in report.signatures if item.field == field), None)
    if made is None:
        raise SignatureRejected("our own validation does not find the signature", "FORMAT_FAILURE")
    if made.integrity.verdict is not IntegrityVerdict.OK:
        code = made.sub_indication.word if made.sub_indication else "FORMAT_FAILURE"
        raise SignatureRejected("our own validation does not find the signature intact", code)
    if made.level is None or list(SignatureLevel).index(made.level) < list(SignatureLevel).index(level):
        raise SignatureRejected("our own validation does not find the level that was asked for", "FORMAT_FAILURE")
    if trusted and made.indication is not Indication.TOTAL_PASSED:
        code = made.sub_indication.word if made.sub_indication else made.indication.value
        raise SignatureRejected(made.detail or "our own validation does not pass the signature", code)


def _read_signable(document: bytes, limits: DocumentLimits | None) -> SignedDocument:
    """Read the present signatures; a document without any structure problem may be signed."""
    from_raw = read(document, limits)
    if from_raw.unreadable is not None:
        raise DocumentRefused("the structure of the document cannot be read: " + from_raw.unreadable)
    if any(item.problems for item in from_raw.signatures):
        raise DocumentRefused("the document carries a signature that is not sound; it is not signed again")
    return from_raw


def _free_field(existing: SignedDocument, *, reuse: bool = True) -> str:
    if reuse and existing.empty_fields:
        return existing.empty_fields[0]
    taken = set(existing.field_names)
    return next(name for name in (f"Signature{number}" for number in range(1, 10_000)) if name not in taken)


def _check_container(reserved: ReservedDocument, document: bytes, room: int) -> None:
    """An engine's work is checked before anything is signed: the gap, its zeros, and that the old bytes stand."""
    gap = reserved.data[reserved.gap_start : reserved.gap_end]
    if not reserved.data.startswith(document) or gap != b"<" + b"00" * room + b">":
        raise DocumentRefused("the written container is not the expected incremental update")


def _digest(reserved: ReservedDocument, algorithm: str) -> bytes:
    size = len(reserved.data)
    engine = hashlib.new(algorithm)
    for part in digest_parts(reserved.data, (0, reserved.gap_start, reserved.gap_end, size - reserved.gap_end)):
        engine.update(part)
    return engine.digest()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()

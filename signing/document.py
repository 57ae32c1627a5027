"""The structure gate: what a PDF file says about its signatures, checked on raw bytes.

Owns:    every signature field with its dictionary, /ByteRange and /Contents, what of the file each one covers, the DSS.
Leaves:  the signature values to `cms`, the meaning of later changes to `modification`.
Rules:   1 every field of type Sig that has a value is listed; where there is none, signature values that no field reaches
         2 /ByteRange begins at 0, and its gap is exactly the /Contents token of that very dictionary
         3 what is covered is a whole revision of the cross-reference chain; nothing follows the last %%EOF
         4 no covered cross-reference entry points behind the covered bytes; no later one into them, unless unchanged
         5 a file whose structure cannot be read still yields its signature values (`salvage`), marked malformed
Spec:    ISO 32000-2:2020 cl. 12.8.1, EN 319 142-1 cl. 5; attacks 06 to 21 of the project's table
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime

from signing.config import DocumentLimits
from signing.dates import parse_pdf_date
from signing.errors import DocumentRefused, DocumentTooLarge
from signing.model import Coverage
from signing.pdf_file import FREE, PLAIN, PdfFile, tail_startxref
from signing.pdf_syntax import WHITESPACE, Dictionary, Name, PdfString, Ref
from signing.structure import StructureProblem

_RAW_BYTE_RANGE = re.compile(
    rb"/ByteRange[\x00\t\n\x0c\r ]*\[[\x00\t\n\x0c\r ]*(\d{1,12})[\x00\t\n\x0c\r ]+(\d{1,12})"
    rb"[\x00\t\n\x0c\r ]+(\d{1,12})[\x00\t\n\x0c\r ]+(\d{1,12})[\x00\t\n\x0c\r ]*\]"
)
_HEX_TOKEN = re.compile(rb"<[0-9A-Fa-f\x00\t\n\x0c\r ]*+>\Z")
ByteRange = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class EmbeddedSignature:
    """One signature as the file carries it; nothing of it is verified but its place.

    Attributes:
        field: fully qualified field name; the empty string where no field reaches the dictionary.
        sub_filter: the /SubFilter name.
        contents: decoded /Contents with its padding.
        byte_range: four numbers that fit the file, or None.
        signing_time: /M, the signer's claim.
        coverage: how much of the file the ByteRange covers.
        revision: index of the covered cross-reference section, 0 is the newest; None when unclear.
        declared_permission: /P of a DocMDP reference in this dictionary.
        lock_action: `All`, `Include` or `Exclude` of a FieldMDP reference, or None.
        lock_fields: the fields that it names.
        problems: what the gate found; empty when the place is sound.
    """

    field: str
    sub_filter: str
    contents: bytes
    byte_range: ByteRange | None
    signing_time: datetime | None
    coverage: Coverage
    revision: int | None
    declared_permission: int | None
    lock_action: str | None
    lock_fields: tuple[str, ...]
    problems: tuple[StructureProblem, ...]

    @property
    def is_document_timestamp(self) -> bool:
        """A DocTimeStamp carries an RFC 3161 token instead of a signature (EN 319 142-1 cl. 5.4.3)."""
        return self.sub_filter == "ETSI.RFC3161"

    def locks(self, field: str) -> bool:
        """Tell whether the signature locks a form field (ISO 32000-2 cl. 12.8.2.4 table 258)."""
        named = any(field == item or field.startswith(item + ".") for item in self.lock_fields)
        return {"All": True, "Include": named, "Exclude": not named}.get(self.lock_action or "", False)

    @property
    def covered_end(self) -> int:
        """The end of what is covered, 0 when unclear."""
        return self.byte_range[2] + self.byte_range[3] if self.byte_range else 0


@dataclass(frozen=True, slots=True)
class DocumentSecurityStore:
    """Validation data in the document (EN 319 142-1 cl. 5.4.2): DER objects as found."""

    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    ocsp_responses: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """A file with its signatures in the order in which they were made."""

    data: bytes
    signatures: tuple[EmbeddedSignature, ...]
    security_store: DocumentSecurityStore
    revisions: int
    security_store_end: int = 0
    """Where the store stands in the file; 0 without one."""
    field_names: tuple[str, ...] = ()
    """Of all form fields."""
    empty_fields: tuple[str, ...] = ()
    """Names of signature fields without a value."""
    unreadable: str | None = None
    """Why the structure could not be read; the signatures are then salvaged ones."""


def read(data: bytes, limits: DocumentLimits | None = None) -> SignedDocument:
    """Read a file's signatures; a file whose structure cannot be read is salvaged.

    Raises:
        DocumentTooLarge: beyond a limit.
        DocumentEncrypted: encrypted.
        DocumentRefused: not a PDF, and no signature can be salvaged from it.
    """
    bounds = limits or DocumentLimits()
    try:
        file = PdfFile(data, bounds)
        return _read(file)
    except DocumentTooLarge:
        raise
    except DocumentRefused as error:
        if error.code != DocumentRefused.code:
            raise
        return _salvage(data, bounds, str(error), error)
    except RecursionError as error:
        raise DocumentRefused("objects are nested too deeply") from error


def digest_parts(data: bytes, byte_range: ByteRange) -> tuple[memoryview, memoryview]:
    """Return the two covered parts without copying."""
    view = memoryview(data)
    first, first_length, second, second_length = byte_range
    return view[first : first + first_length], view[second : second + second_length]


def _read(file: PdfFile) -> SignedDocument:
    catalog = file.dictionary(file.trailer.get("Root"))
    fields = _form_fields(file, catalog)
    found = [_embedded(file, item.name, item.value) for item in fields if item.is_signature and item.value is not None]
    if len(found) > file.limits.max_signatures:
        raise DocumentTooLarge("the file has too many signatures")
    if not found:
        # A cleared field leaves its old value in the file, which is no matter beside signatures that fields do carry;
        # a file with such values alone pretends to be signed.
        found = _raw_signatures(file.data, file.limits, StructureProblem.NO_FIELD)
    found.sort(key=lambda item: item.covered_end)
    return SignedDocument(
        file.data,
        tuple(found),
        _security_store(file, catalog),
        len(file.sections),
        _security_store_end(file, catalog),
        tuple(item.name for item in fields),
        tuple(item.name for item in fields if item.is_signature and item.value is None),
    )


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    is_signature: bool
    value: object


def _form_fields(file: PdfFile, catalog: Dictionary) -> list[_Field]:
    form = file.dictionary(catalog.get("AcroForm"))
    result: list[_Field] = []
    waiting: list[tuple[object, str, object]] = [(item, "", None) for item in reversed(file.array(form.get("Fields")))]
    seen: set[int] = set()
    while waiting:
        item, prefix, inherited = waiting.pop()
        if isinstance(item, Ref):
            if item.number in seen:
                raise DocumentRefused("a field occurs twice in the form")
            seen.add(item.number)
        if len(result) >= file.limits.max_fields:
            raise DocumentTooLarge("the form has too many fields")
        field = file.dictionary(item)
        title = file.resolve(field.get("T"))
        name = ".".join(part for part in (prefix, title.text() if isinstance(title, PdfString) else "") if part)
        kind = file.resolve(field.get("FT")) or inherited
        if isinstance(title, PdfString) or field.get("V") is not None:
            result.append(_Field(name, kind == Name("Sig"), field.get("V")))
        waiting.extend((kid, name, kind) for kid in reversed(file.array(field.get("Kids"))))
    return result


def _embedded(file: PdfFile, field: str, value: object) -> EmbeddedSignature:
    dictionary = file.dictionary(value)
    permission, (lock_action, lock_fields) = _transforms(file, dictionary)
    sub_filter = file.resolve(dictionary.get("SubFilter"))
    moment = file.resolve(dictionary.get("M"))
    contents = file.resolve(dictionary.get("Contents"))
    found = EmbeddedSignature(
        field=field,
        sub_filter=str(sub_filter) if isinstance(sub_filter, Name) else "",
        contents=contents.value if isinstance(contents, PdfString) else b"",
        byte_range=_byte_range(file, dictionary),
        signing_time=parse_pdf_date(moment.text()) if isinstance(moment, PdfString) else None,
        coverage=Coverage.UNCLEAR,
        revision=None,
        declared_permission=permission,
        lock_action=lock_action,
        lock_fields=lock_fields,
        problems=(),
    )
    return _judge_place(file, value, contents, found)


def _judge_place(file: PdfFile, value: object, contents: object, found: EmbeddedSignature) -> EmbeddedSignature:
    problem = _contents_problem(file, value, contents, found.byte_range)
    if problem is not None:
        return replace(found, problems=(problem,))
    revision, problem = _covered_revision(file, found.covered_end)
    if problem is None and isinstance(value, Ref):
        defined = file.section_of(value.number)
        if defined is None or revision is None or defined < revision:
            problem = StructureProblem.REWRITTEN
    if problem is not None:
        return replace(found, problems=(problem,))
    coverage = Coverage.WHOLE_FILE if _is_tail(file.data, found.covered_end) else Coverage.WHOLE_REVISION
    return replace(found, coverage=coverage, revision=revision)


def _contents_problem(
    file: PdfFile, value: object, contents: object, byte_range: ByteRange | None
) -> StructureProblem | None:
    """Rule 2: the gap is the /Contents token of this dictionary, which stands uncompressed in the file."""
    if not isinstance(contents, PdfString) or not contents.value.strip(b"\x00"):
        return StructureProblem.CONTENTS
    if byte_range is None:
        return StructureProblem.BYTE_RANGE
    start, end = byte_range[1], byte_range[2]
    placed = isinstance(value, Ref) and file.load(value).start is not None
    if placed and contents.hexadecimal and (contents.start, contents.end) == (start, end):
        return None
    gap = file.data[start:end]
    if _HEX_TOKEN.match(gap) and _unhex(gap) == contents.value:
        return StructureProblem.REWRITTEN
    return StructureProblem.GAP


def _covered_revision(file: PdfFile, end: int) -> tuple[int | None, StructureProblem | None]:
    """Rules 3 and 4: find the revision that ends where the ByteRange ends."""
    start = tail_startxref(file.data, end)
    offsets = [section.offset for section in file.sections]
    if start not in offsets:
        return None, StructureProblem.REVISION
    index = offsets.index(start)
    later, covered = file.sections[:index], file.sections[index:]
    if not later:
        return index, None if _is_tail(file.data, end) else StructureProblem.TRAILING_BYTES
    if any(offset < end for offset in offsets[:index]) or any(offset >= end for offset in offsets[index:]):
        return index, StructureProblem.REVISION
    if any(entry.kind == PLAIN and entry.first >= end for section in covered for _, entry in section.entries()):
        return index, StructureProblem.REVISION
    for section in later:
        for number, entry in section.entries():
            if entry.kind == PLAIN and 0 < entry.first < end:
                before = next((found for old in covered if (found := old.entry(number)) is not None), None)
                if before != entry:
                    return index, StructureProblem.REVISION
    return index, None


def _is_tail(data: bytes, end: int) -> bool:
    return not data[end : end + 4096].strip(WHITESPACE) and len(data) - end <= 4096


def _byte_range(file: PdfFile, dictionary: Dictionary) -> ByteRange | None:
    value = file.resolve(dictionary.get("ByteRange"))
    numbers = [item for item in value if isinstance(item, int)] if isinstance(value, list) else []
    if not isinstance(value, list) or len(value) != 4 or len(numbers) != 4:
        return None
    return _plausible((numbers[0], numbers[1], numbers[2], numbers[3]), len(file.data))


def _plausible(byte_range: ByteRange, size: int) -> ByteRange | None:
    first, first_length, second, second_length = byte_range
    fits = first == 0 and 0 < first_length < second and second_length > 0 and second + second_length <= size
    return byte_range if fits else None


Lock = tuple[str | None, tuple[str, ...]]


def _transforms(file: PdfFile, dictionary: Dictionary) -> tuple[int | None, Lock]:
    """Read what the signature itself permits later (ISO 32000-2 cl. 12.8.2.2 and 12.8.2.4)."""
    permission: int | None = None
    lock: Lock = (None, ())
    for item in file.array(dictionary.get("Reference"))[:16]:
        reference = file.dictionary(item)
        method = file.resolve(reference.get("TransformMethod"))
        parameters = file.dictionary(reference.get("TransformParams"))
        if method == Name("DocMDP"):
            stated = file.resolve(parameters.get("P"))
            permission = stated if isinstance(stated, int) else 2  # cl. 12.8.2.2 table 257: default 2
        elif method == Name("FieldMDP"):
            action = file.resolve(parameters.get("Action"))
            names = [file.resolve(name) for name in file.array(parameters.get("Fields"))]
            fields = tuple(name.text() for name in names if isinstance(name, PdfString))
            lock = (str(action) if isinstance(action, Name) else "All", fields)
    return permission, lock


def _security_store(file: PdfFile, catalog: Dictionary) -> DocumentSecurityStore:
    try:
        store = file.dictionary(catalog.get("DSS"))
        return DocumentSecurityStore(
            certificates=tuple(file.stream(item) for item in file.array(store.get("Certs"))[:200]),
            crls=tuple(file.stream(item) for item in file.array(store.get("CRLs"))[:200]),
            ocsp_responses=tuple(file.stream(item) for item in file.array(store.get("OCSPs"))[:200]),
        )
    except DocumentRefused:
        # A broken store takes evidence away, it never adds any: the signatures are judged without it.
        return DocumentSecurityStore()


def _security_store_end(file: PdfFile, catalog: Dictionary) -> int:
    store = catalog.get("DSS")
    if not isinstance(store, Ref):
        return 0
    entry = file.entry(store.number)
    if entry is None or entry.kind == FREE:
        return 0
    place = entry.first if entry.kind == PLAIN else getattr(file.entry(entry.first), "first", 0)
    return int(place)


def _salvage(data: bytes, limits: DocumentLimits, reason: str, error: DocumentRefused) -> SignedDocument:
    found = _raw_signatures(data, limits, StructureProblem.UNREADABLE_FILE)
    if not found:
        raise error
    found.sort(key=lambda item: item.covered_end)
    return SignedDocument(data, tuple(found), DocumentSecurityStore(), 0, unreadable=reason)


def _raw_signatures(data: bytes, limits: DocumentLimits, problem: StructureProblem) -> list[EmbeddedSignature]:
    """Find signature values by their /ByteRange alone, without trusting any structure."""
    result: dict[ByteRange | None, EmbeddedSignature] = {}
    for index, found in enumerate(_RAW_BYTE_RANGE.finditer(data)):
        if index >= 10 * limits.max_signatures or len(result) >= limits.max_signatures:
            break
        byte_range = _plausible((int(found[1]), int(found[2]), int(found[3]), int(found[4])), len(data))
        if byte_range in result or (byte_range is None and problem is StructureProblem.NO_FIELD):
            continue
        gap = data[byte_range[1] : min(byte_range[2], byte_range[1] + 4 * limits.max_cms_bytes)] if byte_range else b""
        readable = _HEX_TOKEN.match(gap) is not None
        if not readable and problem is StructureProblem.NO_FIELD:
            continue  # text that happens to look like a ByteRange, in a file that can be read
        result[byte_range] = EmbeddedSignature(
            field="",
            sub_filter="",
            contents=_unhex(gap) if readable else b"",
            byte_range=byte_range,
            signing_time=None,
            coverage=Coverage.UNCLEAR,
            revision=None,
            declared_permission=None,
            lock_action=None,
            lock_fields=(),
            problems=(problem,),
        )
    return list(result.values())


def _unhex(token: bytes) -> bytes:
    digits = token[1:-1].translate(None, WHITESPACE)
    return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())

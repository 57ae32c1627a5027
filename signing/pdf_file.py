"""A PDF file as its cross-reference chain sees it.

Owns:    startxref, cross-reference tables and streams, the chain of sections, objects, object streams, bounded decoding.
Leaves:  what the objects mean to `document`.
Rules:   nothing is repaired or searched for: the chain from the last startxref is the only truth; loops, oversize and
         undecodable parts are refused.
Spec:    ISO 32000-2:2020 cl. 7.5.4 to 7.5.8
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from signing.config import DocumentLimits
from signing.errors import DocumentEncrypted, DocumentRefused, DocumentTooLarge
from signing.pdf_streams import StreamObject, decode_stream
from signing.pdf_syntax import Dictionary, Name, PdfParser, Ref

_TAIL = re.compile(rb"startxref[\x00\t\n\x0c\r ]+(\d{1,15})[\x00\t\n\x0c\r ]+%%EOF[\x00\t\n\x0c\r ]*\Z")
_TAIL_BYTES = 1100
_SUBSECTION = re.compile(rb"[\x00\t\n\x0c\r ]*(\d{1,10})[ \t]+(\d{1,10})[ \t]*(?:\r\n|\r|\n)")
_ENTRIES = re.compile(rb"(?:\d{10} \d{5} [nf](?: \r| \n|\r\n))*+\Z")
_LOOSE_ENTRY = re.compile(rb"(\d{10}) (\d{5}) ([nf])[ \t]*(?:\r\n|\r|\n)")
_OBJECT = re.compile(rb"[\x00\t\n\x0c\r ]*(\d{1,10})[\x00\t\n\x0c\r ]+(\d{1,5})[\x00\t\n\x0c\r ]+obj(?![A-Za-z])")
_STREAM = re.compile(rb"(?:[\x00\t\n\x0c\r ]|%[^\r\n]*)*+stream(?:\r\n|\n)")
_ENTRY_BYTES = 20

FREE, PLAIN, COMPRESSED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Entry:
    """One cross-reference entry: plain (offset, generation) or compressed (stream object, index)."""

    kind: int
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class _Run:
    """Consecutive entries, still encoded: rows of a table (20 bytes) or of a stream (`widths`)."""

    start: int
    count: int
    rows: bytes
    widths: tuple[int, int, int] | None

    def entry(self, number: int) -> Entry | None:
        index = number - self.start
        if not 0 <= index < self.count:
            return None
        if self.widths is None:
            row = self.rows[index * _ENTRY_BYTES : (index + 1) * _ENTRY_BYTES]
            return Entry(PLAIN if row[17:18] == b"n" else FREE, int(row[:10]), int(row[11:16]))
        one, two, three = self.widths
        at = index * (one + two + three)
        kind = int.from_bytes(self.rows[at : at + one], "big") if one else PLAIN
        first = int.from_bytes(self.rows[at + one : at + one + two], "big")
        return Entry(kind, first, int.from_bytes(self.rows[at + one + two : at + one + two + three], "big"))


@dataclass(frozen=True, slots=True)
class Section:
    """One cross-reference section with its trailer; a hybrid file's stream is joined to its table."""

    offset: int
    trailer: Dictionary
    runs: tuple[_Run, ...]

    def entry(self, number: int) -> Entry | None:
        """Return this section's own entry for an object number."""
        for run in self.runs:
            found = run.entry(number)
            if found is not None:
                return found
        return None

    def entries(self) -> Iterator[tuple[int, Entry]]:
        """Yield every entry of this section."""
        for run in self.runs:
            for number in range(run.start, run.start + run.count):
                entry = run.entry(number)
                if entry is not None:
                    yield number, entry


@dataclass(frozen=True, slots=True)
class IndirectObject:
    """An object with its place: offsets in the file, or None inside an object stream."""

    value: object
    start: int | None
    end: int | None


class PdfFile:
    """An opened file: sections newest first, and objects on demand."""

    def __init__(self, data: bytes, limits: DocumentLimits) -> None:
        """Open.

        Raises:
            DocumentRefused: not a PDF whose structure is plain.
            DocumentTooLarge: beyond a limit.
            DocumentEncrypted: it has an /Encrypt dictionary.
        """
        if len(data) > limits.max_pdf_bytes:
            raise DocumentTooLarge("the file is too large")
        if not data.startswith(b"%PDF-"):
            raise DocumentRefused("the file does not begin as a PDF")
        self.data = data
        self.limits = limits
        self._decoded_bytes = 0
        self._objects: dict[int, IndirectObject] = {}
        self._object_streams: dict[int, tuple[bytes, dict[int, int]]] = {}
        start = tail_startxref(data, len(data))
        if start is None:
            raise DocumentRefused("the file does not end with startxref and %%EOF")
        self.sections = self._chain(start)
        self.trailer = self.sections[0].trailer
        if self.trailer.get("Encrypt") is not None:
            raise DocumentEncrypted("the file is encrypted")

    def entry(self, number: int) -> Entry | None:
        """Return the newest entry of an object number."""
        for section in self.sections:
            entry = section.entry(number)
            if entry is not None:
                return entry
        return None

    def section_of(self, number: int) -> int | None:
        """Return the index of the newest section that defines an object number."""
        for index, section in enumerate(self.sections):
            if section.entry(number) is not None:
                return index
        return None

    def load(self, reference: Ref) -> IndirectObject:
        """Return an object; a free or absent one is null (ISO 32000-2 cl. 7.3.10).

        Raises:
            DocumentRefused: the object is not where the cross-reference says.
        """
        known = self._objects.get(reference.number)
        if known is None:
            known = self._load(reference)
            self._objects[reference.number] = known
        return known

    def resolve(self, value: object) -> object:
        """Follow references to a direct value."""
        for _ in range(16):
            if not isinstance(value, Ref):
                return value
            value = self.load(value).value
        raise DocumentRefused("a chain of references is too long")

    def dictionary(self, value: object) -> Dictionary:
        """Resolve to a dictionary; null gives an empty one."""
        resolved = self.resolve(value)
        if isinstance(resolved, StreamObject):
            return resolved.dictionary
        if resolved is None:
            return {}
        if not isinstance(resolved, dict):
            raise DocumentRefused("a dictionary is expected")
        return resolved

    def array(self, value: object) -> list[object]:
        """Resolve to an array; null gives an empty one."""
        resolved = self.resolve(value)
        if resolved is None:
            return []
        if not isinstance(resolved, list):
            raise DocumentRefused("an array is expected")
        return resolved

    def stream(self, value: object) -> bytes:
        """Resolve to a stream and decode it within the limits."""
        resolved = self.resolve(value)
        if not isinstance(resolved, StreamObject):
            raise DocumentRefused("a stream is expected")
        return self._decode(resolved)

    def _load(self, reference: Ref) -> IndirectObject:
        entry = self.entry(reference.number)
        if entry is None or entry.kind == FREE:
            return IndirectObject(None, None, None)
        if entry.kind == PLAIN:
            if entry.second != reference.generation:
                return IndirectObject(None, None, None)
            return self._plain_object(entry.first, reference.number)
        if entry.kind == COMPRESSED:
            return IndirectObject(self._compressed_object(entry, reference.number), None, None)
        return IndirectObject(None, None, None)

    def _plain_object(self, offset: int, number: int | None) -> IndirectObject:
        found = _OBJECT.match(self.data, offset)
        if found is None or (number is not None and int(found[1]) != number):
            raise DocumentRefused("an object is not where the cross-reference says")
        parser = PdfParser(self.data, found.end(), max_depth=self.limits.max_depth)
        value = parser.value()
        if isinstance(value, dict):
            begin = _STREAM.match(self.data, parser.position)
            if begin is not None:
                value = StreamObject(value, begin.end())
        return IndirectObject(value, offset, parser.position)

    def _compressed_object(self, entry: Entry, number: int) -> object:
        holder = self._object_streams.get(entry.first)
        if holder is None:
            holder = self._open_object_stream(entry.first)
            self._object_streams[entry.first] = holder
        body, offsets = holder
        if number not in offsets:
            raise DocumentRefused("an object stream does not hold the object")
        return PdfParser(body, offsets[number], max_depth=self.limits.max_depth).value()

    def _open_object_stream(self, number: int) -> tuple[bytes, dict[int, int]]:
        entry = self.entry(number)
        if entry is None or entry.kind != PLAIN:  # cl. 7.5.7: never inside another object stream
            raise DocumentRefused("an object stream is missing")
        stream = self._plain_object(entry.first, number).value
        if not isinstance(stream, StreamObject):
            raise DocumentRefused("an object stream is not a stream")
        count, first = stream.dictionary.get("N"), stream.dictionary.get("First")
        if not isinstance(count, int) or not isinstance(first, int) or not 0 <= count <= self.limits.max_objects:
            raise DocumentRefused("an object stream without N and First")
        body = self._decode(stream)
        head = PdfParser(body, 0)
        pairs = [(head.integer(), head.integer()) for _ in range(count)]
        return body, {member: first + offset for member, offset in pairs}

    def raw_stream(self, stream: StreamObject) -> bytes:
        """Return a stream's bytes as they stand in the file.

        Raises:
            DocumentRefused: its length does not fit the file.
        """
        length = self.resolve(stream.dictionary.get("Length"))
        if not isinstance(length, int) or not 0 <= length <= len(self.data) - stream.start:
            raise DocumentRefused("a stream's length is wrong")
        return self.data[stream.start : stream.start + length]

    def _decode(self, stream: StreamObject) -> bytes:
        raw = self.raw_stream(stream)
        decoded = decode_stream(raw, stream.dictionary, self.limits.max_stream_bytes)
        self._decoded_bytes += len(decoded)
        if self._decoded_bytes > self.limits.max_decoded_bytes:
            raise DocumentTooLarge("the file decodes to too many bytes")
        return decoded

    def _chain(self, offset: int) -> tuple[Section, ...]:
        sections: list[Section] = []
        seen: set[int] = set()
        following: object = offset
        while following is not None:
            if not isinstance(following, int) or following in seen or not 0 < following < len(self.data):
                raise DocumentRefused("the cross-reference chain is broken or loops")
            if len(sections) >= self.limits.max_revisions:
                raise DocumentTooLarge("the file has too many revisions")
            seen.add(following)
            section = self._section(following)
            sections.append(section)
            following = section.trailer.get("Prev")
        return tuple(sections)

    def _section(self, offset: int) -> Section:
        if self.data.startswith(b"xref", offset):
            section = self._table(offset)
            hybrid = section.trailer.get("XRefStm")
            if isinstance(hybrid, int) and 0 < hybrid < len(self.data):
                return Section(offset, section.trailer, section.runs + self._xref_stream(hybrid).runs)
            return section
        return self._xref_stream(offset)

    def _table(self, offset: int) -> Section:
        position = offset + 4
        runs: list[_Run] = []
        total = 0
        while (head := _SUBSECTION.match(self.data, position)) is not None:
            start, count = int(head[1]), int(head[2])
            total += count
            if start + count > self.limits.max_objects or total > self.limits.max_objects:
                raise DocumentTooLarge("the file has too many objects")
            rows = self.data[head.end() : head.end() + count * _ENTRY_BYTES]
            position = head.end() + len(rows)
            if len(rows) != count * _ENTRY_BYTES or _ENTRIES.match(rows) is None:
                rows, position = _loose_rows(self.data, head.end(), count)
            runs.append(_Run(start, count, rows, None))
        parser = PdfParser(self.data, position, max_depth=self.limits.max_depth)
        if parser.word() != b"trailer":
            raise DocumentRefused("a cross-reference table without trailer")
        trailer = parser.dictionary()
        self._check_size(trailer)
        return Section(offset, trailer, tuple(runs))

    def _xref_stream(self, offset: int) -> Section:
        stream = self._plain_object(offset, None).value
        if not isinstance(stream, StreamObject) or stream.dictionary.get("Type") != Name("XRef"):
            raise DocumentRefused("no cross-reference stands where startxref or Prev says")
        trailer = stream.dictionary
        size = self._check_size(trailer)
        widths = _int_list(trailer.get("W"))
        if len(widths) != 3 or not all(0 <= width <= 8 for width in widths) or not sum(widths):
            raise DocumentRefused("a cross-reference stream without field widths")
        if isinstance(trailer.get("Length"), Ref):  # cl. 7.5.8.2 needs it readable without the cross-reference
            raise DocumentRefused("a cross-reference stream's length is not direct")
        rows = self._decode(stream)
        index = _int_list(trailer.get("Index")) or [0, size]
        runs: list[_Run] = []
        at = 0
        for start, count in zip(index[::2], index[1::2], strict=False):
            length = count * sum(widths)
            if start < 0 or count < 0 or start + count > self.limits.max_objects or at + length > len(rows):
                raise DocumentRefused("a cross-reference stream is shorter than its index says")
            runs.append(_Run(start, count, rows[at : at + length], (widths[0], widths[1], widths[2])))
            at += length
        return Section(offset, trailer, tuple(runs))

    def _check_size(self, trailer: Dictionary) -> int:
        size = trailer.get("Size")
        if not isinstance(size, int) or size < 1:
            raise DocumentRefused("a trailer without Size")
        if size > self.limits.max_objects:
            raise DocumentTooLarge("the file claims too many objects")
        return size


def tail_startxref(data: bytes, end: int) -> int | None:
    """Return the startxref value of a file that ends at `end`, or None when the tail is not exactly a file's tail."""
    begin = data.rfind(b"startxref", max(0, end - _TAIL_BYTES), end)
    if begin < 0:
        return None
    found = _TAIL.match(data[begin:end])
    return int(found[1]) if found else None


def _loose_rows(data: bytes, position: int, count: int) -> tuple[bytes, int]:
    """Read entries that are not 20 bytes long (seen in the field) and return them in the exact form."""
    rows: list[bytes] = []
    for _ in range(count):
        found = _LOOSE_ENTRY.match(data, position)
        if found is None:
            raise DocumentRefused("a cross-reference entry is malformed")
        rows.append(b"%s %s %s \n" % (found[1], found[2], found[3]))
        position = found.end()
    return b"".join(rows), position


def _int_list(value: object) -> list[int]:
    if not isinstance(value, list):
        return []
    return [item for item in value if isinstance(item, int)]

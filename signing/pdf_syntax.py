"""PDF objects from raw bytes, with the place of every string.

Owns:    tokens and values of PDF syntax. Leaves files (cross-references, streams) to `pdf_file`, meaning to `document`.
Rules:   one pass, bounded depth, no repair: what the grammar does not allow is refused; a dictionary key that occurs twice is
         refused, because readers disagree on which one counts.
Spec:    ISO 32000-2:2020 cl. 7.2 and 7.3
"""

import re
from dataclasses import dataclass

from signing.errors import DocumentRefused

WHITESPACE = b"\x00\t\n\x0c\r "
_SKIP = rb"(?:[\x00\t\n\x0c\r ]++|%[^\r\n]*+)*+"
_TOKEN = re.compile(
    _SKIP
    + rb"(?:(?P<open><<)|(?P<close>>>)|(?P<left>\[)|(?P<right>\])"
    + rb"|/(?P<name>[^\x00\t\n\x0c\r ()<>\[\]{}/%]*+)"
    + rb"|(?P<ref>(\d{1,10})[\x00\t\n\x0c\r ]+(\d{1,5})[\x00\t\n\x0c\r ]+R(?![^\x00\t\n\x0c\r ()<>\[\]{}/%]))"
    + rb"|(?P<number>[+-]?(?:\d{1,19}(?:\.\d{0,19})?|\.\d{1,19})(?![^\x00\t\n\x0c\r ()<>\[\]{}/%]))"
    + rb"|(?P<hex><[0-9A-Fa-f\x00\t\n\x0c\r ]*+>)|(?P<literal>\()|(?P<word>[A-Za-z]++))"
)
_LITERAL_STEP = re.compile(rb"[^()\\]*+([()]|\\(?:[0-7]{1,3}|\r\n|.)?)", re.DOTALL)
_NAME_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_SIMPLE_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_WORDS: dict[bytes, bool | None] = {b"true": True, b"false": False, b"null": None}


class Name(str):
    """A name object, without its slash, escapes decoded."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Ref:
    """An indirect reference."""

    number: int
    generation: int


@dataclass(frozen=True, slots=True)
class PdfString:
    """A string object: its bytes, and the offsets of its token with the delimiters."""

    value: bytes
    start: int
    end: int
    hexadecimal: bool

    def text(self) -> str:
        """Decode a text string (ISO 32000-2 cl. 7.9.2.2); unknown bytes become U+FFFD."""
        if self.value.startswith(b"\xfe\xff"):
            return self.value[2:].decode("utf-16-be", "replace")
        if self.value.startswith(b"\xef\xbb\xbf"):
            return self.value[3:].decode("utf-8", "replace")
        return self.value.decode("latin-1")


Value = "None | bool | int | float | Name | Ref | PdfString | list[Value] | dict[str, Value]"
Dictionary = dict[str, object]


class PdfParser:
    """Reads values from `data`, beginning at `position`, which moves on."""

    def __init__(self, data: bytes, position: int, *, max_depth: int = 64) -> None:
        self.data = data
        self.position = position
        self._max_depth = max_depth

    def value(self) -> object:
        """Read one value.

        Raises:
            DocumentRefused: no value stands here, or it breaks a limit.
        """
        return self._value(self._token(), 0)

    def dictionary(self) -> Dictionary:
        """Read one value that must be a dictionary."""
        value = self.value()
        if not isinstance(value, dict):
            raise DocumentRefused("a dictionary is expected here")
        return value

    def word(self) -> bytes:
        """Read one keyword (`obj`, `stream`, `trailer`, …)."""
        found = self._token()
        if found.lastgroup != "word":
            raise DocumentRefused("a keyword is expected here")
        return bytes(found["word"])

    def integer(self) -> int:
        """Read one integer."""
        found = self._token()
        if found.lastgroup != "number" or b"." in found["number"]:
            raise DocumentRefused("an integer is expected here")
        return int(found["number"])

    def _token(self) -> re.Match[bytes]:
        found = _TOKEN.match(self.data, self.position)
        if found is None:
            raise DocumentRefused("not a PDF object")
        self.position = found.end()
        return found

    def _value(self, found: re.Match[bytes], depth: int) -> object:
        if depth > self._max_depth:
            raise DocumentRefused("objects are nested too deeply")
        match found.lastgroup:
            case "name":
                return _name(found["name"])
            case "number":
                text = found["number"]
                return float(text) if b"." in text else int(text)
            case "ref":
                return Ref(int(found[7]), int(found[8]))
            case "hex":
                return _hex_string(found)
            case "literal":
                return self._literal(found.end() - 1)
            case "open":
                return self._dictionary(depth)
            case "left":
                return self._array(depth)
            case "word" if found["word"] in _WORDS:
                return _WORDS[found["word"]]
        raise DocumentRefused("not a PDF value")

    def _dictionary(self, depth: int) -> Dictionary:
        result: Dictionary = {}
        while True:
            found = self._token()
            if found.lastgroup == "close":
                return result
            if found.lastgroup != "name":
                raise DocumentRefused("a dictionary key must be a name")
            key = _name(found["name"])
            if key in result:
                raise DocumentRefused("a dictionary key occurs twice")
            result[key] = self._value(self._token(), depth + 1)

    def _array(self, depth: int) -> list[object]:
        result: list[object] = []
        while True:
            found = self._token()
            if found.lastgroup == "right":
                return result
            result.append(self._value(found, depth + 1))

    def _literal(self, start: int) -> PdfString:
        parts: list[bytes] = []
        position = start + 1
        level = 1
        while True:
            step = _LITERAL_STEP.match(self.data, position)
            if step is None:
                raise DocumentRefused("a string does not end")
            mark = step[1]
            parts.append(self.data[position : step.start(1)])
            position = step.end()
            if mark == b")":
                level -= 1
                if level == 0:
                    break
            elif mark == b"(":
                level += 1
            parts.append(_unescape(mark))
        self.position = position
        return PdfString(b"".join(parts), start, position, hexadecimal=False)


def _unescape(mark: bytes) -> bytes:
    if not mark.startswith(b"\\"):
        return mark
    body = mark[1:]
    if body in _SIMPLE_ESCAPES:
        return _SIMPLE_ESCAPES[body]
    if body[:1].isdigit() and body[:1] < b"8":
        return bytes([int(body, 8) & 0xFF])
    return b"" if body in (b"\r\n", b"\r", b"\n") else body


def _hex_string(found: re.Match[bytes]) -> PdfString:
    digits = found["hex"][1:-1].translate(None, WHITESPACE)
    if len(digits) % 2:
        digits += b"0"  # ISO 32000-2 cl. 7.3.4.3
    return PdfString(bytes.fromhex(digits.decode()), found.start("hex"), found.end("hex"), hexadecimal=True)


def _name(raw: bytes) -> Name:
    if b"#" in raw:
        raw = _NAME_ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), raw)
    return Name(raw.decode("latin-1"))

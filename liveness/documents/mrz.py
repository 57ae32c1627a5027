"""Machine-readable zones: TD1 cards, TD3 passports, and the one-line form of the exit-entry and Taiwan permits.

Owns:    field positions, check digits, dates. Leaves numbers' national shapes to `numbers`.
Rules:   lines are exactly 30 (TD1, one line) or 44 (TD3) characters of A-Z, 0-9 and `<`; every check digit is verified,
         the composite one last; a birth year is of the century that makes it not later than `on`
Spec:    ICAO Doc 9303-3 (dates, check digits), 9303-4 (TD3), 9303-5 (TD1); GA/T 704.14 uses TD1 with code `C?` and state CHN;
         the one-line form is not ICAO's (`docs/divergences.md`)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from liveness.documents.check_digits import check_digit, icao_digit
from liveness.errors import DocumentRefused

MAX_LINES = 3
_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<")


class MrzForm(StrEnum):
    """How the zone is laid out."""

    TD1 = "td1"
    TD3 = "td3"
    ONE_LINE = "one_line"


@dataclass(frozen=True, slots=True)
class MachineReadable:
    """What a zone says, all its check digits verified."""

    form: MrzForm
    document_code: str
    """Without filler: `P`, `C`, `CR`, `CS`, `CD`."""
    issuing_state: str | None
    number: str
    birthdate: date | None
    """None when the zone leaves month or day unknown (`<<`)."""
    expires: date
    sex: str | None
    """`M`, `F`, or None when unspecified."""
    nationality: str | None
    surname: str | None
    given_names: str | None
    name_truncated: bool
    """The name field is full, so the name may go on."""
    optional: str


def parse_mrz(lines: Sequence[str], *, on: date) -> MachineReadable:
    """Return what the zone says.

    Args:
        lines: one (CS, CD), two (TD3) or three (TD1) lines; spaces fall away, lower case is raised.
        on: the day of reading, for the birth century.

    Raises:
        DocumentRefused: names line and position, what stands there and what was expected.
        DocumentCheckDigit: a check digit is wrong.
    """
    if not 1 <= len(lines) <= MAX_LINES:
        raise _shape_refused(f"{len(lines)} lines", "1, 2 or 3 lines")
    plain = ["".join(line.split()).upper() for line in lines]
    reader = {1: _read_one_line, 2: _read_td3, 3: _read_td1}[len(plain)]
    length = 44 if len(plain) == 2 else 30
    for number, line in enumerate(plain, 1):
        _check_line(line, number, length)
    return reader(plain, on)


def _shape_refused(found: str, expected: str, *, field: str = "mrz", position: int | None = None) -> DocumentRefused:
    where = f"{field} position {position}" if position else field
    return DocumentRefused(
        f"{where}: {found}, expected {expected}", field=field, position=position, found=found, expected=expected
    )


def _check_line(line: str, number: int, length: int) -> None:
    if len(line) != length:
        raise _shape_refused(f"{len(line)} characters", f"{length} characters", field=f"mrz line {number}")
    for position, character in enumerate(line, 1):
        if character not in _ALPHABET:
            raise _shape_refused(repr(character), "A-Z, 0-9 or <", field=f"mrz line {number}", position=position)


def _expect(line: str, start: int, wanted: str, number: int) -> None:
    """Refuse another character than `wanted` at 0-based `start`."""
    if line[start] not in wanted:
        raise _shape_refused(repr(line[start]), " or ".join(wanted), field=f"mrz line {number}", position=start + 1)


def _covered(line: str, start: int, end: int, number: int, name: str) -> str:
    """Return a field whose check digit follows it directly."""
    check_digit(line[end], icao_digit(line[start:end]), field=f"mrz line {number} {name}", position=end + 1)
    return line[start:end]


def _read_one_line(lines: list[str], on: date) -> MachineReadable:
    (line,) = lines
    _expect(line, 0, "C", 1)
    _expect(line, 1, "SD", 1)
    for filler in (12, 20, 28):
        _expect(line, filler, "<", 1)
    number = _covered(line, 2, 11, 1, "number").rstrip("<")
    expires = _expiry(_covered(line, 13, 19, 1, "expiry"), 1, 14)
    birthdate = _birthdate(_covered(line, 21, 27, 1, "birth"), on, 1, 22)
    # Composite over characters 3-12, 14-20 and 22-28.
    composite = icao_digit(line[2:12] + line[13:20] + line[21:28])
    check_digit(line[29], composite, field="mrz line 1 composite", position=30)
    return MachineReadable(
        MrzForm.ONE_LINE, line[:2], "CHN", number, birthdate, expires, None, None, None, None, False, ""
    )


def _read_td1(lines: list[str], on: date) -> MachineReadable:
    first, second, third = lines
    _expect(first, 0, "ACI", 1)
    number, optional = _td1_number(first)
    birthdate = _birthdate(_covered(second, 0, 6, 2, "birth"), on, 2, 1)
    sex = _sex(second, 7, 2)
    expires = _expiry(_covered(second, 8, 14, 2, "expiry"), 2, 9)
    # Doc 9303-5 cl. 4.2.4: upper line 6-30, middle line 1-7, 9-15, 19-29.
    composite = icao_digit(first[5:30] + second[0:7] + second[8:15] + second[18:29])
    check_digit(second[29], composite, field="mrz line 2 composite", position=30)
    surname, given = _names(third, 3, 1)
    return MachineReadable(
        MrzForm.TD1, first[:2].rstrip("<"), _letters(first, 2, 5, 1), number, birthdate, expires, sex,
        _letters(second, 15, 18, 2), surname, given, not third.endswith("<"),
        (optional + second[18:29]).rstrip("<"),
    )  # fmt: skip


def _td1_number(first: str) -> tuple[str, str]:
    """Return number and optional data; a number over nine characters goes on in the optional field (9303-5 note j)."""
    if first[14] != "<":
        return _covered(first, 5, 14, 1, "number").rstrip("<"), first[15:30]
    rest, _, optional = first[15:30].partition("<")
    if len(rest) < 2:
        raise _shape_refused("'<'", "a check digit", field="mrz line 1", position=15)
    number = first[5:14] + rest[:-1]
    check_digit(rest[-1], icao_digit(number), field="mrz line 1 number", position=15 + len(rest))
    return number, optional


def _read_td3(lines: list[str], on: date) -> MachineReadable:
    first, second = lines
    _expect(first, 0, "P", 1)
    number = _covered(second, 0, 9, 2, "number").rstrip("<")
    birthdate = _birthdate(_covered(second, 13, 19, 2, "birth"), on, 2, 14)
    expires = _expiry(_covered(second, 21, 27, 2, "expiry"), 2, 22)
    # Doc 9303-4: the personal number's check digit may be `<` when that field is empty.
    if not (second[42] == "<" and not second[28:42].strip("<")):
        _covered(second, 28, 42, 2, "personal number")
    composite = icao_digit(second[0:10] + second[13:20] + second[21:43])
    check_digit(second[43], composite, field="mrz line 2 composite", position=44)
    surname, given = _names(first[5:], 1, 6)
    return MachineReadable(
        MrzForm.TD3, first[:2].rstrip("<"), _letters(first, 2, 5, 1), number, birthdate, expires,
        _sex(second, 20, 2), _letters(second, 10, 13, 2), surname, given, not first.endswith("<"),
        second[28:42].rstrip("<"),
    )  # fmt: skip


def _letters(line: str, start: int, end: int, number: int) -> str:
    for index in range(start, end):
        if line[index].isdigit():
            raise _shape_refused(repr(line[index]), "a letter or <", field=f"mrz line {number}", position=index + 1)
    return line[start:end].rstrip("<")


def _sex(line: str, index: int, number: int) -> str | None:
    _expect(line, index, "MFX<", number)
    return line[index] if line[index] in "MF" else None


def _names(field: str, number: int, position: int) -> tuple[str, str]:
    for index, character in enumerate(field):
        if character.isdigit():
            raise _shape_refused(
                repr(character), "a letter or <", field=f"mrz line {number}", position=position + index
            )
    surname, _, given = field.rstrip("<").partition("<<")
    return surname.replace("<", " ").strip(), given.replace("<", " ").strip()


def _expiry(text: str, line: int, position: int) -> date:
    # All these documents were issued after 2000.
    return _date(2000 + _two(text, 0, line, position), text, line, position)


def _birthdate(text: str, on: date, line: int, position: int) -> date | None:
    year = 2000 + _two(text, 0, line, position)
    if "<" in text[2:]:
        return None
    born = _date(year, text, line, position)
    return born if born <= on else _date(year - 100, text, line, position)


def _two(text: str, start: int, line: int, position: int) -> int:
    for index in (start, start + 1):
        if not text[index].isdigit():
            raise _shape_refused(repr(text[index]), "a digit", field=f"mrz line {line}", position=position + index)
    return int(text[start : start + 2])


def _date(year: int, text: str, line: int, position: int) -> date:
    month, day = _two(text, 2, line, position), _two(text, 4, line, position)
    try:
        return date(year, month, day)
    except ValueError as error:
        raise _shape_refused("no date", "YYMMDD", field=f"mrz line {line}", position=position) from error

"""Document numbers: which document a number belongs to, and whether its characters and check digit are right.

Owns:    the shapes of the numbers of nine documents. Leaves MRZ to `mrz`.
Rules:   spaces, hyphens, brackets and slashes are separators and fall away; full-width characters become plain ones
         a number that fits no shape is refused at its first wrong character under the nearest shape
Spec:    GB 11643-1999; notices of the NIA on the 2013 and 2024 forms of the Mainland Travel Permit (`docs/divergences.md`)
"""

import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date

from liveness.documents.check_digits import check_digit, gb11643_digit, hkid_digit
from liveness.errors import DocumentRefused
from liveness.model import DocumentType

MAX_NUMBER_CHARACTERS = 40
_SEPARATORS = frozenset(" -()[]/\u00a0")
_DIGITS = "0123456789"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# I and O are left out of the exit-entry permit's second letter: they look like 1 and 0.
_PERMIT_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
RESIDENCE_AREAS = {"810000": "HKG", "820000": "MAC", "830000": "TWN"}


@dataclass(frozen=True, slots=True)
class DocumentNumber:
    """A well-formed number and what it says by itself."""

    type: DocumentType
    number: str
    """Upper case, without separators and without the reissue count."""
    issuing_country: str
    reissue: str | None = None
    birthdate: date | None = None
    sex: str | None = None


@dataclass(frozen=True, slots=True)
class _Shape:
    """The allowed characters of each position, and what a number of that shape is."""

    name: str
    alphabet: tuple[str, ...]
    read: Callable[[str], DocumentNumber]
    types: tuple[DocumentType, ...]

    def first_wrong(self, text: str) -> int:
        """Return the index of the first character that does not fit, the shape's length when all fit."""
        for index, allowed in enumerate(self.alphabet):
            if index >= len(text) or text[index] not in allowed:
                return index
        return len(self.alphabet)


def parse_number(text: str, among: Collection[DocumentType] = tuple(DocumentType)) -> DocumentNumber:
    """Return what a document number says.

    A passport number is not recognised here: it has no national shape; its MRZ carries the check digits. Some shapes overlap
    (`HA1234567` is a permit and may be an HKID): the first type in the order of `DocumentType` is taken, so say `among`.

    Args:
        text: as typed.
        among: the types that may be recognised.

    Raises:
        DocumentRefused: no document of ours has a number of that shape.
        DocumentCheckDigit: the shape is right and the check digit is not.
    """
    plain = normalise(text)
    shapes = [shape for shape in _SHAPES if set(shape.types) & set(among)]
    for shape in shapes:
        if len(plain) == len(shape.alphabet) and shape.first_wrong(plain) == len(plain):
            parsed = shape.read(plain)
            if parsed.type in among:
                return parsed
    raise _nearest_refusal(plain, shapes)


def normalise(text: str) -> str:
    """Return the number's characters alone: compatibility forms folded, upper case, separators removed.

    Raises:
        DocumentRefused: empty or over-long.
    """
    if len(text) > MAX_NUMBER_CHARACTERS:
        raise DocumentRefused(
            "the number is too long", field="number", found=f"{len(text)} characters",
            expected=f"at most {MAX_NUMBER_CHARACTERS}",
        )  # fmt: skip
    folded = unicodedata.normalize("NFKC", text).upper()
    plain = "".join(character for character in folded if character not in _SEPARATORS)
    if not plain:
        raise DocumentRefused("no number is given", field="number", found="nothing", expected="a document number")
    return plain


def _nearest_refusal(plain: str, shapes: Sequence[_Shape]) -> DocumentRefused:
    """Say what is wrong, judged by the shape that fits furthest and is nearest in length."""
    if not shapes:
        return DocumentRefused(
            "no number of these documents can be read", field="number", expected="a document with a number"
        )
    shape = max(shapes, key=lambda s: (s.first_wrong(plain), -abs(len(s.alphabet) - len(plain))))
    index = shape.first_wrong(plain)
    if index == len(shape.alphabet):
        return DocumentRefused(
            f"{shape.name}: {len(plain)} characters, expected {len(shape.alphabet)}", field="number",
            position=index + 1, found=f"{len(plain)} characters", expected=f"{len(shape.alphabet)} characters",
        )  # fmt: skip
    found = plain[index] if index < len(plain) else "end"
    expected = _describe(shape.alphabet[index])
    return DocumentRefused(
        f"{shape.name}: position {index + 1} is {found!r}, expected {expected}", field="number",
        position=index + 1, found=found, expected=expected,
    )  # fmt: skip


def _describe(alphabet: str) -> str:
    names = {_DIGITS: "a digit", _LETTERS: "a letter", _PERMIT_LETTERS: "a letter other than I and O"}
    return names.get(alphabet, f"a digit or {alphabet[10:]}" if alphabet.startswith(_DIGITS) else " or ".join(alphabet))


def _read_travel_permit(text: str) -> DocumentNumber:
    # The last two of the old eleven characters are the reissue count (换证次数); the nine before stay for life.
    return DocumentNumber(DocumentType.MAINLAND_TRAVEL_PERMIT, text[:9], "CHN", text[9:] or None)


def _read_non_chinese_permit(text: str) -> DocumentNumber:
    return DocumentNumber(DocumentType.MAINLAND_TRAVEL_PERMIT_NON_CHINESE, text[:9], "CHN", text[9:] or None)


def _read_exit_entry_permit(text: str) -> DocumentNumber:
    return DocumentNumber(DocumentType.EXIT_ENTRY_PERMIT, text, "CHN")


def _read_citizen_number(text: str) -> DocumentNumber:
    check_digit(text[17], gb11643_digit(text[:17]), field="number", position=18)
    area = RESIDENCE_AREAS.get(text[:6])
    kind = DocumentType.RESIDENCE_PERMIT if area else DocumentType.MAINLAND_RESIDENT_ID
    try:
        birthdate = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError as error:
        raise DocumentRefused(
            "positions 7 to 14 are not a date", field="number", position=7, found="no date", expected="YYYYMMDD"
        ) from error
    return DocumentNumber(kind, text, "CHN", birthdate=birthdate, sex="M" if int(text[16]) % 2 else "F")


def _read_hkid(text: str) -> DocumentNumber:
    check_digit(text[-1], hkid_digit(text[:-1]), field="number", position=len(text))
    return DocumentNumber(DocumentType.HKID, text, "HKG")


def _read_macao_bir(text: str) -> DocumentNumber:
    return DocumentNumber(DocumentType.MACAO_BIR, text, "MAC")


def _digits(count: int) -> tuple[str, ...]:
    return (_DIGITS,) * count


_TRAVEL = (DocumentType.MAINLAND_TRAVEL_PERMIT,)
_TRAVEL_NON_CHINESE = (DocumentType.MAINLAND_TRAVEL_PERMIT_NON_CHINESE,)
_EXIT_ENTRY = (DocumentType.EXIT_ENTRY_PERMIT,)
_CITIZEN = (DocumentType.RESIDENCE_PERMIT, DocumentType.MAINLAND_RESIDENT_ID)
_NON_CHINESE_NAME = "mainland travel permit of a non-Chinese citizen"

_SHAPES = (
    _Shape("mainland travel permit", ("HM", *_digits(8)), _read_travel_permit, _TRAVEL),
    _Shape("mainland travel permit with reissue count", ("HM", *_digits(10)), _read_travel_permit, _TRAVEL),
    _Shape(_NON_CHINESE_NAME, ("HM", "A", *_digits(7)), _read_non_chinese_permit, _TRAVEL_NON_CHINESE),
    _Shape(
        f"{_NON_CHINESE_NAME} with reissue count",
        ("HM", "A", *_digits(9)),
        _read_non_chinese_permit,
        _TRAVEL_NON_CHINESE,
    ),
    _Shape("exit-entry permit", ("CW", *_digits(8)), _read_exit_entry_permit, _EXIT_ENTRY),
    _Shape("exit-entry permit", ("C", _PERMIT_LETTERS, *_digits(7)), _read_exit_entry_permit, _EXIT_ENTRY),
    _Shape("citizen number", ("123456789", *_digits(16), _DIGITS + "X"), _read_citizen_number, _CITIZEN),
    _Shape("HKID", (_LETTERS, *_digits(6), _DIGITS + "A"), _read_hkid, (DocumentType.HKID,)),
    _Shape("HKID", (_LETTERS, _LETTERS, *_digits(6), _DIGITS + "A"), _read_hkid, (DocumentType.HKID,)),
    _Shape("Macao resident identity card", ("157", *_digits(7)), _read_macao_bir, (DocumentType.MACAO_BIR,)),
)

"""Check digits: ICAO 7-3-1, GB 11643 (ISO 7064 MOD 11-2), HKID.

Owns:    the three algorithms. Leaves shapes to `numbers` and `mrz`.
Rules:   the Macao BIR's algorithm is not published, so there is none here
Spec:    ICAO Doc 9303-3 cl. 4.9; GB 11643-1999 cl. 5; HKID: weights 9..2 modulo 11
"""

from liveness.errors import DocumentCheckDigit

_GB_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_GB_DIGITS = "10X98765432"


def icao_digit(text: str) -> str:
    """Return the 7-3-1 check digit of `text` over 0-9, A-Z and the filler `<`."""
    return str(sum(_icao_value(character) * (7, 3, 1)[index % 3] for index, character in enumerate(text)) % 10)


def _icao_value(character: str) -> int:
    return 0 if character == "<" else int(character, 36)


def gb11643_digit(first17: str) -> str:
    """Return the last character of an 18-character citizen number."""
    return _GB_DIGITS[sum(int(digit) * weight for digit, weight in zip(first17, _GB_WEIGHTS, strict=True)) % 11]


def hkid_digit(body: str) -> str:
    """Return the check digit of an HKID: one or two letters and six digits, without the digit itself."""
    padded = body.rjust(8)
    values = (36 if character == " " else int(character, 36) for character in padded)
    rest = (11 - sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True)) % 11) % 11
    return "A" if rest == 10 else str(rest)


def check_digit(found: str, expected: str, *, field: str, position: int) -> None:
    """Refuse a check digit that is not the computed one.

    Args:
        found: the digit that stands there.
        expected: the computed one.
        field: for the message, in the standard's word.
        position: 1-based position of the digit in the number or line.

    Raises:
        DocumentCheckDigit: they differ.
    """
    if found != expected:
        raise DocumentCheckDigit(
            f"{field}: check digit at position {position} is {found!r}, expected {expected!r}",
            field=field, position=position, found=found, expected=expected,
        )  # fmt: skip

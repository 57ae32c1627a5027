"""Document numbers: the fact sheet's vectors, and what is said of wrong ones."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.documents import parse_number
from liveness.documents.check_digits import gb11643_digit, hkid_digit, icao_digit
from liveness.errors import DocumentRefused
from liveness.model import DocumentType as T

GOOD = {
    "H12345678": (T.MAINLAND_TRAVEL_PERMIT, "H12345678", None),
    "M12345678": (T.MAINLAND_TRAVEL_PERMIT, "M12345678", None),
    "H1234567801": (T.MAINLAND_TRAVEL_PERMIT, "H12345678", "01"),
    "HA1234567": (T.MAINLAND_TRAVEL_PERMIT_NON_CHINESE, "HA1234567", None),
    "MA1234567": (T.MAINLAND_TRAVEL_PERMIT_NON_CHINESE, "MA1234567", None),
    "C12345678": (T.EXIT_ENTRY_PERMIT, "C12345678", None),
    "CA0000001": (T.EXIT_ENTRY_PERMIT, "CA0000001", None),
    "W12345678": (T.EXIT_ENTRY_PERMIT, "W12345678", None),
    "A123456(3)": (T.HKID, "A1234563", None),
    "AB987654(3)": (T.HKID, "AB9876543", None),
    "C123456(9)": (T.HKID, "C1234569", None),
    "G123456(A)": (T.HKID, "G123456A", None),
    "810000199001010019": (T.RESIDENCE_PERMIT, "810000199001010019", None),
    "820000198512310029": (T.RESIDENCE_PERMIT, "820000198512310029", None),
    "830000197707070034": (T.RESIDENCE_PERMIT, "830000197707070034", None),
    "440301199003070019": (T.MAINLAND_RESIDENT_ID, "440301199003070019", None),
    "11010519491231002X": (T.MAINLAND_RESIDENT_ID, "11010519491231002X", None),
    "1234567(8)": (T.MACAO_BIR, "12345678", None),
    "1/234567/8": (T.MACAO_BIR, "12345678", None),
    " ｈ１２３４５６７８ ": (T.MAINLAND_TRAVEL_PERMIT, "H12345678", None),
}


@pytest.mark.parametrize("text", GOOD)
def test_good_numbers(text: str) -> None:
    found = parse_number(text)
    assert (found.type, found.number, found.reissue) == GOOD[text]


def test_a_citizen_number_carries_birth_and_sex() -> None:
    found = parse_number("440301199003070019")
    assert (found.birthdate, found.sex) == (date(1990, 3, 7), "M")


@pytest.mark.parametrize(
    ("text", "code", "position", "found", "expected"),
    [
        ("A123456(4)", "document_check_digit", 8, "4", "3"),
        ("440301199003070018", "document_check_digit", 18, "8", "9"),
        ("440301199013070012", "document_malformed", 7, "no date", "YYYYMMDD"),
        ("CI0000002", "document_check_digit", 9, "2", "1"),
        ("H1234567A", "document_malformed", 9, "A", "a digit"),
        ("X!", "document_malformed", 2, "!", "a digit"),
        ("", "document_malformed", None, "nothing", "a document number"),
        ("H" * 41, "document_malformed", None, "41 characters", "at most 40"),
    ],
)
def test_a_refusal_names_position_found_and_expected(
    text: str, code: str, position: int | None, found: str, expected: str
) -> None:
    with pytest.raises(DocumentRefused) as refusal:
        parse_number(text)
    said = refusal.value
    assert (said.code, said.position, said.found, said.expected) == (code, position, found, expected)


def test_the_second_letter_of_an_exit_entry_permit_is_neither_i_nor_o() -> None:
    for letter in "IO":
        with pytest.raises(DocumentRefused) as refusal:
            parse_number(f"C{letter}0000001", (T.EXIT_ENTRY_PERMIT,))
        assert refusal.value.position == 2


def test_a_number_of_two_shapes_is_read_as_asked() -> None:
    body = "HA123456"
    text = body + hkid_digit(body)
    assert parse_number(text, (T.MAINLAND_TRAVEL_PERMIT_NON_CHINESE,)).type is T.MAINLAND_TRAVEL_PERMIT_NON_CHINESE
    assert parse_number(text, (T.HKID,)).type is T.HKID


def test_icao_example_of_doc_9303() -> None:
    assert icao_digit("520727") == "3"  # Doc 9303-3 cl. 4.9, example 1
    assert icao_digit("AB2134<<<") == "5"  # example 2


@given(st.from_regex(r"[1-9][0-9]{16}", fullmatch=True), st.integers(0, 16))
def test_gb11643_finds_every_single_wrong_digit(first17: str, place: int) -> None:
    other = str((int(first17[place]) + 1) % 10)
    assert gb11643_digit(first17) != gb11643_digit(first17[:place] + other + first17[place + 1 :])


@given(st.text(max_size=60))
def test_any_text_gives_a_value_or_a_refusal(text: str) -> None:
    try:
        parse_number(text)
    except DocumentRefused as refusal:
        assert refusal.code in {"document_malformed", "document_check_digit"}

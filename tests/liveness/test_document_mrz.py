"""Machine-readable zones: ICAO's own examples, the one-line form, wrong characters and digits."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.documents import MrzForm, parse_mrz
from liveness.errors import DocumentRefused
from sandbox.mrz import permit_mrz
from sandbox.personas import PERSONAS

ON = date(2026, 11, 24)
# ICAO Doc 9303-5 Appendix B and 9303-4 Appendix B.
TD1 = ("I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<")
TD3 = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
ONE_LINE = "CSC123456788<3501014<9001011<4"


def test_icao_td1_example() -> None:
    zone = parse_mrz(TD1, on=ON)
    assert (zone.form, zone.number, zone.birthdate, zone.expires) == (
        MrzForm.TD1, "D23145890", date(1974, 8, 12), date(2012, 4, 15),
    )  # fmt: skip
    assert (zone.surname, zone.given_names, zone.sex, zone.nationality) == ("ERIKSSON", "ANNA MARIA", "F", "UTO")


def test_icao_td3_example() -> None:
    zone = parse_mrz(TD3, on=ON)
    assert (zone.form, zone.number, zone.optional, zone.issuing_state) == (MrzForm.TD3, "L898902C3", "ZE184226B", "UTO")


@pytest.mark.parametrize(("line", "number"), [(ONE_LINE, "C12345678"), ("CSCA00000015<3501014<9001011<0", "CA0000001")])
def test_the_one_line_form(line: str, number: str) -> None:
    zone = parse_mrz([line], on=ON)
    assert (zone.form, zone.document_code, zone.number) == (MrzForm.ONE_LINE, "CS", number)
    assert (zone.birthdate, zone.expires) == (date(1990, 1, 1), date(2035, 1, 1))


def test_a_long_number_goes_on_in_the_optional_field() -> None:
    # 9303-5: position 15 is filler, the rest of the number and its check digit open the optional field.
    from liveness.documents.check_digits import icao_digit

    number = "H1234567801"
    first = f"C<CHN{number[:9]}<{number[9:]}{icao_digit(number)}".ljust(30, "<")
    second = TD1[1][:29]
    composite = icao_digit(first[5:30] + second[0:7] + second[8:15] + second[18:29])
    assert parse_mrz([first, second + composite, TD1[2]], on=ON).number == number


def test_a_birth_year_is_not_in_the_future() -> None:
    zone = parse_mrz(permit_mrz(PERSONAS["hk-resident"]), on=ON)
    assert zone.birthdate == date(1990, 1, 15)
    assert parse_mrz([ONE_LINE], on=date(2095, 1, 1)).birthdate == date(2090, 1, 1)


@pytest.mark.parametrize("persona", [p.id for p in PERSONAS.values() if p.permit_number])
def test_every_persona_permit_can_be_read(persona: str) -> None:
    holder = PERSONAS[persona]
    zone = parse_mrz(permit_mrz(holder), on=ON)
    assert (zone.number, zone.birthdate, zone.expires) == (holder.permit_number, holder.birthdate, holder.permit_expiry)


@pytest.mark.parametrize(
    ("lines", "code", "field", "position"),
    [
        ([ONE_LINE[:11] + "9" + ONE_LINE[12:]], "document_check_digit", "mrz line 1 number", 12),
        ([ONE_LINE[:29] + "5"], "document_check_digit", "mrz line 1 composite", 30),
        ([ONE_LINE[:12] + "A" + ONE_LINE[13:]], "document_malformed", "mrz line 1", 13),
        (["CX" + ONE_LINE[2:]], "document_malformed", "mrz line 1", 2),
        ([ONE_LINE[:-1]], "document_malformed", "mrz line 1", None),
        ([ONE_LINE[:5] + "é" + ONE_LINE[6:]], "document_malformed", "mrz line 1", 6),
        ([TD1[0], TD1[1][:5] + "3" + TD1[1][6:], TD1[2]], "document_check_digit", "mrz line 2 birth", 7),
        ([TD1[0], TD1[1][:7] + "Q" + TD1[1][8:], TD1[2]], "document_malformed", "mrz line 2", 8),
        ([TD1[0], TD1[1], "ERIKSS0N<<ANNA<MARIA<<<<<<<<<<"], "document_malformed", "mrz line 3", 7),
        ([TD3[0], TD3[1][:43] + "1"], "document_check_digit", "mrz line 2 composite", 44),
        ([], "document_malformed", "mrz", None),
        (["A"] * 4, "document_malformed", "mrz", None),
    ],
)
def test_a_refusal_names_field_and_position(lines: list[str], code: str, field: str, position: int | None) -> None:
    with pytest.raises(DocumentRefused) as refusal:
        parse_mrz(lines, on=ON)
    assert (refusal.value.code, refusal.value.field, refusal.value.position) == (code, field, position)


def test_every_changed_character_of_a_one_line_zone_is_noticed() -> None:
    """Position by position: another digit is refused, whatever the position."""
    for position, character in enumerate(ONE_LINE):
        if character.isdigit():
            other = ONE_LINE[:position] + str((int(character) + 1) % 10) + ONE_LINE[position + 1 :]
            with pytest.raises(DocumentRefused):
                parse_mrz([other], on=ON)


@given(st.lists(st.text(alphabet="ABC<0123456789é ", max_size=46), max_size=4))
def test_any_lines_give_a_value_or_a_refusal(lines: list[str]) -> None:
    try:
        parse_mrz(lines, on=ON)
    except DocumentRefused as refusal:
        assert refusal.field.startswith("mrz")

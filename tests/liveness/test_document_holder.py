"""The cross-check of document and person."""

from dataclasses import replace
from datetime import date

import pytest

from liveness.documents import check_holder
from liveness.errors import DocumentRefused
from liveness.model import DocumentType, PermitCheckRequest
from sandbox.mrz import permit_mrz
from sandbox.personas import PERSONAS
from trust_lists.vocabulary import Region

ON = date(2026, 11, 24)
HOLDER = PERSONAS["hk-resident"]
MRZ = permit_mrz(HOLDER)
REQUEST = PermitCheckRequest(
    "txn", "sub", "http://a", HOLDER.name_latin, HOLDER.name_chinese, "19900115", Region.HK, "en",
    (DocumentType.MAINLAND_TRAVEL_PERMIT,),
)  # fmt: skip


def refused(number: str = "H12345678", mrz: tuple[str, ...] = MRZ, on: date = ON, **changes: object) -> str:
    with pytest.raises(DocumentRefused) as refusal:
        check_holder(number, mrz, replace(REQUEST, **changes), on=on)
    return refusal.value.code


def test_the_holders_own_permit() -> None:
    found = check_holder("H12345678", MRZ, REQUEST, on=ON)
    assert (found.number, found.birthdate, found.expires) == ("H12345678", HOLDER.birthdate, HOLDER.permit_expiry)


@pytest.mark.parametrize("asked", ["1990", "199001", "19900115"])
def test_a_birth_date_as_precise_as_the_upstream_gives_it(asked: str) -> None:
    assert check_holder("H12345678", MRZ, replace(REQUEST, birthdate=asked), on=ON).number == "H12345678"


@pytest.mark.parametrize("name", ["CHAN, Ka Yan", "chan,ka-yan", "CHAN KA YAN", "Chán, Ka’ Yan"])
def test_a_name_is_compared_by_its_letters(name: str) -> None:
    assert check_holder("H12345678", MRZ, replace(REQUEST, name_latin=name), on=ON).number == "H12345678"


def test_the_reissue_count_is_carried_apart() -> None:
    assert check_holder("H1234567802", MRZ, REQUEST, on=ON).reissue == "02"


def test_an_exit_entry_permit_has_one_line() -> None:
    li = PERSONAS["gd-resident"]
    request = replace(
        REQUEST, name_latin=li.name_latin, birthdate="19900307", accepted_documents=(DocumentType.EXIT_ENTRY_PERMIT,)
    )
    assert check_holder("CA1234567", permit_mrz(li), request, on=ON).number == "CA1234567"


def test_another_persons_birth_date() -> None:
    assert refused(birthdate="19900116") == "document_holder_mismatch"


def test_an_unknown_birth_date_proves_nothing() -> None:
    assert refused(birthdate="") == "document_holder_mismatch"


def test_another_persons_name() -> None:
    assert refused(name_latin="CHAN, Ka Ying") == "document_holder_mismatch"


def test_another_number_than_in_the_zone() -> None:
    assert refused(number="H12345679") == "document_holder_mismatch"


def test_a_permit_without_its_zone() -> None:
    assert refused(mrz=()) == "document_malformed"


def test_a_zone_of_another_form() -> None:
    assert refused(mrz=permit_mrz(PERSONAS["gd-resident"])) == "document_holder_mismatch"


def test_a_document_that_is_not_accepted() -> None:
    assert refused(number="A123456(3)", mrz=()) == "document_not_accepted"
    assert refused(accepted_documents=(DocumentType.EXIT_ENTRY_PERMIT,)) == "document_not_accepted"


def test_an_expired_permit() -> None:
    assert refused(on=date(2033, 7, 1)) == "document_expired"
    assert check_holder("H12345678", MRZ, REQUEST, on=date(2033, 6, 30)).number == "H12345678"


def test_a_truncated_name_may_go_on() -> None:
    long = replace(HOLDER, name_latin="VANDERBILTSHIRE, Alexandrina Victoria Josephine")
    zone = permit_mrz(long)
    assert not zone[2].endswith("<")
    found = check_holder("H12345678", zone, replace(REQUEST, name_latin=long.name_latin), on=ON)
    assert found.number == "H12345678"

"""Our comparison of revisions beside pyHanko's: ours never permits what pyHanko's refuses without a known reason."""

import pytest

from signing.changes import find_changes
from signing.config import DocumentLimits
from signing.document import read
from signing.model import Coverage, Modification, SignatureLevel
from tests.attacks.test_pdf_certification import filled, form_pdf
from tests.attacks.test_pdf_incremental_updates import page_of, with_other_text
from tests.conftest import SHARED_DATA
from tests.support import pki
from tests.support.pyhanko_diff import classify_changes
from tests.support.signing import incremental_update, object_body, plain_pdf, sign_pdf

LIMITS = DocumentLimits()


def ours(document: bytes, index: int = 0) -> Modification:
    return find_changes(document, read(document).signatures[index].covered_end, LIMITS).kind


def theirs(document: bytes, index: int = 0) -> Modification:
    signature = read(document).signatures[index]
    return classify_changes(document, signature.field, signature.covered_end)


CASES = {
    "second signature": lambda: sign_pdf(sign_pdf(), pki.holder("mo-p256")),
    "content swapped": lambda: with_other_text(sign_pdf()),
    "fields filled": lambda: filled(sign_pdf(form_pdf()), b"amount", b"9"),
    "page rewritten as it was": lambda: rewritten(sign_pdf()),
    "signed thrice": lambda: sign_pdf(sign_pdf(sign_pdf()), level=SignatureLevel.B_T),
}


def rewritten(signed: bytes) -> bytes:
    return incremental_update(signed, {page_of(signed): object_body(signed, page_of(signed))})


@pytest.mark.parametrize("case", CASES)
def test_both_analyses_agree_on_what_is_permitted(case):
    document = CASES[case]()
    assert (ours(document) is Modification.OTHER) is (theirs(document) is Modification.OTHER)
    assert (ours(document) is Modification.FORM_FILLING) is (theirs(document) is Modification.FORM_FILLING)


def test_the_kinds_are_told_apart():
    assert ours(CASES["second signature"]()) is Modification.SIGNATURES
    assert ours(CASES["content swapped"]()) is Modification.OTHER
    assert ours(CASES["fields filled"]()) is Modification.FORM_FILLING
    assert ours(CASES["page rewritten as it was"]()) is Modification.VALIDATION_DATA


def test_an_existing_empty_field_may_be_signed():
    from sandbox.mortgage_form import SIGNATURE_FIELD, make_mortgage_form

    document = sign_pdf(make_mortgage_form({"name": "CHAN, Ka Yan"}), field="Other")
    both = sign_pdf(document, pki.holder("mo-p256"), field=SIGNATURE_FIELD, appearance=("Digitally signed",))
    assert ours(both) is Modification.SIGNATURES
    assert theirs(both) is not Modification.OTHER


def test_what_cannot_be_read_is_a_change():
    assert find_changes(plain_pdf(), 100, LIMITS).kind is Modification.OTHER


@pytest.mark.parametrize(
    "name", ["Signature-P-DE_SCI-4.pdf", "Signature-P-HU_POL-7.pdf", "pades-ltv.pdf", "DSS-3226.pdf"]
)
def test_no_false_alarm_on_files_of_the_field(name):
    path = SHARED_DATA / "signed-pdfs" / name
    if not path.exists():
        pytest.skip(f"shared data absent: signed-pdfs/{name}")
    document = read(path.read_bytes())
    for signature in document.signatures:
        if signature.coverage is Coverage.WHOLE_REVISION:
            assert find_changes(document.data, signature.covered_end, LIMITS).kind is not Modification.OTHER

"""Signed PDFs of the field with a known outcome; skipped by name where the shared data is absent."""

import json

import pytest

from signing.anchors import TrustedRoots
from signing.model import Evidence, Indication
from signing.policy import DEFAULT
from signing.validation import validate
from tests.conftest import SHARED_DATA
from tests.support.pki import AT

FOLDER = SHARED_DATA / "signed-pdfs"
NAMES = [
    "DSS-3226.pdf", "Signature-P-DE_SCI-4.pdf", "Signature-P-HU_POL-7.pdf", "pades-ltv.pdf",
    "pades-spoofing-replaced-reason.pdf", "pades-t-level-extended.pdf", "pdf-signed-corrupted.pdf",
    "pdf-signed-original.pdf", "pdf-signed-out-of-byteRange.pdf", "pkcs7.pdf", "siwa.pdf",
]  # fmt: skip
WANTED = {"ok": {"ok"}, "modified": {"modified"}, "invalid": {"broken", "malformed", "modified"}}


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_gets_the_integrity_that_it_has(name):
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"shared data absent: signed-pdfs/{name}")
    expected = json.loads((FOLDER / "expected.json").read_bytes())[name]
    report = validate(path.read_bytes(), Evidence(), TrustedRoots(), DEFAULT, AT)
    assert report.integrity_verdict.value in WANTED[expected["label"]]
    assert report.indication is not Indication.TOTAL_PASSED  # nobody anchors their signers here
    if expected["label"] == "ok":
        assert report.indication is Indication.INDETERMINATE
        assert len(report.signatures) == expected["signatures"]
        assert len(report.document_timestamps) == expected["document_timestamps"]


@pytest.mark.parametrize(
    "name", ["form-one-page_objstm-xrefstm.pdf", "form-two-pages_48-fields.pdf", "pdfa-2a_tagged.pdf"]
)
def test_documents_of_the_field_can_be_signed(name):
    from tests.support.signing import judge, sign_pdf

    path = SHARED_DATA / "pdfs" / name
    if not path.exists():
        pytest.skip(f"shared data absent: pdfs/{name}")
    report = judge(sign_pdf(path.read_bytes()))
    assert report.indication is Indication.TOTAL_PASSED, report.signatures[0].detail

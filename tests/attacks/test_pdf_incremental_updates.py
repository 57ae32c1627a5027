"""Incremental saving attacks (01 to 05, 25): the signed bytes stay, what is shown changes."""

import re

import pytest

from signing.model import Indication, SignatureLevel
from tests.support import pki
from tests.support.signing import (
    incremental_update,
    judge,
    object_body,
    object_with,
    plain_pdf,
    sign_pdf,
    verdict,
)

MODIFIED = ("INDETERMINATE", "SIG_CONSTRAINTS_FAILURE", "modified")


def page_of(document: bytes) -> int:
    return (
        object_with(document, b"/Type /Page\n") if b"/Type /Page\n" in document else object_with(document, b"/MediaBox")
    )


def with_other_text(document: bytes) -> bytes:
    """01: an update that points the page to another content stream."""
    page = page_of(document)
    body = object_body(document, page)
    fresh = 900
    changed = re.sub(rb"/Contents \d+ 0 R", b"/Contents %d 0 R" % fresh, body)
    assert changed != body
    content = b"BT /F1 12 Tf 72 700 Td (amount 9000000 CNY) Tj ET"
    stream = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content)
    return incremental_update(document, {page: changed, fresh: stream})


def test_01_page_content_swapped_by_an_update():
    assert verdict(with_other_text(sign_pdf())) == MODIFIED


def test_01_page_content_swapped_after_a_time_stamp():
    assert verdict(with_other_text(sign_pdf(level=SignatureLevel.B_T))) == MODIFIED


def test_02_objects_appended_without_cross_reference():
    attacked = sign_pdf() + b"\n5 0 obj\n<< /Length 3 >>\nstream\nBT \nendstream\nendobj\n"
    assert verdict(attacked)[0] == "TOTAL_FAILED"


def test_02_objects_appended_behind_the_old_startxref():
    signed = sign_pdf()
    start = re.search(rb"startxref\s+(\d+)\s+%%EOF\s*\Z", signed)[1]
    attacked = signed + b"\n5 0 obj\n<< >>\nendobj\nstartxref\n" + start + b"\n%%EOF\n"
    assert verdict(attacked)[0] == "TOTAL_FAILED"


@pytest.mark.parametrize("tail", [b"x", b"\n%%EOF\n", b" " * 5000, b"\x00" * 4 + b"<script>"])
def test_02_bytes_after_the_end(tail):
    assert verdict(sign_pdf() + tail)[0] == "TOTAL_FAILED"


def test_white_space_after_the_end_is_no_attack():
    assert verdict(sign_pdf() + b"\r\n \n")[0] == "TOTAL_PASSED"


@pytest.mark.parametrize("signer", ["trusted", "unknown"])
def test_03_04_swapped_content_then_a_second_signature_over_all(signer):
    attacked = with_other_text(sign_pdf())
    second = sign_pdf(attacked, pki.holder("mo-p256" if signer == "trusted" else "tsa"))
    report = judge(second)
    first = report.signatures[0]
    assert first.field == "Signature1"
    assert first.indication is Indication.INDETERMINATE
    assert first.integrity.verdict.value == "modified"
    assert report.indication is not Indication.TOTAL_PASSED


def test_05_a_byte_changed_in_place():
    signed = sign_pdf()
    at = signed.index(b"endstream") - 10
    assert verdict(signed[:at] + b"!" + signed[at + 1 :]) == ("TOTAL_FAILED", "HASH_FAILURE", "broken")


def test_25_an_annotation_over_the_text():
    signed = sign_pdf()
    page = page_of(signed)
    body = object_body(signed, page)
    annotation = b"<< /Type /Annot /Subtype /FreeText /Rect [60 700 500 740] /Contents (amount 9000000) /DA (/Helv 12 Tf) /F 4 >>"
    changed = re.sub(rb"/Annots \[", b"/Annots [ 901 0 R ", body)
    if changed == body:
        changed = body.replace(b"/MediaBox", b"/Annots [ 901 0 R ] /MediaBox", 1)
    assert verdict(incremental_update(signed, {page: changed, 901: annotation})) == MODIFIED


def test_a_catalog_action_added_later():
    signed = sign_pdf()
    catalog = object_with(signed, b"/Catalog")
    body = object_body(signed, catalog)
    script = b"/OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >> /Type /Catalog"
    changed = body.replace(b"/Type /Catalog", script, 1)
    assert changed != body
    assert verdict(incremental_update(signed, {catalog: changed})) == MODIFIED


def test_another_catalog_named_by_the_trailer():
    signed = sign_pdf()
    catalog = object_body(signed, object_with(signed, b"/Catalog"))
    content = b"BT 72 700 Td (amount 9000000 CNY) Tj ET"
    objects = {
        950: re.sub(rb"/Pages \d+ 0 R", b"/Pages 951 0 R", catalog),
        951: b"<< /Type /Pages /Count 1 /Kids [952 0 R] >>",
        952: b"<< /Type /Page /Parent 951 0 R /MediaBox [0 0 595 842] /Contents 953 0 R >>",
        953: b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    }
    assert verdict(incremental_update(signed, objects, root=950)) == MODIFIED


def test_a_page_added_later():
    signed = sign_pdf(plain_pdf(2))
    pages = object_with(signed, b"/Count 2")
    body = object_body(signed, pages)
    first = re.search(rb"/Kids \[ (\d+) 0 R", body)[1]
    changed = body.replace(b"/Count 2", b"/Count 3").replace(b"/Kids [ ", b"/Kids [ %s 0 R " % first, 1)
    assert verdict(incremental_update(signed, {pages: changed})) == MODIFIED


def test_an_update_that_changes_nothing_that_is_shown():
    signed = sign_pdf()
    page = page_of(signed)
    rewritten = incremental_update(signed, {page: object_body(signed, page)})
    assert verdict(rewritten) == ("TOTAL_PASSED", None, "ok")

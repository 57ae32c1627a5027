"""Shadow attacks: content prepared before signing, uncovered after it (hide, replace, hide and replace)."""

import io
import re

from reportlab.pdfgen.canvas import Canvas

from tests.support.signing import incremental_update, object_body, object_with, plain_pdf, sign_pdf, verdict

MODIFIED = ("INDETERMINATE", "SIG_CONSTRAINTS_FAILURE", "modified")


def stream(content: bytes) -> bytes:
    return b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content)


def test_hide_a_cover_is_taken_away():
    """The signed file shows an image over the text; the update makes the image empty."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=1)
    canvas.drawString(72, 720, "I owe 9000000 CNY")
    canvas.beginForm("cover")
    canvas.rect(60, 700, 400, 60, fill=1)
    canvas.endForm()
    canvas.doForm("cover")
    canvas.save()
    signed = sign_pdf(buffer.getvalue())
    number = object_with(signed, b"/Subtype /Form")
    body = object_body(signed, number)
    emptied = re.sub(rb"/Length \d+(.*?)stream.*endstream", rb"/Length 0\1stream\n\nendstream", body, flags=re.DOTALL)
    assert emptied != body
    assert verdict(incremental_update(signed, {number: emptied})) == MODIFIED


def test_replace_a_font_is_exchanged():
    """Redefining a font changes what every character shows."""
    signed = sign_pdf()
    number = object_with(signed, b"/BaseFont")
    body = object_body(signed, number)
    exchanged = body.replace(b"/Helvetica", b"/Symbol")
    assert exchanged != body
    assert verdict(incremental_update(signed, {number: exchanged})) == MODIFIED


def test_hide_and_replace_an_unused_page_becomes_the_page():
    """Objects that lay unused in the signed file are pointed to by a later cross-reference."""
    prepared = incremental_update(plain_pdf(), {800: stream(b"BT 72 700 Td (9000000) Tj ET")})
    signed = sign_pdf(prepared)
    page = object_with(signed, b"/MediaBox")
    body = re.sub(rb"/Contents \d+ 0 R", b"/Contents 800 0 R", object_body(signed, page))
    assert verdict(incremental_update(signed, {page: body})) == MODIFIED


def test_hide_and_replace_by_cross_reference_alone():
    """The later cross-reference points a used number to bytes that lay unused in the signed part."""
    prepared = incremental_update(plain_pdf(), {800: stream(b"BT 72 700 Td (9000000) Tj ET")})
    signed = sign_pdf(prepared)
    content = int(re.search(rb"/Contents (\d+) 0 R", signed)[1])
    unused = signed.index(b"800 0 obj")
    start = re.search(rb"startxref\s+(\d+)\s+%%EOF\s*\Z", signed)[1]
    trailer = re.findall(rb"trailer\s*<<(.*?)>>", signed, re.DOTALL)[-1]
    root = re.search(rb"/Root\s+(\d+)", trailer)[1]
    place = len(signed)
    attacked = signed + b"xref\n%d 1\n%010d 00000 n \ntrailer\n<< /Size 900 /Root %s 0 R /Prev %s >>\nstartxref\n%d\n%%%%EOF\n" % (
        content, unused, root, start, place,
    )  # fmt: skip
    assert verdict(attacked)[:1] == ("TOTAL_FAILED",)
    assert verdict(attacked)[2] == "modified"


def test_a_cross_reference_of_the_signed_part_that_points_behind_it():
    """An entry prepared before signing points past the end; the attacker's object is appended later."""
    base = plain_pdf()
    size = int(re.search(rb"/Size (\d+)", base)[1])
    prepared = incremental_update(base, {size: b"null"})
    entry = re.findall(rb"\n(\d{10}) 00000 n \ntrailer", prepared)[-1]
    prepared = prepared.replace(entry + b" 00000 n \ntrailer", b"0000900000 00000 n \ntrailer")
    signed = sign_pdf(prepared)
    attacked = incremental_update(signed, {size + 50: b"null"})
    assert verdict(attacked)[2] == "modified"


def test_form_field_appearance_shows_another_value():
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=1)
    canvas.drawString(72, 760, "Application")
    canvas.acroForm.textfield(name="amount", x=72, y=700, value="1000", fieldFlags="")
    canvas.save()
    signed = sign_pdf(buffer.getvalue())
    number = object_with(signed, b"/T (amount)")
    body = object_body(signed, number)
    changed = re.sub(rb"/N (\d+) 0 R", b"/N 905 0 R", body)
    assert changed != body
    form = b"<< /Type /XObject /Subtype /Form /BBox [0 0 100 20] /Length 12 >>\nstream\n(9000000) Tj\nendstream"
    assert verdict(incremental_update(signed, {number: changed, 905: form})) == MODIFIED

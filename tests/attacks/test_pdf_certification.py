"""What a signature itself permits later (22 to 24): DocMDP, FieldMDP, and form fields that nothing declares."""

import io
import re

import pytest
from asn1crypto import keys, x509
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko_certvalidator.registry import SimpleCertificateStore
from reportlab.pdfgen.canvas import Canvas

from signing.model import Modification
from signing.policy import STRICT
from tests.support import pki
from tests.support.signing import incremental_update, judge, object_body, object_with, plain_pdf, sign_pdf, verdict

MODIFIED = ("INDETERMINATE", "SIG_CONSTRAINTS_FAILURE", "modified")


def form_pdf() -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=1)
    canvas.drawString(72, 760, "Application")
    canvas.acroForm.textfield(name="amount", x=72, y=700, value="1000", fieldFlags="")
    canvas.acroForm.textfield(name="remark", x=72, y=600, value="none", fieldFlags="")
    canvas.save()
    return buffer.getvalue()


def foreign(document: bytes, **metadata: object) -> bytes:
    """A signature by pyHanko with DocMDP or FieldMDP."""
    held = pki.holder()
    store = SimpleCertificateStore()
    store.register(x509.Certificate.load(held.chain[0]))
    signer = signers.SimpleSigner(
        signing_cert=x509.Certificate.load(held.certificate),
        signing_key=keys.PrivateKeyInfo.load(held.private_key.der),
        cert_registry=store,
    )
    spec = metadata.pop("spec", None)
    wish = signers.PdfSignatureMetadata(
        field_name="Signature1", md_algorithm="sha256", subfilter=fields.SigSeedSubFilter.PADES, **metadata
    )
    writer = IncrementalPdfFileWriter(io.BytesIO(document))
    return signers.PdfSigner(wish, signer, new_field_spec=spec).sign_pdf(writer).getvalue()


def certified(permission: fields.MDPPerm, document: bytes | None = None) -> bytes:
    return foreign(document or plain_pdf(), certify=True, docmdp_permissions=permission)


def filled(document: bytes, name: bytes, value: bytes) -> bytes:
    """Fill a field in a plain update."""
    number = object_with(document, b"/T (%s)" % name)
    body = object_body(document, number)
    changed = re.sub(rb"/V \([^)]*\)", b"/V (%s)" % value, body)
    assert changed != body
    return incremental_update(document, {number: changed})


@pytest.mark.parametrize("permission", list(fields.MDPPerm))
def test_22_certified_and_untouched(permission):
    assert verdict(certified(permission))[0] == "TOTAL_PASSED"


def test_23_certified_without_changes_then_signed_again():
    report = judge(sign_pdf(certified(fields.MDPPerm.NO_CHANGES), pki.holder("mo-p256")))
    assert report.signatures[0].integrity.modification is Modification.SIGNATURES
    assert report.signatures[0].sub_indication.word == "SIG_CONSTRAINTS_FAILURE"


def test_certified_for_filling_then_signed_again():
    assert verdict(sign_pdf(certified(fields.MDPPerm.FILL_FORMS), pki.holder("mo-p256")))[0] == "TOTAL_PASSED"


def test_24_certified_then_an_annotation():
    signed = certified(fields.MDPPerm.NO_CHANGES)
    page = object_with(signed, b"/MediaBox")
    body = object_body(signed, page)
    changed = re.sub(rb"/Annots \[", b"/Annots [901 0 R ", body)
    note = b"<< /Type /Annot /Subtype /FreeText /Rect [60 700 500 740] /Contents (x) /DA (/Helv 12 Tf) >>"
    assert changed != body
    assert verdict(incremental_update(signed, {page: changed, 901: note})) == MODIFIED


def test_fields_filled_after_a_plain_signature_are_not_explained():
    signed = sign_pdf(form_pdf())
    assert verdict(signed)[0] == "TOTAL_PASSED"
    assert verdict(filled(signed, b"amount", b"9000000")) == MODIFIED


def test_fields_filled_where_the_certification_says_so():
    signed = certified(fields.MDPPerm.FILL_FORMS, form_pdf())
    changed = filled(signed, b"remark", b"please hurry")
    report = judge(changed)
    assert report.indication.value == "TOTAL_PASSED"
    assert report.signatures[0].integrity.modification is Modification.FORM_FILLING
    assert verdict(changed, policy=STRICT)[1] == "SIG_CONSTRAINTS_FAILURE"


def test_a_locked_field_filled():
    lock = fields.FieldMDPSpec(fields.FieldMDPAction.INCLUDE, fields=["amount"])
    spec = fields.SigFieldSpec("Signature1", field_mdp_spec=lock)
    signed = foreign(form_pdf(), spec=spec)
    assert verdict(signed)[0] == "TOTAL_PASSED"
    assert verdict(filled(signed, b"remark", b"please hurry"))[0] == "TOTAL_PASSED"
    assert verdict(filled(signed, b"amount", b"9000000")) == MODIFIED


def test_a_new_field_that_is_no_signature():
    signed = sign_pdf(form_pdf())
    number = object_with(signed, b"/Fields")
    body = object_body(signed, number)
    changed = re.sub(rb"/Fields \[", b"/Fields [902 0 R ", body)
    field = b"<< /FT /Tx /T (debt) /V (9000000) /Type /Annot /Subtype /Widget /Rect [72 500 300 520] >>"
    assert verdict(incremental_update(signed, {number: changed, 902: field})) == MODIFIED


@pytest.mark.parametrize(
    "extra",
    [b"/Rect [0 0 595 842] /AP << /N 904 0 R >>", b"/Rect [0 0 0 0] /A << /S /JavaScript /JS (x) >>"],
    ids=["visible", "action"],
)
def test_a_new_empty_signature_field_that_shows_or_does_something(extra):
    signed = sign_pdf()
    number = object_with(signed, b"/Fields")
    body = object_body(signed, number)
    changed = re.sub(rb"/Fields \[ ?(\d+) 0 R", rb"/Fields [\1 0 R 903 0 R", body)
    assert changed != body
    field = b"<< /FT /Sig /T (Signature9) /Type /Annot /Subtype /Widget " + extra + b" >>"
    form = b"<< /Type /XObject /Subtype /Form /BBox [0 0 595 842] /Length 0 >>\nstream\n\nendstream"
    assert verdict(incremental_update(signed, {number: changed, 903: field, 904: form})) == MODIFIED

"""The second PDF container writer: endesive 3.0.1, for what it does well.

Owns:    the only import of endesive. Leaves the signature value and every verdict to our own modules: endesive's CMS is thrown
         away, its verifier never called.
Rules:   1 levels B-B and B-T, classic cross-reference tables, no DocMDP, no encryption, no form fields; any key, as the CMS is ours
         2 SubFilter is ETSI.CAdES.detached (endesive writes adbe.pkcs7.detached by default)
         3 `aligned` is always set: without it endesive signs twice
         4 the time stamp is ours, so that a dead TSA cannot pass silently
Spec:    the project's fact sheet on endesive 3.0.1, sections 1.1 and 6
"""

import io
import logging
import secrets

from signing import oscrypto_shim  # noqa: F401 - must come before endesive

# isort: split
from endesive.pdf import cms as endesive_cms
from pypdf import PdfReader
from pypdf.generic import ArrayObject, ByteStringObject, NameObject

from signing.config import DocumentLimits
from signing.dates import write_pdf_date
from signing.engine import FieldRequest, ReservedDocument
from signing.errors import DocumentRefused, EngineRefused, SigningError
from signing.pdf_file import PdfFile
from signing.pdf_syntax import Name

logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # its warnings repeat content of the document


class _Container(endesive_cms.SignedData):  # type: ignore[misc]  # endesive is untyped
    """endesive's writer with the PAdES SubFilter."""

    def _make_signature(self, Contents=None, Type=None, SubFilter=None):  # type: ignore[no-untyped-def]  # noqa: N803, ANN001, ANN202 - endesive's own signature
        return super()._make_signature(Contents=Contents, Type=Type, SubFilter=NameObject("/ETSI.CAdES.detached"))


class EndesiveEngine:
    """Writes containers with endesive."""

    name = "endesive"

    def reserve(self, document: bytes, field: FieldRequest, contents_bytes: int) -> ReservedDocument:
        """See `PdfEngine.reserve`."""
        _check_suitable(document, field)
        try:
            return _reserve(document, field, contents_bytes)
        except SigningError:
            raise
        except Exception as error:
            raise DocumentRefused("the document cannot be prepared for signing") from error


def _check_suitable(document: bytes, field: FieldRequest) -> None:
    """Refuse what the fact sheet says endesive does wrongly (rule 1)."""
    file = PdfFile(document, DocumentLimits())
    if any(section.trailer.get("Type") == Name("XRef") or "XRefStm" in section.trailer for section in file.sections):
        raise EngineRefused("endesive cannot sign a file with cross-reference streams; use the pyhanko engine")
    catalog = file.dictionary(file.trailer.get("Root"))
    if "DocMDP" in file.dictionary(catalog.get("Perms")):
        raise EngineRefused("endesive must not sign a certified document; use the pyhanko engine")
    if field.sub_filter != "ETSI.CAdES.detached" or field.box is not None:
        raise EngineRefused("endesive makes invisible approval signatures only; use the pyhanko engine")
    form = file.dictionary(catalog.get("AcroForm"))
    if file.array(form.get("Fields")):
        raise EngineRefused("endesive signs documents without form fields only; use the pyhanko engine")


def _reserve(document: bytes, field: FieldRequest, contents_bytes: int) -> ReservedDocument:
    zeros = b"00" * contents_bytes
    request = {
        "sigfield": field.name,
        "sigflags": 3,
        "signingdate": write_pdf_date(field.signing_time),
        "reason": field.reason,
        "location": field.location,
        "application": "GBA-Trust",
    }
    previous = PdfReader(io.BytesIO(document), strict=True)
    container = _Container()
    container._makepdf(previous, request, "sha256", zeros, None, (), None, None, mode="sign", use_signingdate=True)
    first = previous.trailer.get("/ID")
    kept = first.get_object()[0].original_bytes if first is not None else secrets.token_bytes(16)
    container._ID = ArrayObject([ByteStringObject(kept), ByteStringObject(secrets.token_bytes(16))])
    update = io.BytesIO()
    container._write(update, previous, len(document))
    return _with_byte_range(document, update.getvalue(), zeros)


def _with_byte_range(document: bytes, update: bytes, zeros: bytes) -> ReservedDocument:
    token = b"<" + zeros + b">"
    blank = b"[ " + b" ".join([endesive_cms._WNumberObject.Format % 0] * 4) + b" ]"
    at = update.find(token)
    if at < 0 or update.find(token, at + 1) >= 0 or update.count(blank) != 1:
        raise DocumentRefused("the place of the signature in the written update is not clear")
    start, end = len(document) + at, len(document) + at + len(token)
    final = b"[0 %d %d %d]" % (start, end, len(document) + len(update) - end)
    data = document + update.replace(blank, final.ljust(len(blank)), 1)
    return ReservedDocument(data, start, end)

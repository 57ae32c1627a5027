"""Reading posted forms within limits.

Owns:    multipart forms with one document, and their text fields. Leaves what they mean to the routes.
Rules:   the length is known and bounded before a byte is read; one file, few fields.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from signing.config import DocumentLimits
from signing.errors import DocumentTooLarge, RequestRefused

_OVERHEAD_BYTES = 65_536
MAX_TEXT = 500


@asynccontextmanager
async def open_form(request: Request, limits: DocumentLimits) -> AsyncIterator[FormData]:
    """Read a posted form; its temporary files end with the block.

    Raises:
        RequestRefused: no length, or not a form.
        DocumentTooLarge: beyond the limit.
    """
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise RequestRefused("the request must state its length")
    if int(length) > limits.max_pdf_bytes + _OVERHEAD_BYTES:
        raise DocumentTooLarge("the document is too large")
    if not request.headers.get("content-type", "").startswith(
        ("multipart/form-data", "application/x-www-form-urlencoded")
    ):
        raise RequestRefused("a form is expected")
    try:
        form = await request.form(max_files=1, max_fields=12)
    except Exception as error:
        raise RequestRefused("the form cannot be read") from error
    try:
        yield form
    finally:
        await form.close()


async def read_document(form: FormData, limits: DocumentLimits) -> bytes:
    """Return the uploaded `document`.

    Raises:
        RequestRefused: there is none.
        DocumentTooLarge: beyond the limit.
    """
    upload = form.get("document")
    if not isinstance(upload, UploadFile):
        raise RequestRefused("the field document is missing")
    content = await upload.read(limits.max_pdf_bytes + 1)
    if len(content) > limits.max_pdf_bytes:
        raise DocumentTooLarge("the document is too large")
    return content


def text_of(form: FormData, name: str) -> str:
    """Return a text field, the empty string when absent.

    Raises:
        RequestRefused: it is a file or too long.
    """
    value = form.get(name, "")
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise RequestRefused(f"the field {name} is not a short text")
    return value.strip()

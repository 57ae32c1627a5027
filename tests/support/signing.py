"""PDFs, signatures and trust lists for the signing tests: everything is really signed."""

import io
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from reportlab.pdfgen.canvas import Canvas

from sandbox.pki import IssuedCertificate
from sandbox.services import service_drafts
from signing import cms_builder
from signing.anchors import TrustAnchors
from signing.cms_builder import Suite
from signing.creation import PreparedSignature, SigningOptions, embed, prepare
from signing.model import Evidence, SignatureLevel
from signing.policy import DEFAULT, Policy
from signing.pyhanko_engine import PyHankoEngine
from signing.report import ValidationReport
from signing.validation import validate
from tests.support import pki as test_pki
from tests.support.pki import AT
from tests.support.trust_lists import Offices
from trust_lists.model import ServiceStatus


@lru_cache
def plain_pdf(pages: int = 1, text: str = "Cross-border mortgage application") -> bytes:
    """A PDF of reportlab's: classic cross-reference table, no form."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=1)
    for page in range(pages):
        canvas.drawString(72, 720, f"{text}, page {page + 1}, amount 3000000 CNY")
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def sign_attributes(held: IssuedCertificate, prepared: PreparedSignature) -> bytes:
    """The signature value, as the holder's key makes it."""
    if prepared.signer.suite is Suite.RSA_PSS_SHA256:
        key = serialization.load_der_private_key(held.private_key.der, None)
        return key.sign(prepared.attributes, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    return held.private_key.sign(prepared.attributes)


def sign_pdf(
    document: bytes | None = None,
    held: IssuedCertificate | None = None,
    *,
    level: SignatureLevel = SignatureLevel.B_B,
    at: datetime = AT,
    engine: object | None = None,
    **options: object,
) -> bytes:
    """A PDF signed by our own creation."""
    held = held or test_pki.holder()
    wish = SigningOptions(level=level, **options)
    made = prepare(document or plain_pdf(), held.certificate, held.chain, wish, engine or PyHankoEngine(), at)
    value = sign_attributes(held, made)
    return embed(made, value, test_pki.stamp(value, at) if level is SignatureLevel.B_T else None)


def sign_with_attributes(
    change: Callable[[PreparedSignature], tuple[bytes, bytes | None]], held: IssuedCertificate | None = None
) -> bytes:
    """A PDF whose signed attributes, and if wanted whole CMS, a test has bent before the key signed them."""
    held = held or test_pki.holder()
    wish = SigningOptions(level=SignatureLevel.B_B)
    made = prepare(plain_pdf(), held.certificate, held.chain, wish, PyHankoEngine(), AT)
    attributes, whole = change(made)
    value = whole or cms_builder.signed_data(made.signer, attributes, held.private_key.sign(attributes))
    gap = made.gap_end - made.gap_start - 2
    assert 2 * len(value) <= gap
    return (
        made.document[: made.gap_start + 1] + value.hex().encode().ljust(gap, b"0") + made.document[made.gap_end - 1 :]
    )


def judge(
    document: bytes,
    *,
    evidence: Evidence | None = None,
    anchors: TrustAnchors | None = None,
    policy: Policy = DEFAULT,
    at: datetime = AT,
) -> ValidationReport:
    """Our verdict, with all sandbox CAs trusted and their CRLs at hand unless the test says otherwise."""
    return validate(document, evidence or test_pki.crls(at), anchors or test_pki.roots(), policy, at)


def verdict(document: bytes, **more: object) -> tuple[str, str | None, str]:
    """Indication, sub-indication of the first signature, integrity verdict."""
    report = judge(document, **more)
    first = report.signatures[0] if report.signatures else None
    code = first.sub_indication.word if first and first.sub_indication else None
    return report.indication.value, code, report.integrity_verdict.value


class TrustListOfTheRun:
    """Three real offices that list the sandbox PKI; its clock begins a day before AT."""

    def __init__(self) -> None:
        self.offices = Offices(tuple(service_drafts(test_pki.pki())))
        self.snapshot = self.offices.published.snapshot

    def withdraw(self, service_id: str, at: datetime) -> None:
        """Publish the end of a service."""
        self.offices.clock.now = at
        self.snapshot = self.offices.set_status(service_id, ServiceStatus.WITHDRAWN).snapshot


def incremental_update(document: bytes, objects: dict[int, bytes], *, root: int | None = None) -> bytes:
    """Append objects in a proper incremental update with a classic cross-reference table."""
    start = re.search(rb"startxref\s+(\d+)\s+%%EOF\s*\Z", document)
    trailer = re.findall(rb"trailer\s*<<(.*?)>>\s*startxref", document, re.DOTALL)[-1]
    size = max(int(re.search(rb"/Size\s+(\d+)", trailer)[1]), max(objects) + 1)
    catalog = root or int(re.search(rb"/Root\s+(\d+)", trailer)[1])
    body = bytearray(document if document.endswith(b"\n") else document + b"\n")
    table = bytearray(b"xref\n")
    for number in sorted(objects):
        table += b"%d 1\n%010d 00000 n \n" % (number, len(body))
        body += b"%d 0 obj\n" % number + objects[number] + b"\nendobj\n"
    place = len(body)
    body += table
    body += b"trailer\n<< /Size %d /Root %d 0 R /Prev %s >>\nstartxref\n%d\n%%%%EOF\n" % (
        size,
        catalog,
        start[1],
        place,
    )
    return bytes(body)


def object_body(document: bytes, number: int) -> bytes:
    """The newest body of a plain object."""
    found = re.findall(rb"(?:^|[\r\n])%d 0 obj\s*(.*?)\s*endobj" % number, document, re.DOTALL)
    return found[-1]


def object_with(document: bytes, text: bytes) -> int:
    """The number of the last plain object whose body holds this text."""
    numbers = [
        int(number)
        for number, body in re.findall(rb"(?:^|[\r\n])(\d+) 0 obj\s*(.*?)\s*endobj", document, re.DOTALL)
        if text in body
    ]
    return numbers[-1]


def later(**duration: float) -> datetime:
    """AT moved on."""
    return AT + timedelta(**duration)


class MovingClock:
    """A clock that a test moves by hand."""

    def __init__(self, now: datetime = AT) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

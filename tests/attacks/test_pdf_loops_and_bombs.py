"""Loops, bombs and floods (60 to 66): a verdict within the limits, never a crash, never a pass."""

import re
import time
import zlib

import pytest

from signing.config import DocumentLimits, WorkerLimits
from signing.evidence import Offline
from signing.policy import DEFAULT
from signing.worker_client import PdfWorkers
from tests.support import pki
from tests.support.pki import AT
from tests.support.signing import incremental_update, judge, plain_pdf, sign_pdf, verdict


def bounded(document: bytes, seconds: float = 5.0):
    started = time.process_time()
    report = judge(document)
    assert time.process_time() - started < seconds
    assert report.indication.value != "TOTAL_PASSED"
    return report


def test_60_a_cycle_of_cross_references():
    signed = sign_pdf()
    update = incremental_update(signed, {900: b"null"})
    place = re.findall(rb"startxref\s+(\d+)", update)[-1]
    cycle = re.sub(
        rb"/Prev \d+ >>\nstartxref\n\d+\n%%EOF\n\Z", b"/Prev %s >>\nstartxref\n%s\n%%%%EOF\n" % (place, place), update
    )
    assert cycle != update
    assert bounded(cycle).integrity_verdict.value == "malformed"


def test_61_a_size_of_two_thousand_million():
    update = incremental_update(sign_pdf(), {900: b"null"})
    huge = re.sub(rb"/Size \d+ (/Root.*?startxref)", rb"/Size 2000000000 \1", update, flags=re.DOTALL)
    huge = re.sub(rb"(.*)/Size \d+", rb"\1/Size 2000000000", update, count=1, flags=re.DOTALL)
    assert bounded(huge).error.code == "document_too_large"


def xref_stream_bomb(compressed: bytes, filters: bytes) -> bytes:
    body = b"%PDF-1.7\n"
    place = len(body)
    head = b"<< /Type /XRef /Size 10 /W [1 2 1] /Root 1 0 R /Filter %s /Length %d >>\nstream\n" % (
        filters,
        len(compressed),
    )
    return body + b"9 0 obj\n" + head + compressed + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % place


def test_62_63_flate_bombs():
    once = zlib.compress(b"\x00" * 300_000_000, 9)
    assert bounded(xref_stream_bomb(once, b"/FlateDecode")).error.code == "document_too_large"
    twice = zlib.compress(once, 9)
    assert bounded(xref_stream_bomb(twice, b"[/FlateDecode /FlateDecode]")).error.code == "document_malformed"


def test_64_a_flood_of_byte_ranges():
    flood = b"%PDF-1.7\n" + b"/ByteRange [0 1 2 3]\n" * 200_000
    report = bounded(flood)
    assert len(report.signatures) <= 100


def test_65_arrays_nested_two_hundred_thousand_deep():
    deep = plain_pdf().replace(b"/Type /Catalog", b"/Type /Catalog /X " + b"[" * 200_000, 1)
    bounded(deep)


def test_dictionaries_nested_in_an_update():
    bounded(incremental_update(sign_pdf(), {900: b"<<" + b"/A <<" * 50_000, 901: b"null"})[:-1] + b" trailing")


def test_a_form_that_contains_itself():
    signed = sign_pdf()
    from tests.support.signing import object_body, object_with

    number = object_with(signed, b"/FT /Sig")
    body = object_body(signed, number)
    looped = incremental_update(signed, {number: body.replace(b"/FT /Sig", b"/FT /Sig /Kids [%d 0 R]" % number, 1)})
    assert bounded(looped).integrity_verdict.value != "ok"


def test_a_page_tree_that_contains_itself():
    signed = sign_pdf()
    from tests.support.signing import object_body, object_with

    number = object_with(signed, b"/Type /Pages")
    body = object_body(signed, number)
    looped = re.sub(rb"/Kids \[ \d+ 0 R", b"/Kids [ %d 0 R" % number, body)
    assert bounded(incremental_update(signed, {number: looped})).integrity_verdict.value == "modified"


def test_too_many_revisions():
    document = sign_pdf()
    for _ in range(210):
        document = incremental_update(document, {900: b"null"})
    assert bounded(document).error.code == "document_too_large"


def test_too_large_a_file():
    limits = DocumentLimits(max_pdf_bytes=1000)
    from signing.validation import judge as judge_with

    report = judge_with(sign_pdf(), pki.crls(), pki.roots(), DEFAULT, AT, limits).report
    assert report.error.code == "document_too_large"


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.99])
def test_a_file_cut_off(keep):
    signed = sign_pdf()
    assert verdict(signed[: int(len(signed) * keep)])[0] != "TOTAL_PASSED"


async def test_a_child_that_breaks_its_limits_is_a_verdict_and_the_next_file_is_judged():
    tight = WorkerLimits(cpu_s=30, address_space_bytes=1 << 26)
    heavy = xref_stream_bomb(zlib.compress(b"\x00" * 60_000_000), b"/FlateDecode")
    async with PdfWorkers(tight) as workers:
        report = await workers.validate(heavy, pki.roots(), DEFAULT, AT, Offline())
        assert report.error.code == "validation_limit"
    async with PdfWorkers() as workers:
        report = await workers.validate(sign_pdf(), pki.roots(), DEFAULT, AT, pki.StatusService())
        assert report.indication.value == "TOTAL_PASSED"

"""The raw reader: syntax, cross-references, streams; and that no bytes make it crash."""

import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signing.config import DocumentLimits
from signing.dates import parse_pdf_date, write_pdf_date
from signing.document import read
from signing.errors import DocumentRefused, DocumentTooLarge, SigningError
from signing.pdf_file import PdfFile, tail_startxref
from signing.pdf_streams import decode_stream
from signing.pdf_syntax import Name, PdfParser, PdfString, Ref
from tests.support.pki import AT
from tests.support.signing import judge, plain_pdf, sign_pdf


def value(text: bytes) -> object:
    return PdfParser(text, 0).value()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"null", None),
        (b"true", True),
        (b" %comment\n -12", -12),
        (b"+.5", 0.5),
        (b"/A#20B", Name("A B")),
        (b"12 0 R", Ref(12, 0)),
        (b"[1 2 0 R /X]", [1, Ref(2, 0), Name("X")]),
        (b"<</A 1/B[<</C null>>]>>", {"A": 1, "B": [{"C": None}]}),
    ],
)
def test_values(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"(a(b)c)", b"a(b)c"),
        (rb"(\(\)\\\101\n)", b"()\\A\n"),
        (b"(a\\\nb)", b"ab"),
        (b"<48 65 6C6c6>", b"Hell`"),
        (b"<>", b""),
    ],
)
def test_strings(text, expected):
    found = value(text)
    assert isinstance(found, PdfString)
    assert (found.value, found.start, found.end) == (expected, 0, len(text))


@pytest.mark.parametrize(
    "text", [b"", b"(open", b"<4G>", b"<< /A", b"<< 1 2 >>", b"<< /A 1 /A 2 >>", b"R", b"[" * 100, b"1" * 30]
)
def test_what_the_grammar_does_not_allow(text):
    with pytest.raises(DocumentRefused):
        value(text)


def test_text_strings_in_both_encodings():
    assert value(b"<FEFF4E2D6587>").text() == "中文"
    assert value(b"(caf\xe9)").text() == "café"


def test_a_file_of_reportlab():
    file = PdfFile(plain_pdf(2), DocumentLimits())
    catalog = file.dictionary(file.trailer["Root"])
    assert file.dictionary(catalog["Pages"])["Count"] == 2
    assert len(file.sections) == 1
    assert tail_startxref(file.data, len(file.data)) == file.sections[0].offset


def test_png_predictors_are_undone():
    rows = bytes([2, 1, 2, 3, 2, 1, 1, 1, 1, 5, 1, 1, 4, 1, 1, 1, 3, 2, 2, 2])
    settings_ = {"Filter": Name("FlateDecode"), "DecodeParms": {"Predictor": 15, "Columns": 3}}
    decoded = decode_stream(zlib.compress(rows), settings_, 1000)
    assert decoded[:6] == bytes([1, 2, 3, 2, 3, 4])
    assert decoded[6:9] == bytes([5, 6, 7])
    assert len(decoded) == 15


def test_a_stream_beyond_its_limit():
    with pytest.raises(DocumentTooLarge):
        decode_stream(zlib.compress(bytes(5000)), {"Filter": Name("FlateDecode")}, 1000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("D:20261124090000Z", AT),
        ("D:20261124170000+08'00'", AT),
        ("D:20261124060000-03'00", AT),
        ("D:2026", AT.replace(month=1, day=1, hour=0)),
        ("D:20261399", None),
        ("yesterday", None),
    ],
)
def test_dates(text, expected):
    assert parse_pdf_date(text) == expected


def test_a_date_round_trips():
    assert parse_pdf_date(write_pdf_date(AT)) == AT


SIGNED = sign_pdf()
GAP = read(SIGNED).signatures[0].byte_range[1:3]


def outside_the_value(document: bytes) -> bytes:
    """What the signature covers, without white space behind the end."""
    return document[: GAP[0]] + document[GAP[1] :].rstrip(b"\x00\t\n\x0c\r ")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_bytes_make_the_gate_crash(data):
    """Random damage to a signed file: a document or a domain error, nothing else; and never a pass."""
    damaged = bytearray(SIGNED)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        kind = data.draw(st.sampled_from(["flip", "cut", "insert", "copy"]))
        if kind == "flip":
            damaged[at] ^= data.draw(st.integers(1, 255))
        elif kind == "cut":
            del damaged[at : at + data.draw(st.integers(1, 300))]
        elif kind == "insert":
            damaged[at:at] = data.draw(st.binary(min_size=1, max_size=40))
        else:
            other = data.draw(st.integers(0, len(damaged) - 1))
            damaged[at:at] = damaged[other : other + 60]
        if not damaged:
            break
    changed = bytes(damaged)
    try:
        read(changed)
    except SigningError:
        pass
    report = judge(changed)
    if report.indication.value == "TOTAL_PASSED":
        assert outside_the_value(changed) == outside_the_value(SIGNED)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_make_the_parser_crash(data):
    try:
        PdfParser(data, 0).value()
    except DocumentRefused:
        pass

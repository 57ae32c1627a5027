"""Games with /ByteRange (06 to 13) and /Contents (14 to 16): the gap must be the value, the rest must be the file."""

import re

import pytest

from tests.support.signing import sign_pdf, verdict

RANGE = re.compile(rb"/ByteRange \[0 (\d+) (\d+) (\d+)\]( *)")


def with_range(signed: bytes, replacement: bytes) -> bytes:
    found = RANGE.search(signed)
    room = found.end() - found.start()
    text = b"/ByteRange " + replacement
    assert len(text) <= room
    return signed[: found.start()] + text.ljust(room) + signed[found.end() :]


def numbers(signed: bytes) -> tuple[int, int, int]:
    found = RANGE.search(signed)
    return int(found[1]), int(found[2]), int(found[3])


def failed(document: bytes) -> str:
    indication, _, integrity = verdict(document)
    assert indication == "TOTAL_FAILED"
    return integrity


def test_06_gap_widened():
    signed = sign_pdf()
    first, second, length = numbers(signed)
    assert failed(with_range(signed, b"[0 %d %d %d]" % (first - 10, second, length))) in ("malformed", "broken")


def test_07_tail_shortened():
    signed = sign_pdf()
    first, second, length = numbers(signed)
    assert failed(with_range(signed, b"[0 %d %d %d]" % (first, second, length - 20))) != "ok"


def test_08_does_not_begin_at_zero():
    signed = sign_pdf()
    first, second, length = numbers(signed)
    assert failed(with_range(signed, b"[9 %d %d %d]" % (first - 9, second, length))) == "malformed"


@pytest.mark.parametrize(
    "range_",
    [
        b"[0 -1 %d %d]",
        b"[0 0 0 0]",
        b"null",
        b"[0 %d]",
        b"[0 99999999 %d %d]",
        b"(0 1 2 3)",
        b"[0 1.5 %d %d]",
    ],
    ids=["09-negative", "10-zeros", "11-null", "short", "beyond", "string", "real"],
)
def test_09_to_11_a_range_that_is_none(range_):
    signed = sign_pdf()
    first, second, _ = numbers(signed)
    values = (first, second)[: range_.count(b"%d")]
    assert failed(with_range(signed, range_ % values if values else range_)) == "malformed"


def test_12_no_byte_range():
    signed = sign_pdf()
    found = RANGE.search(signed)
    cut = signed[: found.start()] + b" " * (found.end() - found.start()) + signed[found.end() :]
    assert failed(cut) == "malformed"


def test_13_overlapping_parts():
    signed = sign_pdf()
    _first, second, length = numbers(signed)
    assert failed(with_range(signed, b"[0 %d %d %d]" % (second + 5, second, length))) == "malformed"


def with_contents(signed: bytes, value: bytes) -> bytes:
    first, second, _ = numbers(signed)
    return signed[:first] + value.ljust(second - first) + signed[second:]


@pytest.mark.parametrize("value", [b"<00>", b"null", b"<>", b"<30", b"(x)", b"<zz>"])
def test_14_to_16_contents_that_is_none(value):
    assert failed(with_contents(sign_pdf(), value)) == "malformed"


def test_66_deeply_nested_contents():
    signed = sign_pdf()
    first, second, _ = numbers(signed)
    room = second - first - 2
    nested = (b"2480" * (room // 8) + b"0000" * (room // 8)).ljust(room, b"0")
    assert failed(with_contents(signed, b"<" + nested + b">")) == "malformed"


def test_bytes_hidden_in_the_padding_of_the_value():
    signed = sign_pdf()
    first, second, _ = numbers(signed)
    hidden = signed[: second - 9] + b"deadbeef" + signed[second - 1 :]
    assert len(hidden) == len(signed)
    assert failed(hidden) == "malformed"
    assert first


def test_the_value_as_a_literal_string_is_refused():
    signed = sign_pdf()
    first, second, _ = numbers(signed)
    value = bytes.fromhex(signed[first + 1 : second - 1].decode())
    escaped = b"".join(b"\\%03o" % byte for byte in value[: (second - first - 2) // 4])
    assert failed(with_contents(signed, b"(" + escaped + b")")) == "malformed"

"""Frames from outside: what is decoded, and what is refused before a decoder sees it."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from liveness.config import FrameLimits
from liveness.errors import FrameRefused
from liveness.frames import check_frame_bytes, crop_square, decode_frame, decode_picture, parse_jpeg_size
from tests.support.liveness_pictures import jpeg, with_size

LIMITS = FrameLimits()


def png(width: int = 320, height: int = 240) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, "PNG")
    return out.getvalue()


def code(data: bytes) -> str:
    with pytest.raises(FrameRefused) as refusal:
        decode_frame(data, LIMITS)
    return refusal.value.code


def test_a_plain_photograph() -> None:
    assert parse_jpeg_size(jpeg()) == (320, 240)
    assert decode_frame(jpeg(), LIMITS).shape == (240, 320, 3)


def test_orientation_in_metadata_is_not_followed() -> None:
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees
    Image.open(io.BytesIO(jpeg())).save(out, "JPEG", exif=exif)
    assert decode_frame(out.getvalue(), LIMITS).shape == (240, 320, 3)


def test_an_embedded_thumbnail_is_not_seen() -> None:
    inner = jpeg(5)
    segment = b"\xff\xe1" + (len(inner[:60000]) + 8).to_bytes(2, "big") + b"Exif\0\0" + inner
    data = jpeg(1)[:2] + segment + jpeg(1)[2:]
    assert parse_jpeg_size(data) == (320, 240)
    assert np.array_equal(decode_frame(data, LIMITS), decode_frame(jpeg(1), LIMITS))


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"", "frame_malformed"),
        (b"\xff\xd8\xff\xd9", "frame_malformed"),
        (b"GIF89a" + bytes(100), "frame_malformed"),
        (png(), "frame_malformed"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "frame_malformed"),
        (jpeg()[:-200], "frame_malformed"),
        (jpeg(progressive=True), "frame_malformed"),
        (jpeg(width=120, height=100), "frame_malformed"),
        (with_size(jpeg(), 65_000, 65_000), "frame_too_large"),
        (with_size(jpeg(), 0, 0), "frame_malformed"),
        (jpeg() + bytes(200_000) + b"\xff\xd9", "frame_too_large"),
        (jpeg(width=1600, height=1200), "frame_too_large"),
    ],
)
def test_what_is_refused(data: bytes, wanted: str) -> None:
    assert code(data) == wanted


def test_a_second_frame_header_is_refused() -> None:
    data = jpeg()
    at = data.index(b"\xff\xc0")
    length = int.from_bytes(data[at + 2 : at + 4], "big") + 2
    assert code(data[:at] + data[at : at + length] + data[at:]) == "frame_malformed"


def test_a_scan_of_rubbish_is_a_picture_or_a_refusal() -> None:
    data = jpeg()
    scan = data.index(b"\xff\xda") + 14
    rubbish = data[:scan] + bytes(200) + data[scan + 200 : -2] + b"\xff\xd9"
    try:
        assert decode_frame(rubbish, LIMITS).shape == (240, 320, 3)
    except FrameRefused as refusal:
        assert refusal.code == "frame_malformed"


@given(st.binary(max_size=400), st.integers(2, 600))
def test_any_bytes_give_a_picture_or_a_refusal(noise: bytes, at: int) -> None:
    for data in (noise, jpeg()[:at] + noise + jpeg()[at:], b"\xff\xd8\xff" + noise + b"\xff\xd9"):
        try:
            check_frame_bytes(data, LIMITS)
        except FrameRefused as refusal:
            assert refusal.code in {"frame_malformed", "frame_too_large"}


def test_a_portrait_may_be_png_and_large_but_not_a_bomb() -> None:
    assert decode_picture(png(), max_bytes=10_000).shape == (240, 320, 3)
    for data in (b"\x89PNG\r\n\x1a\n", png() + bytes(20_000), b"GIF89a" + bytes(100)):
        with pytest.raises(FrameRefused):
            decode_picture(data, max_bytes=10_000)
    with pytest.raises(FrameRefused) as refusal:
        decode_picture(png(600, 600), max_bytes=10_000, max_pixels=100_000)
    assert refusal.value.code == "frame_too_large"


def test_a_crop_stays_inside() -> None:
    image = np.arange(240 * 320 * 3, dtype=np.uint8).reshape(240, 320, 3)
    for box in ((0, 0, 50, 60), (280, 200, 60, 60), (-20, -20, 100, 100), (0, 0, 319, 239)):
        assert crop_square(image, box, 4.0, 80).shape == (80, 80, 3)

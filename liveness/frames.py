"""Frames from outside: bytes in, a bounded picture out, and a refusal for everything else.

Owns:    `Frame`, `parse_jpeg_size`, `decode_frame`. Leaves order and time to `frame_chain`, faces to `mesh_landmarks`.
Rules:   1 size is judged on the bytes, picture size on the header, before any decoder runs
         2 baseline JPEG with one frame header only: no progressive scans, no second header, no other format
         3 a frame's metadata is never read: no orientation, no thumbnail, no colour profile
         4 every decoder error is a refusal
Spec:    ITU-T T.81 Annex B (markers)
"""

import hashlib
import io
from dataclasses import dataclass

import cv2
import numpy as np
import PIL.Image

from liveness.config import FrameLimits
from liveness.errors import FrameRefused, FrameTooLarge
from liveness.face_engine import Image

_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BASELINE = 0xC0
_START_OF_SCAN = 0xDA
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})


@dataclass(frozen=True, slots=True)
class Frame:
    """One captured frame, not yet decoded."""

    index: int
    t_ms: int
    """Milliseconds on the page's clock since the session was given out."""
    jpeg: bytes

    def sha256(self) -> bytes:
        """Return the digest of the bytes."""
        return hashlib.sha256(self.jpeg).digest()


def parse_jpeg_size(jpeg: bytes) -> tuple[int, int]:
    """Return width and height from the header of a baseline JPEG.

    Raises:
        FrameRefused: not a baseline JPEG with exactly one frame header before its scan, or cut off.
    """
    if not jpeg.startswith(b"\xff\xd8\xff") or not jpeg.rstrip(b"\x00").endswith(b"\xff\xd9"):
        raise FrameRefused("a frame is not a whole JPEG")
    size: tuple[int, int] | None = None
    at = 2
    while at + 4 <= len(jpeg):
        marker = jpeg[at + 1]
        if jpeg[at] != 0xFF:
            break
        if marker == 0xFF or marker in _STANDALONE:  # fill byte, or a marker without a segment
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if marker == _START_OF_SCAN:
            if size is None:
                break
            return size
        if marker in _START_OF_FRAME:
            if size is not None or marker != _BASELINE or length < 11 or at + 9 > len(jpeg):
                raise FrameRefused("a frame is not a baseline JPEG")
            size = int.from_bytes(jpeg[at + 7 : at + 9], "big"), int.from_bytes(jpeg[at + 5 : at + 7], "big")
        if length < 2:
            break
        at += 2 + length
    raise FrameRefused("a frame's JPEG header is malformed")


def check_frame_bytes(jpeg: bytes, limits: FrameLimits) -> None:
    """Refuse what must not reach a decoder.

    Raises:
        FrameTooLarge: too many bytes or pixels.
        FrameRefused: not a baseline JPEG, or a picture too small to judge.
    """
    if len(jpeg) > limits.max_frame_bytes:
        raise FrameTooLarge(f"a frame has {len(jpeg)} bytes, at most {limits.max_frame_bytes} are taken")
    width, height = parse_jpeg_size(jpeg)
    if width * height > limits.max_pixels:
        raise FrameTooLarge(f"a frame has {width} x {height} pixels, at most {limits.max_pixels} are taken")
    if min(width, height) < limits.min_side:
        raise FrameRefused(f"a frame has {width} x {height} pixels, at least {limits.min_side} a side are needed")


def decode_frame(jpeg: bytes, limits: FrameLimits) -> Image:
    """Return the picture, BGR.

    Raises:
        FrameTooLarge: too many bytes or pixels.
        FrameRefused: it cannot be decoded.
    """
    check_frame_bytes(jpeg, limits)
    try:
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise FrameRefused("a frame cannot be decoded") from error
    if image is None:
        raise FrameRefused("a frame cannot be decoded")
    return np.ascontiguousarray(image, dtype=np.uint8)


def decode_picture(data: bytes, *, max_bytes: int, max_pixels: int = 25_000_000) -> Image:
    """Return a portrait given by an operator: JPEG or PNG of any size within the limits, BGR, turned upright as its metadata says.

    Raises:
        FrameTooLarge: too many bytes or pixels.
        FrameRefused: it cannot be read.
    """
    if len(data) > max_bytes:
        raise FrameTooLarge(f"the picture has {len(data)} bytes, at most {max_bytes} are taken")
    try:
        # Pillow reads the header alone first: the size is known before anything is decoded.
        with PIL.Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as header:
            if header.width * header.height > max_pixels:
                raise FrameTooLarge(f"the picture has over {max_pixels} pixels")
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, ValueError, cv2.error, PIL.Image.DecompressionBombError) as error:
        raise FrameRefused("the picture cannot be read") from error
    if image is None:
        raise FrameRefused("the picture cannot be read")
    return np.asarray(image, np.uint8)


def crop_square(image: Image, box: tuple[float, float, float, float], scale: float, side: int) -> Image:
    """Return the picture around a face, `scale` times its box, moved inside where it would stick out, at `side` pixels."""
    height, width = image.shape[:2]
    x, y, w, h = box
    scale = min((height - 1) / h, (width - 1) / w, scale)
    w, h, cx, cy = w * scale, h * scale, x + w / 2, y + h / 2
    left = min(max(cx - w / 2, 0.0), width - 1 - w)
    top = min(max(cy - h / 2, 0.0), height - 1 - h)
    crop = image[int(top) : int(top + h) + 1, int(left) : int(left + w) + 1]
    return np.asarray(cv2.resize(crop, (side, side)), np.uint8)

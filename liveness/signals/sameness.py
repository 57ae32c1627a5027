"""Frames that are copies: the same pixels, or the same picture encoded anew.

Owns:    `pixel_digest`, `fingerprint`, `difference`. Leaves counting to `capture`.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from liveness.face_engine import Image

Fingerprint = NDArray[np.float32]
_GRID = (24, 32)


def pixel_digest(image: Image) -> bytes:
    """Return a digest of every fourth row: equal pictures have equal ones, and it costs a quarter."""
    return hashlib.sha256(np.ascontiguousarray(image[::4]).data).digest()


def fingerprint(image: Image) -> Fingerprint:
    """Return the mean green of 24 x 32 blocks: noise averages out, a moved head does not."""
    rows, columns = _GRID
    height, width = image.shape[0] // rows * rows, image.shape[1] // columns * columns
    green = image[:height, :width, 1].reshape(rows, height // rows, columns, width // columns)
    return np.asarray(green.mean((1, 3), dtype=np.float32))


def difference(one: Fingerprint, other: Fingerprint) -> float:
    """Return the largest change of a block's mean, in levels of 0..255."""
    return float(np.abs(one - other).max())

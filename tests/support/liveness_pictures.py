"""Small JPEGs made by hand, good and bad."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image


@lru_cache(maxsize=256)
def jpeg(seed: int = 0, *, width: int = 320, height: int = 240, progressive: bool = False) -> bytes:
    """A picture of soft colours; another seed, another picture."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 255, (6, 8, 3)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(small).resize((width, height)).save(out, "JPEG", quality=80, progressive=progressive)
    return out.getvalue()


def with_size(data: bytes, width: int, height: int) -> bytes:
    """The same bytes, claiming another size in the frame header."""
    at = data.index(b"\xff\xc0")
    return data[: at + 5] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + data[at + 9 :]

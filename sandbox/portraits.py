"""Portraits of the personas: one public-domain photograph, and three fictitious faces made from it.

Owns:    `portrait`. Leaves moving pictures to `clips`.
Rules:   1 `astronaut` is NASA's portrait of 1993 as scikit-image ships it (public domain); nothing is downloaded
         2 `synthetic-a`, `-b`, `-c` are that photograph with the face's proportions, tones and clothes changed until the face net
           takes each for another person: distances 0.70 to 0.88 to the original and to one another, where 0.5 is the limit
           (`tests/sandbox/test_portraits.py` measures it); they stand for nobody
         3 needs no model: the points to move are constants of the one photograph
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
WIDTH, HEIGHT = 480, 600
_QUALITY = 92
_FRAME = np.array([[2.1661, 0.0, -248.09], [0.0, 2.1661, 20.3989]])
"""From the photograph's 512 x 512 pixels to the portrait: face in the middle, 204 pixels wide."""
_FACE_WIDTH = 203.8
_COLLAR = 400
"""Row below which there are only clothes."""

# Middle of each part of the face in the portrait, and how far its movement reaches, as a share of the face's width.
_PARTS: Mapping[str, tuple[float, float, float]] = {
    "right_eye": (192.2, 241.2, 0.22), "left_eye": (287.8, 246.2, 0.22), "right_brow": (183.5, 211.2, 0.20),
    "left_brow": (300.1, 217.0, 0.20), "nose": (235.7, 306.2, 0.20), "bridge": (238.9, 256.4, 0.16),
    "mouth": (235.2, 331.6, 0.24), "chin": (230.1, 397.7, 0.25), "right_jaw": (155.3, 342.4, 0.25),
    "left_jaw": (312.9, 351.3, 0.25), "forehead": (243.6, 183.2, 0.35), "right_cheek": (156.8, 267.6, 0.22),
    "left_cheek": (320.3, 276.3, 0.22),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proportions:
    """How a face differs from the photograph's: shifts in face widths, growth as a share, 0 for no change."""

    eyes_apart: float
    eyes_down: float
    eyes_wide: float
    eyes_high: float
    eyes_slant: float
    brows_down: float
    brows_wide: float
    brows_high: float
    nose_down: float
    nose_wide: float
    nose_high: float
    bridge_wide: float
    mouth_down: float
    mouth_wide: float
    mouth_high: float
    chin_down: float
    chin_wide: float
    jaw_apart: float
    forehead_down: float
    cheeks_apart: float
    warmth: float
    darkness: float
    slim: float
    clothes: int
    """Hue of clothes and flag, half degrees."""


# Found by a search for the smallest change that the face net takes for another person.
PEOPLE: Mapping[str, Proportions] = {
    "synthetic-c": Proportions(
        0.027, -0.065, 0.092, -0.019, 0.016, -0.084, -0.02, 0.015, 0.048, 0.099, 0.122, -0.02, 0.026, 0.158,
        0.116, -0.024, 0.047, -0.012, -0.049, 0.023, 0.002, -0.099, 0.054, 100,
    ),
    "synthetic-b": Proportions(
        0.082, -0.038, 0.030, -0.194, 0.016, 0.021, -0.017, -0.110, -0.057, -0.013, -0.006, 0.001, -0.011, 0.031, 0.026,
        0.016, 0.018, 0.070, 0.087, 0.042, 0.048, -0.001, -0.049, 55,
    ),
    "synthetic-a": Proportions(
        -0.064, -0.007, 0.040, 0.049, 0.036, -0.084, 0.045, -0.003, -0.057, 0.010, -0.143, -0.077, -0.051, 0.099, -0.078,
        0.051, -0.049, 0.052, 0.011, -0.013, -0.071, -0.072, 0.029, 135,
    ),
}  # fmt: skip
NAMES = ("astronaut", *PEOPLE)


@lru_cache(maxsize=len(NAMES))
def portrait(name: str) -> bytes:
    """Return a portrait as JPEG, 480 x 600.

    Args:
        name: one of `NAMES`.

    Raises:
        KeyError: no such portrait.
        FileNotFoundError: scikit-image's photograph is not installed.
    """
    if name not in NAMES:
        raise KeyError(name)
    image = _photograph()
    if name in PEOPLE:
        image = _tone(_reshape(image, PEOPLE[name]), PEOPLE[name])
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes())


def _photograph() -> Image:
    # Read from the installed wheel by path: importing scikit-image costs a second.
    package = find_spec("skimage")
    places = list(package.submodule_search_locations or ()) if package else []
    path = next((Path(place) / "data" / "astronaut.png" for place in places), Path("astronaut.png"))
    whole = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    framed = cv2.warpAffine(whole, _FRAME, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(framed, np.uint8)


def _moves(p: Proportions) -> dict[str, tuple[float, float, float, float, float]]:
    """Return for each part: shift right, shift down, growth across, growth down, slant."""
    return {
        "right_eye": (-p.eyes_apart, p.eyes_down, p.eyes_wide, p.eyes_high, p.eyes_slant),
        "left_eye": (p.eyes_apart, p.eyes_down, p.eyes_wide, p.eyes_high, -p.eyes_slant),
        "right_brow": (0, p.brows_down, p.brows_wide, p.brows_high, 0),
        "left_brow": (0, p.brows_down, p.brows_wide, p.brows_high, 0),
        "nose": (0, p.nose_down, p.nose_wide, p.nose_high, 0),
        "bridge": (0, 0, p.bridge_wide, 0, 0),
        "mouth": (0, p.mouth_down, p.mouth_wide, p.mouth_high, 0),
        "chin": (0, p.chin_down, p.chin_wide, 0, 0),
        "right_jaw": (-p.jaw_apart, 0, 0, 0, 0),
        "left_jaw": (p.jaw_apart, 0, 0, 0, 0),
        "right_cheek": (-p.cheeks_apart, 0, 0, 0, 0),
        "left_cheek": (p.cheeks_apart, 0, 0, 0, 0),
        "forehead": (0, p.forehead_down, 0, 0, 0),
    }


def _reshape(image: Image, proportions: Proportions) -> Image:
    """Move the parts of the face, each with a soft edge."""
    x, y = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))
    from_x, from_y = x + (x - WIDTH / 2) * proportions.slim, y.copy()
    for part, (right, down, wide, high, slant) in _moves(proportions).items():
        cx, cy, reach = _PARTS[part]
        dx, dy = x - cx, y - cy
        share = np.exp(-(dx**2 + dy**2) / (2 * (reach * _FACE_WIDTH) ** 2))
        from_x -= share * (right * _FACE_WIDTH + wide * dx)
        from_y -= share * (down * _FACE_WIDTH + high * dy + slant * dx)
    moved = cv2.remap(
        image, from_x.astype(np.float32), from_y.astype(np.float32), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.uint8)


def _tone(image: Image, proportions: Proportions) -> Image:
    """Change skin tone, light, and the colour of what is strongly coloured: the clothes."""
    lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB).astype(np.float32)
    lab[..., 0] = 255 * (lab[..., 0] / 255) ** (2.0**proportions.darkness)
    lab[..., 1] = 128 + (lab[..., 1] - 128) * (1 - 0.5 * abs(proportions.warmth)) + proportions.warmth * 10
    lab[..., 2] = 128 + (lab[..., 2] - 128) * (1 + 0.4 * proportions.warmth)
    toned = cv2.cvtColor(np.clip(lab, 0, 255).astype(np.uint8), cv2.COLOR_LAB2BGR)
    hsv = cv2.cvtColor(toned, cv2.COLOR_BGR2HSV)
    vivid = (hsv[..., 1] > 140) & (hsv[..., 2] > 60)
    vivid[:_COLLAR] = False
    hsv[..., 0] = np.where(vivid, proportions.clothes, hsv[..., 0])
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR), np.uint8)

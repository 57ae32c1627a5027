"""What a display or a print leaves in the picture: a peaky spectrum of the colour differences.

Owns:    `screen_peak`, `sharpness`. A hint, never a gate: good displays photographed well show nothing.
"""

import numpy as np

from liveness.face_engine import Image

_SIDE = 128
_LOW_PASS = 0.12
"""Radius, in cycles a pixel, below which skin and hair live."""
_STRONGEST = 8

_window = np.outer(np.hanning(_SIDE), np.hanning(_SIDE)).astype(np.float32)
_frequency = np.hypot(*np.meshgrid(np.fft.rfftfreq(_SIDE), np.fft.fftfreq(_SIDE)))
_band = _frequency > _LOW_PASS


def screen_peak(image: Image, centre: tuple[float, float]) -> float | None:
    """Return how far the strongest fine-grained chroma waves stand above the median, None at the picture's edge.

    Args:
        image: BGR.
        centre: of the face, pixels; a 128-pixel square around it is read at its own resolution.
    """
    x, y = int(centre[0]) - _SIDE // 2, int(centre[1]) - _SIDE // 2
    if x < 0 or y < 0 or x + _SIDE > image.shape[1] or y + _SIDE > image.shape[0]:
        return None
    crop = image[y : y + _SIDE, x : x + _SIDE].astype(np.float32)
    green = crop[..., 1]
    return max(_peak(crop[..., 2] - green), _peak(crop[..., 0] - green))


def _peak(chroma: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
    spectrum = np.abs(np.fft.rfft2((chroma - chroma.mean()) * _window))[_band]
    strongest = np.partition(spectrum, -_STRONGEST)[-_STRONGEST:].mean()
    return float(strongest / max(float(np.median(spectrum)), 1e-6))


def sharpness(chip: Image) -> float:
    """Return the mean absolute step between neighbouring pixels of an aligned face: to choose the best frame."""
    luma = chip.astype(np.int16).sum(2) / 3
    return float(np.abs(np.diff(luma, axis=0)).mean() + np.abs(np.diff(luma, axis=1)).mean())

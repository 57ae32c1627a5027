"""The face engine as the check sees it: identity of aligned faces, and passive detection where a net for it is mounted.

Owns:    `FaceEngine` (Protocol), `Chip`, `Embedding`. Leaves landmarks to `landmarks`; thresholds to `config`.
Rules:   an engine takes aligned chips, never whole photographs; a distance is a number, a verdict is made in `decision`.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""height x width x 3, BGR, 0..255."""
Chip = NDArray[np.uint8]
"""150 x 150 x 3, BGR, 0..255: a face rotated upright and scaled as `landmarks.align_chip` does."""
Embedding = NDArray[np.float64]
"""128 values; distance between two is L2."""


class FaceEngine(Protocol):
    """Turns faces into embeddings and compares them."""

    @property
    def model_set(self) -> str:
        """Name of the models set behind the engine, for the attestation."""
        ...

    @property
    def has_passive_detection(self) -> bool:
        """Whether `passive_scores` can be asked."""
        ...

    def embed(self, chips: Sequence[Chip]) -> list[Embedding]:
        """Return one embedding for each chip, in order."""
        ...

    def distance(self, one: Embedding, other: Embedding) -> float:
        """Return the L2 distance of two embeddings."""
        ...

    def passive_scores(self, items: Sequence[tuple[Image, tuple[float, float, float, float]]]) -> list[float]:
        """Return for each (frame, face box x y w h) how live it looks, 0..1; empty without passive detection."""
        ...

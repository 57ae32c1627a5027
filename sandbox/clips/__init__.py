"""Capture clips made at run time for the challenge that was asked: genuine ones, and attacks by name.

Owns:    `ClipStudio`, `SPECIES`. Leaves the wire to `citizen`.
Rules:   everything is made from one portrait and a seed; a clip is a list of (milliseconds since the challenge, JPEG)
         synthetic on both sides: good for plumbing, geometry and named attacks; no evaluation of attack detection
"""

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from liveness.landmarks import FaceReader
from liveness.mesh_landmarks import MeshReader
from liveness.model import Action
from liveness.models import ModelSet
from sandbox.clips import attacks
from sandbox.clips.head import Head, Image, Movement, frame_portrait
from sandbox.clips.scripts import movements, times
from service.settings import default_models_folder

Clip = list[tuple[int, bytes]]
_NOISE = 2.0
"""Standard deviation of the sensor's noise, levels."""
_ROOM = 48
_QUALITY = 88

SPECIES: dict[str, Callable[[Head, Sequence[Movement]], list[Image]]] = {
    "still_photo": attacks.still_photo,
    "photo_tilted": attacks.photo_tilted,
    "photo_bent": attacks.photo_bent,
    "cut_out": attacks.cut_out,
    "replay_bezel": attacks.replay_bezel,
    "replay_fullview": attacks.replay_fullview,
    "digital_puppet": attacks.digital_puppet,
    "frozen_tail": attacks.frozen_tail,
    "repeated_frame": attacks.repeated_frame,
    "no_face": attacks.no_face,
}
"""Attacks by one portrait, by name."""

PAIRED_SPECIES: dict[str, Callable[[Head, Head, Sequence[Movement]], list[Image]]] = {
    "swapped": attacks.swapped,
    "accomplice": attacks.accomplice,
    "two_faces": attacks.two_faces,
}
"""Attacks that need a second person's portrait."""

_DIGITAL = frozenset({"digital_puppet", "frozen_tail", "repeated_frame"})
"""Injected frames: no sensor, so no noise."""


class ClipStudio:
    """Makes clips; keeps the heads it has made."""

    def __init__(self, reader: FaceReader) -> None:
        self._reader = reader
        self._heads: dict[bytes, Head] = {}

    def genuine(self, portrait: bytes, actions: Sequence[Action], seed: int) -> Clip:
        """Return what the person of the portrait does for the challenge."""
        random = np.random.default_rng(seed)
        moves = movements(actions, random)
        head = self.head(portrait)
        return self._film([head.draw(move) for move in moves], random, noise=_NOISE)

    def attack(
        self, species: str, portrait: bytes, actions: Sequence[Action], seed: int, other: bytes | None = None
    ) -> Clip:
        """Return an attack clip.

        Args:
            species: a name of `SPECIES` or `PAIRED_SPECIES`.
            portrait: the person attacked.
            actions: the challenge, in order.
            seed: of tremor and noise.
            other: the second person, for the paired species.
        """
        random = np.random.default_rng(seed)
        moves = movements(actions, random)
        if species in PAIRED_SPECIES:
            if other is None:
                raise ValueError(f"{species} needs a second portrait")
            frames = PAIRED_SPECIES[species](self.head(portrait), self.head(other), moves)
        else:
            frames = SPECIES[species](self.head(portrait), moves)
        return self._film(frames, random, noise=0.0 if species in _DIGITAL else _NOISE)

    def head(self, portrait: bytes) -> Head:
        """Return the head of a portrait, made once."""
        if portrait not in self._heads:
            image = cv2.imdecode(np.frombuffer(portrait, np.uint8), cv2.IMREAD_COLOR)
            if image is None:
                raise ValueError("the portrait is no picture")
            self._heads[portrait] = Head(frame_portrait(np.asarray(image, np.uint8), self._reader), self._reader)
        return self._heads[portrait]

    def _film(self, frames: Sequence[Image], random: np.random.Generator, *, noise: float) -> Clip:
        """Add the sensor's noise and encode, at a camera's pace."""
        height, width = frames[0].shape[:2]
        # One field of noise, read at another place for each frame: fresh noise a frame would cost more than the drawing.
        field = np.round(random.normal(0, noise, (height + _ROOM, width + _ROOM, 3))).astype(np.int16)
        clip: Clip = []
        for t_ms, frame in zip(times(len(frames), random), frames, strict=True):
            y, x = random.integers(0, _ROOM, 2)
            noisy = frame + field[y : y + height, x : x + width] if noise else frame
            plain = np.clip(noisy, 0, 255).astype(np.uint8)
            clip.append((t_ms, cv2.imencode(".jpg", plain, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()))
        return clip


def genuine(portrait: bytes, actions: Sequence[str], seed: int) -> Clip:
    """Return what the person of the portrait does for the challenge, read by this machine's face models."""
    return studio(models_folder()).genuine(portrait, [Action(action) for action in actions], seed)


def still_photo(portrait: bytes, actions: Sequence[str], seed: int) -> Clip:
    """Return a print of the portrait held before the camera for as long as the challenge takes."""
    return studio(models_folder()).attack("still_photo", portrait, [Action(action) for action in actions], seed)


@lru_cache(maxsize=1)
def studio(models: Path) -> ClipStudio:
    """Return the process's studio."""
    return ClipStudio(MeshReader(ModelSet.load(models)))


def models_folder() -> Path:
    """Return where this machine's face models are."""
    return Path(os.environ.get("GBA_TRUST_MODELS_DIR") or default_models_folder())

"""What is read from one picture of a face: boxes, the 468-point mesh, eye contours.

Owns:    the values, the point indices, the alignment of a chip, the `FaceReader` Protocol. Leaves the nets to `mesh_landmarks`.
Rules:   pixels, x to the right, y down, z away from the camera, in the scale of x; frames are never mirrored, so the person's
         own left is at the right
Spec:    point numbers of the MediaPipe face mesh (468 points)
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from liveness.face_engine import Chip, Image

Points = NDArray[np.float64]
"""n x 2 or n x 3 pixels."""

# Person's own right eye (left in the picture), then own left eye: outer corner, inner corner.
RIGHT_EYE_OUTER, RIGHT_EYE_INNER, LEFT_EYE_INNER, LEFT_EYE_OUTER = 33, 133, 362, 263
FOREHEAD, CHIN, NOSE_TIP, NOSE_BASE = 10, 152, 1, 2
MOUTH_LEFT, MOUTH_RIGHT = 78, 308
MOUTH_PAIRS = ((81, 178), (13, 14), (311, 402))
# Bone, not muscle: brow ridge, nose bridge and tip, cheek bones, temples. Mouth, lids and jaw move by themselves.
RIGID = (
    10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 48, 278, 33, 133, 362, 263, 46, 276, 70, 300, 103, 332, 54, 284,
    127, 356, 234, 454, 116, 345, 117, 346, 50, 280, 36, 266, 205, 425,
)  # fmt: skip

# dlib's five-point template (get_face_chip_details), in shares of the chip before padding.
_CHIP_TEMPLATE = np.array([
    (0.8595674595992, 0.2134981538014), (0.6460604764104, 0.2289674387677), (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242), (0.4901123135679, 0.6277975316475),
])  # fmt: skip
_CHIP_POINTS = (LEFT_EYE_OUTER, LEFT_EYE_INNER, RIGHT_EYE_OUTER, RIGHT_EYE_INNER, NOSE_BASE)
CHIP_SIDE = 150
_CHIP_PADDING = 0.25


@dataclass(frozen=True, slots=True)
class FaceBox:
    """A detected face: box in pixels, the two eyes, how sure the detector is."""

    x: float
    y: float
    width: float
    height: float
    eyes: tuple[tuple[float, float], tuple[float, float]]
    """Left in the picture first."""
    score: float


@dataclass(frozen=True, slots=True)
class FaceMesh:
    """The 468 points and how sure the net is that they are a face's."""

    points: Points
    score: float

    @property
    def width(self) -> float:
        """Width of the face in pixels."""
        xs = self.points[:, 0]
        return float(xs.max() - xs.min())

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The box x, y, width, height around the points."""
        low, high = self.points[:, :2].min(0), self.points[:, :2].max(0)
        return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])


def chip_transform(points: Points) -> NDArray[np.float64]:
    """Return the 2 x 3 similarity that takes the picture to the 150-pixel chip, as dlib's get_face_chip does."""
    source = points[list(_CHIP_POINTS), :2]
    target = (_CHIP_TEMPLATE + _CHIP_PADDING) / (2 * _CHIP_PADDING + 1) * CHIP_SIDE
    # Umeyama's least squares in complex numbers: target = a * source + b.
    z, w = source @ (1, 1j), target @ (1, 1j)
    centred = z - z.mean()
    a = np.vdot(centred, w - w.mean()) / max(np.vdot(centred, centred).real, 1e-9)
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


class FaceReader(Protocol):
    """Reads faces from pictures; one instance belongs to one thread."""

    def detect(self, image: Image) -> list[FaceBox]:
        """Return the faces, largest first."""
        ...

    def mesh(self, image: Image, near: FaceBox | FaceMesh) -> FaceMesh:
        """Return the mesh of the face in the box, or where it was a frame before."""
        ...

    def eye_opening(self, image: Image, mesh: FaceMesh) -> float:
        """Return the mean of both eyes' opening: height over width."""
        ...

    def chip(self, image: Image, mesh: FaceMesh) -> Chip:
        """Return the aligned face."""
        ...

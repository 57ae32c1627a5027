"""Depth that shows itself: how badly one plane explains the face's points in two frames.

Owns:    `parallax`. A photograph, flat or bent, moves its points by (nearly) one homography whatever is done with it; a head does not.
Spec:    normalised direct linear transform (Hartley and Zisserman, algorithm 4.2)
"""

import numpy as np
from numpy.typing import NDArray

from liveness.landmarks import Points


def parallax(neutral: Points, turned: Points, face_width: float) -> float:
    """Return the root mean square residual of the best homography between two views, as a share of the face's width.

    Args:
        neutral: n x 2, the rigid points seen from the front.
        turned: n x 2, the same points in another frame.
        face_width: pixels, in the turned frame's scale.
    """
    homography = _fit(neutral, turned)
    mapped = np.c_[neutral, np.ones(len(neutral))] @ homography.T
    depth = np.where(np.abs(mapped[:, 2:]) < 1e-9, 1e-9, mapped[:, 2:])
    residual = mapped[:, :2] / depth - turned
    return float(np.sqrt((residual**2).sum(1).mean()) / max(face_width, 1e-9))


def _fit(source: Points, target: Points) -> NDArray[np.float64]:
    a, to_a = _normalise(source)
    b, to_b = _normalise(target)
    zeros, ones = np.zeros(len(a)), np.ones(len(a))
    x, y, u, v = a[:, 0], a[:, 1], b[:, 0], b[:, 1]
    rows = np.concatenate([
        np.stack([-x, -y, -ones, zeros, zeros, zeros, u * x, u * y, u], 1),
        np.stack([zeros, zeros, zeros, -x, -y, -ones, v * x, v * y, v], 1),
    ])  # fmt: skip
    # The least right singular vector, through the 9 x 9 normal matrix: a tenth of the time of the full decomposition.
    _, vectors = np.linalg.eigh(rows.T @ rows)
    return np.asarray(np.linalg.inv(to_b) @ vectors[:, 0].reshape(3, 3) @ to_a)


def _normalise(points: Points) -> tuple[Points, NDArray[np.float64]]:
    centre = points.mean(0)
    scale = np.sqrt(2.0) / max(float(np.linalg.norm(points - centre, axis=1).mean()), 1e-9)
    transform = np.array([[scale, 0, -scale * centre[0]], [0, scale, -scale * centre[1]], [0, 0, 1]])
    return (points - centre) * scale, transform

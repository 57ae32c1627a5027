"""How far the mouth is open.

Owns:    `mouth_opening`.
"""

import numpy as np

from liveness.landmarks import MOUTH_LEFT, MOUTH_PAIRS, MOUTH_RIGHT, Points


def mouth_opening(points: Points) -> float:
    """Return the inner lips' mean height over their width, 0 when closed."""
    upper, lower = (points[[pair[side] for pair in MOUTH_PAIRS], :2] for side in (0, 1))
    width = float(np.linalg.norm(points[MOUTH_RIGHT, :2] - points[MOUTH_LEFT, :2]))
    return float(np.linalg.norm(upper - lower, axis=1).mean()) / max(width, 1e-9)

"""Where the head points, from the mesh's own depth.

Owns:    `Pose`. Not from a six-point PnP: a flat photograph tilted by 43 degrees makes PnP report 14 to 37 degrees of turn, while
         the mesh's own depth says 1 to 6.
Rules:   degrees; yaw grows to the person's own left, pitch grows when the chin goes down, roll clockwise in the picture
"""

import math
from dataclasses import dataclass

import numpy as np

from liveness.landmarks import CHIN, FOREHEAD, LEFT_EYE_OUTER, RIGHT_EYE_OUTER, Points


@dataclass(frozen=True, slots=True)
class Pose:
    """Head angles in degrees."""

    yaw: float
    pitch: float
    roll: float


def pose_of(points: Points) -> Pose:
    """Return the head's angles.

    Args:
        points: 468 x 3, z away from the camera.
    """
    across = points[LEFT_EYE_OUTER] - points[RIGHT_EYE_OUTER]
    across = across / max(float(np.linalg.norm(across)), 1e-9)
    down = points[CHIN] - points[FOREHEAD]
    down = down - across * float(np.dot(down, across))
    down = down / max(float(np.linalg.norm(down)), 1e-9)
    return Pose(
        yaw=math.degrees(math.atan2(across[2], math.hypot(across[0], across[1]))),
        pitch=math.degrees(math.atan2(down[2], math.hypot(down[0], down[1]))),
        roll=math.degrees(math.atan2(across[1], across[0])),
    )

"""What a cooperative person does for a challenge: a movement for each frame, with its time.

Owns:    the movements of each action and the pace. Leaves drawing to `head`.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from liveness.model import Action
from sandbox.clips.head import Movement

MIN_FRAMES = 30
FRAME_MS = 140
REACTION_MS = 350

_MOVEMENTS: dict[Action, tuple[Movement, ...]] = {
    Action.TURN_LEFT: tuple(Movement(yaw=angle) for angle in (9, 20, 30, 31, 20, 7)),
    Action.TURN_RIGHT: tuple(Movement(yaw=-angle) for angle in (9, 20, 30, 31, 20, 7)),
    Action.NOD: tuple(Movement(pitch=angle) for angle in (6, 14, 19, 12, 4)),
    Action.BLINK: tuple(Movement(blink=share) for share in (0.5, 1.0, 1.0, 0.5)),
    Action.OPEN_MOUTH: tuple(Movement(mouth=share) for share in (0.45, 0.7, 0.8, 0.5)),
}


def movements(actions: Sequence[Action], random: np.random.Generator) -> list[Movement]:
    """Return the movement of every frame: rest, then each action and a short rest, with the tremor of a living head."""
    still = Movement()
    plan = [still] * 5
    for action in actions:
        plan += [*_MOVEMENTS[action], still, still]
    plan += [still] * (MIN_FRAMES - len(plan))
    return [
        replace(
            move, dx=float(random.normal(0, 0.9)), dy=float(random.normal(0, 0.8)),
            roll=move.roll + float(random.normal(0, 0.6)),
        )
        for move in plan
    ]  # fmt: skip


def times(count: int, random: np.random.Generator) -> list[int]:
    """Return the milliseconds of every frame since the session was given out: a camera's pace, with its jitter."""
    gaps = np.clip(random.normal(FRAME_MS, 12, count), FRAME_MS * 0.6, FRAME_MS * 1.6)
    gaps[0] += REACTION_MS
    return [int(value) for value in np.cumsum(gaps)]

"""The challenge as movement: was each asked action done, in order, from rest to rest.

Owns:    the neutral baseline, the state machine over pose, mouth and eyes, unasked actions. Leaves the order to `session`.
Rules:   1 everything is relative to the session's own neutral frames
         2 an action counts when its measure goes over the threshold and comes back: open, closed, open
         3 only the action asked next can count; another strong movement is an unasked action (a recording that does everything)
         4 a blink is never unasked: people blink
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from liveness.config import Thresholds
from liveness.model import Action
from liveness.signals.pose import Pose

NEUTRAL_FRAMES = 4
_MAX_NEUTRAL_YAW = 15.0
_RETURNED = 0.55
"""Share of the threshold below which a movement has ended."""
_EYES_OPEN = 0.90
_UNASKED = {Action.TURN_LEFT: 1.3, Action.TURN_RIGHT: 1.3, Action.NOD: 1.6, Action.OPEN_MOUTH: 2.0}
"""How many times stronger than asked a movement must be to count as unasked; people talk and look about."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What one frame says about movement."""

    index: int
    t_ms: int
    pose: Pose
    mouth: float
    eyes: float | None
    """None where the eyes were not measured."""


@dataclass(frozen=True, slots=True)
class Neutral:
    """The person at rest, in this session."""

    yaw: float
    pitch: float
    mouth: float
    eyes: float


@dataclass(frozen=True, slots=True)
class Performed:
    """One action done."""

    action: Action
    peak_index: int
    peak: float
    """Share of the threshold at the strongest frame."""
    started_ms: int
    ended_ms: int


@dataclass(slots=True)
class ActionTracker:
    """Follows one session; fed frame by frame, in order."""

    asked: Sequence[Action]
    thresholds: Thresholds
    neutral: Neutral | None = None
    performed: list[Performed] = field(default_factory=list)
    unasked: list[Action] = field(default_factory=list)
    _resting: list[Measure] = field(default_factory=list)
    _active: Performed | None = None
    _foreign: Action | None = None

    @property
    def expected(self) -> Action | None:
        """The action that can count now, None when all are done."""
        return self.asked[len(self.performed)] if len(self.performed) < len(self.asked) else None

    @property
    def wants_eyes(self) -> bool:
        """Whether the next frame's eyes should be measured: they cost as much as everything else together."""
        return Action.BLINK in self.asked and (self.neutral is None or self.expected is Action.BLINK)

    def observe(self, measure: Measure) -> bool:
        """Take one frame; return whether the person is at rest in it."""
        if self.neutral is None:
            self._settle(measure)
            return True
        shares = {action: self.share(action, measure) for action in Action}
        self._follow_asked(measure, shares)
        self._follow_unasked(shares)
        return self._active is None and all(shares[action] < _RETURNED for action in _UNASKED)

    def share(self, action: Action, measure: Measure) -> float:
        """Return how far the frame goes towards an action: 1.0 is the threshold."""
        limits, neutral = self.thresholds, self.neutral
        if neutral is None:
            return 0.0
        match action:
            case Action.TURN_LEFT:
                return (measure.pose.yaw - neutral.yaw) / limits.min_turn_deg
            case Action.TURN_RIGHT:
                return (neutral.yaw - measure.pose.yaw) / limits.min_turn_deg
            case Action.NOD:
                return abs(measure.pose.pitch - neutral.pitch) / limits.min_nod_deg
            case Action.OPEN_MOUTH:
                return (measure.mouth - neutral.mouth) / limits.min_mouth_rise
            case Action.BLINK:
                if measure.eyes is None:
                    return 0.0
                return (1 - measure.eyes / neutral.eyes) / (1 - limits.max_blink_ratio)

    def _settle(self, measure: Measure) -> None:
        if abs(measure.pose.yaw) > _MAX_NEUTRAL_YAW:
            return
        self._resting.append(measure)
        if len(self._resting) == NEUTRAL_FRAMES:
            eyes = [m.eyes for m in self._resting if m.eyes is not None]
            self.neutral = Neutral(
                *(float(np.median(values)) for values in (
                    [m.pose.yaw for m in self._resting], [m.pose.pitch for m in self._resting],
                    [m.mouth for m in self._resting], eyes or [1.0],
                ))
            )  # fmt: skip

    def _follow_asked(self, measure: Measure, shares: dict[Action, float]) -> None:
        expected = self.expected
        if expected is None:
            return
        share = shares[expected]
        if self._active is None:
            # A movement that began as another action's must end before it can count as this one.
            if share >= 1.0 and self._foreign is None:
                self._active = Performed(expected, measure.index, share, measure.t_ms, measure.t_ms)
            return
        active = self._active
        if share > active.peak:
            active = Performed(expected, measure.index, share, active.started_ms, measure.t_ms)
        self._active = active
        returned = (1 - _EYES_OPEN) / (1 - self.thresholds.max_blink_ratio) if expected is Action.BLINK else _RETURNED
        if share < returned:
            self._active = None
            if expected is Action.BLINK and measure.t_ms - active.started_ms > self.thresholds.max_blink_ms:
                return
            self.performed.append(Performed(expected, active.peak_index, active.peak, active.started_ms, measure.t_ms))

    def _follow_unasked(self, shares: dict[Action, float]) -> None:
        busy = self._active is not None
        if self._foreign is not None:
            if shares[self._foreign] < _RETURNED:
                self._foreign = None
            return
        last = self.performed[-1].action if self.performed else None
        for action, strong in _UNASKED.items():
            # The movement just done may swing on; the one asked is not foreign.
            if not busy and action not in {self.expected, last} and shares[action] >= strong:
                self._foreign = action
                self.unasked.append(action)
                return

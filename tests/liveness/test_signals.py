"""Signals on made-up numbers: no net, no picture of a person."""

import math

import numpy as np
import pytest

from liveness.config import Thresholds
from liveness.landmarks import CHIN, FOREHEAD, LEFT_EYE_OUTER, RIGHT_EYE_OUTER, chip_transform
from liveness.model import Action
from liveness.signals.actions import ActionTracker, Measure
from liveness.signals.mouth import mouth_opening
from liveness.signals.parallax import parallax
from liveness.signals.pose import Pose, pose_of
from liveness.signals.sameness import difference, fingerprint, pixel_digest
from liveness.signals.texture import screen_peak, sharpness
from sandbox.clips.head import rotation

RANDOM = np.random.default_rng(7)


def head(yaw: float = 0, pitch: float = 0, roll: float = 0) -> np.ndarray:
    """A round head's 468 points, turned."""
    points = RANDOM.normal(size=(468, 3)) * 20
    points[RIGHT_EYE_OUTER], points[LEFT_EYE_OUTER] = (-50, 0, 0), (50, 0, 0)
    points[FOREHEAD], points[CHIN] = (0, -80, 0), (0, 80, 0)
    return points @ rotation(yaw, pitch, roll).T


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (25, 0), (-25, 0), (0, 15), (10, -8)])
def test_pose_reads_the_angles_that_the_clip_maker_turns_by(yaw: float, pitch: float) -> None:
    pose = pose_of(head(yaw, pitch))
    assert math.isclose(pose.yaw, yaw, abs_tol=2)
    assert math.isclose(pose.pitch, pitch, abs_tol=2)


def test_positive_yaw_is_the_persons_own_left() -> None:
    """Own left goes away from the camera and the nose moves to the picture's right."""
    turned = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0]]) @ rotation(20, 0, 0).T
    assert turned[0, 0] > 0
    assert turned[1, 2] > 0


def seen(points: np.ndarray, yaw: float, *, far: float = 700) -> np.ndarray:
    """Points as a camera sees them after a turn."""
    turned = points @ rotation(yaw, 0, 0).T
    return turned[:, :2] * far / (far + turned[:, 2:])


def test_parallax_is_nothing_for_a_plane_and_something_for_a_head() -> None:
    flat = np.c_[RANDOM.uniform(-70, 70, (40, 2)), np.zeros(40)]
    deep = flat + np.c_[np.zeros((40, 2)), RANDOM.uniform(-30, 30, 40)]
    limit = Thresholds().min_parallax
    assert parallax(seen(flat, 0), seen(flat, 40), 150) < 0.001 < limit
    assert parallax(seen(deep, 0), seen(deep, 20), 150) > limit


def test_parallax_of_degenerate_points_is_a_number() -> None:
    same = np.zeros((40, 2))
    assert math.isfinite(parallax(same, same, 0))


def test_mouth() -> None:
    points = np.zeros((468, 3))
    points[78], points[308] = (-30, 0, 0), (30, 0, 0)
    assert mouth_opening(points) == 0
    for upper, lower in ((81, 178), (13, 14), (311, 402)):
        points[upper, 1], points[lower, 1] = -12, 12
    assert math.isclose(mouth_opening(points), 0.4)


def test_a_chip_is_upright_and_scaled() -> None:
    """Eyes that stand at dlib's template places are not moved at all."""
    points = head(roll=30) * 2 + 200
    matrix = chip_transform(points)
    assert math.isclose(abs(np.linalg.det(matrix[:, :2])), matrix[0, 0] ** 2 + matrix[1, 0] ** 2, rel_tol=1e-6)


def test_screen_peak_sees_a_grid_and_not_noise() -> None:
    noise = RANDOM.normal(128, 6, (300, 300, 3))
    x = np.arange(300)
    grid = noise + (25 * np.sin(x * 1.9))[None, :, None] * np.array([1, 0, -1])
    clean, shown = (screen_peak(np.clip(p, 0, 255).astype(np.uint8), (150, 150)) for p in (noise, grid))
    assert clean is not None and shown is not None
    assert clean < Thresholds().max_screen_peak < shown
    assert screen_peak(np.zeros((300, 300, 3), np.uint8), (10, 10)) is None


def test_sameness() -> None:
    one = RANDOM.integers(0, 255, (240, 320, 3)).astype(np.uint8)
    other = one.copy()
    other[100:110] += 1
    assert pixel_digest(one) == pixel_digest(one.copy()) != pixel_digest(other)
    assert difference(fingerprint(one), fingerprint(one.copy())) == 0
    assert difference(fingerprint(one), fingerprint(np.roll(one, 9, 1))) > 1


def test_sharpness_prefers_the_sharper() -> None:
    sharp = RANDOM.integers(0, 255, (150, 150, 3)).astype(np.uint8)
    soft = ((sharp.astype(int) + np.roll(sharp, 1, 0) + np.roll(sharp, 1, 1)) // 3).astype(np.uint8)
    assert sharpness(sharp) > sharpness(soft)


def track(asked: list[Action], plan: list[dict[str, float]], *, step_ms: int = 140) -> ActionTracker:
    tracker = ActionTracker(asked, Thresholds())
    for index, move in enumerate([{}] * 5 + plan):
        pose = Pose(move.get("yaw", 0), move.get("pitch", 0), 0)
        eyes = 0.3 * (1 - move.get("blink", 0))
        tracker.observe(Measure(index, index * step_ms, pose, 0.1 + move.get("mouth", 0), eyes))
    return tracker


TURN = [{"yaw": 10}, {"yaw": 20}, {"yaw": 10}, {}, {}]
BACK = [{"yaw": -10}, {"yaw": -20}, {"yaw": -10}, {}, {}]
NOD = [{"pitch": 8}, {"pitch": 15}, {"pitch": 6}, {}, {}]
BLINK = [{"blink": 0.4}, {"blink": 0.5}, {}, {}]
MOUTH = [{"mouth": 0.2}, {"mouth": 0.3}, {}, {}]


def test_actions_in_order() -> None:
    tracker = track([Action.TURN_LEFT, Action.BLINK, Action.NOD], TURN + BLINK + NOD)
    assert [done.action for done in tracker.performed] == [Action.TURN_LEFT, Action.BLINK, Action.NOD]
    assert tracker.unasked == []


def test_actions_in_another_order() -> None:
    tracker = track([Action.TURN_LEFT, Action.BLINK, Action.NOD], NOD + TURN + BLINK)
    assert len(tracker.performed) == 2


def test_a_turn_to_the_other_side_is_unasked() -> None:
    strong = [{"yaw": -12}, {"yaw": -28}, {"yaw": -10}, {}, {}]
    tracker = track([Action.TURN_LEFT, Action.BLINK, Action.NOD], strong * 2)
    assert tracker.performed == []
    assert tracker.unasked == [Action.TURN_RIGHT] * 2


def test_a_turn_that_never_comes_back_is_not_done() -> None:
    assert track([Action.TURN_LEFT], [{"yaw": 25}] * 8).performed == []


def test_closed_eyes_are_no_blink() -> None:
    long = [{"blink": 0.5}] * 15 + [{}] * 2
    assert track([Action.BLINK], long).performed == []


def test_a_small_turn_is_no_turn() -> None:
    assert track([Action.TURN_LEFT], [{"yaw": 13}, {"yaw": 14}, {}, {}]).performed == []


def test_mouth_and_right_turn() -> None:
    tracker = track([Action.OPEN_MOUTH, Action.TURN_RIGHT], MOUTH + BACK)
    assert len(tracker.performed) == 2


def test_the_first_frames_settle_on_a_face_from_the_front() -> None:
    tracker = ActionTracker([Action.TURN_LEFT], Thresholds())
    for index in range(6):
        tracker.observe(Measure(index, index * 140, Pose(30, 0, 0), 0.1, None))
    assert tracker.neutral is None


def test_eyes_are_measured_only_where_they_matter() -> None:
    assert not track([Action.TURN_LEFT, Action.NOD], []).wants_eyes
    assert track([Action.BLINK], []).wants_eyes
    assert not track([Action.TURN_LEFT, Action.BLINK], []).wants_eyes

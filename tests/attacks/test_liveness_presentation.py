"""Attacks before the camera, each with the signal that must stop it. The two that image signals cannot stop are shown as such.

Synthetic on both sides (`sandbox.clips`): these prove that each signal does its work, not how often it does on real material.
"""

from itertools import pairwise
from pathlib import Path

import pytest

from liveness.model import Action, Decision
from sandbox.portraits import portrait
from tests.support.liveness import Faces, faces

pytestmark = pytest.mark.models

ACTIONS = (Action.TURN_LEFT, Action.BLINK, Action.NOD)


@pytest.fixture
def rig(models_dir: Path) -> Faces:
    return faces(models_dir)


def attack(rig: Faces, species: str, actions=ACTIONS, **other):
    clip = rig.studio.attack(species, portrait("astronaut"), actions, 3, **other)
    return rig.judge(clip, actions)


def test_a_genuine_clip_passes_with_nothing_to_say(rig: Faces) -> None:
    verdict, evidence = rig.judge(rig.studio.genuine(portrait("astronaut"), ACTIONS, 3), ACTIONS)
    assert (verdict.decision, verdict.reasons) == (Decision.PASS, ())
    assert (evidence.performed, evidence.unasked, evidence.jumps) == (3, 0, 0)


@pytest.mark.parametrize("species", ["still_photo", "photo_tilted", "photo_bent", "cut_out"])
def test_paper_is_planar_whatever_is_done_with_it(rig: Faces, species: str) -> None:
    verdict, evidence = attack(rig, species)
    assert verdict.decision is Decision.FAIL
    assert verdict.reasons[0] == "planar_face"
    assert "challenge_not_performed" in verdict.reasons
    assert evidence.parallax < rig.config.thresholds.min_parallax * 0.8


def test_a_cut_out_mask_may_blink_and_is_still_flat(rig: Faces) -> None:
    verdict, _ = attack(rig, "cut_out", (Action.BLINK, Action.TURN_RIGHT, Action.OPEN_MOUTH))
    assert verdict.reasons[0] == "planar_face"


def test_the_same_clip_in_another_order(rig: Faces) -> None:
    clip = rig.studio.genuine(portrait("astronaut"), (Action.NOD, Action.TURN_LEFT, Action.BLINK), 3)
    verdict, _ = rig.judge(clip, ACTIONS)
    assert (verdict.decision, verdict.reasons[0]) == (Decision.FAIL, "challenge_not_performed")


def test_a_recording_that_does_everything(rig: Faces) -> None:
    """Every action one after the other would satisfy any challenge, if unasked ones were free."""
    clip = [
        *rig.studio.genuine(portrait("astronaut"), (Action.TURN_RIGHT, Action.OPEN_MOUTH, Action.TURN_LEFT), 1),
        *rig.studio.genuine(portrait("astronaut"), (Action.TURN_RIGHT, Action.BLINK, Action.NOD), 2),
    ]
    times = [0]
    for (before, _), (after, _) in pairwise(clip):
        times.append(times[-1] + (after - before if after > before else 140))
    verdict, evidence = rig.judge([(t, jpeg) for t, (_, jpeg) in zip(times, clip, strict=True)], ACTIONS)
    assert evidence.unasked > rig.config.thresholds.max_unasked_actions
    assert "unasked_action" in verdict.reasons


def test_an_empty_room(rig: Faces) -> None:
    verdict, _ = attack(rig, "no_face")
    assert verdict.reasons[0] == "no_face"


def test_a_second_face(rig: Faces) -> None:
    verdict, _ = attack(rig, "two_faces", other=portrait("synthetic-a"))
    assert verdict.reasons[0] == "several_faces"


def test_a_person_swapped_half_way(rig: Faces) -> None:
    verdict, _ = attack(rig, "swapped", other=portrait("synthetic-a"))
    assert verdict.decision is Decision.FAIL
    assert "identity_changed" in verdict.reasons


def test_an_accomplice_who_does_the_movements(rig: Faces) -> None:
    verdict, _ = attack(rig, "accomplice", other=portrait("synthetic-b"))
    assert verdict.decision is Decision.FAIL
    assert "identity_changed" in verdict.reasons


def test_a_frozen_tail(rig: Faces) -> None:
    verdict, _ = attack(rig, "frozen_tail")
    assert {"duplicate_frames", "frozen_frames"} <= set(verdict.reasons)


def test_one_frame_over_and_over(rig: Faces) -> None:
    verdict, _ = attack(rig, "repeated_frame")
    assert "duplicate_frames" in verdict.reasons


def test_one_frame_encoded_anew_each_time(rig: Faces) -> None:
    import cv2

    image = rig.studio.head(portrait("astronaut")).image
    clip = [
        (400 + 140 * n, cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 70 + n % 25])[1].tobytes())
        for n in range(30)
    ]
    verdict, evidence = rig.judge(clip, ACTIONS)
    assert evidence.near_duplicates > rig.config.thresholds.max_near_duplicates
    assert "frozen_frames" in verdict.reasons


@pytest.mark.parametrize("species", ["replay_bezel", "replay_fullview"])
def test_a_display_in_the_right_order_is_sent_to_a_person(rig: Faces, species: str) -> None:
    """Only the display's grid gives it away, and only where the grid is seen: a hint, so review and not a refusal."""
    verdict, evidence = attack(rig, species)
    assert verdict.decision is not Decision.PASS
    assert "screen_pattern" in verdict.reasons
    assert evidence.screen_peak is not None
    assert evidence.screen_peak > rig.config.thresholds.max_screen_peak


def test_declared_limit_a_live_driven_digital_face_passes_every_image_signal(rig: Faces) -> None:
    """Not stopped here, and said so (docs/liveness.md): a deployer must add capture attestation and human review."""
    verdict, _ = attack(rig, "digital_puppet")
    assert verdict.decision is Decision.PASS

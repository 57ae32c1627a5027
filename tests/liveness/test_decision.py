"""The rules: each one found by name, and nothing passes by a missing value."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from liveness.authority import HolderResult, IdentityResult, PortraitResult
from liveness.capture_evidence import CaptureEvidence
from liveness.config import LivenessConfig, Thresholds
from liveness.decision import decide_holder, decide_liveness
from liveness.model import Decision

CONFIG = LivenessConfig("http://a", "http://a", "http://a")
GOOD = CaptureEvidence(
    frames=30, frames_with_face=30, frames_with_several=0, median_face_width=150, duration_ms=4200, largest_gap_ms=170,
    exact_duplicates=0, near_duplicates=0, asked=3, performed=3, unasked=0, parallax=0.045, continuity=0.1,
    continuity_turned=0.4, jumps=0, screen_peak=20, passive_mean=None,
)  # fmt: skip


def test_a_good_capture_passes() -> None:
    assert decide_liveness(GOOD, CONFIG).decision is Decision.PASS
    assert decide_liveness(replace(GOOD, passive_mean=0.9, screen_peak=None), CONFIG).decision is Decision.PASS


@pytest.mark.parametrize(
    ("change", "decision", "reason"),
    [
        ({"frames_with_face": 20}, "fail", "no_face"),
        ({"frames_with_face": 0, "frames": 0}, "fail", "too_few_frames"),
        ({"frames_with_several": 2}, "fail", "several_faces"),
        ({"frames": 10, "frames_with_face": 10}, "fail", "too_few_frames"),
        ({"duration_ms": 900}, "fail", "capture_too_short"),
        ({"exact_duplicates": 1}, "fail", "duplicate_frames"),
        ({"near_duplicates": 4}, "fail", "frozen_frames"),
        ({"parallax": 0.02}, "fail", "planar_face"),
        ({"performed": 2}, "fail", "challenge_not_performed"),
        ({"continuity": 0.55}, "fail", "identity_changed"),
        ({"continuity_turned": 0.7}, "fail", "identity_changed"),
        ({"unasked": 2}, "fail", "unasked_action"),
        ({"jumps": 1}, "fail", "face_jumped"),
        ({"largest_gap_ms": 2000}, "fail", "capture_gap"),
        ({"median_face_width": 60.0}, "fail", "face_too_small"),
        ({"screen_peak": 80.0}, "review", "screen_pattern"),
        ({"passive_mean": 0.3}, "review", "passive_spoof"),
    ],
)
def test_each_rule(change: dict[str, float], decision: str, reason: str) -> None:
    verdict = decide_liveness(replace(GOOD, **change), CONFIG)
    assert verdict.decision == decision
    assert reason in verdict.reasons


def test_every_reason_is_told_and_a_failure_outweighs_a_hint() -> None:
    verdict = decide_liveness(replace(GOOD, parallax=0.0, performed=0, screen_peak=90.0), CONFIG)
    assert verdict.decision is Decision.FAIL
    assert verdict.reasons == ("planar_face", "challenge_not_performed", "screen_pattern")


def result(identity: IdentityResult, face: PortraitResult) -> HolderResult:
    return HolderResult("r", identity, face, "authority", "t", datetime(2026, 1, 1, tzinfo=UTC))


def test_the_holder() -> None:
    assert decide_holder(result(IdentityResult.MATCH, PortraitResult.SAME)).decision is Decision.PASS


@pytest.mark.parametrize("identity", [i for i in IdentityResult if i is not IdentityResult.MATCH])
def test_no_other_identity_passes(identity: IdentityResult) -> None:
    verdict = decide_holder(result(identity, PortraitResult.SAME))
    assert verdict.decision is Decision.FAIL
    assert verdict.reasons[0].value.startswith("permit_")


@pytest.mark.parametrize("face", [p for p in PortraitResult if p is not PortraitResult.SAME])
def test_no_other_portrait_passes(face: PortraitResult) -> None:
    assert decide_holder(result(IdentityResult.MATCH, face)).decision is not Decision.PASS


def test_another_face_is_a_mismatch() -> None:
    assert decide_holder(result(IdentityResult.MATCH, PortraitResult.DIFFERENT)).reasons == ("face_mismatch",)


@pytest.mark.parametrize(
    "nonsense",
    [{"issuer": "ftp://a"}, {"workers": 0}, {"max_attempts": 0}, {"thresholds": Thresholds(min_parallax=0)}],
)
def test_nonsense_stops_the_start(nonsense: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="liveness"):
        LivenessConfig(**{"issuer": "http://a", "audience": "http://a", "public_url": "http://a", **nonsense})

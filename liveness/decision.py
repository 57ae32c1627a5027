"""From signals to a verdict, by named thresholds.

Owns:    the rules and their order. Leaves measuring to `capture` and `signals`, the portrait to the permit authority.
Rules:   every rule is asked, so that a refusal carries all its reasons; the first is the weightiest
         a rule either fails the check or sends it to review; a score is never shown
         what is not stopped here: a live-driven digital face injected through a virtual camera (`docs/liveness.md`)
"""

from collections.abc import Callable

from liveness.authority import HolderResult, IdentityResult, PortraitResult
from liveness.capture_evidence import CaptureEvidence
from liveness.config import FrameLimits, LivenessConfig, Thresholds
from liveness.model import Decision, Reason, Verdict

Rule = tuple[Reason, Decision, Callable[[CaptureEvidence, Thresholds, FrameLimits], bool]]

RULES: tuple[Rule, ...] = (
    (Reason.NO_FACE, Decision.FAIL, lambda e, t, _: e.frames_with_face < t.min_share_with_face * max(e.frames, 1)),
    (Reason.SEVERAL_FACES, Decision.FAIL, lambda e, t, _: e.frames_with_several > t.max_frames_with_several),
    (Reason.TOO_FEW_FRAMES, Decision.FAIL, lambda e, _, limits: e.frames < limits.min_frames),
    (Reason.CAPTURE_TOO_SHORT, Decision.FAIL, lambda e, t, _: e.duration_ms < t.min_capture_ms),
    (Reason.DUPLICATE_FRAMES, Decision.FAIL, lambda e, _, __: e.exact_duplicates > 0),
    (Reason.FROZEN_FRAMES, Decision.FAIL, lambda e, t, _: e.near_duplicates > t.max_near_duplicates),
    (Reason.PLANAR_FACE, Decision.FAIL, lambda e, t, _: e.frames_with_face > 0 and e.parallax < t.min_parallax),
    (Reason.CHALLENGE_NOT_PERFORMED, Decision.FAIL, lambda e, _, __: e.performed < e.asked),
    (Reason.IDENTITY_CHANGED, Decision.FAIL, lambda e, t, _: e.continuity > t.max_continuity),
    (Reason.IDENTITY_CHANGED, Decision.FAIL, lambda e, t, _: e.continuity_turned > t.max_continuity_turned),
    (Reason.UNASKED_ACTION, Decision.FAIL, lambda e, t, _: e.unasked > t.max_unasked_actions),
    (Reason.FACE_JUMPED, Decision.FAIL, lambda e, _, __: e.jumps > 0),
    (Reason.CAPTURE_GAP, Decision.FAIL, lambda e, t, _: e.largest_gap_ms > t.max_gap_ms),
    (Reason.FACE_TOO_SMALL, Decision.FAIL, lambda e, t, _: 0 < e.median_face_width < t.min_face_width_px),
    # Hints, each known to be wrong in both directions: a person looks.
    (Reason.SCREEN_PATTERN, Decision.REVIEW, lambda e, t, _: (e.screen_peak or 0.0) > t.max_screen_peak),
    (
        Reason.PASSIVE_SPOOF,
        Decision.REVIEW,
        lambda e, t, _: e.passive_mean is not None and e.passive_mean < t.min_passive_mean,
    ),
)

_IDENTITY: dict[IdentityResult, tuple[Decision, Reason]] = {
    IdentityResult.MISMATCH: (Decision.FAIL, Reason.PERMIT_HOLDER_MISMATCH),
    IdentityResult.NOT_FOUND: (Decision.FAIL, Reason.PERMIT_NOT_FOUND),
    IdentityResult.CANCELLED: (Decision.FAIL, Reason.PERMIT_NOT_VALID),
    IdentityResult.EXPIRED: (Decision.FAIL, Reason.PERMIT_NOT_VALID),
}
_PORTRAIT: dict[PortraitResult, tuple[Decision, Reason]] = {
    PortraitResult.DIFFERENT: (Decision.FAIL, Reason.FACE_MISMATCH),
    PortraitResult.UNCERTAIN: (Decision.REVIEW, Reason.FACE_UNCERTAIN),
    PortraitResult.POOR_IMAGE: (Decision.FAIL, Reason.PORTRAIT_UNUSABLE),
    PortraitResult.NOT_ON_FILE: (Decision.REVIEW, Reason.PORTRAIT_UNUSABLE),
    PortraitResult.NOT_COMPARED: (Decision.FAIL, Reason.PORTRAIT_UNUSABLE),
}


def decide_liveness(evidence: CaptureEvidence, config: LivenessConfig) -> Verdict:
    """Return whether a living person, one and the same, did what was asked."""
    found = [
        (reason, decision) for reason, decision, applies in RULES if applies(evidence, config.thresholds, config.frames)
    ]
    if not found:
        return Verdict(Decision.PASS)
    failed = any(decision is Decision.FAIL for _, decision in found)
    return Verdict(Decision.FAIL if failed else Decision.REVIEW, tuple(dict.fromkeys(reason for reason, _ in found)))


def decide_holder(result: HolderResult) -> Verdict:
    """Return what the permit authority's answer means; what it does not clearly affirm does not pass."""
    if result.identity is not IdentityResult.MATCH:
        decision, reason = _IDENTITY[result.identity]
        return Verdict(decision, (reason,))
    if result.portrait is not PortraitResult.SAME:
        decision, reason = _PORTRAIT[result.portrait]
        return Verdict(decision, (reason,))
    return Verdict(Decision.PASS)

"""What was measured of one capture, as plain numbers: the word between measuring and deciding.

Owns:    `CaptureEvidence`. Leaves measuring to `capture`, the rules to `decision`; knows no image library.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CaptureEvidence:
    """What the frames of one session say; numbers only."""

    frames: int
    frames_with_face: int
    frames_with_several: int
    median_face_width: float
    duration_ms: int
    largest_gap_ms: int
    exact_duplicates: int
    near_duplicates: int
    asked: int
    performed: int
    unasked: int
    parallax: float
    continuity: float
    """Largest distance between embeddings of frames at rest."""
    continuity_turned: float
    """Largest distance of a frame in movement from the nearest frame at rest."""
    jumps: int
    screen_peak: float | None
    passive_mean: float | None

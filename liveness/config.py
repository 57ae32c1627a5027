"""Limits and thresholds of the permit check.

Owns:    every number that a deployer may turn, with its unit. Leaves reading the environment to `service.settings`.
Rules:   frozen; safe defaults; a nonsensical value stops the start
         thresholds start from `docs/liveness-evaluation.md`: they were picked on synthetic clips and little real footage
"""

from dataclasses import asdict, dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """Bounds of one frame and one session."""

    max_frame_bytes: int = 160_000
    max_pixels: int = 1280 * 960
    min_side: int = 240
    min_frames: int = 15
    max_frames: int = 180
    max_batch_frames: int = 16
    max_session_bytes: int = 12_000_000

    @property
    def max_batch_body_bytes(self) -> int:
        """The largest request body: a full batch of full frames in base64, and its frame of JSON."""
        return self.max_batch_frames * (self.max_frame_bytes * 4 // 3 + 256) + 1024


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where signals turn into reasons. Angles in degrees, ratios without unit, distances L2 of embeddings."""

    min_face_width_px: float = 100.0
    max_frames_with_several: int = 1
    """Of the frames in which a detector is run: one may be a shadow on the wall."""
    min_mesh_score: float = 0.5
    min_share_with_face: float = 0.85
    min_turn_deg: float = 15.0
    min_nod_deg: float = 10.0
    max_blink_ratio: float = 0.82
    """Eye opening against the session's own neutral frames."""
    max_blink_ms: int = 1500
    min_mouth_rise: float = 0.12
    min_parallax: float = 0.025
    max_unasked_actions: int = 1
    max_continuity: float = 0.50
    max_continuity_turned: float = 0.62
    max_landmark_jump: float = 0.60
    """Largest shift of the face between two frames, as a share of its width."""
    max_near_duplicates: int = 3
    min_capture_ms: int = 2500
    max_gap_ms: int = 1500
    max_screen_peak: float = 55.0
    min_passive_mean: float = 0.60
    max_portrait_distance: float = 0.50
    """Used where a portrait is compared here; the authority has its own."""


@dataclass(frozen=True, slots=True)
class LivenessConfig:
    """Everything about permit checks that is a choice."""

    issuer: str
    """`iss` of the attestation: this deployment."""
    audience: str
    """`aud` of the attestation: the broker that reads it."""
    public_url: str
    """Where the citizen's browser reaches the `/permit` page, without a trailing slash."""
    check_lifetime: timedelta = timedelta(minutes=20)
    session_lifetime: timedelta = timedelta(seconds=60)
    code_lifetime: timedelta = timedelta(minutes=5)
    attestation_lifetime: timedelta = timedelta(minutes=5)
    max_attempts: int = 3
    """Liveness sessions a check may start."""
    max_document_attempts: int = 10
    max_live_sessions: int = 64
    max_clock_ahead_ms: int = 750
    """How far a frame's own time may run ahead of its arrival."""
    workers: int = 2
    queue: int = 64
    """Batches that may wait for a worker; the next is told to come back."""
    max_portrait_bytes: int = 200_000
    authority_timeout: timedelta = timedelta(seconds=10)
    frames: FrameLimits = field(default_factory=FrameLimits)
    thresholds: Thresholds = field(default_factory=Thresholds)

    def __post_init__(self) -> None:
        for name in ("issuer", "audience", "public_url"):
            if not getattr(self, name).startswith(("https://", "http://")):
                raise ValueError(f"liveness {name} must be a URL")
        counts = ("max_attempts", "max_document_attempts", "max_live_sessions", "workers", "queue")
        if any(getattr(self, name) < 1 for name in counts):
            raise ValueError("liveness limits must be at least 1")
        if self.frames.min_frames > self.frames.max_frames:
            raise ValueError("liveness min_frames is over max_frames")
        if any(value <= 0 for value in asdict(self.thresholds).values()):
            raise ValueError("liveness thresholds must be positive")

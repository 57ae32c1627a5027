"""A recorded session judged offline: the same reading and the same rules, the portrait compared here.

Owns:    the recording's form, the portrait's comparison. Leaves rules to `decision`, measuring to `capture`.
Rules:   a recording proves nothing about when and by whom it was made: no attestation can come of it
"""

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from liveness.capture import Capture, CaptureReader
from liveness.capture_evidence import CaptureEvidence
from liveness.config import LivenessConfig
from liveness.decision import decide_liveness
from liveness.errors import FrameRefused, RequestMalformed
from liveness.face_engine import FaceEngine
from liveness.frames import Frame, check_frame_bytes, decode_frame, decode_picture
from liveness.landmarks import FaceReader
from liveness.model import Action, Decision, Reason, Verdict

MAX_CLIP_BYTES = 40_000_000
MAX_PORTRAIT_BYTES = 10_000_000
MAX_CHALLENGE_BYTES = 65_536
# End of one JPEG, start of the next: inside a scan 0xFF is always followed by 0x00 or a restart marker.
_BETWEEN = re.compile(rb"(?<=\xff\xd9)(?=\xff\xd8\xff)")


@dataclass(frozen=True, slots=True)
class Recording:
    """A session as it was recorded."""

    actions: tuple[Action, ...]
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class OfflineJudgement:
    """What a recording amounts to."""

    verdict: Verdict
    evidence: CaptureEvidence
    portrait_distance: float | None


def parse_recording(clip: bytes, challenge: bytes, config: LivenessConfig) -> Recording:
    """Return the recording.

    Args:
        clip: Motion JPEG, one baseline JPEG after the other.
        challenge: JSON `{"actions": [three names], "times_ms": [one for each frame]}`.
        config: the limits.

    Raises:
        RequestMalformed: the challenge is not of that form, or its times do not fit the frames.
        FrameRefused: a frame is not a baseline JPEG, or too large.
    """
    if len(clip) > MAX_CLIP_BYTES or len(challenge) > MAX_CHALLENGE_BYTES:
        raise RequestMalformed("the recording is too large")
    try:
        fields: dict[str, Any] = json.loads(challenge)
        actions = tuple(Action(name) for name in fields["actions"])
        times = [int(value) for value in fields["times_ms"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RequestMalformed("the challenge is not of the documented form") from error
    pictures = [part for part in _BETWEEN.split(clip) if part]
    if len(times) != len(pictures) or any(b <= a for a, b in pairwise(times)) or not actions:
        raise RequestMalformed("the challenge's times are not one for each frame, growing")
    if len(pictures) > config.frames.max_frames:
        raise RequestMalformed(f"the clip has {len(pictures)} frames, at most {config.frames.max_frames} are taken")
    for picture in pictures:
        check_frame_bytes(picture, config.frames)
    return Recording(actions, tuple(Frame(n, t, p) for n, (t, p) in enumerate(zip(times, pictures, strict=True))))


def judge_recording(
    recording: Recording, portrait: bytes, config: LivenessConfig, faces: FaceReader, engine: FaceEngine
) -> OfflineJudgement:
    """Judge a recording against a portrait.

    Raises:
        FrameRefused: a frame or the portrait cannot be read.
    """
    reader = CaptureReader(recording.actions, thresholds=config.thresholds, limits=config.frames, engine=engine)
    for frame in recording.frames:
        reader.read(frame, faces)
    capture = reader.finish()
    verdict, distance = decide_liveness(capture.evidence, config), None
    if capture.best_frame is not None:
        distance = _distance(capture, portrait, config, faces, engine)
        if distance > config.thresholds.max_portrait_distance:
            verdict = Verdict(Decision.FAIL, (*verdict.reasons, Reason.FACE_MISMATCH))
    return OfflineJudgement(verdict, capture.evidence, distance)


def _distance(
    capture: Capture, portrait: bytes, config: LivenessConfig, faces: FaceReader, engine: FaceEngine
) -> float:
    chips = []
    live = decode_frame(capture.best_frame or b"", config.frames)
    for image in (live, decode_picture(portrait, max_bytes=MAX_PORTRAIT_BYTES)):
        found = faces.detect(image)
        if not found:
            raise FrameRefused("there is no face in the portrait or in the best frame")
        chips.append(faces.chip(np.asarray(image, np.uint8), faces.mesh(image, found[0])))
    return engine.distance(*engine.embed(chips))

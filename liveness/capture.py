"""Reading one session's frames as they arrive, and what they amount to at the end.

Owns:    tracking, the choice of frames that are embedded, `CaptureEvidence`. Leaves meaning to `decision`.
Rules:   1 a detector run every fifth frame and wherever tracking is lost; the mesh follows in between
         2 no frame is kept but the best one; aligned chips of the frames to compare are kept until the end
         3 runs in a worker thread; one session is read by one worker at a time
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from liveness.capture_evidence import CaptureEvidence
from liveness.config import FrameLimits, Thresholds
from liveness.errors import FrameRefused
from liveness.face_engine import Chip, FaceEngine, Image
from liveness.frames import Frame, decode_frame
from liveness.landmarks import NOSE_TIP, RIGID, FaceBox, FaceMesh, FaceReader, Points
from liveness.model import Action
from liveness.signals.actions import ActionTracker, Measure
from liveness.signals.mouth import mouth_opening
from liveness.signals.parallax import parallax
from liveness.signals.pose import pose_of
from liveness.signals.sameness import Fingerprint, difference, fingerprint, pixel_digest
from liveness.signals.texture import screen_peak, sharpness

_DETECT_EVERY = 5
_SCREEN_EVERY = 6
_PASSIVE_EVERY = 4
_COMPARED = 5
_PARALLAX_FRAMES = 3
_SECOND_FACE = 0.35
"""A face counts as a second one from this share of the first one's width on: not a picture on the wall."""
_MAX_KEPT = 48
"""Chips of one kind that a session holds (68 kB each); beyond it every second one of the older half goes."""
_NEAR_DUPLICATE = 0.5
"""Levels of 0..255: a living head before a real camera changes some block of the picture more than this."""


@dataclass(frozen=True, slots=True)
class Capture:
    """A finished capture: the evidence, and the one frame that goes on."""

    evidence: CaptureEvidence
    best_frame: bytes | None


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """A frame's aligned face, kept for comparison."""

    index: int
    chip: Chip


class CaptureReader:
    """Reads the frames of one session, in order."""

    def __init__(
        self, actions: Sequence[Action], *, thresholds: Thresholds, limits: FrameLimits, engine: FaceEngine
    ) -> None:
        self._thresholds, self._limits, self._engine = thresholds, limits, engine
        self._tracker = ActionTracker(actions, thresholds)
        self._times: list[int] = []
        self._mesh: FaceMesh | None = None
        self._neutral_rigid: Points | None = None
        self._with_several = self._jumps = self._near = self._exact = 0
        self._widths: list[float] = []
        self._parallax: list[float] = []
        self._screen: list[float] = []
        self._passive: list[float] = []
        self._digests: set[bytes] = set()
        self._fingerprint: Fingerprint | None = None
        self._shape: tuple[int, ...] | None = None
        self._resting: list[_Kept] = []
        self._moving: list[_Kept] = []
        self._peaks: list[_Kept] = []
        self._best: tuple[float, bytes] | None = None

    @property
    def performed(self) -> int:
        """How many actions have been done so far."""
        return len(self._tracker.performed)

    def read(self, frame: Frame, faces: FaceReader) -> None:
        """Take one frame.

        Raises:
            FrameRefused: it cannot be decoded.
        """
        image = decode_frame(frame.jpeg, self._limits)
        self._note_sameness(image)
        number = len(self._times)
        gap = frame.t_ms - self._times[-1] if self._times else 0
        self._times.append(frame.t_ms)
        previous, self._mesh = self._mesh, self._follow(image, faces, number)
        if self._mesh is None:
            return
        if previous is not None and gap < self._thresholds.max_gap_ms:
            self._note_jump(previous, self._mesh)
        self._measure(frame, image, self._mesh, faces, number)

    def finish(self) -> Capture:
        """Return what the frames amount to; embeds the faces to compare."""
        rest, turned = self._embed()
        times = np.array(self._times or [0])
        strongest = sorted(self._parallax)[-_PARALLAX_FRAMES:]
        evidence = CaptureEvidence(
            frames=len(self._times),
            frames_with_face=len(self._widths),
            frames_with_several=self._with_several,
            median_face_width=float(np.median(self._widths)) if self._widths else 0.0,
            duration_ms=int(times[-1] - times[0]),
            largest_gap_ms=int(np.diff(times).max()) if len(times) > 1 else 0,
            exact_duplicates=self._exact,
            near_duplicates=self._near,
            asked=len(self._tracker.asked),
            performed=self.performed,
            unasked=len(self._tracker.unasked),
            parallax=float(np.mean(strongest)) if strongest else 0.0,
            continuity=rest,
            continuity_turned=turned,
            jumps=self._jumps,
            screen_peak=float(np.median(self._screen)) if self._screen else None,
            passive_mean=float(np.mean(self._passive)) if self._passive else None,
        )
        return Capture(evidence, self._best[1] if self._best else None)

    def _follow(self, image: Image, faces: FaceReader, number: int) -> FaceMesh | None:
        """Return the face's mesh: followed from the frame before, or found anew."""
        near: FaceBox | FaceMesh | None = self._mesh
        found: list[FaceBox] | None = None
        if near is None or number % _DETECT_EVERY == 0:
            found = self._detect(image, faces)
            near = found[0] if found else None
        if near is None:
            return None
        mesh = faces.mesh(image, near)
        if mesh.score < self._thresholds.min_mesh_score and found is None:
            found = self._detect(image, faces)
            mesh = faces.mesh(image, found[0]) if found else mesh
        return mesh if mesh.score >= self._thresholds.min_mesh_score else None

    def _detect(self, image: Image, faces: FaceReader) -> list[FaceBox]:
        found = faces.detect(image)
        if len(found) > 1 and found[1].width >= _SECOND_FACE * found[0].width:
            self._with_several += 1
        return found

    def _measure(self, frame: Frame, image: Image, mesh: FaceMesh, faces: FaceReader, number: int) -> None:
        self._widths.append(mesh.width)
        eyes = faces.eye_opening(image, mesh) if self._tracker.wants_eyes else None
        measure = Measure(frame.index, frame.t_ms, pose_of(mesh.points), mouth_opening(mesh.points), eyes)
        at_rest = self._tracker.observe(measure)
        rigid = mesh.points[list(RIGID), :2]
        if self._neutral_rigid is None and self._tracker.neutral is not None:
            self._neutral_rigid = rigid
        elif self._neutral_rigid is not None:
            self._parallax.append(parallax(self._neutral_rigid, rigid, mesh.width))
        self._keep(frame, faces.chip(image, mesh), at_rest=at_rest)
        if number % _SCREEN_EVERY == 0:
            x, y = mesh.points[NOSE_TIP, :2]
            peak = screen_peak(image, (float(x), float(y)))
            self._screen += [peak] if peak is not None else []
        if number % _PASSIVE_EVERY == 0 and self._engine.has_passive_detection:
            self._passive += self._engine.passive_scores([(image, mesh.box)])

    def _keep(self, frame: Frame, chip: Chip, *, at_rest: bool) -> None:
        sharp = sharpness(chip)
        if at_rest:
            self._resting.append(_Kept(frame.index, chip))
            if self._best is None or sharp > self._best[0]:
                self._best = (sharp, frame.jpeg)
        else:
            self._moving.append(_Kept(frame.index, chip))
        for done in self._tracker.performed[len(self._peaks) :]:
            # The frame in which the action was strongest, or the nearest one still kept.
            near = min(self._moving + self._resting, key=lambda kept: abs(kept.index - done.peak_index))
            self._peaks.append(near)
        for kept in (self._resting, self._moving):
            if len(kept) > _MAX_KEPT:
                del kept[: _MAX_KEPT // 2 : 2]

    def _embed(self) -> tuple[float, float]:
        """Return the largest distances among faces at rest, and between rest and movement."""
        if not self._resting:
            return 0.0, 0.0
        picks = np.unique(np.linspace(0, len(self._resting) - 1, _COMPARED).round().astype(int))
        rest = [self._resting[pick] for pick in picks]
        # Two more of the frames in movement, the last one among them: where another person could hide.
        others = [self._moving[pick] for pick in {len(self._moving) // 2, len(self._moving) - 1} if self._moving]
        moving = [*self._peaks, *(kept for kept in others if kept not in self._peaks)]
        embeddings = self._engine.embed([kept.chip for kept in (*rest, *moving)])
        still, moved = embeddings[: len(rest)], embeddings[len(rest) :]
        apart = [self._engine.distance(a, b) for number, a in enumerate(still) for b in still[:number]]
        turned = [min(self._engine.distance(a, b) for b in still) for a in moved]
        return max(apart, default=0.0), max(turned, default=0.0)

    def _note_sameness(self, image: Image) -> None:
        if self._shape not in {None, image.shape}:
            raise FrameRefused("the frames have different sizes")
        self._shape = image.shape
        digest = pixel_digest(image)
        self._exact += digest in self._digests
        self._digests.add(digest)
        now = fingerprint(image)
        if self._fingerprint is not None:
            self._near += difference(self._fingerprint, now) < _NEAR_DUPLICATE
        self._fingerprint = now

    def _note_jump(self, before: FaceMesh, after: FaceMesh) -> None:
        shift = float(np.linalg.norm(after.points[list(RIGID), :2].mean(0) - before.points[list(RIGID), :2].mean(0)))
        self._jumps += shift > self._thresholds.max_landmark_jump * after.width

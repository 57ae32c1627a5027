"""What one liveness session costs, beside naive per-frame use of deepface in the same run.

`python -m bench.liveness [--frames 30] [--naive 5]`: CPU seconds of one thread, from JPEG bytes to verdict; ready time and memory.
The naive way is `DeepFace.verify(portrait, frame)` with the same weights and deepface's own default detector, a few frames timed
and scaled. Passive detection is in neither: the embedded set has no net for it.
"""

# ruff: noqa: PLC0415 - imports are what is measured
import argparse
import json
import os
import resource
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
_BEGAN = time.perf_counter()


def main() -> None:
    """Measure and print one JSON object."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--models", type=Path, default=Path(os.environ.get("GBA_TRUST_MODELS_DIR", "models")))
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--naive", type=int, default=4, help="frames to time the naive way")
    given = options.parse_args()
    figures = ready(given.models)
    figures |= sessions(given.models, given.runs)
    figures |= naive(given.naive)
    figures["times_faster_than_naive"] = round(figures["naive_cpu_s_per_30_frames"] / figures["cpu_s_per_session"], 1)
    print(json.dumps(figures, indent=1))


def ready(folder: Path) -> dict[str, float]:
    """Import, verify and load everything that the service's process needs for a session."""
    from liveness.deepface_engine import DeepFaceEngine
    from liveness.mesh_landmarks import MeshReader
    from liveness.models import ModelSet

    models = ModelSet.load(folder)
    MeshReader(models)
    DeepFaceEngine(models)
    return {"ready_s": round(time.perf_counter() - _BEGAN, 2), "rss_ready_mb": rss()}


def sessions(folder: Path, runs: int) -> dict[str, float]:
    """Read genuine 30-frame clips of three actions, blink among them (the dearest case), and decide."""
    from liveness.capture import CaptureReader
    from liveness.config import LivenessConfig
    from liveness.decision import decide_liveness
    from liveness.deepface_engine import DeepFaceEngine
    from liveness.frames import Frame
    from liveness.mesh_landmarks import MeshReader
    from liveness.model import Action, Decision
    from liveness.models import ModelSet
    from sandbox.clips import ClipStudio
    from sandbox.portraits import portrait

    models = ModelSet.load(folder)
    reader, engine = MeshReader(models), DeepFaceEngine(models)
    config = LivenessConfig("http://bench", "http://bench", "http://bench")
    actions = (Action.TURN_LEFT, Action.BLINK, Action.NOD)
    studio, spent, last, filmed = ClipStudio(reader), [], [], []
    studio.head(portrait("astronaut"))
    for seed in range(runs + 1):
        began = time.process_time()
        clip = studio.genuine(portrait("astronaut"), actions, seed)
        filmed.append(time.process_time() - began)
        began = time.process_time()
        capture = CaptureReader(actions, thresholds=config.thresholds, limits=config.frames, engine=engine)
        for index, (t_ms, jpeg) in enumerate(clip):
            capture.read(Frame(index, t_ms, jpeg), reader)
        end = time.process_time()
        verdict = decide_liveness(capture.finish().evidence, config)
        last.append(time.process_time() - end)
        spent.append(time.process_time() - began)
        assert verdict.decision is Decision.PASS, verdict
    return {
        "frames": len(clip), "cpu_s_per_session": round(statistics.median(spent[1:]), 3),
        "cpu_s_after_last_frame": round(statistics.median(last[1:]), 3),
        "sessions_per_s_per_core": round(1 / statistics.median(spent[1:]), 1),
        "clip_making_cpu_s": round(statistics.median(filmed[1:]), 3), "rss_mb": rss(),
    }  # fmt: skip


def naive(frames: int) -> dict[str, float]:
    """Compare whole photographs, frame by frame."""
    import cv2
    import numpy as np
    from deepface import DeepFace

    from liveness.model import Action
    from sandbox.clips import genuine
    from sandbox.portraits import portrait

    held = cv2.imdecode(np.frombuffer(portrait("astronaut"), np.uint8), cv2.IMREAD_COLOR)
    clip = genuine(portrait("astronaut"), [Action.TURN_LEFT, Action.BLINK, Action.NOD], 0)
    shown = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) for _, jpeg in clip[: frames + 1]]

    def verify(image: np.ndarray) -> None:
        DeepFace.verify(held, image, model_name="Dlib", detector_backend="opencv", enforce_detection=False, silent=True)

    verify(shown[0])
    began = time.process_time()
    for image in shown[1:]:
        verify(image)
    return {"naive_cpu_s_per_30_frames": round((time.process_time() - began) / frames * 30, 2)}


def rss() -> float:
    """Return the most memory this process has held, in MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 0)


if __name__ == "__main__":
    main()

"""`FaceEngine` on deepface: `represent` on aligned chips, `verify` on embeddings, our verified net behind both.

Owns:    the only import of deepface, its environment, the client class put into its model cache.
Leaves:  detection and alignment to `mesh_landmarks`; running the nets to `onnx_nets`.
Rules:   1 the engine is onnx: neither TensorFlow nor torch is ever imported
         2 deepface never finds, downloads or opens a weight file: the net is made from verified bytes and put in its cache
         3 never its detectors, never per-frame `verify`, never `anti_spoofing` (it would judge the permit portrait as a spoof)
"""

import os
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from liveness.face_engine import Chip, Embedding, Image
from liveness.landmarks import CHIP_SIDE
from liveness.models import ModelSet
from liveness.onnx_nets import Box, EmbeddingNet, PassiveNets

# These are read by deepface at import. Its home must exist then; nothing of ours is ever looked for in it.
_HOME = tempfile.TemporaryDirectory(prefix="gba-trust-deepface-")
os.environ["DEEPFACE_HOME"] = _HOME.name
os.environ["DEEPFACE_BACKEND_ENGINE"] = "onnx"
os.environ.setdefault("DEEPFACE_LOG_LEVEL", "40")

from deepface import DeepFace  # noqa: E402 - its environment comes first
from deepface.models.FacialRecognition import FacialRecognition  # noqa: E402 - as above
from deepface.modules import modeling  # noqa: E402 - as above

_HOME.cleanup()  # not at exit: a process that ends by a signal would leave it behind

MODEL_NAME = "Dlib"
_TASK = "facial_recognition"


class _DlibOnnx(FacialRecognition):  # type: ignore[misc]  # deepface has no types
    """deepface's client of the dlib net, over our ONNX form of it."""

    def __init__(self, net: EmbeddingNet) -> None:
        self.model = net
        self.model_name = MODEL_NAME
        self.input_shape = (CHIP_SIDE, CHIP_SIDE)
        self.output_shape = 128

    def forward(self, img: Any) -> list[Any]:  # noqa: ANN401 - deepface's signature
        """Return the embedding of one picture, or a list of them for a batch (BGR, 0..1 as deepface normalises)."""
        batch = img[None] if img.ndim == 3 else img
        rgb = np.ascontiguousarray(batch[..., ::-1], dtype=np.float32) * np.float32(255.0)
        embeddings = self.model.run(rgb)
        return list(embeddings[0].tolist() if len(embeddings) == 1 else embeddings.tolist())


class DeepFaceEngine:
    """The face engine of this process; safe to use from several threads."""

    def __init__(self, models: ModelSet) -> None:
        self._models = models
        cache: dict[str, Any] = modeling.__dict__.setdefault(
            "cached_models", {task: {} for task in modeling.AVAILABLE_MODELS}
        )
        cache[_TASK][MODEL_NAME] = _DlibOnnx(EmbeddingNet(models))
        self._passive = PassiveNets(models) if models.has_passive_detection else None

    @property
    def model_set(self) -> str:
        """Name of the models set behind the engine."""
        return self._models.label

    @property
    def has_passive_detection(self) -> bool:
        """Whether `passive_scores` can be asked."""
        return self._passive is not None

    def embed(self, chips: Sequence[Chip]) -> list[Embedding]:
        """Return one embedding for each chip, in order."""
        if not chips:
            return []
        found = DeepFace.represent(
            list(chips), model_name=MODEL_NAME, detector_backend="skip", enforce_detection=False, align=False
        )
        # One chip gives a flat list, several a list of lists.
        rows = [row[0] if isinstance(row, list) else row for row in found]
        return [np.asarray(row["embedding"], np.float64) for row in rows]

    def distance(self, one: Embedding, other: Embedding) -> float:
        """Return the L2 distance of two embeddings."""
        result = DeepFace.verify(
            one.tolist(), other.tolist(), model_name=MODEL_NAME, distance_metric="euclidean", silent=True
        )
        return float(result["distance"])

    def passive_scores(self, items: Sequence[tuple[Image, Box]]) -> list[float]:
        """Return for each (frame, face box) how live it looks; empty without passive detection."""
        return self._passive.scores(items) if self._passive else []

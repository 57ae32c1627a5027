"""Nets run by onnxruntime: the face embedding and the two passive-detection nets.

Owns:    sessions made from verified bytes, input layout. Leaves alignment to `landmarks`, meaning to `decision`.
Rules:   1 one thread a session (the worker pool gives the parallelism); a session may be run from several threads
         2 onnxruntime sends nothing home: from 1.29 on its wheels write a device id to ~/.cache and upload events unless the
           variable below is set before the import (microsoft/onnxruntime pull requests 27379 and 29843)
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime
from numpy.typing import NDArray

from liveness.errors import ModelsRefused
from liveness.face_engine import Image
from liveness.frames import crop_square
from liveness.models import ModelSet, Role

Box = tuple[float, float, float, float]
_PASSIVE_SIDE = 80
_LIVE_COLUMN = 1


def _session(data: bytes, role: Role) -> Any:  # noqa: ANN401 - onnxruntime has no types
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelsRefused(f"the model for {role.value} cannot be read") from error


class EmbeddingNet:
    """The dlib face net: 150 x 150 RGB in, 128 values out."""

    def __init__(self, models: ModelSet) -> None:
        self._session = _session(models.read(Role.FACE_EMBEDDING), Role.FACE_EMBEDDING)

    def run(self, rgb: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return N x 128 for N x 150 x 150 x 3 in 0..255."""
        return np.asarray(self._session.run(None, {"rgb": rgb})[0], np.float32)


class PassiveNets:
    """Both MiniFASNet nets; their mean for the column `live`."""

    def __init__(self, models: ModelSet) -> None:
        self._nets = [
            (scale, _session(models.read(role), role))
            for scale, role in ((2.7, Role.PASSIVE_2_7), (4.0, Role.PASSIVE_4_0))
        ]

    def scores(self, items: Sequence[tuple[Image, Box]]) -> list[float]:
        """Return for each (frame, face box) how live it looks, 0..1."""
        if not items:
            return []
        total = np.zeros(len(items))
        for scale, session in self._nets:
            crops = np.stack([crop_square(image, box, scale, _PASSIVE_SIDE) for image, box in items]).astype(np.float32)
            total += session.run(None, {"input": crops})[0][:, _LIVE_COLUMN]
        return [float(value) for value in total / len(self._nets)]

"""Faces read by OpenCV's own network runner: BlazeFace or YuNet, the 468-point mesh, the eye contour.

Owns:    the decoding of those nets' outputs. Leaves points and alignment to `landmarks`, meaning to `signals`.
Rules:   nets are made from verified bytes, never from a path; one thread per instance (a net holds its last input)
Spec:    BlazeFace short range: 896 anchors (16 x 16 x 2 + 8 x 8 x 6) on 128 x 128; mesh on 192 x 192; eye on 64 x 64
"""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.errors import ModelsRefused
from liveness.face_engine import Chip, Image
from liveness.landmarks import (
    CHIP_SIDE,
    LEFT_EYE_INNER,
    LEFT_EYE_OUTER,
    RIGHT_EYE_INNER,
    RIGHT_EYE_OUTER,
    FaceBox,
    FaceMesh,
    Points,
    chip_transform,
)
from liveness.models import ModelSet, Role

_DETECTOR_SIDE, _MESH_SIDE, _EYE_SIDE = 128, 192, 64
_MIN_SCORE = 0.5
_YUNET_SIDE = 320
# The eye net's contour: nine points of the lower lid from corner to corner, then seven of the upper lid between them.
_LOWER_LID, _UPPER_LID = slice(1, 8), slice(9, 16)
_EYE_CONTOUR_VALUES = 71 * 3


def _read_net(data: bytes, name: str) -> Any:  # noqa: ANN401 - cv2 has no types
    try:
        return cv2.dnn.readNetFromTFLite(np.frombuffer(data, np.uint8))
    except cv2.error as error:
        raise ModelsRefused(f"the model for {name} cannot be read") from error


class BlazeFace:
    """BlazeFace short range."""

    def __init__(self, data: bytes) -> None:
        self._net = _read_net(data, Role.FACE_DETECTOR.value)
        self._outputs = self._net.getUnconnectedOutLayersNames()
        centres = [
            ((x + 0.5) / grid, (y + 0.5) / grid)
            for grid, copies in ((16, 2), (8, 6))
            for y in range(grid)
            for x in range(grid)
            for _ in range(copies)
        ]
        self._anchors = np.array(centres)

    def detect(self, image: Image) -> list[FaceBox]:
        """Return the faces, largest first."""
        height, width = image.shape[:2]
        side = max(height, width)
        left, top = (side - width) // 2, (side - height) // 2
        # Shrinking before padding keeps the padded picture small; the net sees 128 x 128 either way.
        small = cv2.resize(
            image, (max(1, round(width * _DETECTOR_SIDE / side)), max(1, round(height * _DETECTOR_SIDE / side))),
            interpolation=cv2.INTER_AREA,
        )  # fmt: skip
        square = np.zeros((_DETECTOR_SIDE, _DETECTOR_SIDE, 3), np.uint8)
        y0, x0 = (_DETECTOR_SIDE - small.shape[0]) // 2, (_DETECTOR_SIDE - small.shape[1]) // 2
        square[y0 : y0 + small.shape[0], x0 : x0 + small.shape[1]] = small
        self._net.setInput(cv2.dnn.blobFromImage(square, 1 / 127.5, (_DETECTOR_SIDE,) * 2, (127.5,) * 3, True))
        found = dict(zip(self._outputs, self._net.forward(self._outputs), strict=True))
        logits = np.clip(found["classificators"].ravel(), -50, 50)
        scores = 1 / (1 + np.exp(-logits))
        keep = np.where(scores > _MIN_SCORE)[0]
        values = found["regressors"].reshape(len(self._anchors), 16)[keep] / _DETECTOR_SIDE
        values[:, :2] += self._anchors[keep]
        values[:, 4:] += np.tile(self._anchors[keep], 6)
        return _merge(values, scores[keep], side, left, top)


def _merge(values: NDArray[Any], scores: NDArray[Any], side: int, left: int, top: int) -> list[FaceBox]:
    """Merge overlapping detections, weighted by score (BlazeFace's replacement of suppression)."""
    faces: list[FaceBox] = []
    order = np.argsort(-scores)
    values, scores = values[order], scores[order]
    while len(scores):
        near = _overlap(values[0], values) > 0.3
        weights = scores[near, None] / scores[near].sum()
        mean = (values[near] * weights).sum(0) * side
        centre, size = mean[:2] - (left, top), mean[2:4]
        eyes = mean[4:8].reshape(2, 2) - (left, top)
        faces.append(
            FaceBox(
                float(centre[0] - size[0] / 2), float(centre[1] - size[1] / 2), float(size[0]), float(size[1]),
                ((float(eyes[0, 0]), float(eyes[0, 1])), (float(eyes[1, 0]), float(eyes[1, 1]))), float(scores[0]),
            )
        )  # fmt: skip
        values, scores = values[~near], scores[~near]
    return sorted(faces, key=lambda face: -face.width * face.height)


def _overlap(one: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    """Return intersection over union of centre-size boxes."""
    low = np.maximum(one[:2] - one[2:4] / 2, others[:, :2] - others[:, 2:4] / 2)
    high = np.minimum(one[:2] + one[2:4] / 2, others[:, :2] + others[:, 2:4] / 2)
    common = np.clip(high - low, 0, None).prod(1)
    union = one[2:4].prod() + others[:, 2:4].prod(1) - common
    return np.asarray(common / np.maximum(union, 1e-9))


class YuNet:
    """YuNet, where a deployer's set has it."""

    def __init__(self, data: bytes) -> None:
        try:
            self._net = cv2.FaceDetectorYN.create(
                "onnx", np.frombuffer(data, np.uint8), np.empty(0, np.uint8), (320, 320)
            )
        except cv2.error as error:
            raise ModelsRefused("the model for face_detector cannot be read") from error
        self._net.setScoreThreshold(0.6)

    def detect(self, image: Image) -> list[FaceBox]:
        """Return the faces, largest first."""
        height, width = image.shape[:2]
        scale = min(1.0, _YUNET_SIDE / max(height, width))
        small = cv2.resize(image, (int(width * scale), int(height * scale)), interpolation=cv2.INTER_AREA)
        self._net.setInputSize((small.shape[1], small.shape[0]))
        rows = self._net.detect(small)[1]
        faces = []
        for row in rows if rows is not None else ():
            x, y, w, h, x0, y0, x1, y1 = (float(value) / scale for value in row[:8])
            faces.append(FaceBox(x, y, w, h, ((x0, y0), (x1, y1)), float(row[14])))
        return sorted(faces, key=lambda face: -face.width * face.height)


class MeshReader:
    """`FaceReader` over a verified models set."""

    def __init__(self, models: ModelSet) -> None:
        cv2.setNumThreads(1)
        detector = models.read(Role.FACE_DETECTOR)
        is_onnx = models.files[Role.FACE_DETECTOR].name.endswith(".onnx")
        self._detector: BlazeFace | YuNet = YuNet(detector) if is_onnx else BlazeFace(detector)
        self._mesh = _read_net(models.read(Role.FACE_MESH), Role.FACE_MESH.value)
        self._mesh_outputs = self._mesh.getUnconnectedOutLayersNames()
        self._eye = _read_net(models.read(Role.EYE_CONTOUR), Role.EYE_CONTOUR.value)
        self._eye_outputs = self._eye.getUnconnectedOutLayersNames()

    def detect(self, image: Image) -> list[FaceBox]:
        """Return the faces, largest first."""
        return self._detector.detect(image)

    def mesh(self, image: Image, near: FaceBox | FaceMesh) -> FaceMesh:
        """Return the mesh of the face in the box, or where it was a frame before."""
        matrix = _crop(*_mesh_region(near), _MESH_SIDE)
        crop = cv2.warpAffine(image, matrix, (_MESH_SIDE, _MESH_SIDE))
        self._mesh.setInput(cv2.dnn.blobFromImage(crop, 1 / 255.0, (_MESH_SIDE,) * 2, swapRB=True))
        outputs = self._mesh.forward(self._mesh_outputs)
        raw = next(value for value in outputs if value.size == 468 * 3).reshape(468, 3)
        logit = next(float(value.ravel()[0]) for value in outputs if value.size == 1)
        inverse = cv2.invertAffineTransform(matrix)
        points = np.empty((468, 3))
        points[:, :2] = raw[:, :2] @ inverse[:, :2].T + inverse[:, 2]
        points[:, 2] = raw[:, 2] * math.hypot(inverse[0, 0], inverse[0, 1])
        return FaceMesh(points, 1 / (1 + math.exp(-max(-50.0, min(50.0, logit)))))

    def eye_opening(self, image: Image, mesh: FaceMesh) -> float:
        """Return the mean of both eyes' opening: height over width."""
        right = self._one_eye(image, mesh.points, RIGHT_EYE_OUTER, RIGHT_EYE_INNER, mirrored=False)
        left = self._one_eye(image, mesh.points, LEFT_EYE_OUTER, LEFT_EYE_INNER, mirrored=True)
        return (right + left) / 2

    def _one_eye(self, image: Image, points: Points, outer: int, inner: int, *, mirrored: bool) -> float:
        a, b = points[outer, :2], points[inner, :2]
        along = a - b if mirrored else b - a
        angle = math.degrees(math.atan2(along[1], along[0]))
        # MediaPipe takes 2.3 eye widths round the eye's middle; the net knows one eye, the other is mirrored.
        matrix = _crop((a + b) / 2, 2.3 * float(np.hypot(*along)), angle, _EYE_SIDE)
        crop = cv2.warpAffine(image, matrix, (_EYE_SIDE, _EYE_SIDE))
        if mirrored:
            crop = cv2.flip(crop, 1)
        self._eye.setInput(cv2.dnn.blobFromImage(crop, 1 / 255.0, (_EYE_SIDE,) * 2, swapRB=True))
        outputs = self._eye.forward(self._eye_outputs)
        contour = next(value for value in outputs if value.size == _EYE_CONTOUR_VALUES).reshape(71, 3)[:, :2]
        height = np.linalg.norm(contour[_UPPER_LID] - contour[_LOWER_LID], axis=1).mean()
        return float(height / max(np.linalg.norm(contour[0] - contour[8]), 1e-6))

    def chip(self, image: Image, mesh: FaceMesh) -> Chip:
        """Return the aligned face."""
        chip = cv2.warpAffine(image, chip_transform(mesh.points), (CHIP_SIDE, CHIP_SIDE), flags=cv2.INTER_LINEAR)
        return np.asarray(chip, np.uint8)


def _mesh_region(near: FaceBox | FaceMesh) -> tuple[Points, float, float]:
    """Return centre, side and roll of the square that the mesh net wants: 1.5 times the face, eyes level."""
    if isinstance(near, FaceMesh):
        low, high = near.points[:, :2].min(0), near.points[:, :2].max(0)
        eyes = near.points[LEFT_EYE_OUTER, :2] - near.points[RIGHT_EYE_OUTER, :2]
        return (low + high) / 2, float((high - low).max()) * 1.5, math.degrees(math.atan2(eyes[1], eyes[0]))
    (x0, y0), (x1, y1) = near.eyes
    centre = np.array([near.x + near.width / 2, near.y + near.height / 2])
    return centre, max(near.width, near.height) * 1.5, math.degrees(math.atan2(y1 - y0, x1 - x0))


def _crop(centre: Points, size: float, angle: float, side: int) -> NDArray[np.float64]:
    """Return the 2 x 3 transform that takes a turned square of the picture to a crop of `side` pixels."""
    matrix = np.asarray(cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), angle, side / max(size, 1.0)))
    matrix[:, 2] += side / 2 - centre[:2]
    return matrix

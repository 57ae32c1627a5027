"""A head that can be moved: one portrait on the 468-point mesh, turned in depth and drawn again.

Owns:    `Head`, `Movement`. Leaves what is asked to `scripts`, attacks to `attacks`.
Rules:   frames are made by the very mesh net that reads them later, so they test plumbing and geometry and are no evaluation
         of attack detection; angles as in `liveness.signals.pose`
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.landmarks import FaceMesh, FaceReader
from sandbox.clips.anatomy import (
    INNER_LIPS,
    LEFT_LID_FOLD,
    LEFT_LOWER_LID,
    LEFT_UPPER_LID,
    LOWER_LIP,
    OVAL,
    RIGHT_LID_FOLD,
    RIGHT_LOWER_LID,
    RIGHT_UPPER_LID,
    UPPER_LIP,
)

Image = NDArray[np.uint8]
WIDTH, HEIGHT = 480, 360
_FACE_SHARE = 0.31
"""Width of the face as a share of the picture's."""
_DEPTH = 0.75
"""The mesh net exaggerates depth when its own points are turned; measured against real footage."""
_RINGS = ((1.25, 0.75, 1.0), (1.55, 0.90, 0.55), (2.00, 1.0, 0.0))
"""Hair and neck: size against the face's outline, depth, and how much of the head's movement the ring follows."""


@dataclass(frozen=True, slots=True)
class Movement:
    """What one frame shows."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    blink: float = 0.0
    mouth: float = 0.0
    dx: float = 0.0
    dy: float = 0.0


def frame_portrait(image: Image, reader: FaceReader) -> Image:
    """Return the portrait at camera size with the face in the middle.

    Raises:
        ValueError: no face in it.
    """
    faces = reader.detect(image)
    if not faces:
        raise ValueError("no face in the portrait")
    mesh = reader.mesh(image, faces[0])
    x, y, width, height = mesh.box
    scale = WIDTH * _FACE_SHARE / width
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    shift = np.array([
        [scale, 0, WIDTH / 2 - (x + width / 2) * scale], [0, scale, HEIGHT / 2 - (y + height / 2) * scale],
    ])  # fmt: skip
    framed = cv2.warpAffine(image, shift, (WIDTH, HEIGHT), flags=method, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(framed, np.uint8)


class Head:
    """One portrait, ready to be drawn in any movement."""

    def __init__(self, image: Image, reader: FaceReader) -> None:
        self.image = image
        self.height, self.width = image.shape[:2]
        self.mesh: FaceMesh = reader.mesh(image, reader.detect(image)[0])
        face = self.mesh.points.copy()
        face[:, 2] *= _DEPTH
        outline = face[list(OVAL)]
        self.face_width = float(outline[:, 0].max() - outline[:, 0].min())
        centre = outline.mean(0)
        # The neck's joint lies behind the face: a turned head swings.
        self._pivot = centre + np.array([0, 0, 0.45 * self.face_width])
        rings = [
            np.c_[
                (outline[:, :2] - centre[:2]) * size + centre[:2],
                np.full(len(OVAL), centre[2] + depth * self.face_width / 2),
            ]
            for size, depth, _ in _RINGS
        ]
        self._points = np.concatenate([face, *rings])
        self._follow = np.concatenate([np.ones(len(face)), *(np.full(len(OVAL), share) for _, _, share in _RINGS)])[
            :, None
        ]
        self._flat = np.clip(self._points[:, :2], 0, [self.width - 1, self.height - 1])
        self._triangles = _triangulate(self._flat, self.width, self.height)
        self._source = self._flat[self._triangles]
        low = np.floor(self._flat.min(0)).astype(int)
        high = np.ceil(self._flat.max(0)).astype(int) + 1
        self._region = (slice(low[1], high[1]), slice(low[0], high[0]))
        self._grid = np.meshgrid(
            np.arange(low[0], high[0], dtype=np.float32), np.arange(low[1], high[1], dtype=np.float32)
        )
        self._closed = self._close_eyes()

    def draw(self, move: Movement) -> Image:
        """Return the frame, without noise."""
        shaped = self._points.copy()
        if 0 < move.blink < 0.75:
            self._lower_lids(shaped, move.blink)
        if move.mouth:
            self._open_mouth(shaped, move.mouth)
        placed = shaped + (self._turn(shaped, move) - shaped) * self._follow
        out = self._warp(self._closed if move.blink >= 0.75 else self.image, placed)
        if move.mouth > 0.15:
            self._darken_mouth(out, placed)
        return out

    def _turn(self, points: NDArray[np.float64], move: Movement) -> NDArray[np.float64]:
        """Rotate about the neck, with the perspective of a camera five face widths away."""
        far = 5 * self.face_width
        relative = points - self._pivot
        # The picture is already a perspective view: undo it first, so that no movement is the identity.
        relative[:, :2] /= far / (far + relative[:, 2:3])
        turned = relative @ rotation(move.yaw, move.pitch, move.roll).T
        turned[:, :2] *= far / (far + turned[:, 2:3])
        return np.asarray(turned + self._pivot + np.array([move.dx, move.dy, 0]))

    def _warp(self, texture: Image, placed: NDArray[np.float64]) -> Image:
        """Draw every triangle where it now is, the far ones first."""
        target = placed[self._triangles][:, :, :2]
        edges = target[:, 1:] - target[:, :1]
        area = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
        order = np.argsort(-placed[self._triangles][:, :, 2].mean(1))
        order = order[np.abs(area[order]) > 0.05]
        homogeneous = np.concatenate([target, np.ones((len(target), 3, 1))], 2)
        affine = np.zeros((len(target) + 1, 6), np.float32)
        affine[0] = (1, 0, 0, 0, 1, 0)
        affine[1 + order] = (np.linalg.inv(homogeneous[order]) @ self._source[order]).transpose(0, 2, 1).reshape(-1, 6)
        rows, columns = self._region
        label = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.int32)
        corners = np.round((target - (columns.start, rows.start)) * 16).astype(np.int32)
        for number in order:
            cv2.fillConvexPoly(label, corners[number], int(number) + 1, lineType=cv2.LINE_8, shift=4)
        map_ = affine[label]
        x, y = self._grid
        out = texture.copy()
        out[self._region] = cv2.remap(
            texture, map_[..., 0] * x + map_[..., 1] * y + map_[..., 2], map_[..., 3] * x + map_[..., 4] * y + map_[..., 5],
            cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        return out

    def _lower_lids(self, shaped: NDArray[np.float64], blink: float) -> None:
        points = self._points
        for upper, lower, fold in (
            (RIGHT_UPPER_LID, RIGHT_LOWER_LID, RIGHT_LID_FOLD), (LEFT_UPPER_LID, LEFT_LOWER_LID, LEFT_LID_FOLD),
        ):  # fmt: skip
            for above, below in zip(upper, lower, strict=True):
                shaped[above, :2] += (points[below, :2] - points[above, :2]) * blink * 0.92
            by_x = sorted(upper, key=lambda i: points[i, 0]), sorted(fold, key=lambda i: points[i, 0])
            for lid, skin in zip(*by_x, strict=True):
                shaped[skin, 1] += (shaped[lid, 1] - points[lid, 1]) * 0.35

    def _open_mouth(self, shaped: NDArray[np.float64], mouth: float) -> None:
        points, width = self._points, self.face_width
        drop, lift = 0.18 * width * mouth, 0.03 * width * mouth
        half = (points[308, 0] - points[78, 0]) / 2 * 1.05
        for lip, way in ((list(LOWER_LIP), drop), (list(UPPER_LIP), -lift)):
            share = np.clip(np.abs(points[lip, 0] - points[14, 0]) / half, 0, 1)
            shaped[lip, 1] += way * np.sqrt(1 - share**2)
        below = np.setdiff1d(np.flatnonzero(points[:468, 1] > points[17, 1] + 1), LOWER_LIP)
        shaped[below, 1] += (
            drop * 0.85 * np.clip(1 - np.abs(points[below, 0] - points[152, 0]) / (0.55 * width), 0, None)
        )

    def _darken_mouth(self, image: Image, placed: NDArray[np.float64]) -> None:
        hole = np.zeros((self.height, self.width), np.uint8)
        cv2.fillPoly(hole, [np.round(placed[list(INNER_LIPS), :2]).astype(np.int32)], 255)
        share = cv2.GaussianBlur(hole, (5, 5), 1)[..., None] / np.float32(255)
        image[:] = (image * (1 - share) + np.array([10, 8, 20], np.float32) * share).astype(np.uint8)

    def _close_eyes(self) -> Image:
        """Paint the eye openings over with lid skin and draw the lash line."""
        opening = np.zeros((self.height, self.width), np.uint8)
        points = self._points[:, :2]
        for upper, lower, corners in (
            (RIGHT_UPPER_LID, RIGHT_LOWER_LID, (33, 133)),
            (LEFT_UPPER_LID, LEFT_LOWER_LID, (362, 263)),
        ):
            hull = cv2.convexHull(np.round(points[[*upper, *lower, *corners]]).astype(np.int32))
            cv2.fillConvexPoly(opening, hull, 255)
        closed = cv2.inpaint(self.image, cv2.dilate(opening, np.ones((3, 5), np.uint8)), 4, cv2.INPAINT_TELEA)
        for line in ((33, *RIGHT_LOWER_LID, 133), (362, 382, 381, 380, 374, 373, 390, 249, 263)):
            x, y = points[line[4]].astype(int)
            shade = tuple(int(value * 0.35) for value in self.image[y, x])
            cv2.polylines(closed, [np.round(points[list(line)] * 8).astype(np.int32)], False, shade, 1, cv2.LINE_AA, 3)
        return np.asarray(closed, np.uint8)


def rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Return the rotation whose angles `liveness.signals.pose` would read."""
    a, b, c = (math.radians(value) for value in (yaw, pitch, roll))
    about_y = np.array([[math.cos(a), 0, -math.sin(a)], [0, 1, 0], [math.sin(a), 0, math.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
    about_z = np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x @ about_y)


def _triangulate(points: NDArray[np.float64], width: int, height: int) -> NDArray[np.int64]:
    division = cv2.Subdiv2D((-5, -5, width + 10, height + 10))
    for x, y in points:
        division.insert((float(x), float(y)))
    corners = np.asarray(division.getTriangleList()).reshape(-1, 3, 2)
    inside = ((corners >= -1) & (corners <= (width, height))).all((1, 2))
    near = ((corners[inside][:, :, None, :] - points[None, None]) ** 2).sum(-1).argmin(-1)
    distinct = (near[:, 0] != near[:, 1]) & (near[:, 1] != near[:, 2]) & (near[:, 0] != near[:, 2])
    return np.asarray(near[distinct])

"""Presentation and injection attacks on the same script as a genuine clip.

Owns:    paper, display and cut-out in front of the camera; copies, swaps and strangers' frames in the stream.
Leaves:  heads to `head`, movements to `scripts`, encoding to the package's `ClipStudio`.
Rules:   each function returns pictures in order; the attacker follows the challenge as well as the means allows
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from sandbox.clips.anatomy import LEFT_LOWER_LID, LEFT_UPPER_LID, RIGHT_LOWER_LID, RIGHT_UPPER_LID
from sandbox.clips.head import Head, Image, Movement, rotation

_TILT = 1.6
"""How much further than asked the attacker tilts the paper."""
_FOCAL = 1.4
"""Focal length in picture widths."""


def still_photo(head: Head, moves: Sequence[Movement]) -> list[Image]:
    """A print held up, not moved but by the hand's tremor."""
    print_ = printed(head.image)
    return [planar(print_, Movement(roll=m.roll, dx=m.dx, dy=m.dy)) for m in moves]


def photo_tilted(head: Head, moves: Sequence[Movement]) -> list[Image]:
    """A print tilted and turned as asked, and more."""
    print_ = printed(head.image)
    return [planar(print_, Movement(m.yaw * _TILT, m.pitch * _TILT, m.roll, dx=m.dx, dy=m.dy)) for m in moves]


def photo_bent(head: Head, moves: Sequence[Movement]) -> list[Image]:
    """A print bent round a cylinder that turns as asked."""
    print_ = printed(head.image)
    height, width = print_.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    across = np.clip((x - width / 2) / (width * 0.45), -0.999, 0.999)
    bow = np.arcsin(across * 0.95)
    frames = []
    for move in moves:
        source = width / 2 + (bow - math.radians(move.yaw)) * width * 0.45
        bent = cv2.remap(print_, source.astype(np.float32), y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        frames.append(_shifted(np.asarray(bent, np.uint8), move))
    return frames


def cut_out(head: Head, moves: Sequence[Movement]) -> list[Image]:
    """A print with holes: the attacker's living eyes behind it, tilted as asked."""
    print_ = printed(head.image)
    holes = np.zeros(print_.shape[:2], np.uint8)
    points = head.mesh.points[:, :2]
    for eye in ((*RIGHT_UPPER_LID, *RIGHT_LOWER_LID, 33, 133), (*LEFT_UPPER_LID, *LEFT_LOWER_LID, 263, 362)):
        middle = points[list(eye)].mean(0)
        hull = cv2.convexHull(np.round((points[list(eye)] - middle) * 1.5 + middle).astype(np.int32))
        cv2.fillConvexPoly(holes, hull, 255)
    share = holes[..., None] / 255.0
    frames = []
    for move in moves:
        mask = (head.draw(Movement(blink=move.blink)) * share + print_ * (1 - share)).astype(np.uint8)
        frames.append(planar(mask, Movement(move.yaw * _TILT, move.pitch * _TILT, move.roll, dx=move.dx, dy=move.dy)))
    return frames


def replay_bezel(head: Head, moves: Sequence[Movement]) -> list[Image]:
    """A recording that happens to have the right order, on a tablet whose frame is in view."""
    return [planar(display(head.draw(m), bezel=True), Movement(dx=m.dy * 0.5, dy=m.dx * 0.5)) for m in moves]


def replay_fullview(head: Head, moves: Sequence[Movement]) -> list[Image]:
    """A recording in the right order on a display that fills the view."""
    frames = []
    for move in moves:
        shown = display(head.draw(move), bezel=False)
        height, width = shown.shape[:2]
        inner = shown[height // 16 : -height // 16, width // 16 : -width // 16]
        frames.append(np.asarray(cv2.resize(inner, (width, height)), np.uint8))
    return frames


def digital_puppet(head: Head, moves: Sequence[Movement]) -> list[Image]:
    """A live-driven digital face injected through a virtual camera: what image signals cannot stop."""
    return [head.draw(move) for move in moves]


def swapped(one: Head, other: Head, moves: Sequence[Movement]) -> list[Image]:
    """Another person takes over half way."""
    half = len(moves) // 2
    return [(one if number < half else other).draw(move) for number, move in enumerate(moves)]


def accomplice(one: Head, other: Head, moves: Sequence[Movement]) -> list[Image]:
    """The holder's face at rest, another person's for every movement."""
    return [(other if any((abs(m.yaw) > 4, abs(m.pitch) > 2, m.blink, m.mouth)) else one).draw(m) for m in moves]


def frozen_tail(head: Head, moves: Sequence[Movement]) -> list[Image]:
    """The stream stands still from the middle on."""
    half = len(moves) // 2
    frames = [head.draw(move) for move in moves[:half]]
    return frames + [frames[-1]] * (len(moves) - half)


def repeated_frame(head: Head, moves: Sequence[Movement]) -> list[Image]:
    """One frame over and over."""
    return [head.draw(moves[0])] * len(moves)


def two_faces(one: Head, other: Head, moves: Sequence[Movement]) -> list[Image]:
    """The holder performs, a second person looks over the shoulder."""
    frames = []
    for move in moves:
        onlooker = other.draw(Movement(dx=move.dy, dy=move.dx))
        height, width = onlooker.shape[:2]
        small = np.asarray(cv2.resize(onlooker, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)
        frames.append(_beside(one.draw(move), small))
    return frames


def _beside(frame: Image, small: Image) -> Image:
    out = _shifted(frame, Movement(dx=-frame.shape[1] * 0.2))
    patch = small[:, small.shape[1] // 5 : -small.shape[1] // 5]
    out[-patch.shape[0] :, -patch.shape[1] :] = patch
    return out


def no_face(head: Head, moves: Sequence[Movement]) -> list[Image]:
    """An empty room."""
    return [_shifted(background(*head.image.shape[:2]), move) for move in moves]


def background(height: int, width: int) -> Image:
    """Return a wall in soft light."""
    share = np.linspace(0, 1, height)[:, None, None]
    wall = np.array([120, 130, 135]) * (1 - share) + np.array([90, 95, 110]) * share
    return np.asarray(np.broadcast_to(wall, (height, width, 3)), np.uint8).copy()


def planar(picture: Image, move: Movement, *, size: float = 0.97) -> Image:
    """Return a flat thing held before the camera at these angles."""
    height, width = picture.shape[:2]
    corners = np.array([
        [-width / 2, -height / 2, 0], [width / 2, -height / 2, 0], [width / 2, height / 2, 0], [-width / 2, height / 2, 0],
    ])  # fmt: skip
    turned = (corners * size) @ rotation(move.yaw, move.pitch, move.roll).T
    far = _FOCAL * width
    seen = turned[:, :2] * far / (far + turned[:, 2:3]) + (width / 2 + move.dx, height / 2 + move.dy)
    matrix = cv2.getPerspectiveTransform(
        (corners[:, :2] + (width / 2, height / 2)).astype(np.float32), seen.astype(np.float32)
    )
    behind = background(height, width)
    return np.asarray(
        cv2.warpPerspective(picture, matrix, (width, height), dst=behind, borderMode=cv2.BORDER_TRANSPARENT), np.uint8
    )


def printed(picture: Image) -> Image:
    """Return the picture on paper: less contrast, a halftone, a white edge."""
    soft = cv2.GaussianBlur(picture, (0, 0), 0.9).astype(np.float32)
    soft = (soft - 128) * 0.78 + 140
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    soft += (6 * np.sin(x * 2.1 + y * 0.7) * np.sin(y * 2.1 - x * 0.7))[..., None]
    paper = np.clip(soft, 0, 255).astype(np.uint8)
    cv2.rectangle(paper, (0, 0), (paper.shape[1] - 1, paper.shape[0] - 1), (235, 235, 238), 8)
    return np.asarray(paper, np.uint8)


def display(picture: Image, *, bezel: bool) -> Image:
    """Return the picture as a camera sees it on a display: sub-pixels, resampling, gamma, a glare."""
    height, width = picture.shape[:2]
    big = cv2.resize(picture, (width * 3, height * 3), interpolation=cv2.INTER_NEAREST).astype(np.float32)
    for offset, channel in ((0, 2), (1, 1), (2, 0)):
        lit = np.full(width * 3, 0.93, np.float32)
        lit[offset::3] = 1.14
        big[..., channel] *= lit
    big[0::3] *= 0.96
    seen = cv2.resize(
        np.clip(big * 1.05, 0, 255), (int(width * 1.07), int(height * 1.07)), interpolation=cv2.INTER_LINEAR
    )
    seen = cv2.resize(seen, (width, height), interpolation=cv2.INTER_LINEAR)
    seen = 255 * (np.clip(seen, 0, 255) / 255) ** 0.85
    seen[..., 0] = seen[..., 0] * 1.06 + 6
    y, x = np.mgrid[:height, :width]
    seen += (35 * np.exp(-(((x - width * 0.7) / (width / 7)) ** 2 + ((y - height * 0.25) / (height / 8)) ** 2)))[
        ..., None
    ]
    out = np.clip(seen, 0, 255).astype(np.uint8)
    if bezel:
        cv2.rectangle(out, (0, 0), (width - 1, height - 1), (12, 12, 12), 18)
    return np.asarray(out, np.uint8)


def _shifted(picture: Image, move: Movement) -> Image:
    height, width = picture.shape[:2]
    matrix = np.array([[1, 0, move.dx], [0, 1, move.dy]])
    return np.asarray(cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)

"""The face engine and the landmarks on pictures: the demonstration's own, and real faces where the shared data is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from liveness.frames import decode_picture
from liveness.landmarks import chip_transform
from liveness.models import EMBEDDED_FILES, ModelFile, ModelSet, Role, write_manifest
from sandbox.portraits import portrait
from tests.conftest import SHARED_DATA
from tests.support.liveness import Faces, faces

pytestmark = pytest.mark.models


@pytest.fixture
def rig(models_dir: Path) -> Faces:
    return faces(models_dir)


def shared(name: str) -> Path:
    path = SHARED_DATA / name
    if not path.exists():
        pytest.skip(f"shared data absent: {name}")
    return path


def picture(rig: Faces, data: bytes) -> tuple[np.ndarray, np.ndarray]:
    image = decode_picture(data, max_bytes=10_000_000)
    scale = min(1.0, 640 / max(image.shape[:2]))
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return image, rig.reader.chip(image, rig.reader.mesh(image, rig.reader.detect(image)[0]))


def test_one_face_and_its_mesh(rig: Faces) -> None:
    image = decode_picture(portrait("astronaut"), max_bytes=10**6)
    (found,) = rig.reader.detect(image)
    mesh = rig.reader.mesh(image, found)
    assert mesh.score > 0.99
    assert 180 < mesh.width < 230
    followed = rig.reader.mesh(image, mesh)
    assert np.abs(followed.points[:, :2] - mesh.points[:, :2]).mean() < 2
    assert 0.1 < rig.reader.eye_opening(image, mesh) < 0.5
    assert chip_transform(mesh.points).shape == (2, 3)


def test_no_face(rig: Faces) -> None:
    assert rig.reader.detect(np.full((480, 640, 3), 120, np.uint8)) == []


def test_chips_embed_alike_alone_and_together(rig: Faces) -> None:
    chips = [picture(rig, portrait(name))[1] for name in ("astronaut", "synthetic-a", "synthetic-b")]
    together = rig.engine.embed(chips)
    for chip, embedding in zip(chips, together, strict=True):
        assert np.allclose(rig.engine.embed([chip])[0], embedding, atol=1e-5)
        assert embedding.shape == (128,)
    assert rig.engine.embed([]) == []
    assert rig.engine.distance(together[0], together[0]) == 0
    assert rig.engine.passive_scores([]) == []


def test_same_and_other_people_on_real_photographs(rig: Faces) -> None:
    names = ("obama", "obama2", "biden", "biden2")
    a, a2, b, b2 = rig.engine.embed([picture(rig, shared(f"faces/{name}.jpg").read_bytes())[1] for name in names])
    limit = rig.config.thresholds.max_portrait_distance
    assert rig.engine.distance(a, a2) < limit > rig.engine.distance(b, b2)
    assert min(rig.engine.distance(x, y) for x in (a, a2) for y in (b, b2)) > 0.7


def test_a_production_set_with_yunet_and_passive_nets(rig: Faces, tmp_path: Path) -> None:
    files = {role: file for role, file in EMBEDDED_FILES.items() if role is not Role.FACE_DETECTOR}
    for file in files.values():
        shutil.copy(rig.models.folder / file.name, tmp_path)
    import hashlib

    for role, name in (
        (Role.FACE_DETECTOR, "yunet_n_640_640.onnx"), (Role.PASSIVE_2_7, "2.7_80x80_MiniFASNetV2.onnx"),
        (Role.PASSIVE_4_0, "4_0_0_80x80_MiniFASNetV1SE.onnx"),
    ):  # fmt: skip
        data = shared(f"models/{name}").read_bytes()
        (tmp_path / name).write_bytes(data)
        files[role] = ModelFile(name, hashlib.sha256(data).hexdigest(), "test", "Apache-2.0")
    write_manifest(tmp_path, "production", files)
    models = ModelSet.load(tmp_path)
    assert models.has_passive_detection
    from liveness.deepface_engine import DeepFaceEngine
    from liveness.mesh_landmarks import MeshReader

    reader, engine = MeshReader(models), DeepFaceEngine(models)
    scores = {}
    for name in ("image_T1", "image_F1", "image_F2"):
        image = decode_picture(shared(f"faces/{name}.jpg").read_bytes(), max_bytes=10**7)
        box = reader.detect(image)[0]
        scores[name] = engine.passive_scores([(image, (box.x, box.y, box.width, box.height))])[0]
    # The vendor's own samples: one living person, two spoofs.
    assert scores["image_T1"] > 0.9 > 0.6 > max(scores["image_F1"], scores["image_F2"])


def test_neither_tensorflow_nor_torch_nor_a_download(models_dir: Path, tmp_path: Path) -> None:
    """In a process of its own: no heavy framework is imported, no socket is opened, nothing is left in the home folder."""
    program = (
        "import socket, sys, pathlib\n"
        "def closed(*a, **k): raise OSError('no network')\n"
        "socket.socket.connect = closed\n"
        "import numpy as np\n"
        "from liveness.models import ModelSet\n"
        "from liveness.deepface_engine import DeepFaceEngine\n"
        f"engine = DeepFaceEngine(ModelSet.load(pathlib.Path({str(models_dir)!r})))\n"
        "assert len(engine.embed([np.zeros((150, 150, 3), np.uint8)])[0]) == 128\n"
        "assert not {'tensorflow', 'torch', 'keras', 'dlib', 'mediapipe'} & set(sys.modules)\n"
    )
    home = {**os.environ, "HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], env=home, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "home").exists()

"""The models folder: verified whole, refused on any difference, built or not at all."""

import hashlib
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from liveness import model_building
from liveness.errors import LivenessError, ModelsMissing, ModelsRefused
from liveness.model_building import build_models
from liveness.models import EMBEDDED, EMBEDDED_FILES, ModelFile, ModelSet, Role, write_manifest


def mounted(folder: Path, name: str = "production") -> dict[Role, ModelFile]:
    """A set of a deployer's own, of small files."""
    files = {}
    for role in (Role.FACE_DETECTOR, Role.FACE_MESH, Role.EYE_CONTOUR, Role.FACE_EMBEDDING):
        data = role.value.encode()
        (folder / f"{role.value}.onnx").write_bytes(data)
        files[role] = ModelFile(f"{role.value}.onnx", hashlib.sha256(data).hexdigest(), "test", "CC0-1.0")
    write_manifest(folder, name, files)
    return files


def test_a_mounted_set(tmp_path: Path) -> None:
    mounted(tmp_path)
    digest = hashlib.sha256((tmp_path / "manifest.json").read_bytes()).hexdigest()
    models = ModelSet.load(tmp_path, pinned_manifest=digest)
    assert (models.name, models.has_passive_detection) == ("production", False)
    assert models.read(Role.FACE_MESH) == b"face_mesh"


def test_another_manifest_than_the_pinned_one(tmp_path: Path) -> None:
    mounted(tmp_path)
    with pytest.raises(ModelsRefused) as refusal:
        ModelSet.load(tmp_path, pinned_manifest="0" * 64)
    assert refusal.value.code == "models_mismatch"


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ModelsMissing) as refusal:
        ModelSet.load(tmp_path / "models")
    assert refusal.value.code == "models_missing"


def test_one_changed_byte(tmp_path: Path) -> None:
    mounted(tmp_path)
    models = ModelSet.load(tmp_path)
    (tmp_path / "face_mesh.onnx").write_bytes(b"face_mesj")
    for read in (lambda: ModelSet.load(tmp_path), lambda: models.read(Role.FACE_MESH)):
        with pytest.raises(ModelsRefused):
            read()


def test_a_missing_file(tmp_path: Path) -> None:
    mounted(tmp_path)
    (tmp_path / "eye_contour.onnx").unlink()
    with pytest.raises(ModelsRefused):
        ModelSet.load(tmp_path)


def test_a_set_that_calls_itself_embedded_has_the_pinned_hashes(tmp_path: Path) -> None:
    mounted(tmp_path, EMBEDDED)
    with pytest.raises(ModelsRefused) as refusal:
        ModelSet.load(tmp_path)
    assert "embedded" in str(refusal.value)


OUTSIDE = {"name": "../x", "sha256": "0" * 64, "source": "", "licence": ""}


@pytest.mark.parametrize(
    "manifest",
    [
        b"", b"[]", b"{", b'{"format": 2}', b'{"format": 1, "set": "a b", "files": {}}', b'{"format": 1, "set": "x", "files": {}}',
        json.dumps({"format": 1, "set": "x", "files": {"face_mesh": OUTSIDE}}).encode(),
        json.dumps({"format": 1, "set": "x", "files": {"nose": {}}}).encode(),
        b" " * 70_000,
    ],
)  # fmt: skip
def test_a_malformed_manifest(tmp_path: Path, manifest: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(manifest)
    with pytest.raises(ModelsRefused):
        ModelSet.load(tmp_path)


def test_a_folder_with_other_things_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("do not lose")
    with pytest.raises(ModelsRefused):
        build_models(tmp_path, packages=tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_a_mounted_set_is_left_alone(tmp_path: Path) -> None:
    mounted(tmp_path)
    assert build_models(tmp_path, packages=tmp_path)[1] is False


def refused_build(folder: Path, **arguments: object) -> str:
    with pytest.raises(LivenessError) as refusal:
        build_models(folder, **arguments)
    assert "\n" not in str(refusal.value)
    assert not folder.exists()
    return refusal.value.code


def test_packages_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    assert refused_build(tmp_path / "models", packages=tmp_path / "packages") == "models_not_built"


def test_a_package_that_is_not_the_pinned_one(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "mediapipe-0.10.21-x.whl").write_bytes(b"no zip")
    assert refused_build(tmp_path / "models", packages=packages) == "models_not_built"


def test_no_network_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, "", "WARNING: Retrying\nERROR: Could not find a version\n")

    monkeypatch.setattr(model_building.subprocess, "run", offline)
    assert refused_build(tmp_path / "models") == "models_not_built"


def test_no_space_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(model_building.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    assert refused_build(tmp_path / "models") == "models_not_built"


def test_the_lock_names_versions_and_hashes_and_no_place() -> None:
    lines = [line for line in model_building.LOCK.read_text().splitlines() if not line.startswith("#")]
    assert all("==" in line and "--hash=sha256:" in line for line in lines)
    assert "://" not in model_building.LOCK.read_text()


@pytest.mark.models
def test_the_built_set(models_dir: Path) -> None:
    models = ModelSet.load(models_dir)
    assert models.name == EMBEDDED
    assert not models.has_passive_detection
    assert dict(models.files) == dict(EMBEDDED_FILES)


@pytest.mark.models
def test_a_rebuild_replaces_a_broken_set_of_ours(models_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    shutil.copytree(models_dir, folder)
    (folder / "face_landmark.tflite").write_bytes(b"broken")
    (tmp_path / "empty").mkdir()
    with pytest.raises(LivenessError) as refusal:
        build_models(folder, packages=tmp_path / "empty")
    # Nothing to build from: the broken set is still there, and still refused.
    assert refusal.value.code == "models_not_built"
    with pytest.raises(ModelsRefused):
        ModelSet.load(folder)


def test_the_embedded_files_are_pinned_and_licensed() -> None:
    for file in EMBEDDED_FILES.values():
        assert len(file.sha256) == 64
        assert file.licence in {"Apache-2.0", "CC0-1.0"}
        assert replace(file) == file

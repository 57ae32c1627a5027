"""The models folder: weights with a manifest, verified before any byte of them reaches a library.

Owns:    the manifest, `ModelSet`, the pinned hashes of the embedded set. Leaves making the folder to `model_building`.
Rules:   1 every file's sha256 is compared when its bytes are read, and the same bytes go to the library: no second open
         2 the set named `embedded` must carry exactly the hashes below, whatever its manifest says
         3 another set (mounted by a deployer) is pinned by its manifest's sha256, given in the configuration
         4 nothing is ever downloaded here
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from liveness.errors import ModelsMissing, ModelsRefused

MANIFEST = "manifest.json"
MANIFEST_FORMAT = 1
EMBEDDED = "embedded"
MAX_MANIFEST_BYTES = 64 * 1024
MAX_MODEL_BYTES = 512 * 1024 * 1024


class Role(StrEnum):
    """What a file is for; a set has one file a role, the passive nets are optional."""

    FACE_DETECTOR = "face_detector"
    """BlazeFace short range (.tflite) or YuNet (.onnx)."""
    FACE_MESH = "face_mesh"
    EYE_CONTOUR = "eye_contour"
    FACE_EMBEDDING = "face_embedding"
    PASSIVE_2_7 = "passive_2_7"
    """MiniFASNet V2, crop scale 2.7."""
    PASSIVE_4_0 = "passive_4_0"
    """MiniFASNet V1SE, crop scale 4.0."""


REQUIRED = (Role.FACE_DETECTOR, Role.FACE_MESH, Role.EYE_CONTOUR, Role.FACE_EMBEDDING)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a set."""

    name: str
    sha256: str
    source: str
    licence: str


EMBEDDED_FILES: Mapping[Role, ModelFile] = {
    Role.FACE_DETECTOR: ModelFile(
        "face_detection_short_range.tflite",
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
        "mediapipe 0.10.21",
        "Apache-2.0",
    ),
    Role.FACE_MESH: ModelFile(
        "face_landmark.tflite",
        "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
        "mediapipe 0.10.21",
        "Apache-2.0",
    ),
    Role.EYE_CONTOUR: ModelFile(
        "iris_landmark.tflite",
        "d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f",
        "mediapipe 0.10.21",
        "Apache-2.0",
    ),
    Role.FACE_EMBEDDING: ModelFile(
        "dlib_face_recognition_resnet_model_v1.onnx",
        "de4b207d71a195e52723219f8694f18d8fdc25af6cd3f54f4be551e99d404588",
        "face_recognition_models 0.3.0, converted by liveness.dlib_onnx",
        "CC0-1.0",
    ),
}
"""The embedded set. The embedding net is our conversion of the CC0 dlib file: byte for byte reproducible."""


@dataclass(frozen=True, slots=True)
class ModelSet:
    """A verified models folder."""

    name: str
    folder: Path
    files: Mapping[Role, ModelFile]
    manifest_sha256: str

    @property
    def label(self) -> str:
        """Name and first bytes of the manifest's hash: what the attestation carries."""
        return f"{self.name}:{self.manifest_sha256[:16]}"

    @property
    def has_passive_detection(self) -> bool:
        """Whether both passive-detection nets are part of the set."""
        return Role.PASSIVE_2_7 in self.files and Role.PASSIVE_4_0 in self.files

    @classmethod
    def load(cls, folder: Path, *, pinned_manifest: str | None = None) -> "ModelSet":
        """Verify the whole folder.

        Args:
            folder: holds `manifest.json` and the files that it names.
            pinned_manifest: hex sha256 that the manifest must have; for sets mounted by a deployer.

        Raises:
            ModelsMissing: no folder or no manifest.
            ModelsRefused: anything differs from the manifest or from the pinned hashes.
        """
        raw = _read_manifest(folder)
        digest = hashlib.sha256(raw).hexdigest()
        if pinned_manifest is not None and not hmac.compare_digest(digest, pinned_manifest.lower()):
            raise ModelsRefused("the models manifest is not the pinned one")
        name, files = parse_manifest(raw)
        if name == EMBEDDED:
            _check_embedded(files)
        models = cls(name, folder, files, digest)
        for role in files:
            models.read(role)
        return models

    def read(self, role: Role) -> bytes:
        """Return the verified bytes of one file.

        Raises:
            ModelsRefused: the file is missing, too large, or another one.
        """
        file = self.files.get(role)
        if file is None:
            raise ModelsRefused(f"the models set {self.name} has no file for {role.value}")
        path = self.folder / file.name
        try:
            if path.stat().st_size > MAX_MODEL_BYTES:
                raise ModelsRefused(f"the model file {file.name} is too large")
            data = path.read_bytes()
        except OSError as error:
            raise ModelsRefused(f"the model file {file.name} cannot be read: run `gba-trust models build`") from error
        if not hmac.compare_digest(hashlib.sha256(data).hexdigest(), file.sha256):
            raise ModelsRefused(f"the model file {file.name} is not what the manifest says")
        return data


def _read_manifest(folder: Path) -> bytes:
    try:
        path = folder / MANIFEST
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ModelsRefused("the models manifest is too large")
        return path.read_bytes()
    except OSError as error:
        raise ModelsMissing(f"no face models in {folder}: run `gba-trust models build`") from error


def parse_manifest(raw: bytes) -> tuple[str, dict[Role, ModelFile]]:
    """Return the set's name and files.

    Raises:
        ModelsRefused: the manifest is not of our form, or a required role is missing.
    """
    try:
        document: dict[str, Any] = json.loads(raw)
        if document["format"] != MANIFEST_FORMAT:
            raise ModelsRefused("the models manifest has another format: run `gba-trust models build`")
        name = document["set"]
        files = {Role(role): _parse_file(entry) for role, entry in document["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelsRefused("the models manifest is malformed") from error
    if not isinstance(name, str) or not name.isidentifier():
        raise ModelsRefused("the models manifest names no set")
    for role in REQUIRED:
        if role not in files:
            raise ModelsRefused(f"the models manifest has no file for {role.value}")
    return name, files


def _parse_file(entry: dict[str, str]) -> ModelFile:
    file = ModelFile(entry["name"], entry["sha256"], entry["source"], entry["licence"])
    # A name with a path in it could reach outside the folder.
    if Path(file.name).name != file.name or file.name in {"", ".", ".."}:
        raise ValueError("file name")
    if len(file.sha256) != 64 or not set(file.sha256) <= set("0123456789abcdef"):
        raise ValueError("sha256")
    return file


def _check_embedded(files: Mapping[Role, ModelFile]) -> None:
    if {role: (f.name, f.sha256) for role, f in files.items()} != {
        role: (f.name, f.sha256) for role, f in EMBEDDED_FILES.items()
    }:
        raise ModelsRefused("the embedded models set is not the one this version was made for")


def write_manifest(folder: Path, name: str, files: Mapping[Role, ModelFile]) -> bytes:
    """Write the manifest of a set into its folder and return its bytes."""
    document = {
        "format": MANIFEST_FORMAT,
        "set": name,
        "files": {
            role.value: {"name": f.name, "sha256": f.sha256, "source": f.source, "licence": f.licence}
            for role, f in files.items()
        },
    }
    raw = json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"
    (folder / MANIFEST).write_bytes(raw)
    return raw

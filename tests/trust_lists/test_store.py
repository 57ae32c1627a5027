"""The published directory: killed at any step of a publication, readers see the old or the new version, never neither."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.trust_lists import Offices, refusal
from trust_lists.acceptance import accept
from trust_lists.model import ServiceStatus
from trust_lists.publication import stage_root
from trust_lists.store import is_published, prune, read_bundle, write_atomically, write_bundle
from trust_lists.vocabulary import Region


class Killed(BaseException):
    """The process is gone: nothing of ours runs after it."""


def fault_points(offices: Offices, directory: Path) -> list[str]:
    names: list[str] = []
    write_bundle(directory, offices.published.bundle, step=names.append)
    return names


@pytest.fixture(scope="module")
def versions() -> tuple[Offices, object, object]:
    offices = Offices()
    first = offices.published
    offices.new_root = offices.sign_root(
        stage_root(offices.roster, offices.root, offices.clock(), offices.policy), (Region.HK, Region.GD)
    )
    second = offices.set_status("hk-rsa", ServiceStatus.WITHDRAWN)
    from dataclasses import replace

    return offices, first, replace(second, bundle=replace(second.bundle, roots=(offices.new_root,)))


def test_killed_at_every_step(versions: tuple, tmp_path: Path) -> None:
    offices, first, second = versions
    write_bundle(tmp_path / "counted", first.bundle)
    steps: list[str] = []
    write_bundle(tmp_path / "counted", second.bundle, step=steps.append)
    assert len(steps) > 30
    assert any("root" in step for step in steps)
    seen = set()
    for index, name in enumerate(steps):
        directory = tmp_path / f"kill-{index}"
        write_bundle(directory, first.bundle)
        left = [index]

        def kill(step: str, left: list[int] = left) -> None:
            if left[0] == 0:
                raise Killed(step)
            left[0] -= 1

        with pytest.raises(Killed):
            write_bundle(directory, second.bundle, step=kill)
        found = accept(read_bundle(directory, offices.root), offices.root, None, offices.clock())
        seen.add(found.version)
        assert found.version == (2 if name == "fsync directory timestamp.json" else 1), name
        write_bundle(directory, second.bundle)  # the next start finishes the work
        assert accept(read_bundle(directory, offices.root), offices.root, None, offices.clock()).version == 2
    assert seen == {1, 2}


_CHILD = """
import os, pickle, signal, sys
from pathlib import Path
from trust_lists.bundle import ListBundle
from trust_lists.store import write_bundle
bundle = ListBundle(*pickle.load(open(sys.argv[1], "rb")))
count = [int(sys.argv[3])]
def step(name):
    if count[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    count[0] -= 1
write_bundle(Path(sys.argv[2]), bundle, step=step)
"""


@pytest.mark.parametrize("index", [3, 25, -2, -1])
def test_killed_for_real(versions: tuple, tmp_path: Path, index: int) -> None:
    """The same with a process that really gets SIGKILL, at four of the steps."""
    import pickle

    offices, first, second = versions
    write_bundle(tmp_path / "counted", first.bundle)
    steps: list[str] = []
    write_bundle(tmp_path / "counted", second.bundle, step=steps.append)
    write_bundle(tmp_path / "published", first.bundle)
    b = second.bundle
    (tmp_path / "bundle").write_bytes(
        pickle.dumps((b.roots, b.timestamp, b.snapshot, dict(b.roles), dict(b.documents), b.proof))
    )
    arguments = [str(tmp_path / "bundle"), str(tmp_path / "published"), str(index % len(steps))]
    done = subprocess.run([sys.executable, "-c", _CHILD, *arguments], check=False, timeout=60)
    assert done.returncode == -9
    found = accept(read_bundle(tmp_path / "published", offices.root), offices.root, None, offices.clock())
    assert found.version == (2 if index == -1 else 1)
    write_bundle(tmp_path / "published", second.bundle)


def test_full_disk_leaves_the_old_version(versions: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offices, first, second = versions
    write_bundle(tmp_path, first.bundle)

    def no_space(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("trust_lists.store.os.fsync", no_space)
    assert refusal(write_bundle, tmp_path, second.bundle) == "list_storage_failed"
    monkeypatch.undo()
    assert not list(tmp_path.rglob("*.part"))
    assert accept(read_bundle(tmp_path, offices.root), offices.root, None, offices.clock()).version == 1


def test_what_was_written_is_read(versions: tuple, tmp_path: Path) -> None:
    offices, first, second = versions
    assert not is_published(tmp_path)
    assert refusal(read_bundle, tmp_path, offices.root) == "list_malformed"
    write_bundle(tmp_path, first.bundle)
    assert read_bundle(tmp_path, offices.root) == first.bundle
    write_bundle(tmp_path, second.bundle)
    assert read_bundle(tmp_path, offices.root) == second.bundle
    prune(tmp_path, second.bundle)
    assert read_bundle(tmp_path, offices.root) == second.bundle
    assert not (tmp_path / "metadata" / "1.hk.json").exists()
    assert (tmp_path / "metadata" / "2.root.json").exists()


def test_missing_and_oversized_files(versions: tuple, tmp_path: Path) -> None:
    offices, first, _ = versions
    write_bundle(tmp_path, first.bundle)
    (tmp_path / "metadata" / "timestamp.json").write_bytes(b" " * 20_000)
    assert refusal(read_bundle, tmp_path, offices.root) == "list_malformed"
    (tmp_path / "metadata" / "timestamp.json").write_bytes(first.bundle.timestamp)
    (tmp_path / "metadata" / "1.mo.json").unlink()
    assert refusal(read_bundle, tmp_path, offices.root) == "list_malformed"
    (tmp_path / "metadata" / "1.mo.json").mkdir()
    assert refusal(read_bundle, tmp_path, offices.root) == "list_storage_failed"


def test_equal_content_is_not_written_again(tmp_path: Path) -> None:
    steps: list[str] = []
    write_atomically(tmp_path / "a" / "file", b"content")
    write_atomically(tmp_path / "a" / "file", b"content", step=steps.append)
    assert steps == []


def test_a_directory_that_cannot_be_made(tmp_path: Path, versions: tuple) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert refusal(write_bundle, tmp_path / "file", versions[1].bundle) == "list_storage_failed"

"""Bad starts: one clear line, nothing lost, and the next start works."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from sandbox.setup import RunningPair, free_ports

pytestmark = [pytest.mark.errand, pytest.mark.models]


def demo(data: Path, port: int, sandbox_port: int, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(data, port, sandbox_port, *more), capture_output=True, text=True, check=False, timeout=120
    )


def command(data: Path, port: int, sandbox_port: int, *more: str) -> list[str]:
    start = [sys.executable, "-m", "service.cli", "demo", "--data", str(data)]
    return [*start, "--port", str(port), "--sandbox-port", str(sandbox_port), *more]


def assert_one_line(ended: subprocess.CompletedProcess[str], code: str, exit_code: int) -> None:
    assert ended.returncode == exit_code, ended.stderr
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert ended.stderr.startswith(f"error: {code}: ")
    assert "Traceback" not in ended.stderr


def test_a_taken_port_is_named_and_nothing_is_made(tmp_path: Path) -> None:
    port, sandbox_port = free_ports()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", sandbox_port))
        taken.listen()
        ended = demo(tmp_path / "data", port, sandbox_port, "--once")
    assert_one_line(ended, "service_unavailable", 3)
    assert str(sandbox_port) in ended.stderr
    assert not (tmp_path / "data").exists()


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear aunt")
    ended = demo(tmp_path, *free_ports(), "--once")
    assert_one_line(ended, "data_folder_refused", 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["letter.txt", "lock"]


@pytest.mark.parametrize("stamp", ["{", '{"version": "x"}', '{"version": 99, "sandbox": "http://127.0.0.1:1"}'])
def test_a_broken_or_newer_stamp_is_refused(tmp_path: Path, stamp: str) -> None:
    (tmp_path / "demo.json").write_text(stamp)
    assert_one_line(demo(tmp_path, *free_ports(), "--once"), "data_folder_refused", 1)
    assert (tmp_path / "demo.json").read_text() == stamp


def test_a_broken_database_is_refused_and_kept(tmp_path: Path) -> None:
    port, sandbox_port = free_ports()
    (tmp_path / "demo.json").write_text(json.dumps({"version": 1, "sandbox": f"http://127.0.0.1:{sandbox_port}"}))
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "service.db").write_bytes(b"not a database" * 1000)
    assert_one_line(demo(tmp_path, port, sandbox_port, "--once"), "data_folder_refused", 1)
    assert (tmp_path / "service" / "service.db").read_bytes() == b"not a database" * 1000


def test_a_second_instance_on_the_same_data_is_refused(pair: RunningPair) -> None:
    assert_one_line(demo(pair.data, *free_ports(), "--once"), "data_folder_in_use", 3)
    assert httpx.get(f"{pair.addresses.service}/healthz").status_code == 200


def test_a_full_disk_is_one_line_and_the_next_start_works(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("not installed: a small file system needs root")
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], check=False).returncode != 0:
        pytest.skip("not installed: this machine does not let a test mount a small file system")
    ports = free_ports()
    try:
        ended = demo(small / "data", *ports, "--once")
        assert_one_line(ended, "storage_failed", 3)
        subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
        again = demo(small / "data", *ports, "--once")
        assert again.returncode == 0, again.stderr
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


@pytest.mark.parametrize("after_s", [0.4, 3.0, 7.0])
def test_ctrl_c_at_any_step_loses_nothing_and_leaves_nothing_running(tmp_path: Path, after_s: float) -> None:
    port, sandbox_port = free_ports()
    process = subprocess.Popen(
        command(tmp_path / "data", port, sandbox_port, "--once"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(after_s)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode in (0, 130), errors
    assert "Traceback" not in errors
    for gone in (port, port + 1, sandbox_port):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", gone)) != 0
    again = demo(tmp_path / "data", port, sandbox_port, "--once")
    assert again.returncode == 0, again.stderr

"""The command's own manners: help, exit codes, one-line errors; and the commands over a data folder."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = {"GBA_TRUST_MODE": "demo"}


def run(
    *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).resolve().parents[2]), **(env or {})},
        timeout=60,
    )


@pytest.fixture
def data(tmp_path: Path) -> dict[str, str]:
    return {**DEMO, "GBA_TRUST_DATA": str(tmp_path / "service")}


def test_help_fits_and_names_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in ("serve", "demo", "errand", "sign", "validate", "permit", "client", "keys", "audit", "db", "doctor"):
        assert f" {command} " in done.stdout
    assert len(done.stdout.splitlines()) < 60


def test_an_unknown_command_is_usage() -> None:
    assert run("nonsense").returncode == 2


def test_serve_refuses_an_unsafe_start_in_one_line() -> None:
    done = run("serve")
    assert done.returncode == 1
    assert done.stderr.startswith("error: configuration_refused: ")
    assert done.stderr.count("\n") == 1


def test_a_misspelt_setting_stops_the_start() -> None:
    done = run("serve", env={**DEMO, "GBA_TRUST_ISSUR": "x"})
    assert done.returncode == 1
    assert "GBA_TRUST_ISSUR is not a setting" in done.stderr


def test_serve_on_an_empty_folder_says_what_to_run(data: dict[str, str]) -> None:
    done = run("serve", "--port", "0", env={**data, "GBA_TRUST_TRUST_LIST_URL": "http://127.0.0.1:9/"})
    assert done.returncode == 1
    assert "gba-trust db upgrade" in done.stderr


def test_database_keys_and_audit_over_one_folder(data: dict[str, str]) -> None:
    assert run("db", "upgrade", env=data).returncode == 0
    assert json.loads(run("db", "check", "--json", env=data).stdout)["schema"]
    keys = json.loads(run("keys", "list", "--json", env=data).stdout)["keys"]
    assert {key["purpose"] for key in keys} >= {"token", "attestation", "audit", "column", "lookup"}
    assert json.loads(run("audit", "verify", "--json", env=data).stdout) == {
        "ok": True,
        "entries": 0,
        "head": "0" * 64,
        "checkpoints": 0,
    }
    rotate = ("keys", "rotate", "--purpose", "attestation", "--json")
    (published,) = json.loads(run(*rotate, env=data).stdout)["steps"]
    assert published["action"] == "publish"
    assert run(*rotate, env=data).returncode == 1
    (promoted,) = json.loads(run(*rotate, "--now", env=data).stdout)["steps"]
    assert promoted == {**published, "action": "promote"}
    assert run("keys", "rotate", "--purpose", "lookup", env=data).returncode == 1
    assert run("keys", "retire", published["kid"], env=data).returncode == 1
    for kid in (
        "-oWaUe-buW117iE5zVDtQe14",
        "--WaUe-buW117iE5zVDtQe14",
    ):  # base64url: one kid in 64 begins with a hyphen
        unknown = run("keys", "retire", kid, env=data)
        assert (unknown.returncode, "no such key" in unknown.stderr) == (1, True), unknown.stderr


def test_a_key_ring_that_is_gone_from_a_used_folder_is_not_made_anew(data: dict[str, str], tmp_path: Path) -> None:
    assert run("db", "upgrade", env=data).returncode == 0
    assert run("keys", "list", env=data).returncode == 0
    with sqlite3.connect(tmp_path / "service" / "audit.db") as used:
        used.execute("INSERT INTO audit_entries VALUES (1, 1, 'service.started', 'ok', 'service', '{}', 'p', 'h')")
    used.close()
    (tmp_path / "service" / "keys" / "ring.json").unlink()
    done = run("keys", "list", env=data)
    assert done.returncode == 1
    assert done.stderr.startswith("error: data_folder_refused: the key ring is gone")
    assert not (tmp_path / "service" / "keys" / "ring.json").exists()


def test_doctor_finds_what_is_missing(data: dict[str, str]) -> None:
    done = run("doctor", "--json", env=data)
    assert done.returncode == 1
    findings = json.loads(done.stdout)
    assert findings["database"]["ok"] is False
    assert findings["sm2"]["ok"] is True


def test_the_sandbox_does_not_run_in_production(tmp_path: Path) -> None:
    done = run("sandbox", "--data", str(tmp_path), env={"GBA_TRUST_MODE": "production"})
    assert done.returncode == 1
    assert done.stderr.startswith("error: sandbox_refused: ")

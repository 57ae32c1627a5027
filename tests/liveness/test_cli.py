"""`gba-trust permit …` and `gba-trust models …`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from liveness.cli import app
from liveness.errors import DocumentRefused, ModelsMissing
from liveness.model import Action
from sandbox.portraits import portrait
from tests.support.liveness import faces

RUN = CliRunner()


def run(*arguments: str):
    return RUN.invoke(app, list(arguments))


def test_parse_a_number() -> None:
    found = json.loads(run("permit", "parse", "CA0000001", "--json").stdout)
    assert found == {"type": "exit_entry_permit", "number": "CA0000001", "issuing_country": "CHN"}
    assert "mainland_travel_permit" in run("permit", "parse", "H12345678").stdout


def test_parse_a_zone() -> None:
    found = json.loads(run("permit", "parse", "CSC123456788<3501014<9001011<4", "--json").stdout)
    assert (found["number"], found["birthdate"], found["form"]) == ("C12345678", "1990-01-01", "one_line")


def test_a_refusal_in_json_and_as_an_error() -> None:
    result = run("permit", "parse", "A123456(4)", "--json")
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert (error["code"], error["position"], error["expected"]) == ("document_check_digit", 8, "3")
    assert isinstance(run("permit", "parse", "A123456(4)").exception, DocumentRefused)


def test_no_models(tmp_path: Path) -> None:
    assert isinstance(run("models", "verify", "--folder", str(tmp_path)).exception, ModelsMissing)


@pytest.mark.models
def test_verify_and_build(models_dir: Path) -> None:
    found = json.loads(run("models", "verify", "--folder", str(models_dir), "--json").stdout)
    assert (found["set"], found["passive_detection"], len(found["files"])) == ("embedded", False, 4)
    built = json.loads(run("models", "build", "--folder", str(models_dir), "--json").stdout)
    assert built["built"] is False
    assert run("models", "build", "--folder", str(models_dir), "--quiet").stdout == ""


@pytest.mark.models
@pytest.mark.parametrize(("species", "person", "exit_code", "reason"), [
    (None, "astronaut", 0, None), (None, "synthetic-a", 1, "face_mismatch"), ("still_photo", "astronaut", 1, "planar_face"),
])  # fmt: skip
def test_check_a_recording(
    models_dir: Path, tmp_path: Path, species: str | None, person: str, exit_code: int, reason: str | None
) -> None:
    actions, studio = (Action.NOD, Action.TURN_RIGHT, Action.BLINK), faces(models_dir).studio
    face = portrait(person)
    clip = studio.attack(species, face, actions, 4) if species else studio.genuine(face, actions, 4)
    (tmp_path / "clip.mjpeg").write_bytes(b"".join(jpeg for _, jpeg in clip))
    (tmp_path / "challenge.json").write_text(json.dumps({"actions": actions, "times_ms": [t for t, _ in clip]}))
    (tmp_path / "portrait.jpg").write_bytes(portrait("astronaut"))
    result = run(
        "permit", "check", "--portrait", str(tmp_path / "portrait.jpg"), "--clip", str(tmp_path / "clip.mjpeg"),
        "--challenge", str(tmp_path / "challenge.json"), "--folder", str(models_dir), "--json",
    )  # fmt: skip
    assert result.exit_code == exit_code, result.output
    found = json.loads(result.stdout)
    assert found["evidence"]["frames"] == 30
    assert (found["decision"], found["reasons"][:1]) == (
        "pass" if reason is None else "fail",
        [reason] if reason else [],
    )


@pytest.mark.models
@pytest.mark.parametrize(
    "challenge", ["", "{}", '{"actions": ["dance"], "times_ms": [1]}', '{"actions": ["nod"], "times_ms": [1, 2]}']
)
def test_a_challenge_of_another_form(models_dir: Path, tmp_path: Path, challenge: str) -> None:
    from tests.support.liveness_pictures import jpeg

    for name, data in (("p.jpg", portrait("astronaut")), ("c.mjpeg", jpeg()), ("c.json", challenge.encode())):
        (tmp_path / name).write_bytes(data)
    result = run(
        "permit", "check", "--portrait", str(tmp_path / "p.jpg"), "--clip", str(tmp_path / "c.mjpeg"),
        "--challenge", str(tmp_path / "c.json"), "--folder", str(models_dir),
    )  # fmt: skip
    assert getattr(result.exception, "code", None) == "permit_request_malformed"

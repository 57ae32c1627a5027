"""The clip maker: repeatable, quick, in the wire's form, and every named attack exists."""

import time
from pathlib import Path

import pytest

from liveness.frames import parse_jpeg_size
from liveness.model import Action
from liveness.session import _ORDERS
from sandbox.clips import PAIRED_SPECIES, SPECIES, ClipStudio, genuine, still_photo
from sandbox.portraits import portrait
from tests.support.liveness import faces

pytestmark = pytest.mark.models
ACTIONS = (Action.TURN_LEFT, Action.BLINK, Action.NOD)


@pytest.fixture
def studio(models_dir: Path) -> ClipStudio:
    return faces(models_dir).studio


def test_a_clip_has_the_wires_form(studio: ClipStudio) -> None:
    clip = studio.genuine(portrait("astronaut"), ACTIONS, 1)
    times = [t for t, _ in clip]
    assert len(clip) >= 30
    assert times == sorted(set(times))
    assert 2500 < times[-1] < 8000
    assert all(parse_jpeg_size(jpeg) == (480, 360) and len(jpeg) < 60_000 for _, jpeg in clip)


def test_a_seed_makes_the_same_clip_and_another_seed_another(studio: ClipStudio) -> None:
    face = portrait("astronaut")
    assert studio.genuine(face, ACTIONS, 1) == studio.genuine(face, ACTIONS, 1) != studio.genuine(face, ACTIONS, 2)


@pytest.mark.parametrize("species", [*SPECIES, *PAIRED_SPECIES])
def test_every_attack_can_be_filmed(studio: ClipStudio, species: str) -> None:
    clip = studio.attack(species, portrait("astronaut"), ACTIONS, 1, portrait("synthetic-a"))
    assert len(clip) >= 30


def test_an_attack_that_needs_two_people(studio: ClipStudio) -> None:
    with pytest.raises(ValueError, match="second"):
        studio.attack("swapped", portrait("astronaut"), ACTIONS, 1)


def test_a_picture_without_a_face(studio: ClipStudio) -> None:
    from tests.support.liveness_pictures import jpeg

    for data in (b"no picture", jpeg(3, width=200, height=200)):
        with pytest.raises(ValueError, match="portrait"):
            studio.genuine(data, ACTIONS, 1)


def test_the_errands_two_functions(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GBA_TRUST_MODELS_DIR", str(models_dir))
    face = portrait("astronaut")
    assert len(genuine(face, ["turn_left", "nod", "blink"], 1)) >= 30
    assert len(still_photo(face, ["turn_left", "nod", "blink"], 1)) >= 30
    with pytest.raises(ValueError, match="dance"):
        genuine(face, ["dance"], 1)


def test_a_genuine_clip_takes_under_two_cpu_seconds(studio: ClipStudio) -> None:
    face = portrait("astronaut")
    studio.head(face)
    began = time.process_time()
    studio.genuine(face, ACTIONS, 7)
    assert time.process_time() - began < 2


def test_a_person_can_do_any_order(models_dir: Path) -> None:
    rig = faces(models_dir)
    for number, order in enumerate(_ORDERS[::12]):
        verdict, _ = rig.judge(rig.studio.genuine(portrait("astronaut"), order, number), order)
        assert verdict.reasons == (), order

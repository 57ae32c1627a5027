"""The personas' portraits: four faces that the face net tells apart, and that can all perform."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from liveness.model import Action, Decision
from sandbox.personas import PERSONAS
from sandbox.portraits import NAMES, portrait
from tests.support.liveness import Faces, faces


@pytest.fixture
def rig(models_dir: Path) -> Faces:
    return faces(models_dir)


def test_every_persona_has_a_portrait() -> None:
    assert {persona.portrait for persona in PERSONAS.values()} <= set(NAMES)
    assert all(portrait(name)[:3] == b"\xff\xd8\xff" and len(portrait(name)) < 120_000 for name in NAMES)


def test_an_unknown_portrait() -> None:
    with pytest.raises(KeyError):
        portrait("mona-lisa")


@pytest.mark.models
def test_the_net_takes_each_for_another_person(rig: Faces) -> None:
    chips = []
    for name in NAMES:
        image = cv2.imdecode(np.frombuffer(portrait(name), np.uint8), cv2.IMREAD_COLOR)
        (found,) = rig.reader.detect(image)
        chips.append(rig.reader.chip(image, rig.reader.mesh(image, found)))
    embeddings = rig.engine.embed(chips)
    distances = [rig.engine.distance(a, b) for n, a in enumerate(embeddings) for b in embeddings[:n]]
    assert min(distances) >= 0.65


@pytest.mark.models
@pytest.mark.parametrize("name", NAMES)
def test_each_can_perform_each_action(rig: Faces, name: str) -> None:
    for actions in (
        (Action.TURN_LEFT, Action.OPEN_MOUTH, Action.NOD),
        (Action.BLINK, Action.TURN_RIGHT, Action.OPEN_MOUTH),
        (Action.OPEN_MOUTH, Action.TURN_RIGHT, Action.TURN_LEFT),
    ):
        verdict, _ = rig.judge(rig.studio.genuine(portrait(name), actions, 2), actions)
        assert verdict.decision is Decision.PASS, verdict.reasons

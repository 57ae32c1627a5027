"""What README.md and NOTES.txt tell an operator to type exists."""

import importlib
import re

import pytest
import typer

from service.cli import PARTS
from tests.support.helm import CHART, SCENARIOS, render_scenario

TEXTS = {name: (CHART / name).read_text(encoding="utf-8") for name in ("README.md", "templates/NOTES.txt")}
COMMANDS = sorted(
    {found.strip() for text in TEXTS.values() for found in re.findall(r"gba-trust ((?:[a-z]+ ?)+)", text)}
)


def command_exists(words):
    command = typer.main.get_command(importlib.import_module(PARTS[words[0]][0]).app)
    return _walk(command, words) or _walk(command, words[1:])


def _walk(command, words):
    for word in words:
        members = getattr(command, "commands", None)
        if members is None:
            return True  # what follows are arguments
        if word not in members:
            return False
        command = members[word]
    return True


def test_commands_are_found_in_the_texts():
    assert {"keys rotate", "audit verify", "models build", "db check"} <= set(COMMANDS)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.split()[0] in PARTS])
def test_a_command_in_the_texts_exists(command):
    assert command_exists(command.split())


def test_a_command_that_does_not_exist_would_be_found():
    assert not command_exists(["keys", "revolve"])


def test_every_alert_and_scenario_stands_in_the_readme():
    (group,) = render_scenario("everything").one("PrometheusRule")["spec"]["groups"]
    for rule in group["rules"]:
        assert f"`{rule['alert']}`" in TEXTS["README.md"]
    for scenario in set(SCENARIOS) - {"existing-claim"}:
        assert f"ci/{scenario}-values.yaml" in TEXTS["README.md"]


def test_secret_keys_in_the_readme_are_the_defaults():
    offered = set(re.findall(r"--from-file=(\S+)", TEXTS["README.md"]))
    pod = render_scenario("minimal").one("Deployment")["spec"]["template"]["spec"]
    sources = next(v for v in pod["volumes"] if v["name"] == "secret-sources")["projected"]["sources"]
    assert offered == {item["key"] for source in sources for item in source["secret"]["items"]}

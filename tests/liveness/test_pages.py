"""The page's texts: every code that the page can be told has words, in four languages, and nothing is inline."""

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import liveness

FOLDER = Path(liveness.__file__).parent
PAGES = sorted((FOLDER / "pages").glob("*.html"))
LANGUAGES = ("zh_Hant", "zh_Hans", "pt")


def texts(page: Path) -> set[str]:
    return {match.group(2) for match in re.finditer(r"_\((['\"])(.*?)\1[,)]", page.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated(language: str) -> None:
    with (FOLDER / "translations" / f"{language}.po").open("rb") as file:
        catalogue = read_po(file)
    wanted = set().union(*(texts(page) for page in PAGES))
    translated = {message.id: message.string for message in catalogue if message.id}
    assert wanted == set(translated)
    assert all(string and string != identifier for identifier, string in translated.items())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nothing_is_inline_and_nothing_is_foreign(page: Path) -> None:
    source = page.read_text(encoding="utf-8")
    assert source.startswith('{% extends "base.html" %}')
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bon[a-z]+=|style=|https?://", source)


def test_the_modules_load_only_their_own() -> None:
    for module in (FOLDER / "pages" / "static").glob("*.js"):
        source = module.read_text(encoding="utf-8")
        assert all(name.startswith("./") for name in re.findall(r'from "([^"]+)"', source))
        assert not re.search(r"https?://|innerHTML|eval\(", source)


def test_every_instruction_has_words() -> None:
    from liveness.model import Action

    source = (FOLDER / "pages" / "liveness_permit.html").read_text(encoding="utf-8")
    keys = set(re.findall(r"<dt>(\w+)</dt>", source))
    assert {action.value for action in Action} <= keys
    assert {
        "face_mismatch",
        "planar_face",
        "challenge_not_performed",
        "no_face",
        "several_faces",
        "permit_not_found",
    } <= keys

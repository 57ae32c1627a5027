"""The image's recipe: locked, non-root, product only. It is not built here (no container engine); its steps for our own code are run."""

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
import sys
import zipfile

import pytest

from tests.support.helm import ROOT, render_scenario

TEXT = (ROOT / "Containerfile").read_text(encoding="utf-8")
PRODUCT = {"service", "idp", "signing", "liveness", "trust_lists", "migrations"}


def instructions():
    """Return (word, rest) for every instruction, continued lines joined."""
    lines = [line for line in TEXT.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in joined if line.strip()]


def every(word):
    return [rest for found, rest in instructions() if found == word]


def copied_sources():
    """Return what is copied from the build context."""
    return [source for rest in every("COPY") if not rest.startswith("--from") for source in rest.split()[:-1]]


def is_ignored(path):
    """Return whether .dockerignore keeps a path out: the last pattern that matches decides."""
    ignored = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!").removesuffix("/")
        parents = ["/".join(path.split("/")[: depth + 1]) for depth in range(len(path.split("/")))]
        patterns = [pattern, pattern.removeprefix("**/")]
        if any(fnmatch.fnmatchcase(parent, one) for parent in parents for one in patterns) or (
            pattern.startswith("**/") and any(fnmatch.fnmatchcase(part, patterns[1]) for part in path.split("/"))
        ):
            ignored = not line.startswith("!")
    return ignored


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory):
    """Do what the build stage does with our own code; return (names in the wheel, entry points)."""
    context = tmp_path_factory.mktemp("context")
    for source in copied_sources():
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, context / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, context / source)
    (edit,) = [rest for rest in every("RUN") if rest.startswith("sed ")]
    subprocess.run(shlex.split(edit), cwd=context, check=True)
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", "out", "."]
    subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *build],
        cwd=context,
        check=True,
        capture_output=True,
    )
    (wheel,) = (context / "out").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (entry_points,) = [name for name in names if name.endswith("/entry_points.txt")]
        return names, archive.read(entry_points).decode()


def test_the_wheel_is_the_product_and_nothing_else(wheel_names):
    names, entry_points = wheel_names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == PRODUCT
    assert "sandbox" not in entry_points
    assert "gba-trust = service.cli:main" in entry_points


def test_the_wheel_carries_every_file_that_the_source_has(wheel_names):
    names, _ = wheel_names
    tracked = {
        path.relative_to(ROOT).as_posix()
        for package in PRODUCT
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert tracked - set(names) == set()


def test_only_product_packages_are_copied():
    folders = {source.rstrip("/") for source in copied_sources() if source.endswith("/")}
    assert folders == PRODUCT
    for source in copied_sources():
        assert (ROOT / source).exists(), source


def test_the_context_holds_what_is_copied_and_no_more():
    for source in copied_sources():
        assert not is_ignored(source.rstrip("/") + ("/module.py" if source.endswith("/") else ""))
    for kept_out in ("sandbox/app.py", "tests/conftest.py", "var/service/keys/ring.json", ".git/config", ".venv/bin/python",
                     "models/manifest.json", "service/__pycache__/app.cpython-311.pyc"):  # fmt: skip
        assert is_ignored(kept_out), kept_out


def test_packages_are_locked_by_hash_and_none_is_built():
    installs = [rest for rest in every("RUN") if " install " in rest]
    assert len(installs) == 2
    assert all(
        option in installs[0] for option in ("--require-hashes", "--only-binary :all:", "-r requirements-service.lock")
    )
    assert all(option in installs[1] for option in ("--no-deps", "--no-index", "--no-build-isolation"))


def test_it_runs_as_the_charts_user_without_a_shell():
    assert every("USER") == ["10001:10001"]
    pod = render_scenario("minimal").one("Deployment")["spec"]["template"]["spec"]
    context = pod["securityContext"]
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == "10001:10001"
    assert json.loads(every("ENTRYPOINT")[0]) == pod["containers"][0]["command"]
    assert json.loads(every("CMD")[0])[0] == pod["containers"][0]["args"][0]
    assert every("EXPOSE") == [" ".join(str(port["containerPort"]) for port in pod["containers"][0]["ports"])]


def test_both_stages_stand_on_one_base_that_can_be_pinned():
    assert every("ARG") == ["BASE=docker.io/library/python:3.11-slim-bookworm"]
    assert every("FROM") == ["${BASE} AS build", "${BASE}"]
    assert "sha256:" in TEXT


def test_no_secret_and_no_model_is_baked_in():
    assert "models" not in " ".join(copied_sources())
    assert not re.search(
        r"(?i)(password|token|secret)\s*=", "\n".join(f"{word} {rest}" for word, rest in instructions())
    )

"""The real Helm engine and Kubernetes' own schemas, for tests of the chart.

Owns:    rendering and linting `helm/` by whichever Helm is here, strict schema checks, the scenarios of `helm/ci`.
Rules:   1 $HELM_BIN goes first, then the PyPI wheel helm-python-sdk (Helm v4 in this process), then `helm` on PATH, else the test is
           skipped with a reason that begins "not installed:"
         2 what is rendered is read strictly: a key that stands twice in a mapping is an error, as it is for the API server
"""

import functools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm"
SCENARIOS = tuple(sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml")))
RELEASE = "trust"
NAMESPACE = "identity"
OLDEST_KUBERNETES = "1.29"
"""What Chart.yaml's kubeVersion names."""

Document = dict[str, Any]


class HelmRefused(Exception):
    """Helm did not render: the schema, a rule of the chart, or a template said no."""


@dataclass(frozen=True, slots=True)
class Release:
    """What Helm made of the chart."""

    documents: tuple[Document, ...]
    notes: str | None
    """NOTES.txt as rendered; None where `helm template` rendered, which leaves it out."""

    def all(self, kind: str) -> list[Document]:
        """Return every document of a kind."""
        return [document for document in self.documents if document["kind"] == kind]

    def one(self, kind: str, suffix: str = "") -> Document:
        """Return the one document of a kind whose name ends so."""
        (found,) = [document for document in self.all(kind) if document["metadata"]["name"].endswith(suffix)]
        return found


class Engine(Protocol):
    def render(self, values: Mapping[str, Any], *, name: str, kube: str) -> Release: ...
    def lint(self, values: Mapping[str, Any]) -> list[str]: ...


class SdkEngine:
    """Helm v4 through the wheel's shared library."""

    def render(self, values: Mapping[str, Any], *, name: str, kube: str) -> Release:
        import helm_python
        from helm_python import _native

        options = {"name": name, "namespace": NAMESPACE, "kube_version": f"v{kube}.0"}
        try:
            with helm_python.Chart.load(CHART) as chart:
                # Chart.render() of 0.2.2 takes no kube_version; the library beneath does.
                texts = json.loads(
                    _native.call_string("helm_render", chart._raw(), json.dumps(values), json.dumps(options))
                )
        except helm_python.HelmError as error:
            raise HelmRefused(str(error)) from error
        notes = next((text for path, text in texts.items() if path.endswith("NOTES.txt")), None)
        manifests = [text for path, text in sorted(texts.items()) if not path.endswith("NOTES.txt")]
        return Release(tuple(d for text in manifests for d in parse_documents(text)), notes)

    def lint(self, values: Mapping[str, Any]) -> list[str]:
        import helm_python

        report = helm_python.lint(CHART, dict(values), strict=True, with_subcharts=False)
        return [message["error"] for message in report["messages"] if message["severity"] > 1]


class CommandEngine:
    """A `helm` program."""

    def __init__(self, program: str) -> None:
        self._program = program

    def render(self, values: Mapping[str, Any], *, name: str, kube: str) -> Release:
        where = ["--namespace", NAMESPACE, "--kube-version", f"v{kube}.0"]
        result = self._run(values, "template", name, str(CHART), *where)
        if result.returncode != 0:
            raise HelmRefused(result.stderr)
        return Release(tuple(parse_documents(result.stdout)), None)

    def lint(self, values: Mapping[str, Any]) -> list[str]:
        result = self._run(values, "lint", "--strict", str(CHART))
        return [] if result.returncode == 0 else [result.stdout + result.stderr]

    def _run(self, values: Mapping[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
            json.dump(values, file)
            file.flush()
            command = [self._program, *arguments, "--values", file.name]
            return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@functools.cache
def engine() -> Engine:
    """Return a Helm, or skip the test."""
    if named := os.environ.get("HELM_BIN"):
        return CommandEngine(named)
    try:
        import helm_python  # noqa: F401 - whether it is there
    except ImportError:
        found = shutil.which("helm")
        if found is None:
            pytest.skip("not installed: helm-python-sdk, and no helm on PATH")
        return CommandEngine(found)
    return SdkEngine()


def render(values: Mapping[str, Any], *, name: str = RELEASE, kube: str = OLDEST_KUBERNETES) -> Release:
    """Render the chart.

    Raises:
        HelmRefused: with Helm's own words.
    """
    return engine().render(values, name=name, kube=kube)


@functools.cache
def render_scenario(scenario: str, *, name: str = RELEASE) -> Release:
    """Render one of `helm/ci`; the documents are shared between tests and must not be changed."""
    return render(scenario_values(scenario), name=name)


def scenario_values(scenario: str) -> dict[str, Any]:
    """Return the values of one of `helm/ci`, fresh."""
    values: dict[str, Any] = yaml.safe_load((CHART / "ci" / f"{scenario}-values.yaml").read_text(encoding="utf-8"))
    return values


def merged(values: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """Return a copy of values with one more member, named by its path with dots (a dot in a key is not possible here)."""
    copy = json.loads(json.dumps(values))
    *parents, last = path.split(".")
    place = copy
    for parent in parents:
        place = place.setdefault(parent, {})
    place[last] = value
    result: dict[str, Any] = copy
    return result


def newest_kubernetes() -> str:
    """Return the newest version whose schemas are bundled, or skip."""
    validate = pytest.importorskip("kubernetes_validate", reason="not installed: kubernetes-validate")
    return str(validate.utils.major_minor(validate.latest_version()))


def schema_problems(document: Document, version: str) -> list[str]:
    """Return what the strict schema of a Kubernetes version says against a document; empty when nothing."""
    name = f"{document['metadata']['name']} ({document['kind']})"
    return [
        f"{name}: {'/'.join(map(str, error.absolute_path))}: {error.message}"
        for error in _validator(document["kind"], document["apiVersion"], version).iter_errors(document)
    ]


@functools.cache
def _validator(kind: str, api_version: str, version: str) -> Any:
    """Return a validator; kubernetes_validate.validate reads all 1.5 MB of definitions again for each document."""
    utils = pytest.importorskip("kubernetes_validate", reason="not installed: kubernetes-validate").utils
    import jsonschema  # comes with it
    import referencing

    folder = next(f for f in map("v{}-local-strict".format, utils.all_versions()) if f.startswith(f"v{version}."))
    group, _, rest = api_version.partition("/")
    file = f"{kind.lower()}-{group.split('.')[0]}{'-' + rest if rest else ''}.json"
    schema = utils.schema_contents(f"kubernetes-json-schema/{folder}/{file}", version)
    registry = _definitions(folder, version) @ referencing.Registry()
    return jsonschema.Draft202012Validator(schema, registry=registry)


@functools.cache
def _definitions(folder: str, version: str) -> Any:
    import referencing
    from kubernetes_validate import utils

    contents = utils.schema_contents(f"kubernetes-json-schema/{folder}/_definitions.json", version)
    return referencing.Resource.from_contents(contents)


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len(keys) != len(set(keys)):
            raise HelmRefused(f"a key stands twice near line {node.start_mark.line + 1}: {keys}")
        return super().construct_mapping(node, deep)


def parse_documents(text: str) -> list[Document]:
    """Return the documents of a manifest, strictly read."""
    return [document for document in yaml.load_all(text, Loader=_StrictLoader) if document]

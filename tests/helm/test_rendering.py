"""Every scenario of `helm/ci` renders, lints, and is what Kubernetes' own strict schemas ask for."""

import pytest
import yaml

from tests.helm.custom_resources import CUSTOM_RESOURCES
from tests.support.helm import (
    CHART,
    OLDEST_KUBERNETES,
    SCENARIOS,
    HelmRefused,
    engine,
    merged,
    newest_kubernetes,
    parse_documents,
    render,
    render_scenario,
    scenario_values,
    schema_problems,
)

BY_DEFAULT = {
    "ConfigMap",
    "CronJob",
    "Deployment",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "Pod",
    "Service",
    "ServiceAccount",
}
OPTIONAL = {"HTTPRoute", "Ingress", "PodDisruptionBudget", "PrometheusRule", "ServiceMonitor"}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario_lints(scenario):
    assert engine().lint(scenario_values(scenario)) == []


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("version", [OLDEST_KUBERNETES, "newest"])
def test_scenario_follows_the_strict_schemas(scenario, version):
    kube = newest_kubernetes() if version == "newest" else version
    release = render(scenario_values(scenario), kube=kube)
    problems = [
        problem
        for document in release.documents
        if document["kind"] not in CUSTOM_RESOURCES
        for problem in schema_problems(document, kube)
    ]
    assert problems == []


def test_the_schemas_can_say_no():
    newest_kubernetes()
    service = render_scenario("minimal").one("Service", "-management")
    assert schema_problems({**service, "spec": {**service["spec"], "sesionAffinity": "None"}}, OLDEST_KUBERNETES)


def test_custom_resources_have_the_fields_that_their_operators_read():
    jsonschema = pytest.importorskip("jsonschema", reason="not installed: jsonschema")
    found = [d for d in render_scenario("everything").documents if d["kind"] in CUSTOM_RESOURCES]
    assert {d["kind"] for d in found} == set(CUSTOM_RESOURCES)
    for document in found:
        jsonschema.Draft202012Validator(CUSTOM_RESOURCES[document["kind"]]).validate(document)


def test_everything_renders_every_kind_and_minimal_only_what_is_needed():
    assert {d["kind"] for d in render_scenario("everything").documents} == BY_DEFAULT | OPTIONAL
    assert {d["kind"] for d in render_scenario("minimal").documents} == BY_DEFAULT


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_documents_have_names_of_their_own_and_no_empty_field(scenario):
    documents = render_scenario(scenario).documents
    names = [(d["kind"], d["metadata"]["name"]) for d in documents]
    assert len(names) == len(set(names))
    assert [path for d in documents for path in _nulls(d, d["kind"])] == []


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_rendering_twice_gives_the_same(scenario):
    assert render(scenario_values(scenario)).documents == render(scenario_values(scenario)).documents


def test_every_scenario_values_file_says_what_it_is_for():
    for path in (CHART / "ci").iterdir():
        assert path.name.endswith("-values.yaml")
        assert path.read_text(encoding="utf-8").startswith("# ")


def test_a_key_that_stands_twice_is_not_read_over():
    with pytest.raises(HelmRefused):
        parse_documents("a: {b: 1, c: 2, b: 3}")


def test_names_that_yaml_would_take_for_something_else_stay_text():
    values = merged(scenario_values("minimal"), "secrets.keyEncryptionKey.existingSecret", "123")
    values = merged(values, "models.existingClaim", "null")
    values = merged(values, "persistence.storageClass", "on")
    release = render(values, name="77")
    volumes = {v["name"]: v for v in release.one("Deployment")["spec"]["template"]["spec"]["volumes"]}
    assert volumes["secret-sources"]["projected"]["sources"][0]["secret"]["name"] == "123"
    assert volumes["models"]["persistentVolumeClaim"]["claimName"] == "null"
    assert release.one("PersistentVolumeClaim")["spec"]["storageClassName"] == "on"
    assert release.one("Deployment")["spec"]["selector"]["matchLabels"]["app.kubernetes.io/instance"] == "77"


def test_long_names_leave_room_for_suffixes():
    values = merged(scenario_values("everything"), "fullnameOverride", "f" * 40)
    for release in (render(values), render(scenario_values("everything"), name="r" * 53)):
        for document in release.documents:
            limit = 253 if document["kind"] == "NetworkPolicy" else 63
            assert len(document["metadata"]["name"]) <= limit
            assert all(len(value) <= 63 for value in document["metadata"]["labels"].values())


def test_notes_name_the_next_steps_and_what_is_open():
    notes = render_scenario("minimal").notes
    if notes is None:
        pytest.skip("not installed: helm-python-sdk (`helm template` renders no notes)")
    assert "https://trust.example.hk/.well-known/openid-configuration" in notes
    assert "helm -n identity test trust" in notes
    assert "image.digest is empty" in notes
    assert "image.digest is empty" not in render_scenario("ingress").notes
    open_port = render_scenario("existing-claim").notes
    assert "Maintenance" in open_port
    assert "read the audit log" in open_port


def test_chart_and_program_have_one_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    project = (CHART.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert f'\nversion = "{chart["appVersion"]}"\n' in project
    assert chart["kubeVersion"] == f">={OLDEST_KUBERNETES}.0-0"


def _nulls(value, path):
    if value is None:
        yield path
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _nulls(member, f"{path}.{key}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _nulls(member, f"{path}[{index}]")

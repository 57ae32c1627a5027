"""Values: what is misspelt, empty, of the wrong kind or against another value is refused before anything is installed."""

import json
from typing import Any

import pytest
import yaml

from tests.support.helm import CHART, HelmRefused, engine, merged, render, scenario_values

DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
OUT = ("liveness", "signing", "idp")


def resolve(schema):
    return SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def sections(values, schema, path=()):
    """Yield every mapping of values.yaml whose members the schema names, with its schema."""
    schema = resolve(schema)
    yield path, schema
    for name, value in values.items():
        member = resolve(schema["properties"][name])
        if isinstance(value, dict) and "properties" in member:
            yield from sections(value, member, (*path, name))


SECTIONS = [(path, schema) for path, schema in sections(DEFAULTS, SCHEMA)]
EVERY_VALUE = sorted(".".join((*path, name)) for path, schema in SECTIONS for name in schema.get("required", []))
EVERY_SECTION = sorted(".".join(path) for path, _ in SECTIONS)


def every_schema(schema, path="#"):
    """Yield every schema that stands in the file, with its place."""
    if isinstance(schema, dict):
        yield path, schema
        for name, member in schema.items():
            if name in ("properties", "definitions"):
                for key, value in member.items():
                    yield from every_schema(value, f"{path}/{name}/{key}")
            elif name in ("items", "additionalProperties") and isinstance(member, dict):
                yield from every_schema(member, f"{path}/{name}")


def test_no_object_of_the_schema_takes_what_it_does_not_name():
    open_objects = [
        path
        for path, schema in every_schema(SCHEMA)
        if schema.get("type") == "object"
        and schema.get("additionalProperties") is not False
        and schema.get("additionalProperties", {}).get("type") != "string"
    ]
    assert open_objects == ["#/properties/global"], "`global` is put there by Helm itself"


def test_schema_and_values_name_the_same_fields():
    for path, schema in SECTIONS:
        values = DEFAULTS
        for name in path:
            values = values[name]
        named = set(schema["properties"]) - {"global"}
        if "required" in schema:
            assert set(values) == named == set(schema["required"]), path
        else:  # fields of Kubernetes, each of which may be left out
            assert set(values) <= named, path


@pytest.mark.parametrize("path", EVERY_VALUE)
def test_a_value_that_is_set_to_null_is_refused(path):
    with pytest.raises(HelmRefused, match=path.rpartition(".")[2]):
        render(merged(scenario_values("everything"), path, None))


@pytest.mark.parametrize("section", EVERY_SECTION)
def test_a_misspelt_value_is_refused(section):
    path = f"{section}.enabeld" if section else "enabeld"
    with pytest.raises(HelmRefused, match="additional properties 'enabeld' not allowed"):
        render(merged(scenario_values("everything"), path, True))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("pod.tolerations", [{"key": "a", "operater": "Exists"}]),
        ("pod.affinity", {"nodeAfinity": {}}),
        ("pod.affinity", {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topolgyKey": "a"}]}}),
        ("pod.topologySpreadConstraints", [{"maxSkew": 1, "topologyKey": "a"}]),
        ("pod.extraEnv", [{"name": "A", "valeu": "b"}]),
        ("pod.extraEnv", [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "a"}}}]),
        ("pod.extraVolumeMounts", [{"name": "a", "mountPath": "relative"}]),
        ("networkPolicy.ingress.publicFrom", [{"namespaceSelektor": {}}]),
        ("networkPolicy.ingress.publicFrom", [{}]),
        ("networkPolicy.egress.upstreams", [{"name": "a", "cidrs": ["host.example"], "ports": [443]}]),
        ("networkPolicy.egress.upstreams", [{"name": "a", "cidrs": ["203.0.113.0/24"], "ports": []}]),
        ("httpRoute.parentRefs", [{"nam": "public"}]),
        ("image.repository", ""),
        ("image.pullSecrets", ["registry"]),
        ("parts", []),
        ("parts", ["idp", "payments"]),
        ("settings.issuer", "http://trust.example.hk"),
        ("settings.issuer", "https://trust.example.hk/path"),
        ("settings.issuer", ""),
        ("settings.trustList.url", "http://lists.example.org"),
        ("settings.trustList.refreshSeconds", "300"),
        ("settings.trustList.refreshSeconds", 0),
        ("settings.iamSmart.baseUrl", "https://user:password@upstream.example.hk"),
        ("secrets.keyEncryptionKey.existingSecret", ""),
        ("secrets.keyEncryptionKey.key", "../kek"),
        ("models.subPath", "../up"),
        ("persistence.accessMode", "ReadWriteMany"),
        ("persistence.size", "ten"),
        ("pod.terminationGracePeriodSeconds", 3),
        ("listenAddress", "127.0.0.1"),
        ("management.type", "LoadBalancer"),
        ("podDisruptionBudget.minAvailable", 1),
        ("service.port", 70000),
        ("commonLabels", {"a": 1}),
    ],
)
def test_nonsense_is_refused_by_the_schema(path, value):
    with pytest.raises(HelmRefused, match="schema"):
        render(merged(scenario_values("everything"), path, value))


@pytest.mark.parametrize(
    ("scenario", "path", "value", "names"),
    [
        ("minimal", "models.existingClaim", "", "models.existingClaim"),
        ("minimal", "settings.trustList.url", "", "settings.trustList.url"),
        ("minimal", "secrets.trustListRoot.existingSecret", "", "secrets.trustListRoot.existingSecret"),
        ("minimal", "settings.timestampAuthority.url", "", "settings.timestampAuthority.url"),
        ("minimal", "settings.iamSmart.enabled", False, "settings.iamSmart.enabled"),
        ("minimal", "settings.iamSmart.baseUrl", "", "settings.iamSmart.baseUrl"),
        ("minimal", "settings.iamSmart.certificateRepositoryUrl", "", "certificateRepositoryUrl"),
        ("minimal", "secrets.iamSmartCredentials.existingSecret", "", "secrets.iamSmartCredentials"),
        ("minimal", "settings.permitAuthority.enabled", False, "settings.permitAuthority.enabled"),
        ("minimal", "settings.permitAuthority.clientId", "", "settings.permitAuthority.clientId"),
        ("minimal", "secrets.permitAuthority.existingSecret", "", "secrets.permitAuthority"),
        ("minimal", "networkPolicy.egress.upstreams", [], "networkPolicy.egress.upstreams"),
        ("ingress", "ingress.tlsSecret", "", "ingress.tlsSecret"),
        ("ingress", "networkPolicy.ingress.publicFrom", [], "networkPolicy.ingress.publicFrom"),
        ("gateway", "httpRoute.parentRefs", [], "httpRoute.parentRefs"),
        ("gateway", "networkPolicy.ingress.publicFrom", [], "networkPolicy.ingress.publicFrom"),
        ("everything", "networkPolicy.ingress.managementFrom", [], "networkPolicy.ingress.managementFrom"),
    ],
)
def test_values_that_need_one_another_are_refused_apart(scenario, path, value, names):
    with pytest.raises(HelmRefused, match=names):
        render(merged(scenario_values(scenario), path, value))


def test_each_part_can_be_left_out_with_what_only_it_needs():
    values = scenario_values("minimal")
    for left_out in OUT:
        values = merged(values, "parts", [part for part in values.get("parts", DEFAULTS["parts"]) if part != left_out])
        if left_out == "liveness":
            values = merged(merged(values, "models.existingClaim", ""), "settings.permitAuthority.enabled", False)
        if left_out == "signing":
            values = merged(values, "settings.timestampAuthority.url", "")
        if left_out == "idp":
            values = merged(values, "settings.iamSmart.enabled", False)
        names = set(render(values).one("ConfigMap")["data"])
        assert ("GBA_TRUST_MODELS_DIR" in names) == ("liveness" in values["parts"])
        assert ("GBA_TRUST_TSA_URL" in names) == ("signing" in values["parts"])
        assert ("GBA_TRUST_IAM_SMART_CREDENTIALS_FILE" in names) == ("idp" in values["parts"])


def test_the_chart_alone_says_what_it_wants():
    with pytest.raises(HelmRefused) as refusal:
        render({})
    for name in ("/image/repository", "/settings/issuer", "/secrets/keyEncryptionKey/existingSecret"):
        assert name in str(refusal.value)
    assert engine().lint({}) != []

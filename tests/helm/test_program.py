"""The chart and the program agree: settings, options, routes, metrics. Each is asked of the program itself."""

import re

import httpx
import pytest
import typer

from service.app import check_parts, create_app
from service.commands import app as commands
from service.errors import SettingsRefused
from service.health import health_routes
from service.provider_settings import NAMES as PROVIDER_NAMES
from service.settings import NAMES, Mode, Settings, load_settings
from service.telemetry import Metrics
from tests.support.helm import SCENARIOS, merged, render, render_scenario, scenario_values

SERVING = [name for name in SCENARIOS if name != "existing-claim"]


def container(release):
    return release.one("Deployment")["spec"]["template"]["spec"]["containers"][0]


def settings_of(release) -> Settings:
    return load_settings(environment=release.one("ConfigMap")["data"])


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_program_takes_every_scenario_in_production_mode(scenario):
    release = render_scenario(scenario)
    settings = settings_of(release)
    assert settings.mode is Mode.PRODUCTION
    assert settings.issuer == scenario_values(scenario)["settings"]["issuer"]
    parts = scenario_values(scenario).get("parts", ["idp", "signing", "liveness", "trust-lists"])
    check_parts(settings, frozenset(parts))


def test_every_setting_of_the_program_has_a_place_in_the_chart():
    left_out = {
        "DATABASE_URL",  # the SQLite file in the data folder; the chart offers no PostgreSQL yet
        "DATABASE_PASSWORD_FILE",  # as above
        "DATABASE_POOL_SIZE",  # as above
        "RATE_LIMITS",  # production refuses to have them off
        *PROVIDER_NAMES,  # client certificates, DPoP nonces, software statements: the chart does not offer them yet
    }
    named = {name.removeprefix("GBA_TRUST_") for name in render_scenario("everything").one("ConfigMap")["data"]}
    assert named == set(NAMES) - left_out


def test_values_arrive_in_the_settings():
    settings = settings_of(render_scenario("everything"))
    assert settings.models_manifest_sha256 == "1" * 64
    assert settings.trust_list_refresh.total_seconds() == 600
    assert settings.trust_list_grace.total_seconds() == 43200
    rotation = settings.key_rotation
    assert [at.total_seconds() for at in (rotation.period, rotation.lead, rotation.overlap)] == [2592000, 1200, 172800]
    assert settings.iam_smart.base_url == "https://upstream.example.hk"
    assert settings.permit_authority.client_id == "gba-trust-hk"
    assert str(settings.database_path).startswith("/var/lib/gba-trust/")
    assert str(settings.key_encryption_key_file) == "/run/gba-trust/secrets/key-encryption-key"


def test_large_numbers_are_not_written_with_an_exponent():
    values = merged(scenario_values("minimal"), "settings.trustList.graceSeconds", 31_536_000)
    assert settings_of(render(values)).trust_list_grace.days == 365


def test_a_loopback_upstream_passes_the_chart_but_not_the_program():
    values = merged(scenario_values("minimal"), "settings.iamSmart.baseUrl", "https://127.0.0.1:8100")
    with pytest.raises(SettingsRefused):
        settings_of(render(values))


def test_service_links_would_stop_the_program():
    data = render_scenario("minimal").one("ConfigMap")["data"]
    linked = {
        **data,
        "GBA_TRUST_SERVICE_HOST": "10.0.0.1",
    }  # what enableServiceLinks does for a Service named gba-trust
    with pytest.raises(SettingsRefused):
        load_settings(environment=linked)


@pytest.mark.parametrize("scenario", SERVING)
def test_the_program_knows_every_option(scenario):
    group = typer.main.get_command(commands)
    name, *arguments = container(render_scenario(scenario))["args"]
    context = group.commands[name].make_context(name, arguments)
    assert context.params["port"] == 8000
    assert context.params["management_port"] == 8001
    assert context.params["management_host"] == context.params["host"]
    assert context.params["host"] in ("0.0.0.0", "::")
    init = render_scenario(scenario).one("Deployment")["spec"]["template"]["spec"]["initContainers"][-1]["command"]
    assert init[0] == container(render_scenario(scenario))["command"][0] == "gba-trust"
    group.commands[init[1]].commands[init[2]].make_context(init[2], init[3:])


@pytest.fixture
def applications(tmp_path):
    """The program's two applications, as the scenario `one-part` configures them but for the trust list, which is not here."""
    kek = tmp_path / "kek"
    kek.touch(mode=0o600)
    kek.write_bytes(bytes(32))
    environment = {
        **{k: v for k, v in render_scenario("one-part").one("ConfigMap")["data"].items() if "TRUST_LIST" not in k},
        "GBA_TRUST_DATA": str(tmp_path),
        "GBA_TRUST_KEY_ENCRYPTION_KEY_FILE": str(kek),
    }
    return create_app(load_settings(environment=environment), frozenset({"trust-lists"}))


async def answers(application, path: str) -> bool:
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://pod") as http:
        return (await http.get(path)).status_code != 404


async def test_the_probes_ask_routes_that_exist_on_the_port_they_name(applications):
    public, management = applications
    ports = {"http": public, "management": management}
    service = container(render_scenario("one-part"))
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = service[probe]["httpGet"]
        assert await answers(ports[asked["port"]], asked["path"])
        assert not await answers(ports[asked["port"]], asked["path"] + "-not")
    assert await answers(
        management, render_scenario("everything").one("ServiceMonitor")["spec"]["endpoints"][0]["path"]
    )
    assert service["startupProbe"]["httpGet"]["path"] == service["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert {route.path for route in health_routes({})} == {"/healthz", "/readyz"}


async def test_requests_are_counted_under_the_routes_that_the_alerts_name(applications):
    public, management = applications
    async with httpx.AsyncClient(transport=httpx.ASGITransport(public), base_url="https://trust.example.hk") as client:
        assert (await client.get("/healthz")).status_code == 200
    async with httpx.AsyncClient(transport=httpx.ASGITransport(management), base_url="http://management") as client:
        assert 'route="/healthz"' in (await client.get("/metrics")).text


def test_every_alert_asks_for_a_metric_and_a_label_that_exist():
    known = {family.name: family for family in Metrics().registry.collect()}
    labels = {"requests": {"route", "method", "status"}, "request_seconds": {"route", "method", "le"}}
    (group,) = render_scenario("everything").one("PrometheusRule")["spec"]["groups"]
    asked = set()
    for rule in group["rules"]:
        for name, matchers in re.findall(r"\b(gba_trust_\w+|up|kubelet_\w+)\{([^}]*)\}", rule["expr"]):
            family = re.sub(r"_(total|bucket|count|sum)$", "", name)
            matched = set(re.findall(r"(\w+)(?:=~|!~|!=|=)", matchers)) - {
                "namespace",
                "service",
                "persistentvolumeclaim",
            }
            assert matched <= labels.get(family.removeprefix("gba_trust_"), set()), rule["alert"]
            if name.startswith("gba_trust_"):
                assert family in known, rule["alert"]
                asked.add(family)
    assert asked == set(known)


def test_alerts_fit_the_parts():
    def alerts(values):
        (group,) = render(merged(values, "prometheusRule.enabled", True)).one("PrometheusRule")["spec"]["groups"]
        return {rule["alert"] for rule in group["rules"]}

    assert "GbaTrustTokenSlow" in alerts(scenario_values("minimal"))
    assert "GbaTrustTokenSlow" not in alerts(scenario_values("one-part"))
    assert "GbaTrustListStale" in alerts(scenario_values("one-part"))

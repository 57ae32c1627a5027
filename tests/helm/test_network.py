"""Who reaches whom: selectors, ports, routes, and the network policies by what they let through."""

import json

import pytest

from tests.helm.policies import Peer, allows, selects
from tests.support.helm import SCENARIOS, HelmRefused, merged, render, render_scenario, scenario_values

PUBLIC, MANAGEMENT = 8000, 8001


def pod_labels(release):
    return release.one("Deployment")["spec"]["template"]["metadata"]["labels"]


def labels_of_tester(release):
    return release.one("Pod")["metadata"]["labels"]


def namespace(name):
    return {"kubernetes.io/metadata.name": name}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_selectors_take_the_service_pod_and_no_other(scenario):
    release, other = render_scenario(scenario), render_scenario(scenario, name="other")
    selectors = [
        release.one("Deployment")["spec"]["selector"]["matchLabels"],
        *(service["spec"]["selector"] for service in release.all("Service")),
        *(budget["spec"]["selector"]["matchLabels"] for budget in release.all("PodDisruptionBudget")),
    ]
    for selector in selectors:
        assert selector.items() <= pod_labels(release).items()
        assert not selector.items() <= labels_of_tester(release).items()
        assert not selector.items() <= pod_labels(other).items()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_named_ports_are_ports_of_the_container(scenario):
    release = render_scenario(scenario)
    (container,) = release.one("Deployment")["spec"]["template"]["spec"]["containers"]
    names = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert names == {"http": PUBLIC, "management": MANAGEMENT}
    for service in release.all("Service"):
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(names)
    probes = [
        container[f"{name}Probe"]["httpGet"]
        for name in ("startup", "liveness", "readiness")
        if f"{name}Probe" in container
    ]
    assert {probe["port"] for probe in probes} <= set(names)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_management_port_is_on_its_own_service_only(scenario):
    release = render_scenario(scenario)
    management = release.one("Service", "-management")
    assert management["spec"]["type"] == "ClusterIP"
    (public,) = [service for service in release.all("Service") if service is not management]
    assert [port["targetPort"] for port in public["spec"]["ports"]] == ["http"]
    for route in (*release.all("Ingress"), *release.all("HTTPRoute")):
        text = json.dumps(route["spec"])
        assert management["metadata"]["name"] not in text
        assert public["metadata"]["name"] in text


def test_routes_lead_to_the_public_service_for_the_issuers_host():
    release = render_scenario("everything")
    ingress, route = release.one("Ingress")["spec"], release.one("HTTPRoute")["spec"]
    public = release.one("Service", "-everything")
    (port,) = public["spec"]["ports"]
    assert ingress["tls"] == [{"secretName": "trust-example-hk-tls", "hosts": ["trust.example.hk"]}]
    assert [rule["host"] for rule in ingress["rules"]] == route["hostnames"] == ["trust.example.hk"]
    backend = ingress["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": public["metadata"]["name"], "port": {"name": port["name"]}}
    assert route["rules"][0]["backendRefs"] == [{"name": public["metadata"]["name"], "port": port["port"]}]


def test_a_port_in_the_issuer_is_no_part_of_the_host():
    values = merged(scenario_values("ingress"), "settings.issuer", "https://trust.example.hk:8443/")
    assert render(values).one("Ingress")["spec"]["rules"][0]["host"] == "trust.example.hk"


def test_the_monitor_finds_the_management_service_only():
    release = render_scenario("everything")
    monitor = release.one("ServiceMonitor")["spec"]
    found = [s for s in release.all("Service") if selects(monitor["selector"], s["metadata"]["labels"])]
    assert [service["metadata"]["name"] for service in found] == ["gba-trust-everything-management"]
    assert monitor["endpoints"][0]["port"] == found[0]["spec"]["ports"][0]["name"]
    assert monitor["namespaceSelector"]["matchNames"] == [found[0]["metadata"]["namespace"]]


def test_the_test_pod_asks_the_public_service():
    release = render_scenario("everything")
    pod = release.one("Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert pod["spec"]["restartPolicy"] == "Never"
    assert pod["spec"]["containers"][0]["command"][-1] == "http://gba-trust-everything:8080/readyz"


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name != "existing-claim"])
def test_what_is_not_named_is_denied(scenario):
    release = render_scenario(scenario)
    policies = release.all("NetworkPolicy")
    stranger = Peer({"app": "stranger"})
    for labels in (pod_labels(release), labels_of_tester(release)):
        for port in (PUBLIC, MANAGEMENT, 22):
            assert not allows(policies, labels, "ingress", stranger, port)
            assert not allows(policies, labels, "ingress", Peer(address="192.0.2.1"), port)
        assert not allows(policies, labels, "egress", stranger, 443)
        assert not allows(policies, labels, "egress", Peer(address="10.0.0.1"), 443)
        assert not allows(policies, labels, "egress", Peer(address="169.254.169.254"), 80)


def test_the_named_reach_their_port_and_no_other():
    release = render_scenario("everything")
    policies, pod = release.all("NetworkPolicy"), pod_labels(release)
    controller = Peer({"app": "controller"}, namespace("ingress-nginx"))
    prometheus = Peer({"app.kubernetes.io/name": "prometheus"}, namespace("monitoring"))
    for peer, open_port in ((controller, PUBLIC), (prometheus, MANAGEMENT), (Peer(labels_of_tester(release)), PUBLIC)):
        assert [port for port in (PUBLIC, MANAGEMENT) if allows(policies, pod, "ingress", peer, port)] == [open_port]
    assert allows(policies, pod, "ingress", Peer(address="198.51.100.5"), PUBLIC)
    assert not allows(policies, pod, "ingress", Peer(address="198.51.100.200"), PUBLIC)
    assert not allows(policies, pod, "ingress", Peer({"app": "grafana"}, namespace("monitoring")), MANAGEMENT)
    assert not allows(
        policies, pod, "ingress", Peer(labels_of_tester(render_scenario("everything", name="other"))), PUBLIC
    )


def test_the_pod_reaches_its_upstreams_and_the_resolver():
    release = render_scenario("everything")
    policies, pod, tester = release.all("NetworkPolicy"), pod_labels(release), labels_of_tester(release)
    for address, port, allowed in (
        ("203.0.113.10", 443, True),
        ("203.0.113.21", 443, True),
        ("198.51.100.7", 8443, True),
        ("198.51.100.7", 5432, False),
        ("8.8.8.8", 80, True),
        ("8.8.8.8", 25, False),
        ("169.254.169.254", 80, False),
        ("192.168.1.1", 443, False),
    ):
        assert allows(policies, pod, "egress", Peer(address=address), port) is allowed, address
        assert not allows(policies, tester, "egress", Peer(address=address), port)
    resolver = Peer({"k8s-app": "node-local-dns"}, namespace("kube-system"))
    for labels in (pod, tester):
        assert allows(policies, labels, "egress", resolver, 8053, "UDP")
        assert not allows(policies, labels, "egress", resolver, 443)
    assert allows(policies, tester, "egress", Peer(pod), PUBLIC)
    assert not allows(policies, tester, "egress", Peer(pod), MANAGEMENT)


def test_every_upstream_has_a_policy_of_its_name():
    names = {policy["metadata"]["name"] for policy in render_scenario("everything").all("NetworkPolicy")}
    wanted = ("trust-list", "iam-smart", "permit-authority", "status-services")
    assert {f"gba-trust-everything-egress-to-{name}" for name in wanted} <= names


def test_policies_can_be_left_to_others():
    assert render_scenario("existing-claim").all("NetworkPolicy") == []


def test_two_upstreams_of_one_name_are_refused():
    upstream = {"name": "all", "cidrs": ["203.0.113.0/24"], "ports": [443]}
    with pytest.raises(HelmRefused, match="twice"):
        render(merged(scenario_values("minimal"), "networkPolicy.egress.upstreams", [upstream, upstream]))

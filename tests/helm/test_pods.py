"""Every pod of every scenario stands in Kubernetes' `restricted` profile and carries no secret."""

import json

import pytest

from tests.support.helm import SCENARIOS, HelmRefused, merged, render, render_scenario, scenario_values

SECRETS = "/run/gba-trust/secrets"
HOST_NAMESPACES = {"hostNetwork", "hostPID", "hostIPC", "hostUsers", "hostAliases"}


def pods(release):
    """Return every pod specification that a release makes."""
    return [
        *(document["spec"]["template"]["spec"] for document in release.all("Deployment")),
        *(document["spec"]["jobTemplate"]["spec"]["template"]["spec"] for document in release.all("CronJob")),
        *(document["spec"] for document in release.all("Pod")),
    ]


def containers(pod):
    return [*pod.get("initContainers", []), *pod["containers"]]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_container_is_hardened(scenario):
    for pod in pods(render_scenario(scenario)):
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
            }


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_pod_has_an_identity_without_rights(scenario):
    release = render_scenario(scenario)
    for pod in pods(release):
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] > 0
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert context["fsGroup"] == context["runAsGroup"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert not HOST_NAMESPACES & set(pod)
    assert all(account["automountServiceAccountToken"] is False for account in release.all("ServiceAccount"))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_container_has_requests_and_a_memory_limit(scenario):
    for pod in pods(render_scenario(scenario)):
        for container in containers(pod):
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_one_pod_at_a_time_writes_the_data(scenario):
    spec = render_scenario(scenario).one("Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_replicas_are_no_value():
    with pytest.raises(HelmRefused, match="replicaCount"):
        render(merged(scenario_values("minimal"), "replicaCount", 2))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_mounts_have_their_volumes_and_the_sources_of_secrets_are_seen_by_one_init_container(scenario):
    for pod in pods(render_scenario(scenario)):
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        mounted = {mount["name"] for c in containers(pod) for mount in c.get("volumeMounts", [])}
        assert mounted == volumes
        readers = [
            c["name"] for c in containers(pod) for m in c.get("volumeMounts", []) if m["name"] == "secret-sources"
        ]
        assert readers == (["secrets"] if volumes else [])


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_only_data_tmp_and_memory_can_be_written(scenario):
    service = render_scenario(scenario).one("Deployment")["spec"]["template"]["spec"]["containers"][0]
    writable = {m["name"] for m in service["volumeMounts"] if not m.get("readOnly")}
    assert writable <= {"data", "tmp", "scratch"}
    assert {"secrets", "data", "tmp"} <= {m["name"] for m in service["volumeMounts"]}


def test_secrets_are_copied_to_memory_for_their_owner_alone():
    pod = render_scenario("everything").one("Deployment")["spec"]["template"]["spec"]
    copy = next(c for c in pod["initContainers"] if c["name"] == "secrets")
    assert copy["command"][:3] == ["install", "--mode=0400", f"--target-directory={SECRETS}"]
    volume = next(v for v in pod["volumes"] if v["name"] == "secrets")
    assert volume["emptyDir"]["medium"] == "Memory"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_secret_file_comes_from_a_named_secret(scenario):
    release = render_scenario(scenario)
    settings = release.one("ConfigMap")["data"]
    pod = release.one("Deployment")["spec"]["template"]["spec"]
    sources = next(v for v in pod["volumes"] if v["name"] == "secret-sources")["projected"]["sources"]
    offered = {item["path"] for source in sources for item in source["secret"]["items"]}
    copied = {path.rpartition("/")[2] for path in pod["initContainers"][0]["command"][3:]}
    wanted = {value.removeprefix(f"{SECRETS}/") for name, value in settings.items() if name.endswith("_FILE")}
    assert offered == copied == wanted
    assert "key-encryption-key" in wanted


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_manifest_holds_a_secret(scenario):
    release = render_scenario(scenario)
    assert release.all("Secret") == []
    for pod in pods(release):
        for container in containers(pod):
            literal = {variable["name"] for variable in container.get("env", []) if "value" in variable}
            assert not {
                name for name in literal if any(word in name for word in ("SECRET", "PASSWORD", "KEY", "TOKEN"))
            }


def test_a_setting_cannot_come_in_by_the_side_door():
    for name in ("GBA_TRUST_MODE", "GBA_TRUST_RATE_LIMITS", "GBA_TRUST_KEY_PASSWORD"):
        with pytest.raises(HelmRefused, match="extraEnv"):
            render(merged(scenario_values("minimal"), "pod.extraEnv", [{"name": name, "value": "x"}]))


@pytest.mark.parametrize("volume", [{"hostPath": {"path": "/"}}, {"nfs": {"server": "a", "path": "/"}}])
def test_volumes_that_reach_the_node_are_refused(volume):
    with pytest.raises(HelmRefused, match="extraVolumes"):
        render(merged(scenario_values("minimal"), "pod.extraVolumes", [{"name": "more", **volume}]))


@pytest.mark.parametrize("name", ["data", "tmp", "secrets", "secret-sources", "models"])
def test_our_own_volumes_cannot_be_replaced(name):
    with pytest.raises(HelmRefused, match="extraVolumes"):
        render(merged(scenario_values("minimal"), "pod.extraVolumes", [{"name": name, "emptyDir": {}}]))


def test_root_is_refused():
    for path in ("pod.user", "pod.group"):
        with pytest.raises(HelmRefused, match="minimum"):
            render(merged(scenario_values("minimal"), path, 0))


def test_a_digest_goes_before_a_tag():
    digest = "sha256:" + "a" * 64
    values = merged(merged(scenario_values("minimal"), "image.digest", digest), "image.tag", "latest")
    images = {c["image"] for pod in pods(render(values)) for c in containers(pod)}
    assert images == {f"registry.example.hk/identity/gba-trust@{digest}"}
    with pytest.raises(HelmRefused, match="digest"):
        render(merged(values, "image.digest", "sha256:abc"))


def test_a_changed_setting_starts_the_pod_anew_and_nothing_else_does():
    def checksum(values):
        return render(values).one("Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    values = scenario_values("minimal")
    assert checksum(values) != checksum(merged(values, "settings.trustList.refreshSeconds", 301))
    assert checksum(values) == checksum(merged(values, "service.port", 8080))


def test_labels_of_the_operator_never_displace_those_that_select():
    ours = {
        "app.kubernetes.io/name": "evil",
        "app.kubernetes.io/component": "evil",
        "app.kubernetes.io/instance": "evil",
    }
    values = merged(merged(scenario_values("everything"), "commonLabels", ours), "pod.labels", ours)
    values = merged(values, "serviceMonitor.labels", ours)
    assert "evil" not in json.dumps(render(values).documents)


def test_a_spread_constraint_without_selector_gets_the_pods_own():
    spec = render_scenario("everything").one("Deployment")["spec"]
    first, second = spec["template"]["spec"]["topologySpreadConstraints"]
    assert first["labelSelector"] == spec["selector"]
    assert second["labelSelector"] == {"matchLabels": {"example.hk/team": "identity"}}


def test_maintenance_serves_nothing_and_touches_nothing():
    pod = render_scenario("existing-claim").one("Deployment")["spec"]["template"]["spec"]
    assert [c["name"] for c in pod["initContainers"]] == ["secrets"]
    (service,) = pod["containers"]
    assert service["command"][0] == "python"
    assert "args" not in service
    assert not {"startupProbe", "livenessProbe", "readinessProbe"} & set(service)
    claims = {v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if "persistentVolumeClaim" in v}
    assert claims == {"restored-2026-11-24", "face-models"}
    assert render_scenario("existing-claim").all("PersistentVolumeClaim") == []


def test_models_are_mounted_where_they_are_served_only():
    def mounts(scenario):
        pod = render_scenario(scenario).one("Deployment")["spec"]["template"]["spec"]
        return [m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "models"]

    assert mounts("one-part") == []
    assert mounts("everything") == [
        {"name": "models", "mountPath": "/var/lib/gba-trust-models", "readOnly": True, "subPath": "2026"}
    ]


def test_keys_and_audit_log_outlive_the_release():
    annotations = render_scenario("minimal").one("PersistentVolumeClaim")["metadata"]["annotations"]
    assert annotations == {"helm.sh/resource-policy": "keep"}
    values = merged(scenario_values("minimal"), "persistence.keepOnUninstall", False)
    assert "annotations" not in render(values).one("PersistentVolumeClaim")["metadata"]

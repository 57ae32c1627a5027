"""The CronJob of key rotation: where it runs, what it runs, and when it is not there."""

import pytest

from tests.helm.policies import selects
from tests.support.helm import HelmRefused, merged, render, render_scenario, scenario_values


def job(release):
    return release.one("CronJob")["spec"]["jobTemplate"]["spec"]["template"]


def test_its_pod_goes_where_the_claim_is_attached():
    release = render_scenario("everything")
    (term,) = job(release)["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    service = release.one("Deployment")["spec"]["template"]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    assert selects(term["labelSelector"], service["metadata"]["labels"])
    claims = [
        {v["persistentVolumeClaim"]["claimName"] for v in spec["volumes"] if v["name"] == "data"}
        for spec in (service["spec"], job(release)["spec"])
    ]
    assert claims[0] == claims[1]


def test_its_pod_is_not_taken_for_the_services():
    """Neither the Service nor the Deployment, nor a policy that lets somebody in or out, selects it."""
    release = render_scenario("everything")
    labels = job(release)["metadata"]["labels"]
    assert not selects(release.one("Deployment")["spec"]["selector"], labels)
    assert all(not selects({"matchLabels": service["spec"]["selector"]}, labels) for service in release.all("Service"))
    selecting = {
        p["metadata"]["name"] for p in release.all("NetworkPolicy") if selects(p["spec"]["podSelector"], labels)
    }
    assert {name.rpartition("everything-")[2] for name in selecting} == {"deny", "egress-dns"}


def test_it_is_given_the_one_secret_that_it_needs():
    (source,) = next(v for v in job(render_scenario("everything"))["spec"]["volumes"] if v["name"] == "secret-sources")[
        "projected"
    ]["sources"]
    assert source["secret"] == {"name": "kek", "items": [{"key": "kek.bin", "path": "key-encryption-key"}]}


def test_two_of_it_never_run_at_once_and_none_for_ever():
    spec = render_scenario("everything").one("CronJob")["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["schedule"] == "5 */2 * * *"
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] == 600


def test_it_is_not_there_in_maintenance_or_when_switched_off():
    assert render_scenario("existing-claim").all("CronJob") == []
    assert render(merged(scenario_values("minimal"), "keyRotation.enabled", False)).all("CronJob") == []


def test_a_claim_that_keeps_its_pod_out_is_refused():
    values = merged(scenario_values("minimal"), "persistence.accessMode", "ReadWriteOncePod")
    with pytest.raises(HelmRefused, match="ReadWriteOncePod"):
        render(values)
    assert render(merged(values, "keyRotation.enabled", False)).one("Deployment")


@pytest.mark.parametrize("schedule", ["", "hourly", "* * * *", "17 * * * * *", "$(reboot) * * * *"])
def test_a_schedule_that_is_none_is_refused(schedule):
    with pytest.raises(HelmRefused, match="schedule"):
        render(merged(scenario_values("minimal"), "keyRotation.schedule", schedule))

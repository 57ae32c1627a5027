"""The pod of the chart, run as processes on this machine: its init containers, its service, its probes, its end.

A cluster is not here, so the mounts are folders and the addresses loopback; commands, arguments, environment and order are the chart's.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from sandbox.iam_smart import provision
from sandbox.operators import Operators
from sandbox.permit_authority import provision_authority
from sandbox.setup import free_ports
from service.errors import DataFolderInUse
from tests.support.helm import merged, render, scenario_values
from trust_lists.clock import utc_now

START_S = 60
UNREACHABLE = {
    "settings.trustList.url": "https://lists.invalid/gba",
    "settings.timestampAuthority.url": "http://tsa.invalid/",
    "settings.iamSmart.baseUrl": "https://upstream.invalid",
    "settings.iamSmart.certificateRepositoryUrl": "https://repository.invalid/search",
    "settings.permitAuthority.url": "https://permits.invalid/api",
}


@dataclass(frozen=True)
class Pod:
    """The pod's specification, and folders in the place of its mounts."""

    spec: dict
    rotation: dict
    """The specification of the CronJob's pod."""
    settings: dict[str, str]
    folder: Path
    models: Path

    def here(self, text: str) -> str:
        """Return a path or argument of the pod as it is on this machine."""
        for mounted, folder in (
            ("/var/lib/gba-trust-models", self.models),
            ("/var/lib/gba-trust", self.folder / "data"),
            ("/run/gba-trust/secrets", self.folder / "secrets"),
            ("/mnt/secrets", self.folder / "mnt"),
        ):
            text = text.replace(mounted, str(folder))
        return text

    def command(self, container: dict) -> list[str]:
        words = [self.here(word) for word in (*container["command"], *container.get("args", []))]
        return [str(Path(sys.executable).with_name(words[0])) if words[0] == "gba-trust" else words[0], *words[1:]]

    def environment(self) -> dict[str, str]:
        """Return what the ConfigMap says, and nothing of this machine's own environment."""
        own = {"PATH": os.environ["PATH"], "TMPDIR": str(self.folder / "tmp"), "PYTHONDONTWRITEBYTECODE": "1"}
        return own | {name: self.here(value) for name, value in self.settings.items()}

    def run(self, words: list[str], **more: str) -> subprocess.CompletedProcess[str]:
        where = {"cwd": self.folder / "root", "env": self.environment() | more}
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, **where)


@pytest.fixture(scope="module")
def pod(tmp_path_factory, models_dir):
    """The pod of the scenario `minimal`, all parts, its Secrets mounted as the kubelet does: links to files that the group may read."""
    values = scenario_values("minimal")
    for path, url in UNREACHABLE.items():
        values = merged(values, path, url)
    release = render(values)
    folder = tmp_path_factory.mktemp("pod")
    for name in ("data", "secrets", "mnt/..data", "tmp", "root"):
        (folder / name).mkdir(parents=True)
    for name, content in _secrets(tmp_path_factory.mktemp("onboarding")).items():
        (folder / "mnt/..data" / name).write_bytes(content)
        (folder / "mnt/..data" / name).chmod(0o440)
        (folder / "mnt" / name).symlink_to(f"..data/{name}")
    spec = release.one("Deployment")["spec"]["template"]["spec"]
    rotation = release.one("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return Pod(spec, rotation, release.one("ConfigMap")["data"], folder, models_dir)


def _secrets(folder: Path) -> dict[str, bytes]:
    at = utc_now()
    authority = provision_authority(folder / "authority")
    client = provision(
        folder / "iam", redirect_uris=("https://trust.example.hk/callback/iam_smart",), callback_urls={}, at=at
    )
    return {
        "key-encryption-key": os.urandom(32),
        "trust-list-root.json": Operators(folder / "operators", lambda: at).trusted_root(),
        "iam-smart-credentials.json": client.to_json(),
        "permit-authority-client.key": authority.client_key.read_bytes(),
        "permit-authority.pub": authority.authority_public.read_bytes(),
    }


@pytest.fixture(scope="module")
def prepared(pod):
    """The pod after its init containers, each run twice: a pod that is restarted runs them again."""
    for container in (*pod.spec["initContainers"], *pod.spec["initContainers"]):
        done = pod.run(pod.command(container))
        assert done.returncode == 0, f"{container['name']}: {done.stderr}"
    return pod


def test_a_mounted_key_that_the_group_may_read_is_refused_so_it_is_copied(pod, prepared):
    listed = pod.run(pod.command({"command": ["gba-trust", "keys", "list", "--json"]}))
    assert listed.returncode == 0
    mounted = str(pod.folder / "mnt" / "key-encryption-key")
    refused = pod.run(
        pod.command({"command": ["gba-trust", "keys", "list"]}), GBA_TRUST_KEY_ENCRYPTION_KEY_FILE=mounted
    )
    assert refused.returncode == 1


def test_init_containers_leave_secrets_for_their_owner_and_a_database(prepared):
    copies = {path.name: path for path in (prepared.folder / "secrets").iterdir()}
    assert set(copies) == {path.name for path in (prepared.folder / "mnt").iterdir()} - {"..data"}
    for name, path in copies.items():
        assert path.stat().st_mode & 0o777 == 0o400
        assert path.read_bytes() == (prepared.folder / "mnt" / name).read_bytes()
    assert (prepared.folder / "data" / "service.db").stat().st_size > 0


def test_the_cron_jobs_pod_finds_nothing_due_in_a_new_ring(prepared):
    for container in (*prepared.rotation["initContainers"], *prepared.rotation["containers"]):
        done = prepared.run(prepared.command(container))
        assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("nothing is due.\nNext step of `gba-trust keys rotate --due`: 2")


def test_the_service_starts_answers_its_probes_and_ends(prepared):
    (container,) = prepared.spec["containers"]
    port, _ = free_ports()
    ports = {"http": port, "management": port + 1}
    words = [_local(word, ports) for word in prepared.command(container)]
    log = prepared.folder / "service.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            words, cwd=prepared.folder / "root", env=prepared.environment(), stdout=output, stderr=output
        )
        try:
            _probe_until_started(process, container, ports, log)
            assert _ask(container["livenessProbe"], ports).status_code == 200
            ready = _ask(container["readinessProbe"], ports)
            assert ready.status_code == 503, "the trust list cannot be reached"
            assert ready.json()["parts"]["trust_list"] != "ok"
            metrics = httpx.get(f"http://127.0.0.1:{ports['management']}/metrics").text
            assert "gba_trust_trust_list_version 0.0" in metrics
            assert httpx.get(f"http://127.0.0.1:{ports['http']}/metrics").status_code == 404
            process.send_signal(signal.SIGTERM)
            assert process.wait(prepared.spec["terminationGracePeriodSeconds"]) in (0, -signal.SIGTERM)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    assert list((prepared.folder / "root").iterdir()) == [], "nothing is written outside the mounts"
    secret = json.loads((prepared.folder / "secrets" / "iam-smart-credentials.json").read_bytes())
    assert str(secret["client_secret"]) not in log.read_text(encoding="utf-8")


def test_a_second_pod_on_the_same_data_is_kept_out(prepared):
    (container,) = prepared.spec["containers"]
    port, _ = free_ports()
    words = [_local(word, {"http": port, "management": port + 1}) for word in prepared.command(container)]
    with (prepared.folder / "data" / "lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused = prepared.run(words)
    assert refused.returncode != 0
    assert DataFolderInUse.code in refused.stderr


def _local(word: str, ports: dict[str, int]) -> str:
    word = word.replace("0.0.0.0", "127.0.0.1")
    return {
        "--port=8000": f"--port={ports['http']}",
        "--management-port=8001": f"--management-port={ports['management']}",
    }.get(word, word)


def _ask(probe: dict, ports: dict[str, int]) -> httpx.Response:
    asked = probe["httpGet"]
    return httpx.get(f"http://127.0.0.1:{ports[asked['port']]}{asked['path']}", timeout=probe["timeoutSeconds"])


def _probe_until_started(process: subprocess.Popen[bytes], container: dict, ports: dict[str, int], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            if _ask(container["startupProbe"], ports).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail("the service does not start")

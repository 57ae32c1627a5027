"""Onboarding: what the other organisations would hand to the operator of the service, made locally, and the pair of processes.

Owns:    the data folder's layout, its version, the service's configuration file, the portal's registration, `running_pair`.
Leaves:  keys and certificates to `pki`, `iam_smart.provision`, `operators`, `permit_authority`; processes to `launcher`.
Rules:   1 a data folder made by a newer program, for another sandbox address, or by something else is refused in one line
         2 everything is made once and found again; a start that was cut off is completed by the next one
         3 one process pair per data folder, held by a lock
"""

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from sandbox.errand.context import Addresses
from sandbox.errors import SandboxRefused
from sandbox.iam_smart import provision
from sandbox.launcher import Processes
from sandbox.notices import SECRET_FILE
from sandbox.operators import Operators
from sandbox.permit_authority import provision_authority
from sandbox.pki import build_pki
from sandbox.portal import CLIENT_ID, Portal
from service.data_folder import check_databases, upgrade_databases
from service.errors import DataFolderRefused, ServiceUnavailable
from service.instance_lock import InstanceLock
from service.server import listen
from service.settings import default_models_folder, load_settings
from trust_lists.clock import utc_now

DATA_VERSION = 1


@dataclass(frozen=True, slots=True)
class RunningPair:
    """The two processes, serving."""

    data: Path
    addresses: Addresses
    processes: Processes


@contextmanager
def running_pair(data: Path, *, port: int, sandbox_port: int, parts: str | None = None) -> Iterator[RunningPair]:
    """Prepare a data folder, start both processes, and end them afterwards; `parts` as `gba-trust serve` takes it.

    Raises:
        ServiceUnavailable: a port is taken, or a process does not start.
        DataFolderInUse: another pair works on this folder.
        DataFolderRefused: broken or newer data.
    """
    data = data.absolute()
    for needed in (port, port + 1, sandbox_port):
        listen("127.0.0.1", needed).close()
    addresses = Addresses(
        f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}", f"http://127.0.0.1:{sandbox_port}"
    )
    with InstanceLock(data):
        config = prepare(data, addresses, at=utc_now())
        with Processes(data / "logs") as processes:
            processes.start(
                "sandbox",
                ["sandbox", "--port", str(sandbox_port), "--data", str(data), "--service", addresses.service],
                health_url=f"{addresses.sandbox}/healthz",
            )
            processes.start(
                "service",
                ["serve", "--config", str(config), "--port", str(port), "--management-port", str(port + 1)]
                + ([] if parts is None else ["--parts", parts]),
                health_url=f"{addresses.service}/healthz",
            )
            processes.wait()
            yield RunningPair(data, addresses, processes)


def prepare(data: Path, addresses: Addresses, *, at: datetime) -> Path:
    """Make or find everything that the two processes need; return the service's configuration file."""
    _check_folder(data, addresses)
    folder = data / "sandbox"
    build_pki(folder / "pki", addresses.sandbox, at)
    operators = Operators(folder / "operators", lambda: at)
    onboarding = folder / "onboarding"
    onboarding.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(onboarding / "trust-list-root.json", operators.trusted_root())
    client = provision(
        folder / "iam-smart",
        redirect_uris=(f"{addresses.service}/callback/iam_smart",),
        callback_urls={
            "profile": f"{addresses.service}/callback/iam_smart/profile",
            "signing": f"{addresses.service}/callback/iam_smart/signing",
        },
        at=at,
    )
    _write(onboarding / "iam-smart.json", client.to_json())
    authority = provision_authority(folder / "permit-authority")
    if not (onboarding / SECRET_FILE).exists():
        _write(onboarding / SECRET_FILE, secrets.token_urlsafe(32).encode())
    config = _write_config(data, addresses, authority.client_id)
    _prepare_database(data)
    _register_portal(data, config, addresses)
    return config


def management_url(service: str) -> str:
    """Return the operators' address that belongs to a service address: the next port."""
    parts = urlsplit(service)
    return f"{parts.scheme}://{parts.hostname}:{(parts.port or 80) + 1}"


def free_ports() -> tuple[int, int]:
    """Return a free port whose successor is free too, and one more."""
    for _ in range(50):
        with socket.socket() as first, socket.socket() as other:
            first.bind(("127.0.0.1", 0))
            other.bind(("127.0.0.1", 0))
            port, sandbox_port = int(first.getsockname()[1]), int(other.getsockname()[1])
        try:
            listen("127.0.0.1", port + 1).close()
        except ServiceUnavailable:
            continue
        if sandbox_port != port + 1:
            return port, sandbox_port
    raise ServiceUnavailable("no free ports on 127.0.0.1")


def _check_folder(data: Path, addresses: Addresses) -> None:
    """Refuse a folder that is not ours, newer, or made for another sandbox address (its certificates name it)."""
    stamp = data / "demo.json"
    wanted = {"version": DATA_VERSION, "sandbox": addresses.sandbox}
    if stamp.exists():
        try:
            found = json.loads(stamp.read_text(encoding="utf-8"))
            version, sandbox = int(found["version"]), str(found["sandbox"])
        except (ValueError, KeyError, TypeError) as error:
            raise DataFolderRefused(f"{stamp} is damaged: name another --data folder, or remove this one") from error
        if version > DATA_VERSION:
            raise DataFolderRefused(f"{data} was made by a newer version of this program")
        if sandbox != addresses.sandbox:
            raise SandboxRefused(f"{data} was made for {sandbox}: use that --sandbox-port, or another --data folder")
        return
    if any(path.name not in ("lock", "logs") for path in data.iterdir()):
        raise DataFolderRefused(f"{data} holds other files: name an empty or new --data folder")
    _write(stamp, json.dumps(wanted).encode())


def _prepare_database(data: Path) -> None:
    settings = load_settings(environment={"GBA_TRUST_MODE": "demo", "GBA_TRUST_DATA": str(data / "service")})
    try:
        check_databases(settings)
    except DataFolderRefused:
        upgrade_databases(settings)


def _write_config(data: Path, addresses: Addresses, authority_client: str) -> Path:
    onboarding = data / "sandbox" / "onboarding"
    authority = data / "sandbox" / "permit-authority"
    members = {
        "GBA_TRUST_MODE": "demo",
        "GBA_TRUST_DATA": str(data / "service"),
        "GBA_TRUST_ISSUER": addresses.service,
        "GBA_TRUST_MODELS_DIR": os.environ.get("GBA_TRUST_MODELS_DIR", str(default_models_folder())),
        "GBA_TRUST_TRUST_LIST_URL": f"{addresses.sandbox}/trust-list",
        "GBA_TRUST_TRUST_LIST_ROOT_FILE": str(onboarding / "trust-list-root.json"),
        "GBA_TRUST_TRUST_LIST_REFRESH_S": "1",
        "GBA_TRUST_TSA_URL": f"{addresses.sandbox}/tsa",
        "GBA_TRUST_IAM_SMART_BASE_URL": f"{addresses.sandbox}/iam-smart",
        "GBA_TRUST_IAM_SMART_CREDENTIALS_FILE": str(onboarding / "iam-smart.json"),
        "GBA_TRUST_IAM_SMART_CERTIFICATE_REPOSITORY_URL": f"{addresses.sandbox}/pki/hk-rsa/search",
        "GBA_TRUST_PERMIT_AUTHORITY_URL": f"{addresses.sandbox}/permit-authority",
        "GBA_TRUST_PERMIT_AUTHORITY_KEY_FILE": str(authority / "client.key"),
        "GBA_TRUST_PERMIT_AUTHORITY_PUBLIC_KEY_FILE": str(authority / "authority.pub"),
        "GBA_TRUST_PERMIT_AUTHORITY_CLIENT_ID": authority_client,
        "GBA_TRUST_NOTIFIER_URL": f"{addresses.sandbox}/notices",
        "GBA_TRUST_NOTIFIER_SECRET_FILE": str(onboarding / SECRET_FILE),
    }
    lines = ["# Written by the demonstration: what its simulated partners would have handed over.\n"]
    lines += [f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in members.items()]
    path = data / "service.toml"
    _write(path, "".join(lines).encode())
    return path


def _register_portal(data: Path, config: Path, addresses: Addresses) -> None:
    """Register the sample portal by the operator's own command, again whenever its registration has changed."""
    portal = Portal(data / "sandbox" / "portal", addresses.service, addresses.sandbox, utc_now)
    registration = portal.registration()
    done = data / "sandbox" / "onboarding" / "portal.json"
    wanted = json.dumps(registration, sort_keys=True).encode()
    if done.exists() and done.read_bytes() == wanted:
        return
    document = data / "sandbox" / "onboarding" / "portal-registration.json"
    _write(document, wanted)
    # A start that was cut off may have registered the portal without noting it.
    known = _client_command(config, "show", CLIENT_ID).returncode == 0
    words = ["update", CLIENT_ID] if known else ["add", "--client-id", CLIENT_ID]
    result = _client_command(config, *words, "--registration", str(document))
    if result.returncode != 0:
        raise ServiceUnavailable(f"the sample portal could not be registered: {result.stderr.strip()[-300:]}")
    _write(done, wanted)


def _client_command(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service.cli", "client", *words, "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own program


def _write(path: Path, content: bytes) -> None:
    """Write a file readable by its owner only, in one step; an equal file is left alone."""
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(path.name + ".new")
    draft.touch(mode=0o600)
    draft.write_bytes(content)
    draft.replace(path)

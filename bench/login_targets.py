"""The servers that `bench.login` measures, each a process of its own on one core: our provider, and the peers that can be installed.

A peer that cannot be had is left out by name; nothing is measured in its place.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from joserfc.jwk import ECKey

from bench.login_server import CLIENT_ID, REDIRECT_URI

ROOT = Path(__file__).resolve().parents[1]
PEERS = Path(__file__).resolve().parent / "login_peers"
SERVER_CORE, DRIVER_CORE = 0, 1
PERSONS = 200
"""Persons with a consent on record, drawn by the returning logins."""


class CannotBeHad(Exception):
    """A peer, or the driver, is not installed and cannot be."""


@dataclass
class Target:
    """One server with what it stands on."""

    name: str
    base: str
    shapes: tuple[str, ...]
    processes: dict[str, subprocess.Popen[bytes]]
    """`server`, and a database's own process where there is one."""
    driving: Mapping[str, object] = field(default_factory=dict)
    static: tuple[str, ...] = ()

    def drive(self, shape: str, **changes: object) -> dict[str, object]:
        """Run the driver against this target; return what it measured.

        Raises:
            RuntimeError: a login failed: a figure with failures in it is no figure.
        """
        order = {
            "base": self.base, "issuer": self.base, "shape": shape, "client_id": CLIENT_ID, "redirect_uri": REDIRECT_URI,
            "pids": {name: process.pid for name, process in self.processes.items()}, "persons": PERSONS,
            "private_jwk": json.loads(client_key()[0].read_text()), **self.driving, **changes,
        }  # fmt: skip
        command = ["taskset", "-c", str(DRIVER_CORE), "node", "driver.mjs", json.dumps(order)]
        done = subprocess.run(command, cwd=PEERS, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{self.name}, {shape}: the driver failed: {done.stderr[-2000:]}")
        figures: dict[str, object] = json.loads(done.stdout)
        if figures["errors"]:
            raise RuntimeError(f"{self.name}, {shape}: {figures['errors']} logins failed: {figures['messages']}")
        return figures

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(20)


_KEY_FOLDER: list[Path] = []


def client_key(folder: Path | None = None) -> tuple[Path, Path]:
    """Return the portal's private and public JWK files; `folder` makes them, once a run."""
    if folder is not None:
        key = ECKey.generate_key("P-256", {"kid": "rp-1", "use": "sig"})
        (folder / "private.json").write_text(json.dumps(key.as_dict(private=True)))
        (folder / "public.json").write_text(json.dumps(key.as_dict(private=False)))
        _KEY_FOLDER[:] = [folder]
    return _KEY_FOLDER[0] / "private.json", _KEY_FOLDER[0] / "public.json"


def install_peers() -> None:
    """Install the driver and the peers from the lock.

    Raises:
        CannotBeHad: no node, no npm, or no registry.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise CannotBeHad("node is not installed")
    if (PEERS / "node_modules" / "oidc-provider").is_dir():
        return
    done = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund"], cwd=PEERS, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise CannotBeHad(f"npm packages cannot be installed: {done.stderr.strip()[-200:]}")


def start_ours(
    folder: Path, *, store: str = "sqlite", name: str = "ours", module: tuple[str, ...] = ("-m", "bench.login_server")
) -> Target:
    """Start our provider on a data folder, and enrol the persons whose consent stands."""
    port = free_port(2)
    log = folder / "server.log"
    folder.mkdir(parents=True, exist_ok=True)
    order = ["--data", str(folder / "data"), "--port", str(port), "--core", str(SERVER_CORE), "--store", store]
    command = [sys.executable, *module, *order, "--client-jwk", str(client_key()[1])]
    process = start(command, log=log, cwd=ROOT)
    base = f"http://127.0.0.1:{port}"
    target = Target(
        name, base, ("returning", "first"), {"server": process}, {}, ("/.well-known/openid-configuration", "/jwks")
    )
    wait_for(port, process, log)
    try:
        target.drive("returning", enrol=PERSONS, concurrency=1, warm_s=0, measure_s=0.2)
    except RuntimeError:
        target.stop()
        raise
    return target


def start_peer(folder: Path, kind: str) -> Target:
    """Start node-oidc-provider with its in-memory adapter or with Redis.

    Raises:
        CannotBeHad: Redis is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, processes, redis_port = free_port(), {}, "0"
    if kind == "redis":
        if shutil.which("redis-server") is None:
            raise CannotBeHad("redis-server is not installed")
        redis_port = str(free_port())
        # neither snapshot nor append-only file: Redis at its fastest, and nothing of it durable
        command = ["redis-server", "--port", redis_port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        redis = start([*command, "--dir", str(folder)], log=folder / "redis.log", core=DRIVER_CORE)
        wait_for(int(redis_port), redis, folder / "redis.log")
        processes["redis"] = redis
    arguments = [str(port), kind, str(client_key()[1]), CLIENT_ID, REDIRECT_URI, redis_port]
    log = folder / f"{kind}.log"
    server = start(["node", "provider.mjs", *arguments], log=log, cwd=PEERS, core=SERVER_CORE)
    wait_for(port, server, log)
    documents = ("/.well-known/openid-configuration", "/jwks")
    processes = {"server": server, **processes}
    name = f"oidc-provider, {'in-memory' if kind == 'memory' else 'Redis'}"
    return Target(name, f"http://127.0.0.1:{port}", ("peer",), processes, {"userinfo": "/me"}, documents)


def start(
    command: list[str], *, log: Path, cwd: Path | None = None, core: int | None = None
) -> subprocess.Popen[bytes]:
    if core is not None:
        command = ["taskset", "-c", str(core), *command]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GBA_TRUST_")}
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, cwd=cwd, env=environment)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the port takes connections."""
    for _ in range(600):
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    process.kill()
    raise RuntimeError(f"a server did not start: {log.read_text()[-2000:]}")


def free_port(width: int = 1) -> int:
    """Return a port that is free, with the `width - 1` after it."""
    for _ in range(50):
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                for offset in range(1, width):
                    with socket.socket() as other:
                        other.bind(("127.0.0.1", port + offset))
            except (OSError, OverflowError):
                continue
            return port
    raise RuntimeError("no free port")

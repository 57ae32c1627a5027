"""Starting and stopping the two real processes, service and sandbox, for the demonstration and the errand.

Owns:    child processes, waiting until they answer, ending them. Leaves what they are told to `setup`.
Rules:   1 a child reads its standard input and ends when that closes, so none outlives its parent, however the parent ends
         2 a child that ends early is reported with the last line it said
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

import httpx

from service.errors import ServiceUnavailable

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 8.0
POLL_S = 0.05


@dataclass(slots=True)
class Child:
    """One running process, and where its standard error goes."""

    name: str
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    health_url: str


class Processes:
    """Context manager: children started inside are ended with it, last started first."""

    def __init__(self, log_folder: Path | None = None) -> None:
        self._log_folder = log_folder
        self._children: list[Child] = []

    def __enter__(self) -> "Processes":
        """Start with no children."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every child."""
        self.stop()

    def start(self, name: str, arguments: Sequence[str], *, health_url: str) -> None:
        """Start `python -m service.cli ARGUMENTS`; `wait` waits until all that were started answer 200 at their health URL."""
        log = self._open_log(name)
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "service.cli", *arguments, "--exit-with-parent"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self._children.append(Child(name, process, log, health_url))

    def wait(self) -> None:
        """Wait until every child answers.

        Raises:
            ServiceUnavailable: one ended, or does not answer in time.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        with httpx.Client(timeout=2.0, trust_env=False) as client:
            for child in self._children:
                while not _healthy(client, child.health_url):
                    self.check()
                    if time.monotonic() > deadline:
                        said = _last_line(child.log)
                        raise ServiceUnavailable(
                            f"the {child.name} process does not answer at {child.health_url}: {said}"
                        )
                    time.sleep(POLL_S)

    @property
    def children(self) -> tuple[Child, ...]:
        """The running processes, first started first."""
        return tuple(self._children)

    def check(self) -> None:
        """Raise when a child has ended on its own.

        Raises:
            ServiceUnavailable: naming it.
        """
        for child in self._children:
            if child.process.poll() is not None:
                raise ServiceUnavailable(f"the {child.name} process ended: {_last_line(child.log)}")

    def stop(self) -> None:
        """End every child: ask, wait, then force."""
        for child in reversed(self._children):
            if child.process.poll() is None:
                child.process.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for child in reversed(self._children):
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            if child.process.stdin is not None:
                child.process.stdin.close()
            child.log.close()
        self._children.clear()

    def _open_log(self, name: str) -> IO[bytes]:
        if self._log_folder is None:
            return tempfile.TemporaryFile()
        self._log_folder.mkdir(parents=True, exist_ok=True)
        return (self._log_folder / f"{name}.log").open("w+b")


def _healthy(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _last_line(log: IO[bytes]) -> str:
    log.flush()
    log.seek(0)
    lines = [line for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1][:400] if lines else "it said nothing"

"""The process that forks the limited children: its start, its socket, its end.

Owns:    one subprocess and its private folder. Leaves what is sent through the socket to `worker_client`.
Rules:   started once, at the first use; when it has died it is started again; it ends with its owner, since its standard input closes.
"""

import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from signing.errors import WorkerUnavailable

_PATIENCE_S = 5.0


class WorkerProcess:
    """Starts and ends the process; may be shared by several clients and threads."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    def socket_path(self) -> str:
        """Return where the process listens, starting it when needed; blocks for its imports.

        Raises:
            WorkerUnavailable: it does not start.
        """
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._end()
                self._start()
            return str((self._folder or Path()) / "socket")

    def close(self) -> None:
        """End the process; children end with their jobs."""
        with self._lock:
            self._end()

    def _start(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="gba-trust-"))
        command = [sys.executable, "-m", "signing.worker_main", str(self._folder / "socket")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own module
        if self._process.stdout is None or self._process.stdout.readline() != b"ready\n":
            self._end()
            raise WorkerUnavailable("the limited process does not start")

    def _end(self) -> None:
        process, self._process = self._process, None
        folder, self._folder = self._folder, None
        if process is not None:
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

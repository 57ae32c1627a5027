"""A real PostgreSQL for the tests: the system's binaries, a temporary cluster on a unix socket, one database per test."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
}


def find_binaries() -> Path | None:
    """Return the folder of initdb and pg_ctl, the newest version's, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return None if on_path is None else Path(on_path).resolve().parent


class Cluster:
    """A running server in its own folder; as root it belongs to the user postgres, for the server refuses root."""

    def __init__(
        self,
        binaries: Path,
        *,
        listen_port: int | None = None,
        tls: tuple[bytes, bytes] | None = None,
        authentication: str | None = None,
    ) -> None:
        """Prepare a server on a unix socket alone, or on a port of 127.0.0.1 too, with TLS (key, certificate) and passwords there."""
        self._binaries = binaries
        self._listen_port = listen_port
        self._tls = tls
        self._authentication = authentication
        self._folder = Path(tempfile.mkdtemp(prefix="gbapg"))
        self._user = None
        if os.geteuid() == 0:
            self._user = "postgres" if "postgres" in {entry.pw_name for entry in pwd.getpwall()} else "nobody"
            shutil.chown(self._folder, self._user)
        self._data = self._folder / "data"

    def start(self) -> None:
        self._run("initdb", "-D", self._data, "-A", "trust", "-U", "app", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        settings = dict(OPTIONS)
        if self._listen_port is not None:
            settings |= {"listen_addresses": "127.0.0.1", "port": str(self._listen_port)}
        if self._tls is not None:
            for name, content in zip(("server.key", "server.crt"), self._tls, strict=True):
                self._write(name, content)
            settings["ssl"] = "on"
        if self._authentication is not None:
            self._write("pg_hba.conf", f"local all all trust\nhostssl all all all {self._authentication}\n".encode())
        options = " ".join(f"-c {name}={value or chr(39) * 2}" for name, value in settings.items())
        options += f" -c unix_socket_directories={self._folder}"
        self._run("pg_ctl", "-D", self._data, "-w", "-l", self._folder / "log", "-o", options, "start")

    def stop(self) -> None:
        try:
            self._run("pg_ctl", "-D", self._data, "-w", "-m", "immediate", "stop")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://app@/{database}?host={self._folder}"

    def create_database(self) -> str:
        """Create an empty database; return its URL."""
        name = "t" + secrets.token_hex(6)
        self.run_sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def run_sql(self, statement: str, database: str = "postgres") -> str:
        """Run statements as the administrator; return what psql prints, bare."""
        port = self._listen_port or 5432
        return self._run("psql", "-h", self._folder, "-p", port, "-U", "app", "-qAt", "-c", statement, database)

    def _write(self, name: str, content: bytes) -> None:
        path = self._data / name
        path.write_bytes(content)
        path.chmod(0o600)
        if self._user is not None:
            shutil.chown(path, self._user)

    def _run(self, program: str, *arguments: object) -> str:
        done = subprocess.run(
            [str(self._binaries / program), *map(str, arguments)],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=self._folder,
            env={"PATH": os.environ.get("PATH", ""), "HOME": str(self._folder), "LC_ALL": "C.UTF-8", "PGCONNECT_TIMEOUT": "5"},
            **({} if self._user is None else {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "extra_groups": []}),
        )  # fmt: skip
        return done.stdout


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A running PostgreSQL, or a skip by name."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL not installed")
    cluster = Cluster(binaries)
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture
def postgres_url(postgres: Cluster) -> str:
    """The URL of an empty database."""
    return postgres.create_database()

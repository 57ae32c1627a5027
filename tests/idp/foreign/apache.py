"""A real Apache with Debian's `mod_auth_openidc`: a portal whose pages only signed-in people see, on a port of this machine.

Its files lie in a folder of its own beside pytest's: Apache's children are no root, and pytest's folders are for root alone.
"""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.served_provider import ServedProvider, free_port

MODULES = Path("/usr/lib/apache2/modules")
APACHE = shutil.which("apache2", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
LOADED = (
    "mpm_event",
    "authn_core",
    "authz_core",
    "authz_user",
    "dir",
    "mime",
    "include",
    "socache_shmcb",
    "ssl",
    "auth_openidc",
)
PAGE = """<!DOCTYPE html><title>Portal</title>
<p>user=<!--#echo var="REMOTE_USER" -->;</p>
<p>sub=<!--#echo var="OIDC_CLAIM_sub" -->;</p>
<p>name=<!--#echo var="OIDC_CLAIM_name" -->;</p>
<p>acr=<!--#echo var="OIDC_CLAIM_acr" -->;</p>
"""
needed = pytest.mark.skipif(
    APACHE is None or not (MODULES / "mod_auth_openidc.so").exists(),
    reason="Apache with mod_auth_openidc not installed",
)


class Apache:
    """One portal."""

    def __init__(self, served: ServedProvider) -> None:
        self.served = served
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        self.page = f"{self.url}/portal/"
        self.callback = f"{self.url}/portal/callback"
        self.bye = f"{self.url}/bye.html"
        self.folder = Path(tempfile.mkdtemp(prefix="gbaapache"))

    def start(self, client_id: str, directives: Mapping[str, str]) -> None:
        (self.folder / "web" / "portal").mkdir(parents=True)
        (self.folder / "web" / "portal" / "index.html").write_text(PAGE)
        (self.folder / "web" / "bye.html").write_text("bye")
        tls = self.served.tls
        for name, source in (("ca.pem", tls.ca), ("server.pem", tls.certificate), ("server.key", tls.key)):
            shutil.copy(source, self.folder / name)
        (self.folder / "apache.conf").write_text(self._configuration(client_id, directives))
        self._give_away()
        environment = {"PATH": os.environ["PATH"], "TMPDIR": str(self.folder), "LC_ALL": "C"}
        with (self.folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [str(APACHE), "-f", str(self.folder / "apache.conf"), "-D", "FOREGROUND"],
                cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        self._wait()

    def log(self) -> str:
        return "".join((self.folder / name).read_text(errors="replace") for name in ("output", "error.log") if
                       (self.folder / name).exists())  # fmt: skip

    def stop(self) -> None:
        try:
            if hasattr(self, "_process"):
                self._process.terminate()
                self._process.wait(20)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _give_away(self) -> None:
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                shutil.chown(path, self._user())

    def _wait(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                httpx.get(self.bye, verify=self.served.context)
            except httpx.ConnectError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError(f"Apache did not start: {self.log()}")

    @staticmethod
    def _user() -> str:
        return "www-data" if "www-data" in {entry.pw_name for entry in pwd.getpwall()} else "nobody"

    def _configuration(self, client_id: str, directives: Mapping[str, str]) -> str:
        root = os.geteuid() == 0
        oidc = {
            "OIDCProviderMetadataURL": f"{self.served.issuer}/.well-known/openid-configuration",
            "OIDCCABundlePath": str(self.folder / "ca.pem"),
            "OIDCClientID": client_id,
            "OIDCRedirectURI": self.callback,
            "OIDCCryptoPassphrase": secrets.token_urlsafe(24),
            "OIDCResponseType": "code",
            "OIDCScope": '"openid profile"',
            "OIDCPKCEMethod": "S256",
            "OIDCRemoteUserClaim": "sub",
            "OIDCInfoHook": "access_token refresh_token id_token userinfo session",
            **directives,
        }
        lines = [
            f"ServerRoot {self.folder}",
            "ServerName localhost",
            f"Listen 127.0.0.1:{self.port}",
            f"DefaultRuntimeDir {self.folder}",
            f"PidFile {self.folder}/pid",
            f"Mutex file:{self.folder} default",
            f"ErrorLog {self.folder}/error.log",
            "LogLevel warn auth_openidc:info",
            *(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED),
            *([f"User {self._user()}", f"Group #{pwd.getpwnam(self._user()).pw_gid}"] if root else []),
            "StartServers 1",
            "ThreadsPerChild 8",
            "MaxRequestWorkers 8",
            "TypesConfig /dev/null",
            "AddType text/html .html",
            "DirectoryIndex index.html",
            f"DocumentRoot {self.folder}/web",
            "SSLEngine on",
            f"SSLCertificateFile {self.folder}/server.pem",
            f"SSLCertificateKeyFile {self.folder}/server.key",
            *(f"{name} {value}" for name, value in oidc.items()),
            f"<Directory {self.folder}/web>",
            "  Options +Includes",
            "  Require all granted",
            "</Directory>",
            "<Location /portal>",
            "  AuthType openid-connect",
            "  Require valid-user",
            "  SetOutputFilter INCLUDES",
            "</Location>",
        ]
        return "\n".join(lines) + "\n"


@contextmanager
def portal(served: ServedProvider) -> Iterator[Apache]:
    """A portal that is not started yet: its addresses are known, so that it can be registered."""
    made = Apache(served)
    try:
        yield made
    finally:
        made.stop()

"""A real nginx before the provider: it ends TLS, asks for a client certificate, and reports it in `X-SSL-Client-Cert`."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.served_provider import ServedProvider

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needed = pytest.mark.skipif(NGINX is None, reason="nginx not installed")
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
CONFIGURATION = """
{user}
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 64; }}
http {{
  access_log off;
  {temporary}
  server {{
    listen 127.0.0.1:{port} ssl;
    server_name localhost;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_verify_client optional_no_ca;      # the provider judges the certificate; nginx proves that the client has its key
    location / {{
      proxy_pass http://127.0.0.1:{provider};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;   # replaces whatever came from outside
    }}
  }}
}}
"""


@contextmanager
def nginx(served: ServedProvider, folder: Path) -> Iterator[None]:
    """Run nginx on the port that the provider's issuer names."""
    assert served.front is not None
    configuration = folder / "nginx.conf"
    configuration.write_text(
        CONFIGURATION.format(
            user="user root;" if os.geteuid() == 0 else "",  # the folder is for root alone
            folder=folder,
            temporary="\n  ".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY),
            port=served.front,
            certificate=served.tls.certificate,
            key=served.tls.key,
            provider=served.port,
        )
    )
    process = subprocess.Popen(
        [str(NGINX), "-c", str(configuration), "-p", str(folder), "-e", str(folder / "start.log")],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait(served, process, folder)
        yield
    finally:
        process.terminate()
        process.wait(20)


def _wait(served: ServedProvider, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"{served.issuer}/jwks", verify=served.context).raise_for_status()
        except httpx.ConnectError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("nginx did not start: " + "".join(path.read_text() for path in folder.glob("*.log")))

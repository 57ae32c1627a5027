"""The test provider behind real sockets: uvicorn over TLS with a CA made at run time, its upstream likewise; for other people's software.

Owns:    the servers, their thread, the person at a headless browser. Leaves the provider itself to `tests.support.idp`.
Rules:   1 everything listens on loopback only, on ports that the system gave, and ends with the block
         2 the clock is the machine's: what is not ours reads it too
"""

import asyncio
import html
import re
import socket
import ssl
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from starlette.types import ASGIApp

from idp.logout_delivery import deliver_forever
from tests.support.client_certificates import ClientAuthority, common_name
from tests.support.idp import Client, Provider
from trust_lists.clock import utc_now

T = TypeVar("T")


def listener() -> socket.socket:
    """A listening socket on a free port of this machine."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", 0))
    made.listen(64)
    return made


def free_port() -> int:
    """A port for a program that opens its own socket."""
    with listener() as made:
        return made.getsockname()[1]


def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class ServerTls:
    """A test CA, and the files of a server certificate for `localhost`."""

    def __init__(self, folder: Path) -> None:
        self.authority = ClientAuthority(utc_now(), common_name("Test server CA"))
        key = ec.generate_private_key(ec.SECP256R1())
        names = (x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")))
        certificate = self.authority.issue("CN=localhost", *names, usage=ExtendedKeyUsageOID.SERVER_AUTH, key=key)
        self.ca, self.certificate, self.key = folder / "ca.pem", folder / "server.pem", folder / "server.key"
        self.ca.write_bytes(self.authority.pem)
        self.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
        self.key.write_bytes(pem(key))

    def client_context(self, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
        """Trust this CA, and nobody else; show a client certificate if there is one."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if certificate is not None:
            context.load_cert_chain(certificate, key)
        return context


class RunningProvider(Provider):
    """The provider with a clock that runs, from whatever moment it is set to."""

    _ahead = timedelta(0)

    @property
    def now(self) -> datetime:
        return utc_now() + self._ahead

    @now.setter
    def now(self, moment: datetime) -> None:
        self._ahead = moment - utc_now()


class ServedProvider:
    """Provider and upstream on ports of this machine, in a thread of their own."""

    provider: RunningProvider

    def __init__(self, folder: Path, *, front: int | None = None, **config: Any) -> None:
        """Start.

        Args:
            folder: where its files are.
            front: the port of a proxy that ends TLS before us; we are served without TLS then.
            config: the provider's settings.
        """
        self.folder, self.front = folder, front
        self.tls = ServerTls(folder)
        self.socket, self.upstream_socket = listener(), listener()
        self.port = self.socket.getsockname()[1]
        self.issuer = f"https://localhost:{front or self.port}"
        self.upstream = f"https://localhost:{self.upstream_socket.getsockname()[1]}"
        self._config = {"poll_interval_s": 1, "private_callbacks": True, **config}
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="served-provider", daemon=True)
        self._thread.start()
        assert self._ready.wait(30), "the provider did not start"
        if self._failure is not None:
            raise self._failure

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the provider's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def register(self, client: Client) -> Client:
        return self.call(self.provider.register(client))

    def person(self, *, agrees: bool = True) -> "Person":
        return Person(self, agrees=agrees)

    @cached_property
    def context(self) -> ssl.SSLContext:
        return self.tls.client_context()

    def close(self) -> None:
        self.call(self._hang_up())
        for server in self._servers:
            server.should_exit = True
        self._thread.join(15)
        assert not self._thread.is_alive(), "the provider did not end"
        if self._failure is not None:
            raise self._failure

    async def _hang_up(self) -> None:
        """Our own calls first: a server that ends waits for whoever still holds a connection."""
        await self.provider.connector.close()
        await self.provider.deps.http.aclose()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # the test's thread raises it
            self._failure = error
        finally:
            self._ready.set()
            self.socket.close()
            self.upstream_socket.close()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        http = httpx.AsyncClient(verify=self.tls.client_context())
        self.provider = RunningProvider(
            self.folder, issuer=self.issuer, upstream=self.upstream, http=http, **self._config
        )
        self.provider.now = utc_now()
        await self.provider.connector.use(httpx.AsyncClient(verify=self.tls.client_context(), base_url=self.upstream))
        self._servers = [
            self._server(self.provider.app, tls=self.front is None),
            self._server(self.provider.peer.app(), tls=True),
        ]
        delivery = asyncio.create_task(deliver_forever(self.provider.deps))
        serving = asyncio.gather(*map(self._listen, self._servers, (self.socket, self.upstream_socket)))
        try:
            while not all(server.started for server in self._servers) and not serving.done():
                await asyncio.sleep(0.01)
            self._ready.set()
            await serving
        finally:
            delivery.cancel()
            with suppress(asyncio.CancelledError):
                await delivery
            await self.provider.close()

    @staticmethod
    async def _listen(server: uvicorn.Server, at: socket.socket) -> None:
        await server.serve(sockets=[at])

    def _server(self, app: ASGIApp, *, tls: bool) -> uvicorn.Server:
        files = {"ssl_certfile": self.tls.certificate, "ssl_keyfile": self.tls.key} if tls else {}
        # as `service.server` serves it: the peer's address is the TCP peer's
        options = {"log_level": "critical", "lifespan": "off", "proxy_headers": False, "server_header": False}
        return uvicorn.Server(uvicorn.Config(app, **options, **files, timeout_graceful_shutdown=3))


class Person:
    """A person at a headless browser: follows redirects, chooses the upstream, agrees; keeps cookies."""

    def __init__(self, served: ServedProvider, *, agrees: bool = True) -> None:
        self.served, self.agrees = served, agrees
        self.client = httpx.Client(verify=served.context, headers={"Accept-Language": "en"}, timeout=20)

    def __enter__(self) -> "Person":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def walk(self, response: httpx.Response, *, until: str = "\0") -> httpx.Response:
        """Follow redirects, stop before `until`; take the upstream and agree where the provider asks."""
        for _ in range(30):
            if response.is_redirect:
                target = urljoin(str(response.url), response.headers["location"])
                if target.startswith(until):
                    return response
                response = self.client.get(target)
            elif self._ours(response) and 'href="/login/with/iam_smart"' in response.text:
                response = self.client.get(f"{self.served.issuer}/login/with/iam_smart")
            elif self._ours(response) and 'action="/login/consent"' in response.text:
                response = self.decide(response)
            else:
                return response
        raise AssertionError("the walk does not end")

    def open(self, url: str, *, until: str = "\0") -> httpx.Response:
        return self.walk(self.client.get(url), until=until)

    def sign_in(self, url: str, *, until: str) -> str:
        """Walk a login; return where the browser would go next."""
        response = self.open(url, until=until)
        assert response.is_redirect, (response.status_code, response.text)
        return response.headers["location"]

    def decide(self, page: httpx.Response) -> httpx.Response:
        ticked = re.findall(r'name="(item_[a-z]+)" value="yes"', page.text)
        decision = "agree" if self.agrees else "decline"
        return self.submit(page, "/login/consent", {"decision": decision, **dict.fromkeys(ticked, "yes")})

    def submit(self, page: httpx.Response, path: str, fields: dict[str, str]) -> httpx.Response:
        """Submit the form of a page of the provider, with its hidden fields."""
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
        form = {name: html.unescape(value) for name, value in hidden}
        return self.client.post(f"{self.served.issuer}{path}", data={**form, **fields})

    def enter_device_code(self, user_code: str) -> httpx.Response:
        """What the person does with the code that a kiosk shows."""
        return self.walk(self.client.post(f"{self.served.issuer}/device", data={"user_code": user_code}))

    def _ours(self, response: httpx.Response) -> bool:
        return str(response.url).startswith(self.served.issuer)


@contextmanager
def served_in(folder: Path, **config: Any) -> Iterator[ServedProvider]:
    served = ServedProvider(folder, **config)
    try:
        yield served
    finally:
        served.close()


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port

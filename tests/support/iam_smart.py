"""Both sides of the iAM Smart wire, joined in this process: our connector with a real store, and the simulator.

Real: SQLite with the connector's own migration, AES-GCM cipher, RSA certificates, both HTTP applications (over ASGI).
Stands in: the clock, where a test moves it.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from idp.connectors.iam_smart import IamSmartConfig, IamSmartConnector, SqliteIamSmartStore, parse_credentials
from idp.connectors.iam_smart.remote_signer import IamSmartRemoteSigner
from idp.upstream import PendingAssertion, UpstreamAssertion
from sandbox.config_routes import build_config_routes
from sandbox.iam_smart import IamSmartSimulator, KekPadding, SigningKeys, build_iam_smart_routes, provision
from sandbox.iam_smart import wire as upstream_wire
from sandbox.iam_smart.provision import ProvisionedClient, credentials_path
from sandbox.state import SandboxState
from signing.remote_signing import RemoteSigningRequest
from tests.support.iam_smart_parts import (
    Cipher,
    Database,
    Keys,
    MovingClock,
    Receiver,
    Trail,
    make_authority,
    make_certificate,
    serving,
)

__all__ = [
    "STATE",
    "Cipher",
    "Database",
    "Keys",
    "Receiver",
    "Trail",
    "Wire",
    "joined",
    "make_authority",
    "make_certificate",
    "serving",
]

SERVICE = "http://127.0.0.1:8000"
SANDBOX = "http://127.0.0.1:8100"
STATE = "state_of-this-browser_0123456789"


@dataclass
class Wire:
    """Everything that a test holds."""

    config: IamSmartConfig
    connector: IamSmartConnector
    simulator: IamSmartSimulator
    state: SandboxState
    database: Database
    store: SqliteIamSmartStore
    keys: Keys
    receiver: Receiver
    signer: IamSmartRemoteSigner
    trail: Trail
    clock: MovingClock
    upstream_clock: MovingClock
    client: ProvisionedClient
    to_service: httpx.AsyncClient
    to_sandbox: httpx.AsyncClient
    repository: dict[str, list[bytes]]

    async def arrive(self, persona: str = "hk-resident", *, state: str = STATE) -> str:
        """Go through the broker page and return the raw query string of the return."""
        redirect = await self.connector.begin("txn-1", state=state, locale="zh-Hant")
        reply = await self.to_sandbox.get(f"{redirect.url}&persona={persona}")
        assert reply.status_code == 302, reply.text
        assert reply.headers["location"].startswith(self.config.redirect_uri + "?")
        return urlsplit(reply.headers["location"]).query

    async def exchange(self, persona: str = "hk-resident") -> PendingAssertion:
        """Log in up to the pending profile."""
        result = await self.connector.exchange("txn-1", query=await self.arrive(persona), state=STATE)
        assert isinstance(result, PendingAssertion)
        return result

    async def collect(self, pending: PendingAssertion, seconds: float = 5) -> UpstreamAssertion:
        """Ask until the assertion is there."""
        async with asyncio.timeout(seconds):
            while True:
                result = await self.connector.collect(pending.reference)
                if isinstance(result, UpstreamAssertion):
                    return result
                await asyncio.sleep(0.005)

    async def log_in(self, persona: str = "hk-resident") -> UpstreamAssertion:
        """Log in to the end."""
        return await self.collect(await self.exchange(persona))

    async def delivered(self, count: int, seconds: float = 8) -> None:
        """Wait until the simulator has ended this many deliveries."""
        async with asyncio.timeout(seconds):
            while len(self.simulator.deliveries) < count:
                await asyncio.sleep(0.005)

    def attackers_callback(
        self, content: Mapping[str, object], *, code: str = "D00000", key: bytes = b"k" * 32
    ) -> bytes:
        """What anybody can make who has seen our public key: a perfect envelope under a content key of their own."""
        return seal_callback(self.client.kek_certificate_pem, content, code=code, key=key)

    async def post_callback(self, kind: str, body: bytes, **headers: str) -> httpx.Response:
        """Send a callback to our door."""
        return await self.to_service.post(f"/callback/iam_smart/{kind}", content=body, headers=headers)

    def pending(self, kind: str) -> dict[str, object]:
        """The newest pending request of this kind, as it lies in the database."""
        names = (
            "reference",
            "kind",
            "business_id",
            "state",
            "transaction",
            "deadline_ms",
            "context",
            "status",
            "outcome",
            "answer",
        )
        return [
            dict(zip(names, row, strict=False)) for row in self.database.rows("iam_smart_pending") if row[1] == kind
        ][-1]

    def request(self, signer: str, digest: bytes = bytes(range(32)), **changes: object) -> RemoteSigningRequest:
        """Make a signing request."""
        request = RemoteSigningRequest(
            transaction="sig-1",
            signer=signer,
            digest=digest,
            digest_algorithm="sha256",
            document_name="mortgage application 按揭申請.pdf",
            service_name="Guangdong portal 廣東",
            locale="zh-Hant",
        )
        return replace(request, **changes)


def seal_callback(
    certificate_pem: str, content: Mapping[str, object], *, code: str = "D00000", key: bytes = b"k" * 32
) -> bytes:
    """Build a callback under any content key, for the holder of this encipherment certificate."""
    kek = x509.load_pem_x509_certificate(certificate_pem.encode()).public_key()
    assert isinstance(kek, rsa.RSAPublicKey)
    sealed = upstream_wire.seal_content(key, json.dumps(content).encode())
    secret_key = upstream_wire.wrap_key(kek, key, KekPadding.PKCS1V15)
    return json.dumps(
        {"txID": "T=1", "code": code, "message": "SUCCESS", "secretKey": secret_key, "content": sealed}
    ).encode()


def repository_route(certificates: dict[str, list[bytes]]) -> Route:
    """An RFC 4387 store by name, as the CA's public repository: one certificate, or several as parts."""

    async def search(request: Request) -> Response:
        found = certificates.get(request.query_params.get("name", ""), [])
        if not found:
            return Response(status_code=404)
        if len(found) == 1:
            return Response(found[0], media_type="application/pkix-cert")
        head = b"\r\n--edge\r\nContent-Type: application/pkix-cert\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        return Response(
            b"".join(head + der for der in found) + b"\r\n--edge--\r\n", media_type='multipart/mixed; boundary="edge"'
        )

    return Route("/repository/search", search)


@asynccontextmanager
async def joined(
    directory: Path,
    *,
    padding: KekPadding = KekPadding.PKCS1V15,
    delay_s: float = 0.0,
    slow_s: float = 5.0,
    over_http: bool = False,
    signing_keys: SigningKeys | None = None,
    sandbox_routes: Sequence[BaseRoute] = (),
    **config: object,
):
    """Join both sides and give a `Wire`: over ASGI, or with `over_http` over real HTTP on loopback."""
    async with AsyncExitStack() as stack:
        service, sandbox = Starlette(), Starlette()
        if over_http:
            service_url = await stack.enter_async_context(serving(service))
            sandbox_url = await stack.enter_async_context(serving(sandbox))
        else:
            service_url, sandbox_url = SERVICE, SANDBOX
        to_service = await stack.enter_async_context(_client(None if over_http else service, service_url))
        to_sandbox = await stack.enter_async_context(_client(None if over_http else sandbox, sandbox_url))
        clock, upstream_clock, state = MovingClock(), MovingClock(), SandboxState(approval_delay_s=delay_s)
        redirect_uri = f"{service_url}/callback/iam_smart"
        _hand_down_credentials(directory / "simulator")
        client = provision(
            directory / "simulator",
            redirect_uris=(redirect_uri,),
            callback_urls={"profile": f"{redirect_uri}/profile", "signing": f"{redirect_uri}/signing"},
            at=clock(),
            padding=padding,
        )
        _CREDENTIALS.append(client.to_json())
        keys, trail, receiver = Keys(), Trail(), Receiver()
        repository: dict[str, list[bytes]] = {}
        simulator = IamSmartSimulator(
            directory / "simulator",
            sandbox_url,
            upstream_clock,
            state,
            signing_keys or keys,
            http=to_service,
            slow_s=slow_s,
        )
        stack.push_async_callback(simulator.close)
        sandbox.router.routes += [
            *build_iam_smart_routes(simulator),
            *build_config_routes(state),
            *sandbox_routes,
            repository_route(repository),
        ]
        settings = IamSmartConfig(
            **{
                "base_url": f"{sandbox_url}/iam-smart",
                "redirect_uri": redirect_uri,
                "credentials": parse_credentials(client.to_json()),
                "certificate_repository": f"{sandbox_url}/repository/search",
                **config,
            }
        )
        database = Database(directory / "service.sqlite")
        stack.callback(database.close)
        store = SqliteIamSmartStore(database)
        connector = IamSmartConnector(settings, store, Cipher(), to_sandbox, clock, trail)
        signer = connector.remote_signer(receiver, authorities=lambda: [b"no certificate", make_authority()])
        service.router.routes += connector.routes()
        yield Wire(
            settings, connector, simulator, state, database, store, keys, receiver, signer, trail, clock, upstream_clock,
            client, to_service, to_sandbox, repository,
        )  # fmt: skip


_CREDENTIALS: list[bytes] = []


def _hand_down_credentials(folder: Path) -> None:
    """Give a new simulator the credentials of the first one: an RSA key for every test would cost more than the tests."""
    if _CREDENTIALS:
        folder.mkdir(parents=True)
        credentials_path(folder, "gba-trust").write_bytes(_CREDENTIALS[0])


def _client(app: Starlette | None, address: str) -> httpx.AsyncClient:
    transport = None if app is None else httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url=address, trust_env=False)

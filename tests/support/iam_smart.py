"""Both sides of the iAM Smart wire, joined in this process: our connector with a real store, and the simulator.

Real: SQLite with the connector's own migration, AES-GCM cipher, RSA certificates, both HTTP applications (over ASGI).
Stands in: the clock, where a test moves it.
"""

import asyncio
import json
import socket
import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import util
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
import uvicorn
from alembic.migration import MigrationContext
from alembic.operations import Operations
from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from sqlalchemy import create_engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.connectors.iam_smart import IamSmartConfig, IamSmartConnector, SqliteIamSmartStore, parse_credentials
from idp.connectors.iam_smart.remote_signer import IamSmartRemoteSigner
from idp.upstream import PendingAssertion, UpstreamAssertion
from sandbox.config_routes import build_config_routes
from sandbox.iam_smart import IamSmartSimulator, KekPadding, build_iam_smart_routes, provision
from sandbox.iam_smart import wire as upstream_wire
from sandbox.iam_smart.provision import ProvisionedClient
from sandbox.personas import Persona
from sandbox.state import SandboxState
from signing.remote_signing import RemoteSignature, RemoteSigningRequest

T = TypeVar("T")

SERVICE = "http://127.0.0.1:8000"
SANDBOX = "http://127.0.0.1:8100"
REDIRECT_URI = f"{SERVICE}/callback/iam_smart"
STATE = "state_of-this-browser_0123456789"
MIGRATION = Path(__file__).parents[2] / "migrations" / "versions" / "0003_iam_smart.py"


class Database:
    """One SQLite file with the connector's schema, written by one at a time."""

    def __init__(self, path: Path) -> None:
        engine = create_engine(f"sqlite:///{path}")
        with engine.begin() as connection:
            spec = util.spec_from_file_location("migration_0003", MIGRATION)
            assert spec is not None and spec.loader is not None
            migration = util.module_from_spec(spec)
            spec.loader.exec_module(migration)
            with Operations.context(MigrationContext.configure(connection)):
                migration.upgrade()
        engine.dispose()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._guard = threading.Lock()

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.to_thread(self._run, work)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.to_thread(self._run, work)

    def rows(self, table: str) -> list[tuple[object, ...]]:
        with self._guard:
            return self._connection.execute(f"SELECT * FROM {table}").fetchall()

    def dump(self) -> bytes:
        """Everything at rest, so that a test can look for what must not be readable in it."""
        with self._guard:
            return self._connection.serialize()

    def close(self) -> None:
        self._connection.close()

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._guard:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(self._connection)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
            return result


class Cipher:
    """A real cipher with one key, as the service's ring would be."""

    def __init__(self) -> None:
        self._aead = AESGCM(bytes(range(32)))
        self._count = 0

    def seal(self, plaintext: bytes, *, purpose: str) -> bytes:
        self._count += 1
        nonce = self._count.to_bytes(12, "big")
        return nonce + self._aead.encrypt(nonce, plaintext, purpose.encode())

    def open(self, sealed: bytes, *, purpose: str) -> bytes:
        try:
            return self._aead.decrypt(sealed[:12], sealed[12:], purpose.encode())
        except InvalidTag as error:
            raise ValueError("not sealed for this purpose") from error

    def lookup(self, value: str, *, purpose: str) -> str:
        import hmac

        return hmac.digest(b"lookup", f"{purpose}\0{value}".encode(), "sha256").hex()


@dataclass
class Trail:
    """Keeps the audit events for the test."""

    events: list[tuple[str, str, str]] = field(default_factory=list)

    async def record(
        self, event: str, *, correlation: str, outcome: str = "ok", detail: Mapping[str, object] | None = None
    ) -> None:
        self.events.append((event, correlation, outcome))


class MovingClock:
    """The real time, moved by the test."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset


@cache
def _rsa_key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def make_certificate(
    name: str, *, key: str, usage: str = "nonrepudiation", days: int = 300, serial: str = "", issuer: str = "Test CA"
) -> bytes:
    """Make a citizen's certificate under the test CA."""
    now = datetime.now(UTC)
    subject = [x509.NameAttribute(NameOID.COUNTRY_NAME, "HK"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if serial:
        subject.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial))
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(_rsa_key(key).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(
            x509.KeyUsage(True, usage == "nonrepudiation", False, False, False, False, False, False, False),
            critical=True,
        )
        .sign(_rsa_key(issuer), hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


@cache
def make_authority(issuer: str = "Test CA") -> bytes:
    """Make the test CA's own certificate."""
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(_rsa_key(issuer).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=300))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(_rsa_key(issuer), hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


class Keys:
    """The persons' signing keys; `certificates` may be changed by a test."""

    def __init__(self) -> None:
        self.certificates: dict[str, bytes] = {}
        self.broken = False

    def sign_digest(self, persona: Persona, digest: bytes) -> tuple[bytes, bytes]:
        if self.broken:
            raise OSError("the device is gone")
        key = _rsa_key(persona.id)
        return key.sign(digest, PKCS1v15(), Prehashed(hashes.SHA256())), self.certificate(persona)

    def certificate(self, persona: Persona) -> bytes:
        if persona.id not in self.certificates:
            self.certificates[persona.id] = make_certificate(persona.name_latin, key=persona.id, serial=persona.id)
        return self.certificates[persona.id]


@dataclass
class Receiver:
    """Takes the results of signing, as signing's transactions would."""

    completed: list[RemoteSignature] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    """Raised one by one before anything is taken."""

    async def complete(self, signature: RemoteSignature) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.completed.append(signature)

    async def refuse(self, reference: str, code: str) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.refused.append((reference, code))

    async def wait(self, seconds: float = 5) -> None:
        """Wait until anything has come."""
        async with asyncio.timeout(seconds):
            while not self.completed and not self.refused:
                await asyncio.sleep(0.005)


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
        assert reply.headers["location"].startswith(REDIRECT_URI + "?")
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
async def serving(app: Starlette, listener: socket.socket | None = None):
    """Serve an application over real HTTP on loopback, in this loop, and give its address."""
    listener = listener or listening()
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with asyncio.timeout(5):
            while not server.started:
                await asyncio.sleep(0.005)
        yield address_of(listener)
    finally:
        server.should_exit = True
        await task
        listener.close()


def listening() -> socket.socket:
    """A listening socket on an ephemeral port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def address_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@asynccontextmanager
async def joined(
    directory: Path,
    *,
    padding: KekPadding = KekPadding.PKCS1V15,
    delay_s: float = 0.0,
    slow_s: float = 5.0,
    **config: object,
):
    """Join both sides over ASGI and give a `Wire`."""
    clock, upstream_clock = MovingClock(), MovingClock()
    state = SandboxState(approval_delay_s=delay_s)
    client = provision(
        directory / "simulator",
        redirect_uris=(REDIRECT_URI,),
        callback_urls={"profile": f"{REDIRECT_URI}/profile", "signing": f"{REDIRECT_URI}/signing"},
        at=clock(),
        padding=padding,
    )
    service, sandbox = Starlette(), Starlette()
    to_service = httpx.AsyncClient(transport=httpx.ASGITransport(app=service), base_url=SERVICE)
    to_sandbox = httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox), base_url=SANDBOX)
    keys, trail, receiver = Keys(), Trail(), Receiver()
    repository: dict[str, list[bytes]] = {}
    simulator = IamSmartSimulator(
        directory / "simulator", SANDBOX, upstream_clock, state, keys, http=to_service, slow_s=slow_s
    )
    sandbox.router.routes += [
        *build_iam_smart_routes(simulator),
        *build_config_routes(state),
        repository_route(repository),
    ]
    settings = IamSmartConfig(
        base_url=f"{SANDBOX}/iam-smart",
        redirect_uri=REDIRECT_URI,
        credentials=parse_credentials(client.to_json()),
        certificate_repository=f"{SANDBOX}/repository/search",
        **config,
    )
    database = Database(directory / "service.sqlite")
    store = SqliteIamSmartStore(database)
    connector = IamSmartConnector(settings, store, Cipher(), to_sandbox, clock, trail)
    signer = connector.remote_signer(receiver, authorities=lambda: [b"no certificate", make_authority()])
    service.router.routes += connector.routes()
    try:
        yield Wire(
            settings, connector, simulator, state, database, store, keys, receiver, signer, trail, clock, upstream_clock,
            client, to_service, to_sandbox, repository,
        )  # fmt: skip
    finally:
        await simulator.close()
        await to_service.aclose()
        await to_sandbox.aclose()
        database.close()

"""The real parts that the joined iAM Smart wire stands on: database, cipher, certificates, keys, receiver, HTTP server."""

import asyncio
import hmac
import socket
import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import util
from pathlib import Path
from typing import TypeVar

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

from sandbox.personas import Persona
from signing.remote_signing import RemoteSignature

T = TypeVar("T")
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
        with self._guard:  # a thread of a request that was cancelled may still be at work
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

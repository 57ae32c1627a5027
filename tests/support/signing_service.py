"""A whole signing service in one process: real store, real limited workers, real keys; the upstream and sign-in stand in."""

import asyncio
import atexit
import hmac
import importlib.util
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import httpx
import sqlalchemy
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse

from sandbox.pki import IssuedCertificate
from service.page_renderer import PageRenderer
from signing.config import SigningConfig
from signing.doors import SigningDoors
from signing.errors import AccessRefused, SigningError
from signing.ports import PortalAccess, SignedInCitizen
from signing.remote_signing import (
    RemoteSignature,
    RemoteSigningRequest,
    SignerCertificates,
    SigningOutcome,
    StartedSigning,
)
from signing.routes import build_routes
from signing.sqlite_store import SqliteStore
from signing.transactions import SigningParts, SigningTransactions
from signing.worker_client import PdfWorkers
from signing.worker_process import WorkerProcess
from tests.support import pki
from tests.support.signing import MovingClock, TrustListOfTheRun
from trust_lists.vocabulary import Region

ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")


class Database:
    """One real SQLite file behind `SqlTransactions`; schema by our own migration."""

    def __init__(self, path: Path) -> None:
        engine = sqlalchemy.create_engine(f"sqlite:///{path}")
        with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
            spec = importlib.util.spec_from_file_location("m", ROOT / "migrations" / "versions" / "0005_signing.py")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            module.upgrade()
        engine.dispose()
        self._lock = threading.Lock()
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.to_thread(self._run, work)

    read = write

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(self.connection)
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")
            return result


class Cipher:
    """AES-GCM with a key made on the fly."""

    def __init__(self) -> None:
        self._key, self._lookup = AESGCM(os.urandom(32)), os.urandom(32)

    def seal(self, plaintext: bytes, *, purpose: str) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._key.encrypt(nonce, plaintext, purpose.encode())

    def open(self, sealed: bytes, *, purpose: str) -> bytes:
        try:
            return self._key.decrypt(sealed[:12], sealed[12:], purpose.encode())
        except InvalidTag as error:
            raise ValueError("does not open") from error

    def lookup(self, value: str, *, purpose: str) -> str:
        return hmac.new(self._lookup, f"{purpose}\0{value}".encode(), "sha256").hexdigest()


@dataclass
class Upstream:
    """A remote signer with a real key that signs the digest when told to; notes every call."""

    held: IssuedCertificate
    started: list[RemoteSigningRequest] = field(default_factory=list)
    acknowledged: list[tuple[str, SigningOutcome]] = field(default_factory=list)
    error: SigningError | None = None

    async def certificates(self, signer: str) -> SignerCertificates:
        return SignerCertificates(self.held.certificate, self.held.chain)

    async def start(self, request: RemoteSigningRequest) -> StartedSigning:
        if self.error is not None:
            raise self.error
        self.started.append(request)
        reference = f"ref-{len(self.started)}-{request.transaction}"
        return StartedSigning(reference, "1293", None, pki.AT + timedelta(minutes=15))

    async def acknowledge(self, reference: str, outcome: SigningOutcome) -> None:
        self.acknowledged.append((reference, outcome))

    def result(self, number: int = -1, held: IssuedCertificate | None = None) -> RemoteSignature:
        request = self.started[number]
        index = number % len(self.started) + 1
        key = held or self.held
        return RemoteSignature(
            f"ref-{index}-{request.transaction}", key.private_key.sign_digest(request.digest), key.certificate
        )


@dataclass
class Access:
    """Tokens and sessions, as a table."""

    tokens: dict[str, PortalAccess]
    sessions: dict[str, SignedInCitizen]

    async def portal_access(self, request: Request, *, scope: str) -> PortalAccess:
        found = self.tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if found is None:
            raise AccessRefused("an access token is needed", "invalid_token")
        return found

    async def citizen(self, request: Request) -> SignedInCitizen | None:
        return self.sessions.get(request.cookies.get("session", ""))


@dataclass
class Trail:
    """Keeps the events."""

    events: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    async def record(self, event: str, *, correlation: str, outcome: str = "ok", detail: Any = None) -> None:
        self.events.append((event, outcome, dict(detail or {})))


@dataclass
class Service:
    """Everything that a test may touch."""

    clock: MovingClock
    upstream: Upstream
    tsa: Any
    status: pki.StatusService
    transactions: SigningTransactions
    doors: SigningDoors
    http: httpx.AsyncClient
    trail: Trail
    database: Database
    listed: TrustListOfTheRun

    def portal(self, token: str = "portal") -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    def citizen(self, session: str = "citizen") -> dict[str, str]:
        return {"Cookie": f"session={session}"}

    async def post(self, document: bytes, **fields: str) -> httpx.Response:
        data = {"document_name": "mortgage.pdf", "reason": "Mortgage", "level": "B-T", **fields}
        files = {"document": ("mortgage.pdf", document, "application/pdf")}
        return await self.http.post("/api/v1/signing/transactions", data=data, files=files, headers=self.portal())


@lru_cache
def worker_process() -> WorkerProcess:
    """One for the whole test run; its start costs a second."""
    process = WorkerProcess()
    atexit.register(process.close)
    return process


ACCESS = {
    "portal": PortalAccess("gd-bank", "Sample Bank of Guangdong", Region.GD, "person-1"),
    "other": PortalAccess("mo-shop", "Another portal", Region.MO, "person-1"),
    "machine": PortalAccess("gd-bank", "Sample Bank of Guangdong", Region.GD, None),
}
SESSIONS = {
    "citizen": SignedInCitizen("person-1", "iam_smart", "iam_smart:handle"),
    "stranger": SignedInCitizen("person-2", "iam_smart", "iam_smart:other"),
    "basic": SignedInCitizen("person-1", "macao_one", "macao:handle"),
}


@asynccontextmanager
async def running(folder: Path, held: IssuedCertificate | None = None, store: Any = None):
    """A service that runs until the block ends."""
    clock, trail = MovingClock(), Trail()
    upstream, tsa, status = Upstream(held or pki.holder()), pki.LocalTsa(), pki.StatusService()
    database, cipher, listed = Database(folder / "signing.sqlite"), Cipher(), TrustListOfTheRun()
    config = SigningConfig("https://gba.test", "https://tsa.test")
    async with PdfWorkers(process=worker_process()) as workers:
        parts = SigningParts(
            store=store or SqliteStore(database, cipher),
            workers=workers,
            remote_signers={"iam_smart": upstream},
            timestamps=tsa,
            evidence=status,
            snapshot=lambda at: listed.snapshot,
            audit=trail,
            clock=clock,
            config=config,
        )
        transactions = SigningTransactions(parts)
        pages = PageRenderer([ROOT / "service", ROOT / "signing"])
        doors = SigningDoors(
            transactions=transactions,
            workers=workers,
            evidence=status,
            snapshot=parts.snapshot,
            authorisations=Access(ACCESS, SESSIONS),
            pages=pages,
            cipher=cipher,
            clock=clock,
            config=config,
        )
        app = Starlette(routes=build_routes(doors), exception_handlers={SigningError: _problem})
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://gba.test") as http:
            yield Service(clock, upstream, tsa, status, transactions, doors, http, trail, database, listed)
    database.connection.close()


async def _problem(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"code": error.code, "detail": str(error)}, 400)

"""A whole provider in memory: real store, real keys, real pages, a real upstream peer; only clock and network stand in."""

import base64
import hashlib
import hmac
import importlib.util
import io
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs

import httpx
import sqlalchemy
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from starlette.applications import Starlette
from starlette.routing import Mount

from idp.app_routes import build_routes
from idp.config import IdpConfig, RateLimit
from idp.deps import IdpDeps
from idp.relying_parties import hash_secret, parse_registration
from idp.stores.choice import store_on
from liveness.model import OpenedCheck, PermitCheckRequest
from service.page_renderer import PageRenderer
from service.postgres import PostgresDatabase
from service.sqlite_loop import LoopSqliteDatabase
from tests.support.idp_client import ISSUER, PORTAL, REDIRECT_URI, Client, answer, challenge
from tests.support.oauth_peer import Peer, PeerConnector

ROOT = Path(__file__).resolve().parents[2]
UPSTREAM = "https://upstream.test"
T = TypeVar("T")
AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


class MemoryDatabase(LoopSqliteDatabase):
    """The service's own driver on one real SQLite file, schema from our own migrations; it notes every statement."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(_empty_database())
        super().__init__(path)
        self.statements: list[str] = []
        for side in (self._reader, self._writer):
            side.connection.set_trace_callback(self.statements.append)


@lru_cache(maxsize=1)
def _empty_database() -> bytes:
    """The provider's tables, made once by the migrations that make them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "schema.sqlite"
        engine = sqlalchemy.create_engine(f"sqlite:///{path}")
        with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
            for name in ("0002_idp", "0006_provider"):
                _migration(name).upgrade()
        engine.dispose()
        return path.read_bytes()


@lru_cache(maxsize=1)
def postgres_schema() -> str:
    """The provider's tables in PostgreSQL's words, by the same migrations."""
    text = io.StringIO()
    context = MigrationContext.configure(dialect_name="postgresql", opts={"as_sql": True, "output_buffer": text})
    with Operations.context(context):
        for name in ("0002_idp", "0006_provider"):
            _migration(name).upgrade()
    return text.getvalue()


def _migration(name: str) -> Any:
    path = ROOT / "migrations" / "versions" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"migration_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Cipher:
    """AES-GCM with a key made on the fly."""

    def __init__(self) -> None:
        self._key, self._lookup = AESGCM(os.urandom(32)), os.urandom(32)

    def seal(self, plaintext: bytes, *, purpose: str) -> bytes:
        iv = os.urandom(12)
        return iv + self._key.encrypt(iv, plaintext, purpose.encode())

    def open(self, sealed: bytes, *, purpose: str) -> bytes:
        try:
            return self._key.decrypt(sealed[:12], sealed[12:], purpose.encode())
        except InvalidTag as error:
            raise ValueError("does not open") from error

    def lookup(self, value: str, *, purpose: str) -> str:
        mac = hmac.new(self._lookup, f"{purpose}\0{value}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


class Keys:
    """A ring with a current and a retired ES256 key, and one key for each other algorithm."""

    def __init__(self) -> None:
        self._keys = [self._new(), self._new()]
        self._changed()

    def current(self, algorithm: str = "ES256") -> Any:
        return self._keys[0] if algorithm == "ES256" else other_keys()[algorithm]

    def published(self) -> KeySet:
        return self._published

    def rotate(self) -> None:
        self._keys.insert(0, self._new())
        self._changed()

    def _changed(self) -> None:
        public = [ECKey.import_key(key.as_dict(private=False)) for key in self._keys]
        public += [type(key).import_key(key.as_dict(private=False)) for key in other_keys().values()]
        self._published = KeySet(public)

    @staticmethod
    def _new() -> ECKey:
        return ECKey.generate_key("P-256", {"kid": secrets.token_hex(4), "use": "sig", "alg": "ES256"})


@lru_cache(maxsize=1)
def other_keys() -> dict[str, Any]:
    """Made once: RSA keys are slow to make."""
    members = lambda algorithm: {"kid": f"{algorithm.lower()}-1", "use": "sig", "alg": algorithm}  # noqa: E731
    return {
        "RS256": RSAKey.generate_key(2048, members("RS256")),
        "PS256": RSAKey.generate_key(2048, members("PS256")),
        "EdDSA": OKPKey.generate_key("Ed25519", members("EdDSA")),
    }


@dataclass
class Outbound:
    """Where the provider's own calls arrive: relying parties' logout doors."""

    received: list[httpx.Request] = field(default_factory=list)
    status: int = 200

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.received.append(request)
        return httpx.Response(self.status)


@dataclass
class Event:
    name: str
    correlation: str
    outcome: str
    detail: dict[str, Any]


@dataclass
class Trail:
    events: list[Event] = field(default_factory=list)

    async def record(
        self, event: str, *, correlation: str, outcome: str = "ok", detail: Mapping[str, Any] | None = None
    ) -> None:
        self.events.append(Event(event, correlation, outcome, dict(detail or {})))

    def names(self) -> list[str]:
        return [event.name for event in self.events]

    def last(self, name: str) -> Event:
        return next(event for event in reversed(self.events) if event.name == name)


class PermitPeer:
    """The permit check's side: opens checks, and signs attestations with the gate's own `issue`."""

    def __init__(self, keys: Keys, clock: Callable[[], datetime]) -> None:
        self.keys, self.clock = keys, clock
        self.opened: list[PermitCheckRequest] = []
        self.codes: dict[str, str] = {}

    async def open_check(self, request: PermitCheckRequest) -> OpenedCheck:
        self.opened.append(request)
        return OpenedCheck("check-1", f"{ISSUER}/permit?check=check-1", self.clock() + timedelta(minutes=10))

    async def redeem(self, code: str) -> str:
        from liveness.errors import CodeRefused

        if code not in self.codes:
            raise CodeRefused("unknown")
        return self.codes.pop(code)

    def attest(self, **changes: Any) -> str:
        """Put an attestation for the last opened check behind a new code."""
        from tests.support.permit_attestation import make_attestation

        request = self.opened[-1]
        values = {"transaction": request.transaction, "subject": request.subject, "issuer": ISSUER, "audience": ISSUER}
        code = secrets.token_urlsafe(16)
        self.codes[code] = make_attestation(self.keys, at=self.clock(), **{**values, **changes})
        return code


@lru_cache(maxsize=1)
def page_renderer() -> PageRenderer:
    """The service's own renderer, with our templates and catalogues."""
    return PageRenderer([ROOT / "service", ROOT / "idp"])


class Provider:
    """The provider under test, and its surroundings."""

    def __init__(
        self,
        folder: Path,
        *,
        loopback: bool = False,
        postgres: PostgresDatabase | None = None,
        issuer: str = "",
        upstream: str = UPSTREAM,
        http: httpx.AsyncClient | None = None,
        **config: Any,
    ) -> None:
        self.now = AT
        self.clock = lambda: self.now
        issuer = issuer or ("http://127.0.0.1:8000" if loopback else ISSUER)
        config.setdefault("address_limit", RateLimit(0, 0))
        config.setdefault("client_limit", RateLimit(0, 0))
        config.setdefault("user_code_limit", RateLimit(0, 0))
        self.config = IdpConfig(issuer=issuer, loopback_http=loopback, **config)
        self.database = MemoryDatabase(folder / "idp.sqlite")
        self.cipher, self.keys, self.permit_keys, self.trail = Cipher(), Keys(), Keys(), Trail()
        self.postgres = postgres
        self.store = store_on(self.database if postgres is None else postgres, self.cipher)
        self.peer = Peer(upstream, self.clock)
        self.connector = PeerConnector(self.peer, issuer)
        self.permits = PermitPeer(self.permit_keys, self.clock)
        self.outbound = Outbound()
        self.deps = IdpDeps(
            config=self.config,
            store=self.store,
            connectors={"iam_smart": self.connector},
            permit_checks=self.permits,
            permit_keys=self.permit_keys,
            token_keys=self.keys,
            cipher=self.cipher,
            audit=self.trail,
            clock=self.clock,
            render=page_renderer(),
            http=http or httpx.AsyncClient(transport=httpx.MockTransport(self.outbound.answer)),
        )
        self.issuer = issuer
        self.app = Starlette(routes=[Mount("/", routes=build_routes(self.deps))])

    async def close(self) -> None:
        await self.database.close()
        if self.postgres is not None:
            await self.postgres.close()
        await self.deps.http.aclose()

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)

    def browser(self) -> "Browser":
        return Browser(self)

    def back_channel(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=self.issuer)

    async def register(self, client: Client) -> Client:
        party = parse_registration(
            client.registration(), client_id=client.client_id, secret_hash=client.secret and hash_secret(client.secret)
        )
        await self.store.save_client(party, at=self.now)
        client.provider = self
        return client


class Browser:
    """A person's browser: follows redirects by hand, keeps cookies, reads forms."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.client = httpx.AsyncClient(
            mounts={
                provider.issuer: httpx.ASGITransport(provider.app),
                UPSTREAM: httpx.ASGITransport(provider.peer.app()),
            },
            headers={"Accept-Language": "en"},
        )

    async def get(self, url: str) -> httpx.Response:
        return await self.client.get(url)

    async def follow(self, response: httpx.Response, *, until: str = PORTAL) -> httpx.Response:
        """Follow redirects inside our world; stop before the portal, and at pages."""
        for _ in range(20):  # as browsers do
            if not response.is_redirect or response.headers["location"].startswith((until, f"{ISSUER}/permit?")):
                return response
            response = await self.client.get(response.headers["location"])
        raise AssertionError(f"sent round in a circle, now at {response.url}")

    async def open(self, url: str) -> httpx.Response:
        return await self.follow(await self.get(url))

    async def agree(
        self, page: httpx.Response, *, items: list[str] | None = None, decision: str = "agree"
    ) -> httpx.Response:
        """Fill in the consent form as shown."""
        assert "/login/consent" in page.text, page.text
        shown = re.findall(r'name="(item_[a-z]+)" value="yes"', page.text)
        ticked = shown if items is None else [f"item_{item}" for item in items]
        return await self.submit(page, "/login/consent", {"decision": decision, **dict.fromkeys(ticked, "yes")})

    async def submit(self, page: httpx.Response, path: str, fields: dict[str, str]) -> httpx.Response:
        """Submit the form of a page with its hidden token."""
        csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)[1]
        return await self.client.post(f"{self.provider.issuer}{path}", data={"csrf": csrf, **fields})

    async def choose(self, page: httpx.Response, connector: str = "iam_smart") -> httpx.Response:
        """Take a row of the login choice."""
        assert f'href="/login/with/{connector}"' in page.text
        return await self.open(f"{self.provider.issuer}/login/with/{connector}")

    async def pass_permit(self, response: httpx.Response, **changes: Any) -> httpx.Response:
        """Come back from the permit check with an attestation."""
        assert response.headers["location"].startswith(f"{ISSUER}/permit?"), response.headers
        code = self.provider.permits.attest(**changes)
        return await self.open(f"{ISSUER}/callback/permit?permit_code={code}")


@asynccontextmanager
async def provider_in(folder: Path, **config: Any):
    provider = Provider(folder, **config)
    try:
        yield provider
    finally:
        await provider.close()


__all__ = ["AT", "ISSUER", "PORTAL", "REDIRECT_URI", "Browser", "Client", "Provider", "answer", "challenge", "parse_qs"]

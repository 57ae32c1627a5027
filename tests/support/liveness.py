"""A real permit check in one process: sqlite, keys, authority simulator over its own wire, faces, a clock that can be moved."""

import asyncio
import base64
import hashlib
import hmac
import os
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import httpx
from alembic.migration import MigrationContext
from alembic.operations import Operations
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import FastAPI
from joserfc.jwk import ECKey, KeySet
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from liveness.authority_client import HttpPermitAuthority
from liveness.capture import CaptureReader
from liveness.capture_evidence import CaptureEvidence
from liveness.check import PermitChecks
from liveness.config import LivenessConfig
from liveness.decision import decide_liveness
from liveness.deepface_engine import DeepFaceEngine
from liveness.errors import LivenessError
from liveness.face_engine import FaceEngine
from liveness.frames import Frame
from liveness.mesh_landmarks import MeshReader
from liveness.model import Action, DocumentType, PermitCheckRequest, Verdict
from liveness.models import ModelSet
from liveness.routes import build_router
from liveness.sqlite_store import SqliteStore
from liveness.workers import FaceWorkers
from sandbox.clips import Clip, ClipStudio
from sandbox.mrz import permit_mrz
from sandbox.permit_authority import PermitAuthoritySimulator, build_permit_authority_routes, provision_authority
from sandbox.personas import PERSONAS, Persona
from trust_lists.sm2 import SM2PrivateKey, SM2PublicKey

ISSUER = "http://127.0.0.1:8000"
RETURN_URI = "http://127.0.0.1:8000/login/permit?login=abc"
MTP = (DocumentType.MAINLAND_TRAVEL_PERMIT, DocumentType.MAINLAND_TRAVEL_PERMIT_NON_CHINESE)


class TestClock:
    """A clock that the test moves."""

    __test__ = False

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_time(self, **amount: float) -> None:
        self.now += timedelta(**amount)


class Database:
    """`SqlTransactions` over one sqlite file in memory, with our own migration's schema."""

    def __init__(self) -> None:
        engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        with engine.connect() as connection:
            import importlib

            migration = importlib.import_module("migrations.versions.0004_liveness")
            with Operations.context(MigrationContext.configure(connection)):
                migration.upgrade()
            connection.commit()
        self.engine = engine
        self.raw: sqlite3.Connection = engine.raw_connection().driver_connection
        self._lock = threading.Lock()

    async def write(self, work):
        return await asyncio.to_thread(self._run, work)

    async def read(self, work):
        return await asyncio.to_thread(self._run, work)

    def close(self) -> None:
        self.raw.close()
        self.engine.dispose()

    def _run(self, work):
        with self._lock, self.raw:
            return work(self.raw)


class Cipher:
    """`PersonalDataCipher` with one key."""

    def __init__(self) -> None:
        self._key = AESGCM(hashlib.sha256(b"test").digest())

    def seal(self, plaintext: bytes, *, purpose: str) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._key.encrypt(nonce, plaintext, purpose.encode())

    def open(self, sealed: bytes, *, purpose: str) -> bytes:
        return self._key.decrypt(sealed[:12], sealed[12:], purpose.encode())

    def lookup(self, value: str, *, purpose: str) -> str:
        mac = hmac.digest(b"test", f"{purpose}\0{value}".encode(), "sha256")
        return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


class Keys:
    """`JwtKeys` with one key."""

    def __init__(self) -> None:
        self._key = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig"})

    def current(self) -> ECKey:
        return self._key

    def published(self) -> KeySet:
        return KeySet([ECKey.import_key(self._key.as_dict(private=False))])


class Trail:
    """Takes audit events into a list."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, Mapping[str, object]]] = []

    async def record(self, event: str, *, correlation: str, outcome: str = "ok", detail=None) -> None:
        self.events.append((event, outcome, dict(detail or {})))


def plain_pages(request: Request, template: str, context: Mapping[str, object], *, status: int = 200) -> Response:
    return JSONResponse({"template": template, **context}, status)


class House:
    """Everything of one permit check, joined as the service does it."""

    def __init__(self, folder: Path, models: ModelSet, engine: FaceEngine, **config) -> None:
        self.clock, self.database, self.trail, self.keys = TestClock(), Database(), Trail(), Keys()
        self.config = LivenessConfig(ISSUER, ISSUER, ISSUER, **config)
        files = provision_authority(folder)
        self.authority = PermitAuthoritySimulator(folder, models.folder, self.clock)
        routes = build_permit_authority_routes(self.authority)
        self._authority_http = httpx.AsyncClient(transport=httpx.ASGITransport(Starlette(routes=routes)))
        client = HttpPermitAuthority(
            self._authority_http,
            url="http://authority/permit-authority",
            client_id=files.client_id,
            key=SM2PrivateKey.from_der(files.client_key.read_bytes()),
            authority_key=SM2PublicKey.from_spki(files.authority_public.read_bytes()),
            clock=self.clock,
        )
        self.workers = FaceWorkers(lambda: MeshReader(models), threads=1, queue=8)
        self.checks = PermitChecks(
            self.config,
            store=SqliteStore(self.database),
            cipher=Cipher(),
            keys=self.keys,
            authority=client,
            engine=engine,
            workers=self.workers,
            audit=self.trail,
            clock=self.clock,
        )
        app = FastAPI(exception_handlers={LivenessError: _problem})
        app.include_router(build_router(self.checks, plain_pages, self.config.frames))
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ISSUER)

    async def close(self) -> None:
        await self.http.aclose()
        await self._authority_http.aclose()
        self.workers.close()
        self.database.close()

    async def open(self, persona: Persona, **changes) -> str:
        fields = {
            "transaction": "txn-1", "subject": "upstream-subject", "return_uri": RETURN_URI, "name_latin": persona.name_latin,
            "name_chinese": persona.name_chinese, "birthdate": f"{persona.birthdate:%Y%m%d}", "region": persona.region,
            "locale": "en", "accepted_documents": MTP, **changes,
        }  # fmt: skip
        return (await self.checks.open_check(PermitCheckRequest(**fields))).check

    async def post(self, path: str, body: object, status: int | None = None) -> dict:
        response = await self.http.post(f"/api/v1/permits/{path}", json=body)
        if status is not None:
            assert response.status_code == status, response.text
        return response.json()

    async def show_document(self, persona: Persona) -> str:
        check = await self.open(persona)
        await self.post(
            f"checks/{check}/document", {"number": persona.permit_number, "mrz": list(permit_mrz(persona))}, 200
        )
        return check


async def _problem(request: Request, error: Exception) -> Response:
    headers = {"retry-after": str(error.retry_after_s)} if hasattr(error, "retry_after_s") else {}
    return JSONResponse({"code": error.code, "detail": str(error)}, 400, headers=headers)


class Browser:
    """What the page does in one session: its key, its chain, its batches."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.session: dict = {}
        self.sent: list[tuple[int, int, bytes]] = []

    @property
    def jwk(self) -> dict:
        return ECKey.import_key(self.key.public_key()).as_dict(private=False)

    async def start(self, check: str) -> dict:
        self.session = await self.house.post(f"checks/{check}/liveness", {"public_key": self.jwk}, 201)
        return self.session

    async def send(self, clip: Clip, *, batch: int = 10, first: int = 0) -> dict:
        """Send a clip at its own pace; return the last answer, or the first refusal."""
        answer: dict = {}
        given = self.house.clock.now
        for start in range(0, len(clip), batch):
            part = clip[start : start + batch]
            frames = [
                {"index": first + start + n, "t_ms": t, "jpeg": base64.b64encode(jpeg).decode()}
                for n, (t, jpeg) in enumerate(part)
            ]
            self.house.clock.now = max(self.house.clock.now, given + timedelta(milliseconds=part[-1][0]))
            self.sent += [(first + start + n, t, jpeg) for n, (t, jpeg) in enumerate(part)]
            answer = await self.house.post(f"liveness/{self.session['session']}/frames", {"frames": frames})
            if "code" in answer:
                return answer
        return answer

    def answer_body(self, nonce: str | None = None) -> dict:
        nonce = nonce or self.session["nonce"]
        head = hashlib.sha256(nonce.encode()).digest()
        for index, t_ms, jpeg in self.sent:
            link = head + index.to_bytes(4, "big") + t_ms.to_bytes(4, "big") + hashlib.sha256(jpeg).digest()
            head = hashlib.sha256(link).digest()
        message = nonce.encode() + head + len(self.sent).to_bytes(4, "big")
        r, s = utils.decode_dss_signature(self.key.sign(message, ec.ECDSA(hashes.SHA256())))
        signature = base64.urlsafe_b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).rstrip(b"=").decode()
        return {"frame_count": len(self.sent), "chain_head": head.hex(), "signature": signature}

    async def answer(self) -> dict:
        return await self.house.post(f"liveness/{self.session['session']}/answer", self.answer_body())


async def perform(house: House, check: str, make_clip, browser: Browser | None = None) -> dict:
    """Do one whole session with the clip that `make_clip(actions)` gives; return the verdict or the refusal."""
    browser = browser or Browser(house)
    session = await browser.start(check)
    refusal = await browser.send(make_clip(session["actions"]))
    return refusal if "code" in refusal else await browser.answer()


class Faces:
    """The models of this machine, read once for the whole run."""

    def __init__(self, folder: Path) -> None:
        self.models = ModelSet.load(folder)
        self.reader = MeshReader(self.models)
        self.engine = DeepFaceEngine(self.models)
        self.studio = ClipStudio(self.reader)
        self.config = LivenessConfig(ISSUER, ISSUER, ISSUER)

    def judge(self, clip: Clip, actions: Sequence[Action]) -> tuple[Verdict, CaptureEvidence]:
        """Read a clip and decide, without the wire."""
        reader = CaptureReader(
            actions, thresholds=self.config.thresholds, limits=self.config.frames, engine=self.engine
        )
        for index, (t_ms, jpeg) in enumerate(clip):
            reader.read(Frame(index, t_ms, jpeg), self.reader)
        evidence = reader.finish().evidence
        return decide_liveness(evidence, self.config), evidence


@lru_cache(maxsize=1)
def faces(folder: Path) -> Faces:
    """Return the run's faces."""
    return Faces(folder)


HOLDER = PERSONAS["hk-resident"]
__all__ = ["HOLDER", "MTP", "Browser", "ClipStudio", "Faces", "House", "TestClock", "faces", "perform"]

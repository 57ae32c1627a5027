"""The simulated permit authority: knows the personas' permits and portraits, compares faces, gives results only.

Owns:    its keys, the identity check, the portrait comparison, the signed wire's other side.
Leaves:  the form of the wire to `liveness.authority_wire`; portraits to `portraits`.
Rules:   1 nothing is read of a request before its signature holds; a nonce serves once
         2 the face is compared by a real net against the portrait held; no score and no portrait leave
         3 its codes are ours: the real platform's are not public
"""

import asyncio
import base64
import binascii
import os
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from liveness import authority_wire as wire
from liveness.authority import HolderQuery, HolderResult, IdentityResult, PortraitResult
from liveness.config import FrameLimits
from liveness.documents import parse_number
from liveness.errors import DocumentRefused, FrameRefused, RequestMalformed
from liveness.face_engine import Embedding
from liveness.frames import decode_frame
from liveness.models import ModelSet
from sandbox.personas import PERSONAS, Persona
from sandbox.portraits import portrait
from trust_lists.clock import Clock
from trust_lists.errors import TrustListError
from trust_lists.sm2 import SM2PrivateKey, SM2PublicKey

ORGANISATION = "Simulated permit authority"
CLIENT_ID = "gba-trust"
SAME_BELOW, DIFFERENT_ABOVE = 0.50, 0.60
"""Distances of embeddings: between them the answer is `uncertain`."""
MIN_FACE_PX = 80
MIN_MESH_SCORE = 0.9
REMEMBERED_NONCES = 10_000
_LIMITS = FrameLimits()


@dataclass(frozen=True, slots=True)
class AuthorityFiles:
    """What the authority and its client have agreed on, as files."""

    client_id: str
    client_key: Path
    """The client's private key, PKCS#8 DER: handed to the service."""
    client_public: Path
    authority_key: Path
    authority_public: Path
    """The authority's public key, SubjectPublicKeyInfo DER: handed to the service."""


def provision_authority(folder: Path) -> AuthorityFiles:
    """Make the keys of both sides, once."""
    files = AuthorityFiles(
        CLIENT_ID, folder / "client.key", folder / "client.pub", folder / "authority.key", folder / "authority.pub"
    )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for private, public in ((files.client_key, files.client_public), (files.authority_key, files.authority_public)):
        if private.exists() and public.exists():
            continue
        key = SM2PrivateKey.generate()
        _write(private, key.to_der())
        _write(public, key.spki())
    return files


def _write(path: Path, data: bytes) -> None:
    fresh = path.with_suffix(path.suffix + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
    fresh.replace(path)


class Register:
    """The permits on file and the faces on them."""

    def __init__(self, models: ModelSet) -> None:
        from liveness.deepface_engine import DeepFaceEngine  # noqa: PLC0415 - slow import, only where faces are compared
        from liveness.mesh_landmarks import MeshReader  # noqa: PLC0415 - as above

        self._reader = MeshReader(models)
        self._engine = DeepFaceEngine(models)
        self._faces: dict[str, Embedding] = {}

    def judge(self, query: HolderQuery) -> tuple[IdentityResult, PortraitResult]:
        """Return whether the permit is the person's, and whether the picture shows its holder."""
        persona = _find(query)
        if persona is None:
            return IdentityResult.NOT_FOUND, PortraitResult.NOT_COMPARED
        same = (persona.name_latin, persona.name_chinese, persona.birthdate) == (
            query.name_latin, query.name_chinese, query.birthdate,
        )  # fmt: skip
        if not same:
            return IdentityResult.MISMATCH, PortraitResult.NOT_COMPARED
        return IdentityResult.MATCH, self._compare(persona, query.portrait)

    def _compare(self, persona: Persona, picture: bytes) -> PortraitResult:
        try:
            shown = self._embed(picture)
        except FrameRefused:
            return PortraitResult.POOR_IMAGE
        held = self._faces.get(persona.portrait)
        if held is None:
            held = self._faces[persona.portrait] = self._embed(portrait(persona.portrait))
        distance = self._engine.distance(shown, held)
        if distance <= SAME_BELOW:
            return PortraitResult.SAME
        return PortraitResult.DIFFERENT if distance > DIFFERENT_ABOVE else PortraitResult.UNCERTAIN

    def _embed(self, picture: bytes) -> Embedding:
        image = decode_frame(picture, _LIMITS)
        faces = self._reader.detect(image)
        if not faces:
            raise FrameRefused("no face")
        mesh = self._reader.mesh(image, faces[0])
        if mesh.width < MIN_FACE_PX or mesh.score < MIN_MESH_SCORE:
            raise FrameRefused("the face is too small, or none")
        return self._engine.embed([self._reader.chip(image, mesh)])[0]


def _find(query: HolderQuery) -> Persona | None:
    try:
        number = parse_number(query.number, (query.document_type,)).number
    except DocumentRefused:
        return None
    return next((persona for persona in PERSONAS.values() if persona.permit_number == number), None)


class PermitAuthoritySimulator:
    """The authority as a server."""

    def __init__(self, folder: Path, models: Path, clock: Clock) -> None:
        """Load the keys.

        Args:
            folder: of `provision_authority`.
            models: the face models; read when the first question comes.
            clock: time.
        """
        files = provision_authority(folder)
        self._key = SM2PrivateKey.from_der(files.authority_key.read_bytes())
        self._clients = {files.client_id: SM2PublicKey.from_spki(files.client_public.read_bytes())}
        self._models, self._clock = models, clock
        self._register: Register | None = None
        self._nonces: OrderedDict[str, None] = OrderedDict()
        # One comparison at a time: a net holds its last input.
        self._turn = asyncio.Lock()

    async def answer(self, request: Request) -> Response:
        """Judge one holder query."""
        nonce = request.headers.get(wire.NONCE_HEADER, "")
        body = await _read_body(request)
        if body is None or not self._is_genuine(request, nonce, body):
            return self._signed(401, nonce, b'{"error":"request_not_genuine"}')
        try:
            query = wire.parse_query(body)
        except RequestMalformed:
            return self._signed(400, nonce, b'{"error":"request_malformed"}')
        async with self._turn:
            identity, face = await asyncio.to_thread(self._judge, query)
        result = HolderResult(query.reference, identity, face, ORGANISATION, secrets.token_hex(8), self._clock())
        return self._signed(200, nonce, wire.write_result(result))

    def warm(self) -> None:
        """Load the models and the register now."""
        if self._register is None:
            self._register = Register(ModelSet.load(self._models))

    def _judge(self, query: HolderQuery) -> tuple[IdentityResult, PortraitResult]:
        self.warm()
        if self._register is None:
            raise AssertionError
        return self._register.judge(query)

    def _is_genuine(self, request: Request, nonce: str, body: bytes) -> bool:
        client, time = request.headers.get(wire.CLIENT_HEADER, ""), request.headers.get(wire.TIME_HEADER, "")
        key = self._clients.get(client)
        if (
            key is None
            or not wire.is_timely(time, self._clock())
            or nonce in self._nonces
            or not 16 <= len(nonce) <= 64
        ):
            return False
        try:
            signature = base64.b64decode(request.headers.get(wire.SIGNATURE_HEADER, ""), validate=True)
            key.verify(signature, wire.request_to_sign(request.method, request.url.path, client, time, nonce, body))
        except (TrustListError, binascii.Error, ValueError):
            return False
        self._nonces[nonce] = None
        while len(self._nonces) > REMEMBERED_NONCES:
            self._nonces.popitem(last=False)
        return True

    def _signed(self, status: int, nonce: str, body: bytes) -> Response:
        time = wire.write_time(self._clock())
        signature = self._key.sign(wire.response_to_sign(status, nonce, time, body))
        headers = {wire.TIME_HEADER: time, wire.SIGNATURE_HEADER: base64.b64encode(signature).decode()}
        return Response(body, status, headers, "application/json")


async def _read_body(request: Request) -> bytes | None:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > wire.MAX_REQUEST_BYTES:
            return None
    return bytes(body)


async def front_page(_: Request) -> Response:
    """Say what this is."""
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Permit authority (simulated)</title></head>'
        "<body><main><h1>Permit authority (simulated)</h1><p>Answers over an SM2-signed wire whether a permit and a face belong"
        " together. It gives results only: no portrait and no score leave it.</p></main></body></html>"
    )


def build_permit_authority_routes(
    authority: PermitAuthoritySimulator, prefix: str = "/permit-authority"
) -> list[BaseRoute]:
    """Return the simulator's routes under `prefix`."""
    return [
        Route(prefix, front_page),
        Route(prefix + wire.PATH, authority.answer, methods=["POST"]),
    ]

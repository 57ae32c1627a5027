"""The door for what iAM Smart pushes: `POST /callback/iam_smart/{profile,signing}`.

Owns:    bounds, caller check, opening, correlation, duplicates, the answer. Leaves the meaning of a result to the handlers.
Rules:   1 that a callback is encrypted to our key proves nothing: anybody can do that. It counts only when its businessID and
           state are those of a request that we made, that waits, and that is not past its deadline
         2 the content key is the one in the callback's own `secretKey`, never the one of our calls
         3 a request is settled once: the same result again is answered the same, another one is refused
         4 a sender learns one thing from every message that does not open or belong: refused
         5 mutual TLS, where configured, is checked before a byte of the body is read
Spec:    fact sheet upstreams.md §1.1 (callback envelope), §6.5. The answer's shape and the service trying again are *assumed*.
"""

import hashlib
import hmac
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from idp.connectors.iam_smart import wire
from idp.connectors.iam_smart.codes import is_success
from idp.connectors.iam_smart.config import IamSmartConfig
from idp.connectors.iam_smart.errors import CallbackConflict, CallbackUnknown, CallerRefused, EnvelopeMalformed
from idp.connectors.iam_smart.records import Vault
from idp.connectors.iam_smart.store import IamSmartStore, PendingKind, PendingRequest, PendingStatus
from idp.errors import IdpUnavailable, UpstreamRefused
from trust_lists.audit_trail import AuditTrail
from trust_lists.clock import Clock

CALLBACK_PATH = "/callback/iam_smart"
MAX_ID_CHARS = 36
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """A callback that belongs to a request of ours."""

    code: str
    content: Mapping[str, object] = field(repr=False)
    digest: str

    @property
    def success(self) -> bool:
        """Whether the upstream reports success."""
        return is_success(self.code)


class ResultHandler(Protocol):
    """What one kind of result does."""

    async def settle(self, pending: PendingRequest, answer: Answer) -> PendingRequest | None:
        """Settle the request with its first answer; return the row as it stands then."""
        ...

    async def deliver(self, pending: PendingRequest) -> BackgroundTask | None:
        """Hand a settled result on, again where a duplicate finds it undelivered; return what is done after the answer."""
        ...


class CallbackDoor:
    """Takes the upstream's callbacks."""

    def __init__(
        self,
        *,
        config: IamSmartConfig,
        keks: tuple[RSAPrivateKey, ...],
        store: IamSmartStore,
        vault: Vault,
        clock: Clock,
        audit: AuditTrail,
        handlers: Mapping[PendingKind, ResultHandler],
    ) -> None:
        self._config = config
        self._keks = keks
        self._store = store
        self._vault = vault
        self._clock = clock
        self._audit = audit
        self._handlers = handlers

    def routes(self) -> Sequence[BaseRoute]:
        """Return one route per kind of result."""

        async def profile(request: Request) -> Response:
            """Take a core profile."""
            return await self._answer(PendingKind.PROFILE, request)

        async def signing(request: Request) -> Response:
            """Take a signature."""
            return await self._answer(PendingKind.SIGNING, request)

        return [
            Route(f"{CALLBACK_PATH}/profile", profile, methods=["POST"], name="iam_smart_profile"),
            Route(f"{CALLBACK_PATH}/signing", signing, methods=["POST"], name="iam_smart_signing"),
        ]

    async def _answer(self, kind: PendingKind, request: Request) -> Response:
        try:
            _check_caller(self._config, request)
            body = await _read_body(request, self._config.max_callback_bytes)
            if body is None:
                return _refusal("request_too_large", 413)
            return await self._receive(kind, body)
        except CallerRefused as refusal:
            return _refusal(refusal.code, 403)
        except UpstreamRefused as refusal:
            _LOG.warning("iAM Smart %s callback refused: %s", kind.value, refusal.code)
            # Rule 4: which of the checks refused is in our log, not in the answer.
            return _refusal(UpstreamRefused.code, 400)
        except IdpUnavailable as failure:
            return _refusal(failure.code, 503)

    async def _receive(self, kind: PendingKind, body: bytes) -> Response:
        # 1 read and open; 2 find the request that it belongs to; 3 settle it once; 4 hand the result on
        envelope = wire.parse_envelope(body)
        content = self._open(envelope)
        pending = await self._correlate(kind, content)
        answer = Answer(envelope.code, content, self._vault.digest_answer(envelope.code, content))
        handler = self._handlers[kind]
        settled: PendingRequest | None = pending
        if pending.status is PendingStatus.WAITING:
            settled = await handler.settle(pending, answer)
        if settled is None:
            raise CallbackUnknown
        if not hmac.compare_digest(settled.answer_digest, answer.digest):
            await self._record(pending, CallbackConflict.code)
            raise CallbackConflict
        await self._record(pending, settled.outcome or "ok")
        after = None if settled.delivered else await handler.deliver(settled)
        return JSONResponse({"txID": envelope.tx_id, "code": "D00000", "message": "SUCCESS"}, background=after)

    def _open(self, envelope: wire.Envelope) -> Mapping[str, object]:
        if envelope.secret_key is None:
            raise EnvelopeMalformed
        how = self._config.credentials.kek_padding
        for kek in self._keks:
            try:
                decoy = secrets.token_bytes(wire.CEK_BYTES)
                return wire.open_content(wire.unwrap_key(kek, envelope.secret_key, how, decoy=decoy), envelope.content)
            except EnvelopeMalformed:
                continue
        raise EnvelopeMalformed

    async def _correlate(self, kind: PendingKind, content: Mapping[str, object]) -> PendingRequest:
        """Return the request that this content answers (rule 1)."""
        business_id, state = _identifier(content, "businessID"), _identifier(content, "state")
        pending = await self._store.find_pending(business_id)
        if pending is None or pending.kind is not kind:
            raise CallbackUnknown
        if not hmac.compare_digest(pending.state.encode(), state.encode()):
            await self._record(pending, CallbackUnknown.code)
            raise CallbackUnknown
        if pending.status is PendingStatus.WAITING and self._clock() >= pending.deadline:
            raise CallbackUnknown
        return pending

    async def _record(self, pending: PendingRequest, outcome: str) -> None:
        await self._audit.record(
            f"iam_smart.{pending.kind.value}_callback", correlation=pending.transaction, outcome=outcome
        )


def _identifier(content: Mapping[str, object], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_CHARS:
        raise EnvelopeMalformed
    return value


def _check_caller(config: IamSmartConfig, request: Request) -> None:
    """Hold the client certificate that the TLS proxy passed on against the agreed ones.

    Raises:
        CallerRefused: none, unreadable, or another one.

    Spec: RFC 9440 cl. 2.2 (`Client-Cert: :base64:`).
    """
    if not config.callback_certificates:
        return
    values = request.headers.getlist(config.callback_certificate_header)
    # Twice means that somebody else than our proxy wrote it too.
    if len(values) != 1 or not (values[0].startswith(":") and values[0].endswith(":") and len(values[0]) > 2):
        raise CallerRefused
    try:
        fingerprint = hashlib.sha256(wire.decode_binary(values[0][1:-1])).hexdigest()
    except EnvelopeMalformed as error:
        raise CallerRefused from error
    if not any(hmac.compare_digest(fingerprint, agreed) for agreed in config.callback_certificates):
        raise CallerRefused


async def _read_body(request: Request, max_bytes: int) -> bytes | None:
    """Return the body, or None when it is larger than we read."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_bytes:
                return None
    except ClientDisconnect as error:
        raise EnvelopeMalformed from error
    return bytes(body)


def _refusal(code: str, status: int) -> Response:
    return JSONResponse({"code": code}, status_code=status)

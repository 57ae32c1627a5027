"""The calls to iAM Smart: getKey, getToken, the account requests, the acknowledgement.

Owns:    one call from content to content: key, envelope, headers, sending, bounds, retries. Leaves bytes to `wire`, keys to `cek`.
Rules:   1 the bytes that are signed are the bytes that are sent
         2 a timestamp comes from the store, so that it never goes back whichever worker sends; where two workers' calls overtake
           each other on the way, the refused one is sent again with a new timestamp, at most twice
         3 a content key that is refused (x30001 to x30004) is fetched again and the call repeated once; nothing else is repeated:
           a code and a business id are worth one use
         4 replies are bounded in size and time; redirects are not followed; nothing of a call is logged
Spec:    fact sheet upstreams.md §1.1 to §1.4.
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from idp.connectors.iam_smart import wire
from idp.connectors.iam_smart.cek import ContentKey, ContentKeys, from_ms, read_lifetime, read_time_ms
from idp.connectors.iam_smart.codes import error_for, is_success
from idp.connectors.iam_smart.config import IamSmartConfig
from idp.connectors.iam_smart.errors import (
    ClockSkewed,
    ContentKeyRefused,
    ContentMalformed,
    EnvelopeMalformed,
    RequestNotTaken,
    UpstreamTooSlow,
)
from idp.connectors.iam_smart.records import Grant
from idp.connectors.iam_smart.store import IamSmartStore
from idp.errors import UpstreamError, UpstreamUnavailable
from trust_lists.clock import Clock

GET_KEY = "/api/v1/security/getKey"
GET_TOKEN = "/api/v1/auth/getToken"  # noqa: S105 - a path
PROFILE = "/api/v1/account/auth/profile/initiateRequest"
SIGNING = "/api/v1/account/signing/initiateRequest"
ACKNOWLEDGE = "/api/v1/account/signing/ackResult"

NONCE_BYTES = 24
TIMESTAMP_ATTEMPTS = 3
MAX_TEXT_CHARS = 4_096
MAX_OPEN_ID_CHARS = 256
MAX_USER_TYPE_CHARS = 32


@dataclass(frozen=True, slots=True)
class Initiated:
    """The upstream took an account request."""

    ticket: str | None
    """Opens the app on the same device; None when the upstream pushes to the phone (`authByQR`)."""


class IamSmartClient:
    """Our side of the calls."""

    def __init__(
        self,
        config: IamSmartConfig,
        store: IamSmartStore,
        http: httpx.AsyncClient,
        clock: Clock,
        keks: tuple[RSAPrivateKey, ...],
    ) -> None:
        self._config = config
        self._store = store
        self._http = http
        self._clock = clock
        self._keks = keks
        self._keys = ContentKeys(clock)

    async def get_token(self, code: str) -> Grant:
        """Exchange an authorization code; it is sent as it was received.

        Raises:
            UpstreamError: refused, not genuine, or unavailable.
        """
        content = await self._call(GET_TOKEN, {"code": code, "grantType": "authorization_code"})
        return self._read_grant(content)

    async def initiate(self, path: str, content: Mapping[str, object]) -> Initiated:
        """Send an account request; its result comes by callback.

        Raises:
            UpstreamError: refused, not genuine, or unavailable.
        """
        reply = await self._call(path, content)
        by_qr, ticket = reply.get("authByQR"), reply.get("ticketID")
        if not isinstance(by_qr, bool):
            raise ContentMalformed
        if by_qr:
            return Initiated(ticket=None)
        if not isinstance(ticket, str) or not 0 < len(ticket) <= MAX_TEXT_CHARS:
            raise ContentMalformed
        return Initiated(ticket=ticket)

    async def acknowledge(self, business_id: str, result: str) -> None:
        """Tell what became of a signature: SR001, SR002 or SR003.

        Raises:
            UpstreamError: refused, not genuine, or unavailable.
        """
        await self._call(ACKNOWLEDGE, {"businessID": business_id, "signingResult": result})

    async def _call(self, path: str, content: Mapping[str, object]) -> Mapping[str, object]:
        client_id = self._config.credentials.client_id
        key = await self._keys.current(client_id, self._fetch_key)
        try:
            return await self._call_with(key, path, content)
        except ContentKeyRefused:
            key = await self._keys.renew(client_id, self._fetch_key, refused=key)
            return await self._call_with(key, path, content)

    async def _call_with(self, key: ContentKey, path: str, content: Mapping[str, object]) -> Mapping[str, object]:
        body = wire.seal_body(key.key, content, iv=secrets.token_bytes(wire.IV_BYTES))
        envelope = await self._send(path, body)
        try:
            return wire.open_content(key.key, envelope.content)
        except EnvelopeMalformed:
            # Our next call starts with a new key; this one is not repeated, it may have had its effect.
            self._keys.forget(self._config.credentials.client_id, key)
            raise

    async def _fetch_key(self) -> ContentKey:
        content = (await self._send(GET_KEY, b"")).content
        if not isinstance(content, dict) or not isinstance(content.get("secretKey"), str):
            raise ContentMalformed
        ends_at = read_lifetime(content, at=self._clock(), max_skew=self._config.max_clock_skew)
        kek = next((kek for kek in self._keks if wire.public_key_text(kek) == content.get("pubKey")), self._keks[0])
        decoy = secrets.token_bytes(wire.CEK_BYTES)
        key = wire.unwrap_key(kek, content["secretKey"], self._config.credentials.kek_padding, decoy=decoy)
        return ContentKey(key, ends_at)

    async def _send(self, path: str, body: bytes) -> wire.Envelope:
        """Send until the timestamp is taken; return the envelope of success."""
        for attempt in range(1, TIMESTAMP_ATTEMPTS + 1):
            status, data = await self._post(path, body)
            envelope = _read_reply(status, data)
            if is_success(envelope.code):
                return envelope
            if envelope.code[1:] not in self._config.timestamp_refusals or attempt == TIMESTAMP_ATTEMPTS:
                raise error_for(envelope.code)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _post(self, path: str, body: bytes) -> tuple[int, bytes]:
        credentials = self._config.credentials
        timestamp_ms = await self._store.next_timestamp(credentials.client_id, int(self._clock().timestamp() * 1000))
        headers = wire.sign_headers(
            credentials.client_id,
            credentials.client_secret,
            timestamp_ms=timestamp_ms,
            nonce=secrets.token_urlsafe(NONCE_BYTES),
            body=body,
        )
        try:
            async with asyncio.timeout(self._config.call_timeout.total_seconds()):
                return await self._exchange(path, body, headers)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise UpstreamTooSlow from error
        except httpx.HTTPError as error:
            raise UpstreamUnavailable from error

    async def _exchange(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        seconds = self._config.call_timeout.total_seconds()
        request = self._http.stream(
            "POST",
            f"{self._config.base_url}{path}",
            content=body,
            headers={
                **headers,
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
            },
            timeout=httpx.Timeout(seconds, connect=self._config.connect_timeout.total_seconds()),
            follow_redirects=False,
        )
        data = bytearray()
        async with request as response:
            async for chunk in response.aiter_raw():  # never unpacked: a packed reply is no reply
                data += chunk
                if len(data) > self._config.max_reply_bytes:
                    raise EnvelopeMalformed
            return response.status_code, bytes(data)

    def _read_grant(self, content: Mapping[str, object]) -> Grant:
        now, skew = self._clock(), self._config.max_clock_skew
        ends_at = read_lifetime(content, at=now, max_skew=skew)
        issued_ms = read_time_ms(content, "issueAt")
        if abs(from_ms(issued_ms) - now) > skew:
            raise ClockSkewed
        if content.get("tokenType") != "Bearer":
            raise ContentMalformed
        return Grant(
            access_token=_text(content, "accessToken"),
            open_id=_text(content, "openID", MAX_OPEN_ID_CHARS),
            user_type=_text(content, "userType", MAX_USER_TYPE_CHARS),
            scopes=tuple(_text(content, "scope").split()),
            issued_ms=issued_ms,
            ends_ms=int(ends_at.timestamp() * 1000),
        )


def _read_reply(status: int, data: bytes) -> wire.Envelope:
    """Return the envelope of a reply; whatever the status, an envelope's own code comes first.

    Raises:
        UpstreamError: no envelope.
    """
    try:
        envelope = wire.parse_envelope(data)
    except EnvelopeMalformed:
        if status == 200:
            raise
        raise _error_for_status(status) from None
    if status != 200 and is_success(envelope.code):
        raise _error_for_status(status)
    return envelope


def _error_for_status(status: int) -> UpstreamError:
    """Return the error for an HTTP status without an envelope (§1.5 lists them)."""
    return UpstreamUnavailable() if status == 429 or status >= 500 else RequestNotTaken()


def _text(content: Mapping[str, object], name: str, max_chars: int = MAX_TEXT_CHARS) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= max_chars or not value.isascii() or not value.isprintable():
        raise ContentMalformed
    return value

"""`PermitAuthority` over HTTP: SM2-signed questions, SM2-verified answers.

Owns:    the call, its time limit, the checks of the answer. Leaves the form to `authority_wire`.
Rules:   1 nothing of an answer is read before its signature holds
         2 no redirect is followed, no retry is made: the caller's session is used up either way
"""

import base64
import binascii
import secrets

import httpx

from liveness import authority_wire as wire
from liveness.authority import HolderQuery, HolderResult
from liveness.errors import AuthorityUnavailable, AuthorityUntrusted
from trust_lists.clock import Clock
from trust_lists.errors import TrustListError
from trust_lists.sm2 import SM2PrivateKey, SM2PublicKey


class HttpPermitAuthority:
    """The permit authority behind a URL."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        url: str,
        client_id: str,
        key: SM2PrivateKey,
        authority_key: SM2PublicKey,
        clock: Clock,
        timeout_s: float = 10.0,
    ) -> None:
        """Join the parts.

        Args:
            http: the process's client.
            url: without a trailing slash; the wire's path is appended.
            client_id: by which the authority knows our key.
            key: ours.
            authority_key: the authority's, pinned.
            clock: for the time in requests and the age of answers.
            timeout_s: for the whole call.
        """
        self._http, self._url = http, httpx.URL(url.rstrip("/") + wire.PATH)
        self._client_id, self._key, self._authority_key = client_id, key, authority_key
        self._clock, self._timeout_s = clock, timeout_s

    async def verify_holder(self, query: HolderQuery) -> HolderResult:
        """Ask, and return the answer once its signature holds.

        Raises:
            AuthorityUnavailable: no answer.
            AuthorityUntrusted: an answer that is not the authority's, or not to this query.
        """
        body, nonce = wire.write_query(query), secrets.token_urlsafe(24)
        response, content = await self._send(body, nonce)
        self._verify(response, nonce, content)
        if response.status_code != 200:
            raise AuthorityUnavailable(f"the permit authority answered {response.status_code}")
        result = wire.parse_result(content)
        if result.reference != query.reference:
            raise AuthorityUntrusted("the permit authority answered another question")
        return result

    async def _send(self, body: bytes, nonce: str) -> tuple[httpx.Response, bytes]:
        time = wire.write_time(self._clock())
        signature = self._key.sign(wire.request_to_sign("POST", self._url.path, self._client_id, time, nonce, body))
        headers = {
            "Content-Type": "application/json", wire.CLIENT_HEADER: self._client_id, wire.TIME_HEADER: time,
            wire.NONCE_HEADER: nonce, wire.SIGNATURE_HEADER: base64.b64encode(signature).decode(),
        }  # fmt: skip
        content = bytearray()
        try:
            async with self._http.stream(
                "POST", self._url, content=body, headers=headers, timeout=self._timeout_s, follow_redirects=False
            ) as response:
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > wire.MAX_RESPONSE_BYTES:
                        raise AuthorityUntrusted("the permit authority's answer is too long")
        except httpx.HTTPError as error:
            raise AuthorityUnavailable("the permit authority cannot be reached") from error
        return response, bytes(content)

    def _verify(self, response: httpx.Response, nonce: str, body: bytes) -> None:
        time = response.headers.get(wire.TIME_HEADER, "")
        try:
            signature = base64.b64decode(response.headers.get(wire.SIGNATURE_HEADER, ""), validate=True)
            self._authority_key.verify(signature, wire.response_to_sign(response.status_code, nonce, time, body))
        except (TrustListError, binascii.Error, ValueError) as error:
            raise AuthorityUntrusted("the permit authority's answer is not signed by it") from error
        if not wire.is_timely(time, self._clock()):
            raise AuthorityUntrusted("the permit authority's answer is of another time")

"""Delivery of server callbacks to a relying party, as the real service pushes results.

Owns:    `Courier`: encrypt, wrap the content key, POST, try again a few times, keep a record for people and tests.
Rules:   1 a callback carries its own content key under the relying party's certificate
         2 anything but HTTP 200 is tried again, at most `ATTEMPTS` times; redirects are not followed
Spec:    fact sheet upstreams.md §1.1 (callback envelope). That the service tries again, and what answer it wants, is *assumed*.
"""

import asyncio
import base64
import json
import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from sandbox.iam_smart import faults, wire
from sandbox.iam_smart.codes import MESSAGES
from sandbox.iam_smart.ledger import Ledger
from sandbox.iam_smart.registry import RelyingParty
from sandbox.state import SandboxState
from trust_lists.clock import Clock

ATTEMPTS = 4
FIRST_PAUSE_S = 0.25
TIMEOUT_S = 10.0
KEPT_RECORDS = 200


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery as it ended."""

    kind: str
    business_id: str
    attempts: int
    status: int | None
    """Last HTTP status, None when nothing answered."""
    body: bytes
    """The bytes that were sent, so that a test can send them again."""


class Courier:
    """Delivers callbacks; `deliveries` holds the latest ones."""

    def __init__(self, http: httpx.AsyncClient, ledger: Ledger, state: SandboxState, clock: Clock) -> None:
        self._http = http
        self._ledger = ledger
        self._state = state
        self._clock = clock
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT_RECORDS)

    async def deliver(self, party: RelyingParty, kind: str, code: str, content: Mapping[str, object]) -> None:
        """Send one result to the relying party's registered address; with the fault, send the same bytes twice."""
        body = self.envelope(party, code, content)
        times = 2 if self._state.take(faults.CONNECTOR, faults.DUPLICATED_CALLBACK) else 1
        for _ in range(times):
            self.deliveries.append(await self._send(party.callback_urls[kind], kind, str(content["businessID"]), body))

    def envelope(self, party: RelyingParty, code: str, content: Mapping[str, object]) -> bytes:
        """Build the callback's bytes under the client's content key, or under a new one."""
        at = self._clock()
        if self._state.take(faults.CONNECTOR, faults.CALLBACK_NEW_CEK):
            key = self._ledger.renew_key(party.client_id, at).key
        else:
            key = self._ledger.issue_key(party.client_id, at).key
        plain_key = base64.b64encode(key) if party.callback_key_as_base64 else key
        return json.dumps(
            {
                "txID": f"T={secrets.token_hex(12)}",
                "code": code,
                "message": MESSAGES[code],
                "secretKey": wire.wrap_key(party.kek(), plain_key, party.padding),
                "content": wire.seal_content(key, encode_content(self._state, content)),
            }
        ).encode()

    async def _send(self, url: str, kind: str, business_id: str, body: bytes) -> Delivery:
        status: int | None = None
        for attempt in range(1, ATTEMPTS + 1):
            try:
                reply = await self._http.post(
                    url,
                    content=body,
                    headers={"Content-Type": "application/json"},
                    timeout=TIMEOUT_S,
                    follow_redirects=False,
                )
                status = reply.status_code
            except httpx.HTTPError:
                status = None
            if status == 200:
                break
            if attempt < ATTEMPTS:
                await asyncio.sleep(FIRST_PAUSE_S * 2 ** (attempt - 1))
        return Delivery(kind, business_id, attempt, status, body)


def encode_content(state: SandboxState, content: Mapping[str, object]) -> bytes:
    """Write a content as JSON in UTF-8, or with the fault in UTF-16."""
    text = json.dumps(content, ensure_ascii=False)
    return text.encode("utf-16" if state.take(faults.CONNECTOR, faults.WRONG_ENCODING) else "utf-8")

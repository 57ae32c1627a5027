"""What the simulated service remembers between calls: replay defence, content keys, codes, tokens, business ids.

Owns:    `Ledger`. Leaves the wire's bytes to `wire` and the flow to `api`.
Rules:   1 a timestamp may not be smaller than the client's last one; a nonce comes once
         2 a content key lives a day; getKey gives the same one until it ends or is revoked
         3 a code is worth 30 seconds and one use, also for a wrong client
         4 everything is in memory and bounded; a restart forgets it
Spec:    fact sheet upstreams.md §1.1, §1.2.
"""

import base64
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from sandbox.iam_smart.codes import CallRefused
from sandbox.personas import Persona

K = TypeVar("K")
V = TypeVar("V")

CODE_LIFE = timedelta(seconds=30)
TOKEN_LIFE = timedelta(hours=4)
KEY_LIFE = timedelta(days=1)
MAX_REMEMBERED = 20_000
MAX_BUSINESS_ID_CHARS = 36


@dataclass(frozen=True, slots=True)
class ContentKey:
    """A content key (CEK) of one client."""

    key: bytes = field(repr=False)
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """An authorization code that has gone out."""

    client_id: str
    persona: Persona
    scopes: frozenset[str]
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """An access token that has gone out."""

    client_id: str
    persona: Persona
    open_id: str
    scopes: frozenset[str]
    expires_at: datetime


@dataclass(slots=True)
class _Replay:
    last_timestamp_ms: int = 0
    nonces: OrderedDict[str, None] = field(default_factory=OrderedDict)


class Ledger:
    """The service's memory."""

    def __init__(self) -> None:
        self._replay: dict[str, _Replay] = {}
        self._keys: dict[str, ContentKey] = {}
        self._codes: OrderedDict[str, IssuedCode] = OrderedDict()
        self._tokens: OrderedDict[str, IssuedToken] = OrderedDict()
        self._business_ids: OrderedDict[tuple[str, str], None] = OrderedDict()

    def note_call(self, client_id: str, timestamp_ms: int, nonce: str) -> None:
        """Take note of a call whose signature is good.

        Raises:
            CallRefused: D20003 timestamp smaller than an earlier one, D20004 nonce seen before.
        """
        replay = self._replay.setdefault(client_id, _Replay())
        if nonce in replay.nonces:
            raise CallRefused("D20004")
        if timestamp_ms < replay.last_timestamp_ms:
            raise CallRefused("D20003")
        _remember(replay.nonces, nonce, None)
        replay.last_timestamp_ms = timestamp_ms

    def issue_key(self, client_id: str, at: datetime) -> ContentKey:
        """Return the client's content key, a new one when there is none or it has ended."""
        held = self._keys.get(client_id)
        if held is None or at >= held.issued_at + KEY_LIFE:
            held = self.renew_key(client_id, at)
        return held

    def renew_key(self, client_id: str, at: datetime) -> ContentKey:
        """Give the client a new content key; the old one is worth nothing from now on."""
        self._keys[client_id] = ContentKey(secrets.token_bytes(32), at)
        return self._keys[client_id]

    def revoke_key(self, client_id: str) -> None:
        """End the client's content key."""
        self._keys.pop(client_id, None)

    def held_key(self, client_id: str, at: datetime) -> bytes:
        """Return the content key in force.

        Raises:
            CallRefused: D30002, missing or expired.
        """
        held = self._keys.get(client_id)
        if held is None or at >= held.issued_at + KEY_LIFE:
            raise CallRefused("D30002")
        return held.key

    def issue_code(self, code: IssuedCode) -> str:
        """Keep a login's result and return its code: Base64 that always holds a `+`, which a careless reader mangles."""
        text = ""
        while "+" not in text:
            text = base64.b64encode(secrets.token_bytes(36)).decode()
        _remember(self._codes, text, code)
        return text

    def redeem_code(self, text: str, client_id: str, at: datetime) -> IssuedCode:
        """Use up a code.

        Raises:
            CallRefused: D40004, unknown, used, expired or another client's.
        """
        code = self._codes.pop(text, None)
        if code is None or code.client_id != client_id or at > code.issued_at + CODE_LIFE:
            raise CallRefused("D40004")
        return code

    def issue_token(self, token: IssuedToken) -> str:
        """Keep a token and return its text."""
        text = secrets.token_urlsafe(32)
        _remember(self._tokens, text, token)
        return text

    def check_token(self, text: str, open_id: str, client_id: str, at: datetime) -> IssuedToken:
        """Return what the token stands for.

        Raises:
            CallRefused: D20009 unknown, expired or another client's; D20010 not this openID's.
        """
        token = self._tokens.get(text)
        if token is None or token.client_id != client_id or at >= token.expires_at:
            raise CallRefused("D20009")
        if token.open_id != open_id:
            raise CallRefused("D20010")
        return token

    def note_business_id(self, client_id: str, business_id: str) -> None:
        """Take note of a business id.

        Raises:
            CallRefused: D20003 too long, D20011 used before.
        """
        if len(business_id) > MAX_BUSINESS_ID_CHARS:
            raise CallRefused("D20003")
        if (client_id, business_id) in self._business_ids:
            raise CallRefused("D20011")
        _remember(self._business_ids, (client_id, business_id), None)


def _remember(memory: OrderedDict[K, V], key: K, value: V) -> None:
    memory[key] = value
    while len(memory) > MAX_REMEMBERED:
        memory.popitem(last=False)

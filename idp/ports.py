"""What the provider needs from outside, as Protocols that it owns.

Owns:    the shapes of keys, cipher, database, page renderer and permit checks as this package consumes them.
Leaves:  their implementations to `service` (keys, cipher, database, pages) and `liveness` (permit checks).
"""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from joserfc.jwk import ECKey, KeySet
from starlette.requests import Request
from starlette.responses import Response

from liveness.model import OpenedCheck, PermitCheckRequest
from trust_lists.audit_trail import AuditTrail, AuditValue
from trust_lists.clock import Clock

T = TypeVar("T")


class PersonalDataCipher(Protocol):
    """Seals personal data per column, and makes keyed look-up values of it."""

    def seal(self, plaintext: bytes, *, purpose: str) -> bytes:
        """Encrypt; `purpose` is bound to the result and must be given again to open it."""
        ...

    def open(self, sealed: bytes, *, purpose: str) -> bytes:
        """Decrypt.

        Raises:
            ValueError: altered, sealed for another purpose, or under an unknown key.
        """
        ...

    def lookup(self, value: str, *, purpose: str) -> str:
        """Return the deterministic keyed hash of a value, base64url."""
        ...


class JwtKeys(Protocol):
    """A ring of ES256 signing keys."""

    def current(self) -> ECKey:
        """Return the private key in use; it carries its `kid`."""
        ...

    def published(self) -> KeySet:
        """Return the public keys: current, next, and retired ones whose tokens have not all expired."""
        ...


class SqlTransactions(Protocol):
    """A SQLite database with one writer; `write` runs `work` between BEGIN IMMEDIATE and COMMIT."""

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a write transaction; an exception rolls it back."""
        ...

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on a consistent snapshot."""
        ...


class PageRenderer(Protocol):
    """Renders a page for people, in the language of the request, with the security headers."""

    def __call__(
        self, request: Request, template: str, context: Mapping[str, object], *, status: int = 200
    ) -> Response:
        """Render `template` with `context`."""
        ...


class PermitChecks(Protocol):
    """The permit step: opens a check for a person, and gives the signed attestation for its one-time code."""

    async def open_check(self, request: PermitCheckRequest) -> OpenedCheck:
        """Open a check and return where the browser goes."""
        ...

    async def redeem(self, code: str) -> str:
        """Return the permit attestation (compact JWT) for a code, once."""
        ...


__all__ = [
    "AuditTrail",
    "AuditValue",
    "Clock",
    "JwtKeys",
    "PageRenderer",
    "PermitChecks",
    "PersonalDataCipher",
    "SqlTransactions",
]

"""What the provider needs from outside, as Protocols that it owns.

Owns:    the shapes of keys, cipher, database, page renderer and permit checks as this package consumes them.
Leaves:  their implementations to `service` (keys, cipher, database, pages) and `liveness` (permit checks).
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Protocol, TypeVar

from joserfc.jwk import Key, KeySet
from starlette.requests import Request
from starlette.responses import Response

from liveness.model import OpenedCheck, PermitCheckRequest
from trust_lists.audit_trail import AuditTrail, AuditValue
from trust_lists.clock import Clock

T = TypeVar("T")
SqlValue = str | int | bytes | None
"""What goes into a statement; timestamps are integers, records are bytes or text."""
SqlRow = Sequence[Any]
"""Columns by position, in the order of the statement."""
SqlDialect = Literal["sqlite", "postgresql"]


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
    """A live view of signing keys: one in use for each of ES256, RS256, PS256 and EdDSA. Ask anew for every token."""

    def current(self, algorithm: str = "ES256") -> Key:
        """Return the private key in use for an algorithm; it carries `kid` (RFC 7638 thumbprint), `alg` and `use`."""
        ...

    def published(self) -> KeySet:
        """Return the public keys: current, next, and retired ones whose tokens have not all expired.

        The same object until the keys change, so that what is made of it can be kept by its identity.
        """
        ...


class SqlTransactions(Protocol):
    """A SQLite database with one writer; `write` runs `work` between BEGIN IMMEDIATE and COMMIT."""

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a write transaction; an exception rolls it back."""
        ...

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on a consistent snapshot."""
        ...


class SqlConstraintViolated(Exception):
    """A statement broke a PRIMARY KEY, UNIQUE, NOT NULL, CHECK or foreign-key rule; its transaction is lost."""


class SqlTransaction(Protocol):
    """Statements of one transaction, with $1 … $n for the values.

    A statement that fails loses the whole transaction, also when the block goes on: the end of the block then raises.
    """

    async def fetch_row(self, statement: str, *values: SqlValue) -> SqlRow | None:
        """Run a SELECT or a … RETURNING; return its first row, or None."""
        ...

    async def fetch_all(self, statement: str, *values: SqlValue) -> Sequence[SqlRow]:
        """Run a SELECT or a … RETURNING; return its rows."""
        ...

    async def execute(self, statement: str, *values: SqlValue) -> int:
        """Run an INSERT, UPDATE or DELETE; return how many rows it changed (0 for other statements)."""
        ...

    def abandon(self) -> None:
        """Let the end of the block roll back: what was found makes everything before it void."""
        ...


class SqlDatabase(Protocol):
    """The database of the hot paths: SQLite in the event loop, or PostgreSQL.

    An `async with database.writing() as transaction:` commits at its end; an exception or a cancellation rolls back.
    Isolation is READ COMMITTED or better: what must happen once is one conditional UPDATE, DELETE or INSERT … ON CONFLICT.
    Inside a block await nothing but its own statements: SQLite has one writer, and the others wait for it. Blocks do not nest.
    What fails outside (busy, full, gone, timed out) raises `service.errors.ServiceUnavailable`, which is a 503 at the door.
    """

    @property
    def dialect(self) -> SqlDialect:
        """Return which SQL this is, for the few statements that differ."""
        ...

    def writing(self) -> AbstractAsyncContextManager[SqlTransaction]:
        """Open a write transaction."""
        ...

    def reading(self) -> AbstractAsyncContextManager[SqlTransaction]:
        """Open a read transaction: every statement in it sees the same state, and none can write."""
        ...

    async def write_row(self, statement: str, *values: SqlValue) -> SqlRow | None:
        """Run one writing statement, committed by itself; return the first row of its RETURNING, or None."""
        ...

    async def read_row(self, statement: str, *values: SqlValue) -> SqlRow | None:
        """Run one SELECT outside any transaction; return its first row, or None."""
        ...


class PageRenderer(Protocol):
    """Renders a page for people, in the language of the request, with the security headers."""

    def __call__(
        self, request: Request, template: str, context: Mapping[str, object], *, status: int = 200
    ) -> Response:
        """Render `template` with `context`."""
        ...


class Notifier(Protocol):
    """Tells a person, on their own device, that a portal waits for their answer (CIBA)."""

    async def notify(self, *, person: str, portal: str, message: str, url: str) -> None:
        """Send a notice; it is best effort, for the person finds the request on their account page too.

        Args:
            person: our own identifier of the person; the operator's gateway knows where they can be reached.
            portal: who asks, by name.
            message: what the person compares with the portal's screen; may be empty.
            url: where the person answers.
        """
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
    "Notifier",
    "PageRenderer",
    "PermitChecks",
    "PersonalDataCipher",
    "SqlConstraintViolated",
    "SqlDatabase",
    "SqlDialect",
    "SqlRow",
    "SqlTransaction",
    "SqlTransactions",
    "SqlValue",
]

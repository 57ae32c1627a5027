"""What `liveness` wants from outside, as the consumer sees it.

Owns:    the Protocols below. Leaves their implementations to `service`.
"""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from joserfc.jwk import ECKey, KeySet
from starlette.requests import Request
from starlette.responses import Response

T = TypeVar("T")


class SqlTransactions(Protocol):
    """One database; `write` runs its work inside one exclusive transaction, commits on return, rolls back on a raise."""

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a write transaction and return what it returns."""
        ...

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a read transaction and return what it returns."""
        ...


class PersonalDataCipher(Protocol):
    """Encryption at rest for what identifies a person; `purpose` is bound to the ciphertext."""

    def seal(self, plaintext: bytes, *, purpose: str) -> bytes:
        """Encrypt."""
        ...

    def open(self, sealed: bytes, *, purpose: str) -> bytes:
        """Decrypt; raises ValueError when the blob, the key or the purpose is another."""
        ...

    def lookup(self, value: str, *, purpose: str) -> str:
        """Return the keyed, deterministic hash of `value`, base64url."""
        ...


class JwtKeys(Protocol):
    """The ES256 ring that signs attestations."""

    def current(self) -> ECKey:
        """Return the private key to sign with; it has a `kid`."""
        ...

    def published(self) -> KeySet:
        """Return the public keys: current, next, retired but unexpired."""
        ...


class PageRenderer(Protocol):
    """Renders one of our templates inside the service's base page."""

    def __call__(
        self, request: Request, template: str, context: Mapping[str, object], *, status: int = 200
    ) -> Response:
        """Return the page with its security headers, in the reader's language."""
        ...

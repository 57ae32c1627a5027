"""What this package needs from the process that hosts it.

Owns:    the Protocols for access, sign-in, database, pages and encryption at rest. Leaves their implementations to `service`.
"""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from trust_lists.vocabulary import Region

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PortalAccess:
    """Who calls the API.

    Attributes:
        client_id: the portal.
        client_name: shown to the citizen.
        region: the portal's region.
        citizen: opaque person id of the access token's subject, or None for the portal itself.
        documents: SHA-256 digests (base64url) of the only documents that the token may have signed; empty = any.
    """

    client_id: str
    client_name: str
    region: Region
    citizen: str | None
    documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SignedInCitizen:
    """Who sits at the browser.

    Attributes:
        citizen: opaque person id.
        connector: the upstream of the sign-in.
        signer: handle for the `RemoteSigner`.
    """

    citizen: str
    connector: str
    signer: str


class Authorisations(Protocol):
    """Access tokens and sign-in sessions."""

    async def portal_access(self, request: Request, *, scope: str) -> PortalAccess:
        """Judge the access token of a request, with the key that it is bound to.

        Raises:
            AccessRefused: no token, a bad one, one without the scope, or on too weak a sign-in.
        """
        ...

    async def citizen(self, request: Request) -> SignedInCitizen | None:
        """Return who is signed in at this browser, or None."""
        ...


class SqlTransactions(Protocol):
    """The database: `work` runs in one transaction on one connection."""

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run in BEGIN IMMEDIATE … COMMIT; an exception rolls back."""
        ...

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run on a reading connection."""
        ...


class PageRenderer(Protocol):
    """Turns a template into a response in the person's language."""

    def __call__(
        self, request: Request, template: str, context: Mapping[str, object], *, status: int = 200
    ) -> Response:
        """Render."""
        ...


class PersonalDataCipher(Protocol):
    """Encryption of personal data at rest."""

    def seal(self, plaintext: bytes, *, purpose: str) -> bytes:
        """Encrypt, bound to the purpose."""
        ...

    def open(self, sealed: bytes, *, purpose: str) -> bytes:
        """Decrypt.

        Raises:
            ValueError: another purpose, another key, or altered bytes.
        """
        ...

    def lookup(self, value: str, *, purpose: str) -> str:
        """Return a keyed hash, the same for the same value and purpose."""
        ...

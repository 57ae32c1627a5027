"""What the provider keeps, as a Protocol: implementations share one contract suite (`tests/idp/test_store.py`).

Owns:    the operations and their atomicity. Leaves SQL to `sqlite_store`.
Rules:   1 every method is one transaction
         2 what may happen once happens once also when it is asked twice at the same instant
         3 secrets arrive hashed, personal data leaves this Protocol's implementations only sealed
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from idp.model import (
    AuthorizationCode,
    ConsentRecord,
    Grant,
    Identity,
    LoginTransaction,
    SignIn,
)
from idp.proof.replay import ReplayUse
from idp.relying_parties import RegisteredClient, RelyingParty
from idp.upstream import UpstreamAssertion


@dataclass(frozen=True, slots=True)
class LoadedLogin:
    """A login in progress with what belongs to it."""

    transaction: LoginTransaction
    relying_party: RelyingParty
    sign_in: SignIn | None
    earlier_consent: ConsentRecord | None


@dataclass(frozen=True, slots=True)
class LoadedEntry:
    """What `/authorize` needs to know."""

    relying_party: RelyingParty | None
    sign_in: SignIn | None
    earlier_consent: ConsentRecord | None


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The code was good and is now spent."""

    code: AuthorizationCode
    grant: Grant


@dataclass(frozen=True, slots=True)
class AssertionReplayed:
    """The client assertion was used before; the code was not touched."""


@dataclass(frozen=True, slots=True)
class CodeUnknown:
    """No such code for this relying party, or it has expired."""


@dataclass(frozen=True, slots=True)
class CodeReused:
    """The code was spent before; its grant is now revoked."""

    grant: str
    correlation: str


Redemption = Redeemed | AssertionReplayed | CodeUnknown | CodeReused


class Store(Protocol):
    """Everything that the provider keeps."""

    # relying parties
    async def load_client(self, client_id: str) -> RelyingParty | None:
        """Return a relying party."""
        ...

    async def list_clients(self) -> Sequence[RegisteredClient]:
        """Return every relying party, by client_id."""
        ...

    async def save_client(self, party: RelyingParty, *, at: datetime) -> None:
        """Add or replace a relying party."""
        ...

    async def remove_client(self, client_id: str) -> bool:
        """Remove a relying party, and end its grants; tell whether it was there."""
        ...

    # logins
    async def load_entry(self, client_id: str, session_hash: str | None, *, at: datetime) -> LoadedEntry:
        """Return what `/authorize` needs, in one read."""
        ...

    async def load_login(self, handle_hash: str, session_hash: str | None, *, at: datetime) -> LoadedLogin | None:
        """Return the login that a browser's handle names, unless expired."""
        ...

    async def open_login(self, transaction: LoginTransaction, *, handle_hash: str, replaces: str | None) -> None:
        """Keep a new login; the browser's earlier one ends."""
        ...

    async def save_login(self, transaction: LoginTransaction, *, handle_hash: str) -> bool:
        """Replace a login that still has this version, and raise its version; False when it has changed meanwhile."""
        ...

    async def close_login(self, handle_hash: str) -> bool:
        """End a login; tell whether it was there."""
        ...

    async def commit_sign_in(
        self,
        transaction: LoginTransaction,
        assertion: UpstreamAssertion,
        sign_in: SignIn,
        *,
        handle_hash: str,
        session_hash: str,
        replaces_session: str | None,
    ) -> SignIn | None:
        """Recognise the person, start the session, end the browser's earlier one, advance the login.

        `sign_in.person` is the identifier for a new person; an account that is known keeps its own. Returns the session
        as kept, or None when the login has changed meanwhile (then nothing is kept).
        """
        ...

    async def save_permit(self, transaction: LoginTransaction, sign_in: SignIn, *, handle_hash: str) -> bool:
        """Keep permit evidence in the session, and advance the login."""
        ...

    # sessions
    async def load_sign_in(self, session_hash: str, *, at: datetime) -> SignIn | None:
        """Return a live sign-in session."""
        ...

    async def end_session(self, session_hash: str) -> bool:
        """End a sign-in session; tell whether it was there."""
        ...

    async def load_identity(self, person: str, connector: str) -> Identity | None:
        """Return what an upstream last told of a person."""
        ...

    # grants
    async def commit_code(
        self,
        code: AuthorizationCode,
        grant: Grant,
        *,
        code_hash: str,
        consent: ConsentRecord | None,
        handle_hash: str | None,
    ) -> bool:
        """Keep grant, code and consent, and end the login; False when the login was already ended (then nothing is kept)."""
        ...

    async def redeem_code(
        self, code_hash: str, *, client_id: str, assertion: ReplayUse | None, at: datetime
    ) -> Redemption:
        """Remember the assertion and spend the code, once each, whatever arrives at the same instant."""
        ...

    async def load_grant(self, grant: str, *, at: datetime) -> Grant | None:
        """Return a grant that stands: neither expired nor revoked, its relying party still registered."""
        ...

    async def revoke_grant(self, grant: str, *, at: datetime) -> None:
        """Revoke a grant, with every token that carries it."""
        ...

    async def remember_assertion(self, assertion: ReplayUse) -> bool:
        """Remember an assertion; False when it was used before."""
        ...

    async def purge(self, *, at: datetime) -> int:
        """Delete what has expired; return how many rows went."""
        ...

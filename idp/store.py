"""What the provider keeps, as Protocols by capability: implementations share one contract suite (`tests/idp/test_store.py`).

Owns:    the operations and their atomicity. Leaves SQL to `stores`.
Rules:   1 every method is one transaction
         2 what may happen once happens once also when it is asked twice at the same instant
         3 secrets arrive hashed, personal data leaves the implementations only sealed
         4 what was proved or used once (`ReplayUse`) is remembered in the transaction that relies on it
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from idp.model import (
    AuthorizationRequest,
    ConsentRecord,
    DecoupledRequest,
    Grant,
    Identity,
    InitialAccessToken,
    LoginTransaction,
    LogoutNotice,
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
class StartedSession:
    """A sign-in as it was kept, with the person's standing consent for the portal that asks."""

    sign_in: SignIn
    identity: Identity
    earlier_consent: ConsentRecord | None
    displaced: str | None = None
    """Another person's session that this browser held: it is still to be ended."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What ends together with the issue of a grant: the login, the pushed request, the decoupled request it answers."""

    handle_hash: str | None = None
    pushed: str | None = None
    decoupled: str | None = None


# --- outcomes of a redemption ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What was presented was good and is now spent."""

    grant: Grant
    generation: int = 0
    """The refresh token's generation after this redemption."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """An assertion or proof was used before; nothing else was touched."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing of this relying party is behind it, or it has expired or was revoked."""


@dataclass(frozen=True, slots=True)
class Reused:
    """It was spent before; its grant is now revoked."""

    grant: str
    correlation: str


Redemption = Redeemed | Replayed | Unknown | Reused


class PollOutcome(StrEnum):
    """What a poll of a decoupled request hears (RFC 8628 cl. 3.5; CIBA cl. 11)."""

    PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    DENIED = "access_denied"
    EXPIRED = "expired_token"
    UNKNOWN = "invalid_grant"


@dataclass(frozen=True, slots=True)
class EndedSession:
    """A session that has just ended, and who relied on it."""

    sign_in: SignIn
    participants: tuple[tuple[SignIn, RelyingParty], ...]
    """The relying parties that hold a grant, each with the sign-in under which it knows the session: this or a replaced one."""


NoticesOf = Callable[[SignIn, Sequence[RelyingParty]], Sequence[LogoutNotice]]
"""Decides, from what a transaction finds, which notices it keeps; pure."""


# --- capabilities ----------------------------------------------------------------------------------------------------


class ClientStore(Protocol):
    """Relying parties."""

    async def load_client(self, client_id: str) -> RelyingParty | None:
        """Return a relying party."""
        ...

    async def load_registration(self, client_id: str) -> tuple[RelyingParty, str | None] | None:
        """Return a relying party and the hash of its registration access token."""
        ...

    async def list_clients(self) -> Sequence[RegisteredClient]:
        """Return every relying party, by client_id."""
        ...

    async def save_client(
        self, party: RelyingParty, *, at: datetime, registration_token_hash: str | None = None
    ) -> None:
        """Add or replace a relying party; without a token's hash the kept one stays."""
        ...

    async def remove_client(self, client_id: str) -> bool:
        """Remove a relying party, and end its grants; tell whether it was there."""
        ...

    async def save_initial_token(self, token: InitialAccessToken, *, token_hash: str) -> None:
        """Keep an initial access token."""
        ...

    async def use_initial_token(self, token_hash: str, *, at: datetime) -> InitialAccessToken | None:
        """Take one use of an initial access token; None when there is none left."""
        ...

    async def list_initial_tokens(self) -> Sequence[InitialAccessToken]:
        """Return every initial access token, without its secret."""
        ...

    async def remove_initial_token(self, identifier: str) -> bool:
        """Remove an initial access token; tell whether it was there."""
        ...


class LoginStore(Protocol):
    """Logins in progress."""

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

    async def close_login(self, ending: Ending) -> bool:
        """End a login without a grant; what it would have spent is spent, a decoupled request is denied.

        Tells whether the login was there (always, when none was stored).
        """
        ...

    async def commit_sign_in(
        self,
        transaction: LoginTransaction,
        assertion: UpstreamAssertion,
        sign_in: SignIn,
        *,
        handle_hash: str,
        replaces_session: str | None,
    ) -> StartedSession | None:
        """Recognise the person, start the session, end the browser's earlier one, advance the login.

        `sign_in.person` is the identifier for a new person; an account that is known keeps its own. Returns the session
        as kept, or None when the login has changed meanwhile (then nothing is kept).
        """
        ...

    async def save_permit(self, transaction: LoginTransaction, sign_in: SignIn, *, handle_hash: str) -> bool:
        """Keep permit evidence in the session, and advance the login."""
        ...

    async def load_identity(self, person: str, connector: str) -> Identity | None:
        """Return what an upstream last told of a person."""
        ...


class SessionStore(Protocol):
    """Sign-in sessions, and what a person sees of them."""

    async def load_sign_in(self, session_hash: str, *, at: datetime) -> SignIn | None:
        """Return a live sign-in session."""
        ...

    async def list_sessions(self, person: str, *, at: datetime) -> Sequence[SignIn]:
        """Return a person's live sessions, the latest first."""
        ...

    async def end_session(
        self, session: str, *, at: datetime, notices_of: NoticesOf, notices_expire_at: datetime
    ) -> EndedSession | None:
        """End a sign-in session by its public id, with every grant that does not outlive it (`offline`).

        The notices to those who relied on it are kept in the same transaction: a session never ends unheard.
        """
        ...

    async def list_identities(self, person: str) -> Sequence[Identity]:
        """Return what the upstreams last told of a person."""
        ...

    async def list_consents(self, person: str) -> Sequence[ConsentRecord]:
        """Return a person's consents, the latest first."""
        ...

    async def remove_identity(self, person: str, connector: str, *, at: datetime) -> bool:
        """Erase what an upstream told of a person; with the last one the person's consents and grants end too."""
        ...

    async def revoke_consent(self, person: str, consent: str, *, at: datetime) -> ConsentRecord | None:
        """Revoke a person's consent, with every grant of that portal; None when there is no such standing consent."""
        ...

    async def find_person(self, client_id: str, subject: str, *, at: datetime) -> str | None:
        """Return the person whom a portal knows under a pairwise subject, if they have consented there."""
        ...


class GrantStore(Protocol):
    """Grants, and everything that spends once."""

    async def commit_grant(
        self, grant: Grant, *, code_hash: str | None, consent: ConsentRecord | None, ending: Ending
    ) -> bool:
        """Keep a grant and a consent, and end what led to it; False when that had ended before (then nothing is kept)."""
        ...

    async def redeem_code(
        self, grant: str, code_hash: str, *, client_id: str, uses: Sequence[ReplayUse], at: datetime
    ) -> Redemption:
        """Remember the uses and spend the code, once each, whatever arrives at the same instant."""
        ...

    async def redeem_refresh(
        self, grant: str, generation: int, *, client_id: str, rotate: bool, uses: Sequence[ReplayUse], at: datetime
    ) -> Redemption:
        """Remember the uses and spend a refresh token of this generation; an older one revokes the grant."""
        ...

    async def save_own_grant(self, grant: Grant, *, uses: Sequence[ReplayUse]) -> bool:
        """Remember the uses and keep a relying party's own grant; False when a use was a replay."""
        ...

    async def load_access(self, grant: str, *, at: datetime) -> tuple[Grant, RelyingParty] | None:
        """Return a grant that stands with the relying party that it was given to, in one read."""
        ...

    async def load_grant(self, grant: str, *, at: datetime, generation: int | None = None) -> Grant | None:
        """Return a grant that stands: neither expired nor revoked, its relying party still registered.

        With `generation`, only while the refresh token of that generation is the current one.
        """
        ...

    async def revoke_grant(self, grant: str, *, at: datetime) -> None:
        """Revoke a grant, with every token that carries it."""
        ...

    async def remember(self, uses: Sequence[ReplayUse]) -> bool:
        """Remember assertions and proofs; False when any was used before."""
        ...


class RequestStore(Protocol):
    """Requests that wait: pushed (RFC 9126) and decoupled (RFC 8628, CIBA)."""

    async def push_request(
        self, request: AuthorizationRequest, *, uri_hash: str, expires_at: datetime, uses: Sequence[ReplayUse]
    ) -> bool:
        """Remember the uses and keep a pushed request; False when a use was a replay."""
        ...

    async def load_pushed(self, uri_hash: str, *, client_id: str, at: datetime) -> AuthorizationRequest | None:
        """Return a pushed request of this relying party, unless spent or expired."""
        ...

    async def open_decoupled(
        self,
        request: DecoupledRequest,
        *,
        secret_hash: str,
        user_code_lookup: str | None,
        uses: Sequence[ReplayUse],
    ) -> bool:
        """Remember the uses and keep a decoupled request; False when a use was a replay or the user code is taken."""
        ...

    async def find_decoupled(self, user_code_lookup: str, *, at: datetime) -> DecoupledRequest | None:
        """Return the pending request that a user code names."""
        ...

    async def load_decoupled(self, identifier: str, *, at: datetime) -> DecoupledRequest | None:
        """Return a pending request."""
        ...

    async def list_decoupled(self, person: str, *, at: datetime) -> Sequence[DecoupledRequest]:
        """Return the pending requests that wait for a person (CIBA)."""
        ...

    async def redeem_decoupled(
        self, identifier: str, secret_hash: str, *, client_id: str, uses: Sequence[ReplayUse], at: datetime
    ) -> Redemption | PollOutcome:
        """Remember the uses, and answer a poll; an approved request is spent by it."""
        ...


class LogoutOutbox(Protocol):
    """Logout notices on their way to relying parties; they survive a restart."""

    async def take_notices(self, *, at: datetime, until: datetime, limit: int) -> Sequence[LogoutNotice]:
        """Return notices whose time has come, and hide them until then from every other process."""
        ...

    async def settle_notice(self, identifier: str, *, retry_at: datetime | None) -> None:
        """Remove a notice, or try it again later."""
        ...


class Store(ClientStore, LoginStore, SessionStore, GrantStore, RequestStore, LogoutOutbox, Protocol):
    """Everything that the provider keeps."""

    async def purge(self, *, at: datetime) -> int:
        """Delete what has expired; return how many rows went."""
        ...

"""Logins in progress and identities in SQL.

Owns:    the statements on `idp_logins` and `idp_identities`, and the start of a session. Leaves what a login means to `login`.
Rules:   a login is replaced only from the version that was read: two windows cannot both take a step
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from idp.identity import identity_of, subject_lookup
from idp.model import ConsentRecord, Identity, LoginTransaction, SignIn
from idp.ports import SqlDatabase, SqlTransaction, SqlValue
from idp.records import load_record
from idp.store import Ending, LoadedEntry, LoadedLogin, StartedSession
from idp.stores.clients import party_of
from idp.stores.endings import end_what_led_here
from idp.stores.rows import RowSealer, seconds
from idp.upstream import UpstreamAssertion

_SEALED_COLUMNS = ("name_latin", "name_chinese", "birthdate", "gender", "document_type", "document_number")
_CONSENT_OF = (
    "(SELECT record FROM idp_consents WHERE person = {person} AND client_id = {client} AND revoked_at_s IS NULL"
    " ORDER BY given_at_us DESC LIMIT 1)"
)
_LOAD_LOGIN = (
    "SELECT l.client_id, l.version, l.sealed, c.registration, c.secret_hash, s.session, s.sealed, "
    + _CONSENT_OF.format(person="s.person", client="l.client_id")
    + " FROM idp_logins l LEFT JOIN idp_clients c ON c.client_id = l.client_id"
    " LEFT JOIN idp_sessions s ON s.session = $2 AND s.expires_at_s > $3"
    " WHERE l.handle_hash = $1 AND l.expires_at_s > $3"
)
_LOAD_ENTRY = (
    "SELECT c.registration, c.secret_hash, s.session, s.sealed, "
    + _CONSENT_OF.format(person="s.person", client="$1")
    + " FROM (SELECT 1 AS one) o LEFT JOIN idp_clients c ON c.client_id = $1"
    " LEFT JOIN idp_sessions s ON s.session = $2 AND s.expires_at_s > $3"
)
_UPSERT_IDENTITY = (
    "INSERT INTO idp_identities (connector, subject_lookup, person, updated_at_s, "
    + ", ".join(f"sealed_{column}" for column in _SEALED_COLUMNS)
    + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (connector, subject_lookup) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in (*(f"sealed_{c}" for c in _SEALED_COLUMNS), "updated_at_s"))
    + " RETURNING person"
)  # fmt: skip
_IDENTITIES = "SELECT connector, subject_lookup, " + ", ".join(f"sealed_{c}" for c in _SEALED_COLUMNS)


class SqlLogins:
    """Logins in progress."""

    def __init__(self, database: SqlDatabase, sealer: RowSealer) -> None:
        self._database = database
        self._sealer = sealer

    async def load_entry(self, client_id: str, session_hash: str | None, *, at: datetime) -> LoadedEntry:
        """Return what `/authorize` needs, in one read."""
        row = await self._database.read_row(_LOAD_ENTRY, client_id, session_hash or "", seconds(at))
        if row is None:
            return LoadedEntry(None, None, None)
        return LoadedEntry(party_of(client_id, row[0], row[1]), self._sign_in(row[2], row[3]), _consent(row[4]))

    async def load_login(self, handle_hash: str, session_hash: str | None, *, at: datetime) -> LoadedLogin | None:
        """Return the login that a browser's handle names, unless expired."""
        row = await self._database.read_row(_LOAD_LOGIN, handle_hash, session_hash or "", seconds(at))
        party = None if row is None else party_of(row[0], row[3], row[4])
        if row is None or party is None:
            return None
        transaction = self._sealer.open_record(LoginTransaction, row[2], table="idp_logins", row=handle_hash)
        sign_in = self._sign_in(row[5], row[6])
        return LoadedLogin(replace(transaction, version=row[1]), party, sign_in, _consent(row[7]))

    async def open_login(self, transaction: LoginTransaction, *, handle_hash: str, replaces: str | None) -> None:
        """Keep a new login; the browser's earlier one ends."""
        sealed = self._sealer.seal_record(transaction, table="idp_logins", row=handle_hash)
        insert = (
            "INSERT INTO idp_logins (handle_hash, client_id, version, sealed, expires_at_s) VALUES ($1, $2, $3, $4, $5)"
            " RETURNING version"
        )
        values = (
            handle_hash,
            transaction.request.client_id,
            transaction.version,
            sealed,
            seconds(transaction.expires_at),
        )
        if replaces is None:
            await self._database.write_row(insert, *values)
            return
        async with self._database.writing() as work:
            await work.execute("DELETE FROM idp_logins WHERE handle_hash = $1", replaces)
            await work.fetch_row(insert, *values)

    async def save_login(self, transaction: LoginTransaction, *, handle_hash: str) -> bool:
        """Replace a login that still has this version, and raise its version."""
        statement, values = self._advance(transaction, handle_hash)
        return await self._database.write_row(statement, *values) is not None

    async def close_login(self, ending: Ending) -> bool:
        """End a login without a grant."""
        async with self._database.writing() as work:
            return await end_what_led_here(work, ending, grant=None)

    async def commit_sign_in(
        self,
        transaction: LoginTransaction,
        assertion: UpstreamAssertion,
        sign_in: SignIn,
        *,
        handle_hash: str,
        replaces_session: str | None,
    ) -> StartedSession | None:
        """Recognise the person, start the session, end the browser's earlier one, advance the login."""
        statement, values = self._advance(transaction, handle_hash)
        async with self._database.writing() as work:
            if await work.fetch_row(statement, *values) is None:
                return None
            kept = replace(sign_in, person=await self._upsert_identity(work, assertion, sign_in))
            kept, displaced = await self._succeed(work, kept, replaces_session)
            await work.execute(
                "INSERT INTO idp_sessions (session, person, sealed, expires_at_s) VALUES ($1, $2, $3, $4)",
                kept.session,
                kept.person,
                self._sealer.seal_record(kept, table="idp_sessions", row=kept.session),
                seconds(kept.expires_at),
            )
            consent = await work.fetch_row(
                f"SELECT {_CONSENT_OF.format(person='$1', client='$2')}", kept.person, transaction.request.client_id
            )
        identity = identity_of(assertion, person=kept.person)
        return StartedSession(kept, identity, None if consent is None else _consent(consent[0]), displaced)

    async def _succeed(self, work: SqlTransaction, kept: SignIn, replaced: str | None) -> tuple[SignIn, str | None]:
        """Take over the browser's earlier session of the same person; name another person's, which is to be ended."""
        row = None
        if replaced is not None:
            row = await work.fetch_row("SELECT session, sealed FROM idp_sessions WHERE session = $1", replaced)
        earlier = None if row is None else self._sign_in(row[0], row[1])
        if earlier is None:
            return kept, None
        if earlier.person != kept.person:
            return kept, earlier.session
        await work.execute("DELETE FROM idp_sessions WHERE session = $1", earlier.session)
        return replace(kept, replaced=(earlier.session, *earlier.replaced)), None

    async def save_permit(self, transaction: LoginTransaction, sign_in: SignIn, *, handle_hash: str) -> bool:
        """Keep permit evidence in the session, and advance the login."""
        sealed = self._sealer.seal_record(sign_in, table="idp_sessions", row=sign_in.session)
        statement, values = self._advance(transaction, handle_hash)
        async with self._database.writing() as work:
            if await work.fetch_row(statement, *values) is None:
                return False
            await work.execute("UPDATE idp_sessions SET sealed = $1 WHERE session = $2", sealed, sign_in.session)
        return True

    async def load_identity(self, person: str, connector: str) -> Identity | None:
        """Return what an upstream last told of a person."""
        row = await self._database.read_row(
            f"{_IDENTITIES} FROM idp_identities WHERE person = $1 AND connector = $2", person, connector
        )
        return None if row is None else self._identity(person, row)

    async def list_identities(self, person: str) -> Sequence[Identity]:
        """Return what the upstreams last told of a person."""
        async with self._database.reading() as work:
            rows = await work.fetch_all(
                f"{_IDENTITIES} FROM idp_identities WHERE person = $1 ORDER BY connector", person
            )
        return [self._identity(person, row) for row in rows]

    def _advance(self, transaction: LoginTransaction, handle_hash: str) -> tuple[str, tuple[SqlValue, ...]]:
        sealed = self._sealer.seal_record(transaction, table="idp_logins", row=handle_hash)
        statement = (
            "UPDATE idp_logins SET sealed = $1, version = version + 1 WHERE handle_hash = $2 AND version = $3"
            " RETURNING version"
        )
        return statement, (sealed, handle_hash, transaction.version)

    def _sign_in(self, session: str | None, sealed: bytes | None) -> SignIn | None:
        if session is None or sealed is None:
            return None
        return self._sealer.open_record(SignIn, sealed, table="idp_sessions", row=session)

    def _identity(self, person: str, row: Sequence[Any]) -> Identity:
        connector, subject = row[0], row[1]
        opened = {
            column: self._sealer.open_text(sealed, column=f"idp_identities.{column}", row=f"{connector}:{subject}")
            for column, sealed in zip(_SEALED_COLUMNS, row[2:], strict=True)
        }
        return Identity(connector=connector, person=person, **opened)

    async def _upsert_identity(self, work: SqlTransaction, assertion: UpstreamAssertion, sign_in: SignIn) -> str:
        """Return the person behind the upstream account: the known one, or the new identifier of `sign_in`."""
        found = subject_lookup(self._sealer.cipher, assertion.connector, assertion.subject)
        identity, place = identity_of(assertion, person=sign_in.person), f"{assertion.connector}:{found}"
        sealed = [
            self._sealer.seal_text(str(getattr(identity, column)), column=f"idp_identities.{column}", row=place)
            for column in _SEALED_COLUMNS
        ]
        row = await work.fetch_row(
            _UPSERT_IDENTITY, assertion.connector, found, sign_in.person, seconds(sign_in.authenticated_at), *sealed
        )
        return str((row or (sign_in.person,))[0])


def _consent(record: str | None) -> ConsentRecord | None:
    return None if record is None else load_record(ConsentRecord, record)

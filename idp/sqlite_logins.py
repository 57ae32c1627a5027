"""Logins, sign-in sessions and identities in SQLite: the part of `sqlite_store` that a login walks through.

Owns:    the statements on `idp_logins`, `idp_sessions`, `idp_identities`, and the reading of consents.
Leaves:  what a login means to `login`; sealing to `sealed_rows`.
Rules:   a login is replaced only from the version that was read: two windows cannot both take a step
"""

import sqlite3
from dataclasses import replace
from datetime import datetime

from idp.identity import identity_of, subject_lookup
from idp.model import ConsentRecord, Identity, LoginTransaction, SignIn
from idp.ports import SqlTransactions
from idp.records import load_record
from idp.sealed_rows import RowSealer, seconds
from idp.sqlite_clients import parsed_registration, select_client
from idp.store import LoadedEntry, LoadedLogin
from idp.upstream import UpstreamAssertion

_SEALED_COLUMNS = ("name_latin", "name_chinese", "birthdate", "gender", "document_type", "document_number")


class SqliteLogins:
    """Logins in progress and sign-in sessions."""

    def __init__(self, database: SqlTransactions, sealer: RowSealer) -> None:
        self._database = database
        self._sealer = sealer

    async def load_entry(self, client_id: str, session_hash: str | None, *, at: datetime) -> LoadedEntry:
        """Return what `/authorize` needs, in one read."""

        def work(connection: sqlite3.Connection) -> LoadedEntry:
            sign_in = self._select_sign_in(connection, session_hash, at)
            consent = None if sign_in is None else _select_consent(connection, sign_in.person, client_id)
            return LoadedEntry(select_client(connection, client_id), sign_in, consent)

        return await self._database.read(work)

    async def load_login(self, handle_hash: str, session_hash: str | None, *, at: datetime) -> LoadedLogin | None:
        """Return the login that a browser's handle names, unless expired."""

        def work(connection: sqlite3.Connection) -> LoadedLogin | None:
            row = connection.execute(
                "SELECT l.client_id, l.version, l.sealed, c.registration, c.secret_hash FROM idp_logins l"
                " JOIN idp_clients c ON c.client_id = l.client_id WHERE l.handle_hash = ? AND l.expires_at_s > ?",
                (handle_hash, seconds(at)),
            ).fetchone()
            if row is None:
                return None
            transaction = self._sealer.open_record(LoginTransaction, row[2], table="idp_logins", row=handle_hash)
            sign_in = self._select_sign_in(connection, session_hash, at)
            consent = None if sign_in is None else _select_consent(connection, sign_in.person, row[0])
            party = parsed_registration(row[0], row[3], row[4])
            return LoadedLogin(replace(transaction, version=row[1]), party, sign_in, consent)

        return await self._database.read(work)

    async def open_login(self, transaction: LoginTransaction, *, handle_hash: str, replaces: str | None) -> None:
        """Keep a new login; the browser's earlier one ends."""
        sealed = self._sealer.seal_record(transaction, table="idp_logins", row=handle_hash)

        def work(connection: sqlite3.Connection) -> None:
            if replaces is not None:
                connection.execute("DELETE FROM idp_logins WHERE handle_hash = ?", (replaces,))
            connection.execute(
                "INSERT INTO idp_logins (handle_hash, client_id, version, sealed, expires_at_s) VALUES (?, ?, ?, ?, ?)",
                (
                    handle_hash,
                    transaction.request.client_id,
                    transaction.version,
                    sealed,
                    seconds(transaction.expires_at),
                ),
            )

        await self._database.write(work)

    async def save_login(self, transaction: LoginTransaction, *, handle_hash: str) -> bool:
        """Replace a login that still has this version, and raise its version."""
        return await self._database.write(lambda connection: self._advance(connection, transaction, handle_hash))

    async def close_login(self, handle_hash: str) -> bool:
        """End a login; tell whether it was there."""
        return await self._database.write(lambda connection: delete_login(connection, handle_hash))

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
        """Recognise the person, start the session, end the browser's earlier one, advance the login."""

        def work(connection: sqlite3.Connection) -> SignIn | None:
            if not self._advance(connection, transaction, handle_hash):
                return None
            kept = replace(sign_in, person=self._upsert_identity(connection, assertion, sign_in))
            if replaces_session is not None:
                connection.execute("DELETE FROM idp_sessions WHERE session_hash = ?", (replaces_session,))
            sealed = self._sealer.seal_record(kept, table="idp_sessions", row=kept.session)
            connection.execute(
                "INSERT INTO idp_sessions (session_hash, session, person, sealed, expires_at_s) VALUES (?, ?, ?, ?, ?)",
                (session_hash, kept.session, kept.person, sealed, seconds(kept.expires_at)),
            )
            return kept

        return await self._database.write(work)

    async def save_permit(self, transaction: LoginTransaction, sign_in: SignIn, *, handle_hash: str) -> bool:
        """Keep permit evidence in the session, and advance the login."""
        sealed = self._sealer.seal_record(sign_in, table="idp_sessions", row=sign_in.session)

        def work(connection: sqlite3.Connection) -> bool:
            if not self._advance(connection, transaction, handle_hash):
                return False
            connection.execute("UPDATE idp_sessions SET sealed = ? WHERE session = ?", (sealed, sign_in.session))
            return True

        return await self._database.write(work)

    async def load_sign_in(self, session_hash: str, *, at: datetime) -> SignIn | None:
        """Return a live sign-in session."""
        return await self._database.read(lambda connection: self._select_sign_in(connection, session_hash, at))

    async def end_session(self, session_hash: str) -> bool:
        """End a sign-in session; tell whether it was there."""
        statement = "DELETE FROM idp_sessions WHERE session_hash = ?"
        return await self._database.write(
            lambda connection: connection.execute(statement, (session_hash,)).rowcount == 1
        )

    async def load_identity(self, person: str, connector: str) -> Identity | None:
        """Return what an upstream last told of a person."""
        columns = ", ".join(f"sealed_{column}" for column in _SEALED_COLUMNS)
        statement = f"SELECT subject_lookup, {columns} FROM idp_identities WHERE person = ? AND connector = ?"  # noqa: S608 - fixed names

        def work(connection: sqlite3.Connection) -> Identity | None:
            row = connection.execute(statement, (person, connector)).fetchone()
            if row is None:
                return None
            opened = {
                column: self._sealer.open_text(sealed, column=f"idp_identities.{column}", row=f"{connector}:{row[0]}")
                for column, sealed in zip(_SEALED_COLUMNS, row[1:], strict=True)
            }
            return Identity(connector=connector, person=person, **opened)

        return await self._database.read(work)

    def _advance(self, connection: sqlite3.Connection, transaction: LoginTransaction, handle_hash: str) -> bool:
        sealed = self._sealer.seal_record(transaction, table="idp_logins", row=handle_hash)
        return (
            connection.execute(
                "UPDATE idp_logins SET sealed = ?, version = version + 1 WHERE handle_hash = ? AND version = ?",
                (sealed, handle_hash, transaction.version),
            ).rowcount
            == 1
        )

    def _select_sign_in(self, connection: sqlite3.Connection, session_hash: str | None, at: datetime) -> SignIn | None:
        if session_hash is None:
            return None
        row = connection.execute(
            "SELECT session, sealed FROM idp_sessions WHERE session_hash = ? AND expires_at_s > ?",
            (session_hash, seconds(at)),
        ).fetchone()
        return None if row is None else self._sealer.open_record(SignIn, row[1], table="idp_sessions", row=row[0])

    def _upsert_identity(self, connection: sqlite3.Connection, assertion: UpstreamAssertion, sign_in: SignIn) -> str:
        """Return the person behind the upstream account: the known one, or the new identifier of `sign_in`."""
        found = subject_lookup(self._sealer.cipher, assertion.connector, assertion.subject)
        identity, row = identity_of(assertion, person=sign_in.person), f"{assertion.connector}:{found}"
        sealed = [
            self._sealer.seal_text(str(getattr(identity, column)), column=f"idp_identities.{column}", row=row)
            for column in _SEALED_COLUMNS
        ]
        columns = [f"sealed_{column}" for column in _SEALED_COLUMNS]
        statement = (
            f"INSERT INTO idp_identities (connector, subject_lookup, person, {', '.join(columns)}, updated_at_s)"  # noqa: S608 - fixed names
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (connector, subject_lookup) DO UPDATE SET "
            + ", ".join(f"{column} = excluded.{column}" for column in (*columns, "updated_at_s"))
            + " RETURNING person"
        )
        values = (assertion.connector, found, sign_in.person, *sealed, seconds(sign_in.authenticated_at))
        return str(connection.execute(statement, values).fetchone()[0])


def delete_login(connection: sqlite3.Connection, handle_hash: str) -> bool:
    """Delete one login."""
    return connection.execute("DELETE FROM idp_logins WHERE handle_hash = ?", (handle_hash,)).rowcount == 1


def _select_consent(connection: sqlite3.Connection, person: str, client_id: str) -> ConsentRecord | None:
    row = connection.execute(
        "SELECT record FROM idp_consents WHERE person = ? AND client_id = ? AND revoked_at_s IS NULL"
        " ORDER BY given_at_us DESC LIMIT 1",
        (person, client_id),
    ).fetchone()
    return None if row is None else load_record(ConsentRecord, row[0].encode())

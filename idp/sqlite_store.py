"""The provider's store in SQLite.

Owns:    `SqliteStore`, and the statements on grants, codes, consents and assertions.
Leaves:  logins to `sqlite_logins`, registrations to `sqlite_clients`, connections and transactions to the `SqlTransactions` given.
Rules:   1 a code is spent by one conditional UPDATE; whoever loses the race finds it spent
         2 a spent code is remembered until its tokens have expired, so that its reuse is seen
"""

import sqlite3
from datetime import datetime, timedelta

from idp.grants import hash_token
from idp.model import AuthorizationCode, ConsentRecord, Grant
from idp.ports import PersonalDataCipher, SqlTransactions
from idp.proof.replay import ReplayUse
from idp.records import dump_record, load_record
from idp.sealed_rows import RowSealer, microseconds, seconds
from idp.sqlite_clients import SqliteClients
from idp.sqlite_logins import SqliteLogins, delete_login
from idp.store import AssertionReplayed, CodeReused, CodeUnknown, Redeemed, Redemption

_SPENT_CODES_KEPT = timedelta(hours=1)


class SqliteStore(SqliteClients, SqliteLogins):
    """Everything that the provider keeps, in one SQLite file."""

    def __init__(self, database: SqlTransactions, cipher: PersonalDataCipher) -> None:
        self._database = database
        self._sealer = RowSealer(cipher)

    async def commit_code(
        self,
        code: AuthorizationCode,
        grant: Grant,
        *,
        code_hash: str,
        consent: ConsentRecord | None,
        handle_hash: str | None,
    ) -> bool:
        """Keep grant, code and consent, and end the login, in one transaction."""

        def work(connection: sqlite3.Connection) -> bool:
            if handle_hash is not None and not delete_login(connection, handle_hash):
                return False
            self._insert_grant(connection, grant)
            connection.execute(
                "INSERT INTO idp_codes (code_hash, grant_id, client_id, conditions, expires_at_us) VALUES (?, ?, ?, ?, ?)",
                (code_hash, grant.id, grant.client_id, dump_record(code).decode(), microseconds(code.expires_at)),
            )
            if consent is not None:
                _insert_consent(connection, consent)
            return True

        return await self._database.write(work)

    async def redeem_code(
        self, code_hash: str, *, client_id: str, assertion: ReplayUse | None, at: datetime
    ) -> Redemption:
        """Remember the assertion and spend the code: two statements on the way that succeeds."""

        def work(connection: sqlite3.Connection) -> Redemption:
            if assertion is not None and not _insert_assertion(connection, assertion):
                return AssertionReplayed()
            row = connection.execute(
                "UPDATE idp_codes SET spent_at_us = ? WHERE code_hash = ? AND client_id = ? AND spent_at_us IS NULL"
                " AND expires_at_us > ? RETURNING conditions, grant_id, (SELECT g.sealed FROM idp_grants g"
                " WHERE g.grant_id = idp_codes.grant_id AND g.revoked_at_s IS NULL)",
                (microseconds(at), code_hash, client_id, microseconds(at)),
            ).fetchone()
            if row is None:
                return self._explain_code(connection, code_hash, client_id, at)
            if row[2] is None:
                return CodeUnknown()
            code = load_record(AuthorizationCode, row[0].encode())
            return Redeemed(code, self._sealer.open_record(Grant, row[2], table="idp_grants", row=row[1]))

        return await self._database.write(work)

    async def load_grant(self, grant: str, *, at: datetime) -> Grant | None:
        """Return a grant that stands."""

        def work(connection: sqlite3.Connection) -> Grant | None:
            row = connection.execute(
                "SELECT g.sealed FROM idp_grants g JOIN idp_clients c ON c.client_id = g.client_id"
                " WHERE g.grant_id = ? AND g.revoked_at_s IS NULL AND g.expires_at_s > ?",
                (grant, seconds(at)),
            ).fetchone()
            return None if row is None else self._sealer.open_record(Grant, row[0], table="idp_grants", row=grant)

        return await self._database.read(work)

    async def revoke_grant(self, grant: str, *, at: datetime) -> None:
        """Revoke a grant, with every token that carries it."""
        await self._database.write(lambda connection: _revoke(connection, grant, at))

    async def remember_assertion(self, assertion: ReplayUse) -> bool:
        """Remember an assertion; False when it was used before."""
        return await self._database.write(lambda connection: _insert_assertion(connection, assertion))

    async def purge(self, *, at: datetime) -> int:
        """Delete what has expired; spent codes stay until their tokens are gone."""

        def work(connection: sqlite3.Connection) -> int:
            removed = 0
            for table in ("idp_logins", "idp_sessions", "idp_grants", "idp_assertions"):
                statement = f"DELETE FROM {table} WHERE expires_at_s <= ?"  # noqa: S608 - fixed names
                removed += connection.execute(statement, (seconds(at),)).rowcount
            spent = "DELETE FROM idp_codes WHERE expires_at_us <= ?"
            return removed + connection.execute(spent, (microseconds(at - _SPENT_CODES_KEPT),)).rowcount

        return await self._database.write(work)

    def _insert_grant(self, connection: sqlite3.Connection, grant: Grant) -> None:
        sealed = self._sealer.seal_record(grant, table="idp_grants", row=grant.id)
        connection.execute(
            "INSERT INTO idp_grants (grant_id, client_id, person, session, sealed, expires_at_s) VALUES (?, ?, ?, ?, ?, ?)",
            (grant.id, grant.client_id, grant.person, grant.session, sealed, seconds(grant.expires_at)),
        )

    def _explain_code(
        self, connection: sqlite3.Connection, code_hash: str, client_id: str, at: datetime
    ) -> CodeUnknown | CodeReused:
        """Tell a spent code from an unknown one, and revoke what a spent one gave (RFC 6749 cl. 4.1.2).

        Only its own relying party can do this: another one must not be able to end a person's grant.
        """
        row = connection.execute(
            "SELECT c.grant_id, g.sealed FROM idp_codes c JOIN idp_grants g ON g.grant_id = c.grant_id"
            " WHERE c.code_hash = ? AND c.client_id = ? AND c.spent_at_us IS NOT NULL",
            (code_hash, client_id),
        ).fetchone()
        if row is None:
            return CodeUnknown()
        _revoke(connection, row[0], at)
        grant = self._sealer.open_record(Grant, row[1], table="idp_grants", row=row[0])
        return CodeReused(grant.id, grant.correlation)


def _insert_assertion(connection: sqlite3.Connection, assertion: ReplayUse) -> bool:
    return (
        connection.execute(
            "INSERT INTO idp_assertions (client_id, jti_hash, expires_at_s) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (assertion.space, hash_token(assertion.identifier), seconds(assertion.expires_at) + 1),
        ).rowcount
        == 1
    )


def _insert_consent(connection: sqlite3.Connection, consent: ConsentRecord) -> None:
    connection.execute(
        "INSERT INTO idp_consents (consent_id, person, client_id, record, given_at_us, expires_at_s) VALUES (?, ?, ?, ?, ?, ?)",
        (
            consent.id,
            consent.person,
            consent.client_id,
            dump_record(consent).decode(),
            microseconds(consent.given_at),
            seconds(consent.expires_at),
        ),
    )


def _revoke(connection: sqlite3.Connection, grant: str, at: datetime) -> None:
    connection.execute(
        "UPDATE idp_grants SET revoked_at_s = ? WHERE grant_id = ? AND revoked_at_s IS NULL", (seconds(at), grant)
    )

"""Sign-in sessions and consents in SQL, as a login and the account page see them.

Owns:    the statements on `idp_sessions` and `idp_consents` outside a login. Leaves who must hear of an end to `logout`.
Rules:   a session takes its grants along, but for those that the person agreed should outlive it (`offline`)
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from idp.model import ConsentRecord, SignIn
from idp.ports import SqlDatabase, SqlRow, SqlTransaction
from idp.records import dump_record, load_record
from idp.relying_parties import RelyingParty
from idp.store import EndedSession, NoticesOf
from idp.stores.clients import parsed_registration
from idp.stores.notices import insert_notice
from idp.stores.rows import RowSealer, instant, microseconds, seconds


class SqlSessions:
    """Sessions and consents."""

    def __init__(self, database: SqlDatabase, sealer: RowSealer) -> None:
        self._database = database
        self._sealer = sealer

    async def load_sign_in(self, session_hash: str, *, at: datetime) -> SignIn | None:
        """Return a live sign-in session."""
        row = await self._database.read_row(
            "SELECT session, sealed FROM idp_sessions WHERE session = $1 AND expires_at_s > $2",
            session_hash,
            seconds(at),
        )
        return None if row is None else self._open_session(row)

    async def list_sessions(self, person: str, *, at: datetime) -> Sequence[SignIn]:
        """Return a person's live sessions, the latest first."""
        async with self._database.reading() as work:
            rows = await work.fetch_all(
                "SELECT session, sealed FROM idp_sessions WHERE person = $1 AND expires_at_s > $2"
                " ORDER BY expires_at_s DESC LIMIT 100",
                person,
                seconds(at),
            )
        return [self._open_session(row) for row in rows]

    async def end_session(
        self, session: str, *, at: datetime, notices_of: NoticesOf, notices_expire_at: datetime
    ) -> EndedSession | None:
        """End a session with every grant that does not outlive it, and keep the notices of it."""
        async with self._database.writing() as work:
            row = await work.fetch_row("DELETE FROM idp_sessions WHERE session = $1 RETURNING session, sealed", session)
            if row is None:
                return None
            sign_in = self._open_session(row[:2])
            participants: list[tuple[SignIn, RelyingParty]] = []
            for known in (replace(sign_in, session=name) for name in (session, *sign_in.replaced)):
                parties = await self._end_grants(work, known, at)
                participants += [(known, party) for party in parties]
                for notice in notices_of(known, parties):
                    await insert_notice(work, self._sealer, notice, at=at, expires_at=notices_expire_at)
        return EndedSession(sign_in, tuple(participants))

    async def _end_grants(self, work: SqlTransaction, sign_in: SignIn, at: datetime) -> list[RelyingParty]:
        """Revoke what hangs on one session; return who held it, those included whose grant goes on."""
        rows = await work.fetch_all(
            "SELECT client_id, registration, secret_hash FROM idp_clients WHERE client_id IN (SELECT client_id"
            " FROM idp_grants WHERE person = $1 AND session = $2 AND revoked_at_s IS NULL) ORDER BY client_id",
            sign_in.person,
            sign_in.session,
        )
        await work.execute(
            "UPDATE idp_grants SET revoked_at_s = $1 WHERE person = $2 AND session = $3 AND revoked_at_s IS NULL"
            " AND offline = 0",
            seconds(at),
            sign_in.person,
            sign_in.session,
        )
        return [parsed_registration(*found) for found in rows]

    async def remove_identity(self, person: str, connector: str, *, at: datetime) -> bool:
        """Erase what an upstream told of a person; with the last one the person's consents and grants end too."""
        async with self._database.writing() as work:
            removed = await work.execute(
                "DELETE FROM idp_identities WHERE person = $1 AND connector = $2", person, connector
            )
            left = await work.fetch_row("SELECT 1 FROM idp_identities WHERE person = $1 LIMIT 1", person)
            if removed and left is None:
                await work.execute("DELETE FROM idp_sessions WHERE person = $1", person)
                for table in ("idp_consents", "idp_grants"):
                    await work.execute(
                        f"UPDATE {table} SET revoked_at_s = $1 WHERE person = $2 AND revoked_at_s IS NULL",
                        seconds(at),
                        person,
                    )
        return removed > 0

    async def list_consents(self, person: str) -> Sequence[ConsentRecord]:
        """Return a person's consents, the latest first."""
        async with self._database.reading() as work:
            rows = await work.fetch_all(
                "SELECT record, revoked_at_s FROM idp_consents WHERE person = $1 ORDER BY given_at_us DESC LIMIT 500",
                person,
            )
        return [_consent(record, revoked) for record, revoked in rows]

    async def revoke_consent(self, person: str, consent: str, *, at: datetime) -> ConsentRecord | None:
        """Revoke a person's consent, with every grant of that portal."""
        async with self._database.writing() as work:
            row = await work.fetch_row(
                "UPDATE idp_consents SET revoked_at_s = $1 WHERE consent_id = $2 AND person = $3 AND revoked_at_s IS NULL"
                " RETURNING record, client_id",
                seconds(at),
                consent,
                person,
            )
            if row is None:
                return None
            # an older consent for the same portal must not step into its place
            await work.execute(
                "UPDATE idp_consents SET revoked_at_s = $1 WHERE person = $2 AND client_id = $3 AND revoked_at_s IS NULL",
                seconds(at),
                person,
                row[1],
            )
            await work.execute(
                "UPDATE idp_grants SET revoked_at_s = $1 WHERE person = $2 AND client_id = $3 AND revoked_at_s IS NULL",
                seconds(at),
                person,
                row[1],
            )
        return _consent(row[0], seconds(at))

    async def find_person(self, client_id: str, subject: str, *, at: datetime) -> str | None:
        """Return the person whom a portal knows under a pairwise subject, if a consent of theirs stands there."""
        row = await self._database.read_row(
            "SELECT person FROM idp_consents WHERE client_id = $1 AND subject = $2 AND revoked_at_s IS NULL"
            " AND expires_at_s > $3 LIMIT 1",
            client_id,
            subject,
            seconds(at),
        )
        return None if row is None else str(row[0])

    def _open_session(self, row: SqlRow) -> SignIn:
        session, sealed = row
        return self._sealer.open_record(SignIn, sealed, table="idp_sessions", row=session)


async def insert_consent(work: SqlTransaction, consent: ConsentRecord, *, subject: str) -> None:
    """Keep a consent record."""
    await work.execute(
        "INSERT INTO idp_consents (consent_id, person, client_id, subject, record, given_at_us, expires_at_s)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        consent.id,
        consent.person,
        consent.client_id,
        subject,
        dump_record(consent).decode(),
        microseconds(consent.given_at),
        seconds(consent.expires_at),
    )


def _consent(record: str, revoked_at_s: int | None) -> ConsentRecord:
    consent = load_record(ConsentRecord, record)
    return consent if revoked_at_s is None else replace(consent, revoked_at=instant(revoked_at_s))

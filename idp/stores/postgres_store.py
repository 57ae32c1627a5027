"""The store on PostgreSQL: the same statements, and the hottest transactions as one statement each.

Owns:    the round trips that PostgreSQL can save by data-modifying WITH queries. Leaves everything else to the shared statements.
Rules:   1 what is one statement here means exactly what the shared transaction means: one contract suite runs on both
         2 the parts of a WITH query see one snapshot; what must come first is named by what follows it, and row locks decide races
Spec:    PostgreSQL documentation, 7.8.4 (data-modifying statements in WITH), 13.2.1 (READ COMMITTED re-evaluation)
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from idp.hashes import hash_token
from idp.model import ConsentRecord, Grant
from idp.ports import SqlValue
from idp.proof.replay import ReplayUse
from idp.records import dump_record
from idp.store import Ending, Redeemed, Redemption, Replayed
from idp.stores.grants import SPEND_CODE, SPEND_REFRESH
from idp.stores.rows import microseconds, seconds
from idp.stores.sql_store import SqlStore

_COMMIT_GRANT = (
    "WITH ended AS (DELETE FROM idp_logins WHERE handle_hash = $11 RETURNING 1), kept AS (INSERT INTO idp_grants (grant_id,"
    " client_id, person, session, sealed, created_at_s, expires_at_s, offline, code_hash, code_expires_at_us)"
    " SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 FROM ended RETURNING 1){consent} SELECT count(*) FROM kept"
)
_CONSENT = (
    ", agreed AS (INSERT INTO idp_consents (consent_id, person, client_id, subject, record, given_at_us, expires_at_s)"
    " SELECT $12, $3, $2, $13, $14, $15, $16 FROM ended)"
)


class PostgresStore(SqlStore):
    """The store of many processes, in one PostgreSQL database."""

    async def redeem_code(
        self, grant: str, code_hash: str, *, client_id: str, uses: Sequence[ReplayUse], at: datetime
    ) -> Redemption:
        """Remember the uses and spend the code: one round trip on the way that succeeds."""
        values: list[SqlValue] = [microseconds(at), grant, client_id, code_hash, seconds(at)]
        row = await self._database.write_row(_with_uses(SPEND_CODE, 5, len(uses)), *values, *_use_values(uses))
        if row is None or row[0] != len(uses):
            return Replayed()
        if row[1] is not None:
            return Redeemed(self._open_grant(row[1], grant))
        async with self._database.writing() as work:
            return await self._explain_code(work, grant, code_hash, client_id, at)

    async def redeem_refresh(
        self, grant: str, generation: int, *, client_id: str, rotate: bool, uses: Sequence[ReplayUse], at: datetime
    ) -> Redemption:
        """Remember the uses and spend a refresh token's generation: one round trip on the way that succeeds."""
        values: list[SqlValue] = [int(rotate), grant, client_id, generation, seconds(at)]
        row = await self._database.write_row(_with_uses(SPEND_REFRESH, 5, len(uses)), *values, *_use_values(uses))
        if row is None or row[0] != len(uses):
            return Replayed()
        if row[1] is not None:
            return Redeemed(self._open_grant(row[1], grant), int(row[2]))
        async with self._database.writing() as work:
            return await self._explain_refresh(work, grant, generation, client_id, at)

    async def commit_grant(
        self, grant: Grant, *, code_hash: str | None, consent: ConsentRecord | None, ending: Ending
    ) -> bool:
        """Keep a grant and a consent, and end the login: one round trip for a portal's plain login."""
        if ending.handle_hash is None or ending.pushed is not None or ending.decoupled is not None:
            return await super().commit_grant(grant, code_hash=code_hash, consent=consent, ending=ending)
        values: list[SqlValue] = [*self._grant_row(grant, code_hash), ending.handle_hash]
        if consent is not None:
            values += [
                consent.id,
                grant.subject,
                dump_record(consent).decode(),
                microseconds(consent.given_at),
                seconds(consent.expires_at),
            ]
        statement = _COMMIT_GRANT.format(consent="" if consent is None else _CONSENT)
        row = await self._database.write_row(statement, *values)
        return row is not None and row[0] == 1


@lru_cache(maxsize=16)
def _with_uses(spend: str, places: int, uses: int) -> str:
    """Return one statement that remembers `uses` uses, all or none, and only then spends."""
    columns = 2 if spend is SPEND_REFRESH else 1
    names = ["sealed", "refresh_generation"][:columns]
    picked = ", ".join(f"(SELECT {name} FROM spent)" for name in names)
    if not uses:
        return f"WITH spent AS ({spend}) SELECT 0, {picked}"
    rows = ", ".join(
        f"(${places + 3 * i + 1}::text, ${places + 3 * i + 2}::text, ${places + 3 * i + 3}::bigint)"
        for i in range(uses)
    )
    known = "SELECT 1 FROM idp_replays r JOIN asked a ON r.space = a.space AND r.identifier_hash = a.identifier_hash"
    guarded = spend.replace(" RETURNING ", f" AND (SELECT count(*) FROM used) = {uses} RETURNING ")
    return (
        f"WITH asked (space, identifier_hash, expires_at_s) AS (VALUES {rows}),"
        f" used AS (INSERT INTO idp_replays SELECT * FROM asked WHERE NOT EXISTS ({known}) ON CONFLICT DO NOTHING RETURNING 1),"
        f" spent AS ({guarded}) SELECT (SELECT count(*) FROM used), {picked}"
    )


def _use_values(uses: Sequence[ReplayUse]) -> list[SqlValue]:
    return [value for use in uses for value in (use.space, hash_token(use.identifier), seconds(use.expires_at) + 1)]

"""Grants in SQL, and everything that may be spent once: codes, refresh tokens, assertions, proofs.

Owns:    the statements on `idp_grants` and `idp_replays`. Leaves what a grant is worth to `grants`.
Rules:   1 a code, and a refresh token's generation, is spent by one conditional UPDATE; whoever loses the race finds it spent
         2 a spent code stays known as long as its grant, so that its reuse is seen
         3 a grant stands only while its relying party is registered, and only if it is not older than that registration
Spec:    RFC 6749 cl. 4.1.2, 6, 10.4; RFC 9700 cl. 4.14.2 (refresh token rotation)
"""

from collections.abc import Sequence
from datetime import datetime

from idp.hashes import hash_token
from idp.model import ConsentRecord, Grant
from idp.ports import SqlDatabase, SqlTransaction, SqlValue
from idp.proof.replay import ReplayUse
from idp.relying_parties import RelyingParty
from idp.store import Ending, Redeemed, Redemption, Replayed, Reused, Unknown
from idp.stores.clients import parsed_registration
from idp.stores.endings import end_what_led_here
from idp.stores.rows import RowSealer, microseconds, seconds
from idp.stores.sessions import insert_consent

STANDS = (
    "g.revoked_at_s IS NULL AND g.expires_at_s > {now} AND EXISTS (SELECT 1 FROM idp_clients c"
    " WHERE c.client_id = g.client_id AND c.created_at_s <= g.created_at_s)"
)
SPEND_CODE = (
    "UPDATE idp_grants AS g SET code_spent_at_us = $1 WHERE g.grant_id = $2 AND g.client_id = $3 AND g.code_hash = $4"
    " AND g.code_spent_at_us IS NULL AND g.code_expires_at_us > $1 AND " + STANDS.format(now="$5") + " RETURNING sealed"
)
SPEND_REFRESH = (
    "UPDATE idp_grants AS g SET refresh_generation = g.refresh_generation + $1 WHERE g.grant_id = $2 AND g.client_id = $3"
    " AND g.refresh_generation = $4 AND " + STANDS.format(now="$5") + " RETURNING sealed, refresh_generation"
)
_LOAD_GRANT = "SELECT g.sealed, g.refresh_generation FROM idp_grants g WHERE g.grant_id = $1 AND " + STANDS.format(
    now="$2"
)
_LOAD_ACCESS = (
    "SELECT g.sealed, c.client_id, c.registration, c.secret_hash FROM idp_grants g JOIN idp_clients c"
    " ON c.client_id = g.client_id AND c.created_at_s <= g.created_at_s"
    " WHERE g.grant_id = $1 AND g.revoked_at_s IS NULL AND g.expires_at_s > $2"
)
INSERT_GRANT = (
    "INSERT INTO idp_grants (grant_id, client_id, person, session, sealed, created_at_s, expires_at_s, offline,"
    " code_hash, code_expires_at_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
)


class SqlGrants:
    """Grants and what is spent."""

    def __init__(self, database: SqlDatabase, sealer: RowSealer) -> None:
        self._database = database
        self._sealer = sealer

    async def commit_grant(
        self, grant: Grant, *, code_hash: str | None, consent: ConsentRecord | None, ending: Ending
    ) -> bool:
        """Keep a grant and a consent, and end what led to it, in one transaction."""
        async with self._database.writing() as work:
            if not await end_what_led_here(work, ending, grant=grant.id):
                work.abandon()
                return False
            await work.execute(INSERT_GRANT, *self._grant_row(grant, code_hash))
            if consent is not None:
                await insert_consent(work, consent, subject=grant.subject)
        return True

    async def redeem_code(
        self, grant: str, code_hash: str, *, client_id: str, uses: Sequence[ReplayUse], at: datetime
    ) -> Redemption:
        """Remember the uses and spend the code: two statements on the way that succeeds."""
        async with self._database.writing() as work:
            if not await insert_uses(work, uses):
                work.abandon()
                return Replayed()
            row = await work.fetch_row(SPEND_CODE, microseconds(at), grant, client_id, code_hash, seconds(at))
            if row is None:
                return await self._explain_code(work, grant, code_hash, client_id, at)
        return Redeemed(self._open_grant(row[0], grant))

    async def redeem_refresh(
        self, grant: str, generation: int, *, client_id: str, rotate: bool, uses: Sequence[ReplayUse], at: datetime
    ) -> Redemption:
        """Remember the uses and spend a refresh token of this generation; an older one revokes the grant."""
        async with self._database.writing() as work:
            if not await insert_uses(work, uses):
                work.abandon()
                return Replayed()
            row = await work.fetch_row(SPEND_REFRESH, int(rotate), grant, client_id, generation, seconds(at))
            if row is None:
                return await self._explain_refresh(work, grant, generation, client_id, at)
        return Redeemed(self._open_grant(row[0], grant), int(row[1]))

    async def save_own_grant(self, grant: Grant, *, uses: Sequence[ReplayUse]) -> bool:
        """Remember the uses and keep a relying party's own grant."""
        async with self._database.writing() as work:
            if not await insert_uses(work, uses):
                work.abandon()
                return False
            await work.execute(INSERT_GRANT, *self._grant_row(grant, None))
        return True

    async def load_access(self, grant: str, *, at: datetime) -> tuple[Grant, RelyingParty] | None:
        """Return a grant that stands with the relying party that it was given to, in one read."""
        row = await self._database.read_row(_LOAD_ACCESS, grant, seconds(at))
        return None if row is None else (self._open_grant(row[0], grant), parsed_registration(row[1], row[2], row[3]))

    async def load_grant(self, grant: str, *, at: datetime, generation: int | None = None) -> Grant | None:
        """Return a grant that stands."""
        row = await self._database.read_row(_LOAD_GRANT, grant, seconds(at))
        if row is None or generation not in {None, row[1]}:
            return None
        return self._open_grant(row[0], grant)

    async def revoke_grant(self, grant: str, *, at: datetime) -> None:
        """Revoke a grant, with every token that carries it."""
        async with self._database.writing() as work:
            await _revoke(work, grant, at)

    async def remember(self, uses: Sequence[ReplayUse]) -> bool:
        """Remember assertions and proofs; False when any was used before."""
        if not uses:
            return True
        async with self._database.writing() as work:
            if await insert_uses(work, uses):
                return True
            work.abandon()
        return False

    def _grant_row(self, grant: Grant, code_hash: str | None) -> tuple[SqlValue, ...]:
        expires = None if grant.conditions is None else microseconds(grant.conditions.expires_at)
        return (
            grant.id,
            grant.client_id,
            grant.person,
            grant.session,
            self._sealer.seal_record(grant, table="idp_grants", row=grant.id),
            seconds(grant.created_at),
            seconds(grant.expires_at),
            int(grant.offline),
            code_hash,
            expires,
        )

    def _open_grant(self, sealed: bytes, grant: str) -> Grant:
        return self._sealer.open_record(Grant, sealed, table="idp_grants", row=grant)

    async def _explain_code(
        self, work: SqlTransaction, grant: str, code_hash: str, client_id: str, at: datetime
    ) -> Unknown | Reused:
        """Tell a spent code from an unknown one, and revoke what a spent one gave (RFC 6749 cl. 4.1.2).

        Only its own relying party can do this: another one must not be able to end a person's grant.
        """
        row = await work.fetch_row(
            "SELECT sealed FROM idp_grants WHERE grant_id = $1 AND client_id = $2 AND code_hash = $3"
            " AND code_spent_at_us IS NOT NULL",
            grant,
            client_id,
            code_hash,
        )
        return Unknown() if row is None else await self._revoke_reused(work, row[0], grant, at)

    async def _explain_refresh(
        self, work: SqlTransaction, grant: str, generation: int, client_id: str, at: datetime
    ) -> Unknown | Reused:
        """A genuine token of an earlier generation was used twice: thief and owner cannot be told apart, both lose it."""
        row = await work.fetch_row(
            "SELECT sealed FROM idp_grants WHERE grant_id = $1 AND client_id = $2 AND refresh_generation > $3"
            " AND revoked_at_s IS NULL",
            grant,
            client_id,
            generation,
        )
        return Unknown() if row is None else await self._revoke_reused(work, row[0], grant, at)

    async def _revoke_reused(self, work: SqlTransaction, sealed: bytes, grant: str, at: datetime) -> Reused:
        await _revoke(work, grant, at)
        return Reused(grant, self._open_grant(sealed, grant).correlation)


async def insert_uses(work: SqlTransaction, uses: Sequence[ReplayUse]) -> bool:
    """Remember what was used, in one statement; False when any of it was used before."""
    if not uses:
        return True
    places = ", ".join(f"(${3 * i + 1}, ${3 * i + 2}, ${3 * i + 3})" for i in range(len(uses)))
    values = [value for use in uses for value in (use.space, hash_token(use.identifier), seconds(use.expires_at) + 1)]
    statement = f"INSERT INTO idp_replays (space, identifier_hash, expires_at_s) VALUES {places} ON CONFLICT DO NOTHING"
    return await work.execute(statement, *values) == len(uses)


async def _revoke(work: SqlTransaction, grant: str, at: datetime) -> None:
    await work.execute(
        "UPDATE idp_grants SET revoked_at_s = $1 WHERE grant_id = $2 AND revoked_at_s IS NULL", seconds(at), grant
    )

"""Pushed and decoupled requests in SQL.

Owns:    the statements on `idp_pushed_requests` and `idp_decoupled`. Leaves what they ask for to `authorization` and `decoupled`.
Rules:   1 a poll is judged and answered in one transaction: an approved request is redeemed once
         2 polling faster than allowed is seen from the time of the last poll, and costs five seconds more (RFC 8628 cl. 3.5)
Spec:    RFC 9126 cl. 2.2, 4; RFC 8628 cl. 3.4, 3.5; OpenID Connect CIBA Core 1.0 cl. 7.3, 11
"""

from collections.abc import Sequence
from datetime import datetime

from idp.model import AuthorizationRequest, DecoupledRequest, Grant
from idp.ports import SqlDatabase, SqlRow, SqlTransaction
from idp.proof.replay import ReplayUse
from idp.store import PollOutcome, Redeemed, Redemption, Replayed
from idp.stores.grants import STANDS, insert_uses
from idp.stores.rows import RowSealer, microseconds, seconds

SLOW_DOWN_S = 5


class SqlRequests:
    """Requests that wait."""

    def __init__(self, database: SqlDatabase, sealer: RowSealer) -> None:
        self._database = database
        self._sealer = sealer

    async def push_request(
        self, request: AuthorizationRequest, *, uri_hash: str, expires_at: datetime, uses: Sequence[ReplayUse]
    ) -> bool:
        """Remember the uses and keep a pushed request."""
        async with self._database.writing() as work:
            if not await insert_uses(work, uses):
                work.abandon()
                return False
            await work.execute(
                "INSERT INTO idp_pushed_requests (uri_hash, client_id, sealed, expires_at_s) VALUES ($1, $2, $3, $4)",
                uri_hash,
                request.client_id,
                self._sealer.seal_record(request, table="idp_pushed_requests", row=uri_hash),
                seconds(expires_at),
            )
        return True

    async def load_pushed(self, uri_hash: str, *, client_id: str, at: datetime) -> AuthorizationRequest | None:
        """Return a pushed request of this relying party, unless spent or expired."""
        row = await self._database.read_row(
            "SELECT sealed FROM idp_pushed_requests WHERE uri_hash = $1 AND client_id = $2 AND expires_at_s > $3",
            uri_hash,
            client_id,
            seconds(at),
        )
        if row is None:
            return None
        return self._sealer.open_record(AuthorizationRequest, row[0], table="idp_pushed_requests", row=uri_hash)

    async def open_decoupled(
        self,
        request: DecoupledRequest,
        *,
        secret_hash: str,
        user_code_lookup: str | None,
        uses: Sequence[ReplayUse],
    ) -> bool:
        """Remember the uses and keep a decoupled request; False when a use was a replay or the user code is taken."""
        async with self._database.writing() as work:
            if not await insert_uses(work, uses):
                work.abandon()
                return False
            kept = await work.execute(
                "INSERT INTO idp_decoupled (id, client_id, secret_hash, user_code_lookup, status, sealed, person,"
                " interval_s, expires_at_s) VALUES ($1, $2, $3, $4, 'pending', $5, $6, $7, $8) ON CONFLICT DO NOTHING",
                request.id,
                request.request.client_id,
                secret_hash,
                user_code_lookup,
                self._sealer.seal_record(request, table="idp_decoupled", row=request.id),
                request.person,
                request.interval_s,
                seconds(request.expires_at),
            )
            if kept != 1:
                work.abandon()
        return kept == 1

    async def find_decoupled(self, user_code_lookup: str, *, at: datetime) -> DecoupledRequest | None:
        """Return the pending request that a user code names."""
        return await self._pending("user_code_lookup = $1", user_code_lookup, at)

    async def load_decoupled(self, identifier: str, *, at: datetime) -> DecoupledRequest | None:
        """Return a pending request."""
        return await self._pending("id = $1", identifier, at)

    async def list_decoupled(self, person: str, *, at: datetime) -> Sequence[DecoupledRequest]:
        """Return the pending requests that wait for a person."""
        async with self._database.reading() as work:
            rows = await work.fetch_all(
                "SELECT id, sealed FROM idp_decoupled WHERE person = $1 AND status = 'pending' AND expires_at_s > $2 LIMIT 20",
                person,
                seconds(at),
            )
        return [self._open_request(row) for row in rows]

    async def redeem_decoupled(
        self, identifier: str, secret_hash: str, *, client_id: str, uses: Sequence[ReplayUse], at: datetime
    ) -> Redemption | PollOutcome:
        """Remember the uses, and answer a poll."""
        async with self._database.writing() as work:
            if not await insert_uses(work, uses):
                work.abandon()
                return Replayed()
            row = await work.fetch_row(
                "SELECT status, grant_id, interval_s, polled_at_us, expires_at_s FROM idp_decoupled"
                " WHERE id = $1 AND secret_hash = $2 AND client_id = $3",
                identifier,
                secret_hash,
                client_id,
            )
            return PollOutcome.UNKNOWN if row is None else await self._answer_poll(work, identifier, row, at)

    async def _answer_poll(
        self, work: SqlTransaction, identifier: str, row: SqlRow, at: datetime
    ) -> Redemption | PollOutcome:
        status, grant_id, interval_s, polled_at_us, expires_at_s = row
        if expires_at_s <= seconds(at):
            return PollOutcome.EXPIRED
        if status in {"denied", "approved"}:
            # whoever removes the row has the answer: two polls at the same instant may both have read it
            if await work.execute("DELETE FROM idp_decoupled WHERE id = $1", identifier) != 1:
                return PollOutcome.UNKNOWN
        if status == "denied":
            return PollOutcome.DENIED
        if status == "approved":
            grant = await work.fetch_row(
                "SELECT g.sealed FROM idp_grants g WHERE g.grant_id = $1 AND " + STANDS.format(now="$2"),
                grant_id,
                seconds(at),
            )
            if grant is None:
                return PollOutcome.UNKNOWN
            return Redeemed(self._sealer.open_record(Grant, grant[0], table="idp_grants", row=str(grant_id)))
        too_fast = polled_at_us is not None and microseconds(at) - polled_at_us < interval_s * 900_000
        await work.execute(
            "UPDATE idp_decoupled SET polled_at_us = $1, interval_s = interval_s + $2 WHERE id = $3",
            microseconds(at),
            SLOW_DOWN_S if too_fast else 0,
            identifier,
        )
        return PollOutcome.SLOW_DOWN if too_fast else PollOutcome.PENDING

    async def _pending(self, condition: str, value: str, at: datetime) -> DecoupledRequest | None:
        row = await self._database.read_row(
            f"SELECT id, sealed FROM idp_decoupled WHERE {condition} AND status = 'pending' AND expires_at_s > $2",
            value,
            seconds(at),
        )
        return None if row is None else self._open_request(row)

    def _open_request(self, row: SqlRow) -> DecoupledRequest:
        identifier, sealed = row
        return self._sealer.open_record(DecoupledRequest, sealed, table="idp_decoupled", row=identifier)

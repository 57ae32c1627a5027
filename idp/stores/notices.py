"""Logout notices on their way, in SQL. Owns the statements on `idp_logout_notices`; leaves delivery to `logout_delivery`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from idp.model import LogoutNotice
from idp.ports import SqlDatabase, SqlTransaction
from idp.stores.rows import RowSealer, seconds


class SqlNotices:
    """The outbox of logout notices."""

    def __init__(self, database: SqlDatabase, sealer: RowSealer) -> None:
        self._database = database
        self._sealer = sealer

    async def take_notices(self, *, at: datetime, until: datetime, limit: int) -> Sequence[LogoutNotice]:
        """Return notices whose time has come, and hide them until then from every other process."""
        async with self._database.writing() as work:
            rows = await work.fetch_all(
                "UPDATE idp_logout_notices SET due_at_s = $1 WHERE id IN (SELECT id FROM idp_logout_notices"
                " WHERE due_at_s <= $2 AND expires_at_s > $2 ORDER BY due_at_s LIMIT $3) AND due_at_s <= $2"
                " RETURNING id, sealed, attempts",
                seconds(until),
                seconds(at),
                limit,
            )
        return [
            replace(
                self._sealer.open_record(LogoutNotice, sealed, table="idp_logout_notices", row=identifier),
                attempts=attempts,
            )
            for identifier, sealed, attempts in rows
        ]

    async def settle_notice(self, identifier: str, *, retry_at: datetime | None) -> None:
        """Remove a notice, or try it again later."""
        async with self._database.writing() as work:
            if retry_at is None:
                await work.execute("DELETE FROM idp_logout_notices WHERE id = $1", identifier)
            else:
                await work.execute(
                    "UPDATE idp_logout_notices SET attempts = attempts + 1, due_at_s = $1 WHERE id = $2",
                    seconds(retry_at),
                    identifier,
                )


async def insert_notice(
    work: SqlTransaction, sealer: RowSealer, notice: LogoutNotice, *, at: datetime, expires_at: datetime
) -> None:
    """Keep a notice that is due now, in the transaction of the end that it tells of."""
    await work.execute(
        "INSERT INTO idp_logout_notices (id, sealed, attempts, due_at_s, expires_at_s) VALUES ($1, $2, 0, $3, $4)",
        notice.id,
        sealer.seal_record(notice, table="idp_logout_notices", row=notice.id),
        seconds(at),
        seconds(expires_at),
    )

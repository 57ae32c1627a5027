"""Logout notices on their way, in SQL. Owns the statements on `idp_logout_notices`; leaves delivery to `logout_delivery`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from idp.model import LogoutNotice
from idp.ports import SqlDatabase
from idp.stores.rows import RowSealer, seconds


class SqlNotices:
    """The outbox of logout notices."""

    def __init__(self, database: SqlDatabase, sealer: RowSealer) -> None:
        self._database = database
        self._sealer = sealer

    async def queue_notices(self, notices: Sequence[LogoutNotice], *, at: datetime, expires_at: datetime) -> None:
        """Keep notices that are due now."""
        async with self._database.writing() as work:
            for notice in notices:
                await work.execute(
                    "INSERT INTO idp_logout_notices (id, sealed, attempts, due_at_s, expires_at_s) VALUES ($1, $2, 0, $3, $4)",
                    notice.id,
                    self._sealer.seal_record(notice, table="idp_logout_notices", row=notice.id),
                    seconds(at),
                    seconds(expires_at),
                )

    async def due_notices(self, *, at: datetime, limit: int) -> Sequence[LogoutNotice]:
        """Return notices whose time has come."""
        async with self._database.reading() as work:
            rows = await work.fetch_all(
                "SELECT id, sealed, attempts FROM idp_logout_notices WHERE due_at_s <= $1 AND expires_at_s > $1"
                " ORDER BY due_at_s LIMIT $2",
                seconds(at),
                limit,
            )
        return [
            replace(self._sealer.open_record(LogoutNotice, sealed, table="idp_logout_notices", row=row), attempts=attempts)
            for row, sealed, attempts in rows
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

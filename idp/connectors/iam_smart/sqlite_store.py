"""The connector's store in SQLite, over the service's transactions.

Owns:    the SQL of the tables `iam_smart_*` (schema: `migrations/versions/0003_iam_smart.py`). Times are milliseconds.
"""

import sqlite3
from datetime import UTC, datetime, timedelta

from idp.connectors.iam_smart.store import PendingKind, PendingRequest, PendingStatus, SessionRow, Settlement
from idp.ports import SqlTransactions

KEPT_AFTER_DEADLINE = timedelta(minutes=10)
"""A settled request stays this long past its deadline, so that a late duplicate is still answered the same."""

_COLUMNS = (
    "reference, kind, business_id, state, transaction_id, deadline_ms, sealed_context, status, outcome, sealed_answer, "
    "answer_digest, delivered"
)


class SqliteIamSmartStore:
    """`IamSmartStore` over one SQLite database."""

    def __init__(self, database: SqlTransactions) -> None:
        self._database = database

    async def next_timestamp(self, client_id: str, now_ms: int) -> int:
        """Return a timestamp not smaller than any given for this client before."""

        def work(connection: sqlite3.Connection) -> int:
            row = connection.execute(
                "INSERT INTO iam_smart_timestamps (client_id, last_ms) VALUES (?, ?) ON CONFLICT (client_id) DO UPDATE SET "
                "last_ms = CASE WHEN excluded.last_ms > iam_smart_timestamps.last_ms THEN excluded.last_ms "
                "ELSE iam_smart_timestamps.last_ms END RETURNING last_ms",
                (client_id, now_ms),
            ).fetchone()
            return int(row[0])

        return await self._database.write(work)

    async def add_pending(self, request: PendingRequest, *, at: datetime) -> None:
        """Keep a request; drop requests long past their deadline and sessions that have expired."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM iam_smart_pending WHERE deadline_ms < ?", (_ms(at - KEPT_AFTER_DEADLINE),))
            connection.execute("DELETE FROM iam_smart_sessions WHERE expires_at_ms <= ?", (_ms(at),))
            connection.execute(
                f"INSERT INTO iam_smart_pending ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - constant
                (
                    request.reference,
                    request.kind.value,
                    request.business_id,
                    request.state,
                    request.transaction,
                    _ms(request.deadline),
                    request.sealed_context,
                    request.status.value,
                    request.outcome,
                    request.sealed_answer,
                    request.answer_digest,
                    int(request.delivered),
                ),
            )

        await self._database.write(work)

    async def load_pending(self, reference: str) -> PendingRequest | None:
        """Return the request with our reference."""
        return await self._database.read(lambda connection: _select(connection, "reference", reference))

    async def find_pending(self, business_id: str) -> PendingRequest | None:
        """Return the request with the upstream's business id."""
        return await self._database.read(lambda connection: _select(connection, "business_id", business_id))

    async def settle_pending(self, reference: str, settlement: Settlement) -> PendingRequest | None:
        """Settle a request that waits, and write the session with it; return the row as it stands then."""

        def work(connection: sqlite3.Connection) -> PendingRequest | None:
            settled = connection.execute(
                "UPDATE iam_smart_pending SET status = ?, outcome = ?, sealed_answer = ?, answer_digest = ? "
                "WHERE reference = ? AND status = ?",
                (
                    settlement.status.value,
                    settlement.outcome,
                    settlement.sealed_answer,
                    settlement.answer_digest,
                    reference,
                    PendingStatus.WAITING.value,
                ),
            )
            if settled.rowcount == 1 and settlement.session is not None:
                _write_session(connection, settlement.session)
            return _select(connection, "reference", reference)

        return await self._database.write(work)

    async def mark_delivered(self, reference: str) -> None:
        """Note that the receiver has taken the answer."""
        await self._database.write(
            lambda connection: (
                connection.execute(
                    "UPDATE iam_smart_pending SET delivered = 1 WHERE reference = ?", (reference,)
                ).rowcount
            )
        )

    async def drop_pending(self, reference: str) -> None:
        """Forget a request that still waits."""
        await self._database.write(
            lambda connection: (
                connection.execute(
                    "DELETE FROM iam_smart_pending WHERE reference = ? AND status = ?",
                    (reference, PendingStatus.WAITING.value),
                ).rowcount
            )
        )

    async def save_session(self, session: SessionRow) -> None:
        """Write a session in the place of an older one."""
        await self._database.write(lambda connection: _write_session(connection, session))

    async def load_session(self, handle: str, *, at: datetime) -> SessionRow | None:
        """Return a session that has not expired."""
        row = await self._database.read(
            lambda connection: connection.execute(
                "SELECT handle, sealed, expires_at_ms FROM iam_smart_sessions WHERE handle = ? AND expires_at_ms > ?",
                (handle, _ms(at)),
            ).fetchone()
        )
        return None if row is None else SessionRow(row[0], bytes(row[1]), _instant(row[2]))


def _write_session(connection: sqlite3.Connection, session: SessionRow) -> None:
    connection.execute(
        "INSERT INTO iam_smart_sessions (handle, sealed, expires_at_ms) VALUES (?, ?, ?) "
        "ON CONFLICT (handle) DO UPDATE SET sealed = excluded.sealed, expires_at_ms = excluded.expires_at_ms",
        (session.handle, session.sealed, _ms(session.expires_at)),
    )


def _select(connection: sqlite3.Connection, column: str, value: str) -> PendingRequest | None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM iam_smart_pending WHERE {column} = ?",  # noqa: S608 - both are constants of this module
        (value,),
    ).fetchone()
    if row is None:
        return None
    return PendingRequest(
        reference=row[0],
        kind=PendingKind(row[1]),
        business_id=row[2],
        state=row[3],
        transaction=row[4],
        deadline=_instant(row[5]),
        sealed_context=bytes(row[6]),
        status=PendingStatus(row[7]),
        outcome=row[8],
        sealed_answer=None if row[9] is None else bytes(row[9]),
        answer_digest=row[10],
        delivered=bool(row[11]),
    )


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _instant(value_ms: int) -> datetime:
    return datetime.fromtimestamp(value_ms / 1000, UTC)

"""`Store` in SQL.

Owns:    the statements over `liveness_checks`, `liveness_sessions`, `liveness_attestations` (migration 0004).
Rules:   one transaction a method; use-once is an UPDATE or DELETE whose row count decides
"""

import sqlite3

from liveness.ports import SqlTransactions
from liveness.store import CheckRow, CheckState, SessionClaim


class SqliteStore:
    """`Store` over the service's database."""

    def __init__(self, transactions: SqlTransactions) -> None:
        self._transactions = transactions

    async def add_check(self, check_key: str, sealed_request: bytes, *, created_at_s: int, expires_at_s: int) -> None:
        """Keep a new check."""
        await self._execute(
            "INSERT INTO liveness_checks (check_key, sealed_request, state, document_attempts, attempts, created_at_s,"
            " expires_at_s) VALUES (?, ?, ?, 0, 0, ?, ?)",
            (check_key, sealed_request, CheckState.OPEN.value, created_at_s, expires_at_s),
        )

    async def find_check(self, check_key: str) -> CheckRow | None:
        """Return a check."""

        def work(connection: sqlite3.Connection) -> CheckRow | None:
            row = connection.execute(
                "SELECT sealed_request, sealed_document, state, document_attempts, attempts, expires_at_s"
                " FROM liveness_checks WHERE check_key = ?",
                (check_key,),
            ).fetchone()
            return CheckRow(check_key, row[0], row[1], CheckState(row[2]), *row[3:]) if row else None

        return await self._transactions.read(work)

    async def count_document_attempt(self, check_key: str, *, limit: int) -> bool:
        """Count one try at the document; False when none is left."""
        return await self._execute(
            "UPDATE liveness_checks SET document_attempts = document_attempts + 1"
            " WHERE check_key = ? AND document_attempts < ?",
            (check_key, limit),
        )

    async def keep_document(self, check_key: str, sealed_document: bytes) -> None:
        """Keep the checked document of an open check."""
        await self._execute(
            "UPDATE liveness_checks SET sealed_document = ? WHERE check_key = ? AND state = ?",
            (sealed_document, check_key, CheckState.OPEN.value),
        )

    async def start_session(self, check_key: str, session_key: str, *, expires_at_s: int, limit: int) -> bool:
        """Count one attempt and keep the session; False when no attempt is left."""

        def work(connection: sqlite3.Connection) -> bool:
            counted = connection.execute(
                "UPDATE liveness_checks SET attempts = attempts + 1 WHERE check_key = ? AND state = ? AND attempts < ?",
                (check_key, CheckState.OPEN.value, limit),
            )
            if counted.rowcount == 1:
                connection.execute(
                    "INSERT INTO liveness_sessions (session_key, check_key, expires_at_s) VALUES (?, ?, ?)",
                    (session_key, check_key, expires_at_s),
                )
            return counted.rowcount == 1

        return await self._transactions.write(work)

    async def refund_attempt(self, check_key: str) -> None:
        """Give an attempt back."""
        await self._execute(
            "UPDATE liveness_checks SET attempts = attempts - 1 WHERE check_key = ? AND attempts > 0", (check_key,)
        )

    async def is_answered(self, session_key: str) -> bool:
        """Whether a session was used."""
        statement = "SELECT 1 FROM liveness_sessions WHERE session_key = ? AND answered_at_s IS NOT NULL"
        return await self._transactions.read(
            lambda connection: connection.execute(statement, (session_key,)).fetchone() is not None
        )

    async def claim_session(self, session_key: str, *, at_s: int) -> SessionClaim:
        """Use a session, once."""

        def work(connection: sqlite3.Connection) -> SessionClaim:
            claimed = connection.execute(
                "UPDATE liveness_sessions SET answered_at_s = ? WHERE session_key = ? AND answered_at_s IS NULL",
                (at_s, session_key),
            )
            if claimed.rowcount == 1:
                return SessionClaim.CLAIMED
            known = connection.execute(
                "SELECT 1 FROM liveness_sessions WHERE session_key = ?", (session_key,)
            ).fetchone()
            return SessionClaim.USED_BEFORE if known else SessionClaim.UNKNOWN

        return await self._transactions.write(work)

    async def close_check(self, check_key: str, state: CheckState) -> bool:
        """End an open check; False when it had ended."""
        return await self._execute(
            "UPDATE liveness_checks SET state = ?, sealed_document = NULL WHERE check_key = ? AND state = ?",
            (state.value, check_key, CheckState.OPEN.value),
        )

    async def pass_check(self, check_key: str, code_key: str, sealed_token: bytes, *, expires_at_s: int) -> bool:
        """End an open check as passed and keep its attestation; False when it had ended."""

        def work(connection: sqlite3.Connection) -> bool:
            ended = connection.execute(
                "UPDATE liveness_checks SET state = ?, sealed_document = NULL WHERE check_key = ? AND state = ?",
                (CheckState.PASSED.value, check_key, CheckState.OPEN.value),
            )
            if ended.rowcount == 1:
                connection.execute(
                    "INSERT INTO liveness_attestations (code_key, check_key, sealed_token, expires_at_s) VALUES (?, ?, ?, ?)",
                    (code_key, check_key, sealed_token, expires_at_s),
                )
            return ended.rowcount == 1

        return await self._transactions.write(work)

    async def redeem(self, code_key: str, *, at_s: int) -> bytes | None:
        """Return an attestation, once and in time."""

        def work(connection: sqlite3.Connection) -> bytes | None:
            row = connection.execute(
                "SELECT sealed_token, expires_at_s FROM liveness_attestations WHERE code_key = ?", (code_key,)
            ).fetchone()
            connection.execute("DELETE FROM liveness_attestations WHERE code_key = ?", (code_key,))
            return bytes(row[0]) if row and row[1] > at_s else None

        return await self._transactions.write(work)

    async def purge(self, *, before_s: int) -> int:
        """Delete everything that expired before; return how many checks."""

        def work(connection: sqlite3.Connection) -> int:
            connection.execute("DELETE FROM liveness_attestations WHERE expires_at_s < ?", (before_s,))
            connection.execute("DELETE FROM liveness_sessions WHERE expires_at_s < ?", (before_s,))
            return connection.execute("DELETE FROM liveness_checks WHERE expires_at_s < ?", (before_s,)).rowcount

        return await self._transactions.write(work)

    async def _execute(self, statement: str, values: tuple[object, ...]) -> bool:
        """Run one statement; return whether it changed exactly one row."""
        return await self._transactions.write(lambda connection: connection.execute(statement, values).rowcount == 1)

"""Signing transactions in SQLite.

Owns:    the SQL over `signing_transactions` and `signing_documents` (migration 0005). Leaves connections to the host.
Rules:   documents and prepared states are sealed, bound to transaction and kind; times are whole microseconds.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta

from signing.model import SignatureLevel
from signing.ports import PersonalDataCipher, SqlTransactions
from signing.store import DocumentKind
from signing.transaction_model import Transaction, TransactionStatus

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = (
    "id", "client_id", "client_name", "region", "citizen", "document_name", "document_sha256", "reason", "level", "status",
    "changed_at_us", "created_at_us", "deadline_us", "connector", "reference", "comparison_code", "approval_url",
    "prepared_state", "error_code", "error_detail", "report",
)  # fmt: skip
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM signing_transactions"  # noqa: S608 - constant column names
_INSERT = (
    f"INSERT INTO signing_transactions ({', '.join(_COLUMNS)}, idempotency_key) "  # noqa: S608 - constant column names
    f"VALUES ({', '.join('?' * (len(_COLUMNS) + 1))})"
)
_UPDATE = (
    "UPDATE signing_transactions SET status = ?, changed_at_us = ?, connector = ?, reference = ?, comparison_code = ?, "
    "approval_url = ?, prepared_state = ?, error_code = ?, error_detail = ?, report = ? WHERE id = ?"
)


class SqliteStore:
    """The store."""

    def __init__(self, database: SqlTransactions, cipher: PersonalDataCipher) -> None:
        self._database = database
        self._cipher = cipher

    async def create(self, transaction: Transaction, document: bytes, idempotency_key: str | None) -> Transaction:
        """See `Store.create`."""
        sealed = self._seal(transaction.id, DocumentKind.ORIGINAL, document)

        def work(connection: sqlite3.Connection) -> Transaction:
            if idempotency_key is not None:
                row = connection.execute(
                    f"{_SELECT} WHERE client_id = ? AND idempotency_key = ?", (transaction.client_id, idempotency_key)
                ).fetchone()
                if row is not None:
                    return _from_row(row)
            connection.execute(_INSERT, (*_to_row(transaction), idempotency_key))
            _put_document(connection, transaction.id, DocumentKind.ORIGINAL, sealed)
            return transaction

        return await self._database.write(work)

    async def load(self, transaction_id: str) -> Transaction | None:
        """See `Store.load`."""
        return await self._one("id = ?", transaction_id)

    async def load_by_reference(self, reference: str) -> Transaction | None:
        """See `Store.load_by_reference`."""
        return await self._one("reference = ?", reference)

    async def change(
        self,
        transaction_id: str,
        work: Callable[[Transaction], Transaction | None],
        document: tuple[DocumentKind, bytes] | None = None,
    ) -> Transaction | None:
        """See `Store.change`."""
        sealed = None if document is None else self._seal(transaction_id, *document)

        def run(connection: sqlite3.Connection) -> Transaction | None:
            row = connection.execute(f"{_SELECT} WHERE id = ?", (transaction_id,)).fetchone()
            changed = None if row is None else work(_from_row(row))
            if changed is None:
                return None
            values = dict(zip(_COLUMNS, _to_row(changed), strict=True))
            connection.execute(_UPDATE, (*(values[name] for name in _UPDATED), transaction_id))
            if document is not None and sealed is not None:
                _put_document(connection, transaction_id, document[0], sealed)
            return changed

        return await self._database.write(run)

    async def load_document(self, transaction_id: str, kind: DocumentKind) -> bytes | None:
        """See `Store.load_document`."""

        def work(connection: sqlite3.Connection) -> bytes | None:
            row = connection.execute(
                "SELECT sealed FROM signing_documents WHERE transaction_id = ? AND kind = ?", (transaction_id, kind.value)
            ).fetchone()
            return None if row is None else bytes(row[0])

        sealed = await self._database.read(work)
        return None if sealed is None else self._cipher.open(sealed, purpose=_purpose(transaction_id, kind))

    async def purge(self, before: datetime) -> int:
        """See `Store.purge`."""

        def work(connection: sqlite3.Connection) -> int:
            moment = _micros(before)
            connection.execute(
                "DELETE FROM signing_documents WHERE transaction_id IN "
                "(SELECT id FROM signing_transactions WHERE deadline_us < ?)",
                (moment,),
            )
            return connection.execute("DELETE FROM signing_transactions WHERE deadline_us < ?", (moment,)).rowcount

        return await self._database.write(work)

    async def _one(self, condition: str, value: str) -> Transaction | None:
        def work(connection: sqlite3.Connection) -> Transaction | None:
            row = connection.execute(f"{_SELECT} WHERE {condition}", (value,)).fetchone()
            return None if row is None else _from_row(row)

        return await self._database.read(work)

    def _seal(self, transaction_id: str, kind: DocumentKind, document: bytes) -> bytes:
        return self._cipher.seal(document, purpose=_purpose(transaction_id, kind))


_UPDATED = (
    "status", "changed_at_us", "connector", "reference", "comparison_code", "approval_url", "prepared_state", "error_code",
    "error_detail", "report",
)  # fmt: skip


def _purpose(transaction_id: str, kind: DocumentKind) -> str:
    return f"signing.document.{kind.value}.{transaction_id}"


def _put_document(connection: sqlite3.Connection, transaction_id: str, kind: DocumentKind, sealed: bytes) -> None:
    connection.execute(
        "DELETE FROM signing_documents WHERE transaction_id = ? AND kind = ?", (transaction_id, kind.value)
    )
    connection.execute(
        "INSERT INTO signing_documents (transaction_id, kind, sealed) VALUES (?, ?, ?)",
        (transaction_id, kind.value, sealed),
    )


def _to_row(transaction: Transaction) -> tuple[str | int | None, ...]:
    row: list[str | int | None] = []
    for item in fields(transaction):
        value = getattr(transaction, item.name)
        row.append(_micros(value) if isinstance(value, datetime) else value)
    return tuple(row)


def _from_row(row: tuple[object, ...]) -> Transaction:
    values = {item.name: value for item, value in zip(fields(Transaction), row, strict=True)}
    for name in ("changed_at", "created_at", "deadline"):
        values[name] = _EPOCH + timedelta(microseconds=int(str(values[name])))
    values["level"] = SignatureLevel(str(values["level"]))
    values["status"] = TransactionStatus(str(values["status"]))
    return Transaction(**values)  # type: ignore[arg-type]  # the columns are those of the value, in order


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)

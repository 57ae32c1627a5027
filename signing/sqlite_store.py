"""Signing transactions in SQLite.

Owns:    the SQL over `signing_transactions` and `signing_documents` (migration 0005). Leaves connections to the host.
Rules:   documents, and what tells of a person, are sealed, bound to transaction and kind; times are whole microseconds.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from signing.model import SignatureLevel
from signing.ports import PersonalDataCipher, SqlTransactions
from signing.store import DocumentKind
from signing.transaction_model import Transaction, TransactionStatus

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIXED = ("id", "client_id", "client_name", "region", "citizen", "document_sha256", "level")
_CHANGING = ("status", "changed_at", "created_at", "deadline", "connector", "reference", "approval_url",
             "error_code", "error_detail")  # fmt: skip
_SEALED = ("document_name", "reason", "comparison_code")
_TIMES = frozenset({"changed_at", "created_at", "deadline"})


def _column(name: str) -> str:
    return f"{name}_us" if name in _TIMES else name


_COLUMNS = ", ".join(map(_column, (*_FIXED, *_CHANGING)))
_SELECT = f"SELECT {_COLUMNS}, sealed_details FROM signing_transactions"  # noqa: S608 - constant column names
_MARKS = ", ".join("?" * (len(_FIXED) + len(_CHANGING) + 2))
_INSERT = f"INSERT INTO signing_transactions ({_COLUMNS}, sealed_details, idempotency_key) VALUES ({_MARKS})"  # noqa: S608 - constants
_ASSIGNMENTS = ", ".join(f"{_column(name)} = ?" for name in _CHANGING)
_UPDATE = f"UPDATE signing_transactions SET {_ASSIGNMENTS}, sealed_details = ? WHERE id = ?"  # noqa: S608 - constants


class SqliteStore:
    """The store."""

    def __init__(self, database: SqlTransactions, cipher: PersonalDataCipher) -> None:
        self._database = database
        self._cipher = cipher

    async def create(self, transaction: Transaction, document: bytes, idempotency_key: str | None) -> Transaction:
        """See `Store.create`."""
        sealed = self._seal_documents(transaction.id, {DocumentKind.ORIGINAL: document})

        def work(connection: sqlite3.Connection) -> Transaction:
            if idempotency_key is not None:
                row = connection.execute(
                    f"{_SELECT} WHERE client_id = ? AND idempotency_key = ?", (transaction.client_id, idempotency_key)
                ).fetchone()
                if row is not None:
                    return self._from_row(row)
            values = (*_values(transaction, _FIXED + _CHANGING), self._details(transaction), idempotency_key)
            connection.execute(_INSERT, values)
            _put_documents(connection, transaction.id, sealed)
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
        documents: Mapping[DocumentKind, bytes] | None = None,
    ) -> Transaction | None:
        """See `Store.change`."""
        sealed = self._seal_documents(transaction_id, documents or {})

        def run(connection: sqlite3.Connection) -> Transaction | None:
            row = connection.execute(f"{_SELECT} WHERE id = ?", (transaction_id,)).fetchone()
            changed = None if row is None else work(self._from_row(row))
            if changed is None:
                return None
            connection.execute(_UPDATE, (*_values(changed, _CHANGING), self._details(changed), transaction_id))
            _put_documents(connection, transaction_id, sealed)
            return changed

        return await self._database.write(run)

    async def load_document(self, transaction_id: str, kind: DocumentKind) -> bytes | None:
        """See `Store.load_document`."""

        def work(connection: sqlite3.Connection) -> bytes | None:
            row = connection.execute(
                "SELECT sealed FROM signing_documents WHERE transaction_id = ? AND kind = ?",
                (transaction_id, kind.value),
            ).fetchone()
            return None if row is None else bytes(row[0])

        sealed = await self._database.read(work)
        return None if sealed is None else self._cipher.open(sealed, purpose=_purpose(transaction_id, kind))

    async def purge(self, before: datetime) -> int:
        """See `Store.purge`."""

        def work(connection: sqlite3.Connection) -> int:
            moment = (_micros(before),)
            connection.execute(
                "DELETE FROM signing_documents WHERE transaction_id IN "
                "(SELECT id FROM signing_transactions WHERE deadline_us < ?)",
                moment,
            )
            return connection.execute("DELETE FROM signing_transactions WHERE deadline_us < ?", moment).rowcount

        return await self._database.write(work)

    async def _one(self, condition: str, value: str) -> Transaction | None:
        def work(connection: sqlite3.Connection) -> Transaction | None:
            row = connection.execute(f"{_SELECT} WHERE {condition}", (value,)).fetchone()
            return None if row is None else self._from_row(row)

        return await self._database.read(work)

    def _seal_documents(
        self, transaction_id: str, documents: Mapping[DocumentKind, bytes]
    ) -> dict[DocumentKind, bytes]:
        return {
            kind: self._cipher.seal(content, purpose=_purpose(transaction_id, kind))
            for kind, content in documents.items()
        }

    def _details(self, transaction: Transaction) -> bytes:
        plain = json.dumps({name: getattr(transaction, name) for name in _SEALED}).encode()
        return self._cipher.seal(plain, purpose=f"signing.details.{transaction.id}")

    def _from_row(self, row: tuple[Any, ...]) -> Transaction:
        *plain, sealed = row
        values = dict(zip(_FIXED + _CHANGING, plain, strict=True))
        details = self._cipher.open(bytes(sealed), purpose=f"signing.details.{values['id']}")
        values.update(json.loads(details))
        for name in _TIMES:
            values[name] = _EPOCH + timedelta(microseconds=values[name])
        values["level"] = SignatureLevel(values["level"])
        values["status"] = TransactionStatus(values["status"])
        return Transaction(**values)


def _purpose(transaction_id: str, kind: DocumentKind) -> str:
    return f"signing.document.{kind.value}.{transaction_id}"


def _put_documents(connection: sqlite3.Connection, transaction_id: str, sealed: Mapping[DocumentKind, bytes]) -> None:
    for kind, content in sealed.items():
        place = (transaction_id, kind.value)
        connection.execute("DELETE FROM signing_documents WHERE transaction_id = ? AND kind = ?", place)
        connection.execute(
            "INSERT INTO signing_documents (transaction_id, kind, sealed) VALUES (?, ?, ?)", (*place, content)
        )


def _values(transaction: Transaction, names: tuple[str, ...]) -> list[str | int | None]:
    found = [getattr(transaction, name) for name in names]
    return [_micros(value) if isinstance(value, datetime) else value for value in found]


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)

"""Where signing transactions are kept.

Owns:    the Protocol of the store. Leaves SQL to `sqlite_store`.
Rules:   `change` is the only way to another state, and compares before it writes: of two that try, one wins;
         documents and what tells of a person are kept sealed.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from signing.transaction_model import Transaction


class DocumentKind(StrEnum):
    """What is kept with a transaction."""

    ORIGINAL = "original"
    PREPARED = "prepared"
    """The document with its empty gap."""
    STATE = "state"
    """`PreparedSignature.state`."""
    SIGNED = "signed"
    REPORT = "report"
    """JSON of our validation of the signed document."""


class Store(Protocol):
    """Keeps transactions and their documents."""

    async def create(self, transaction: Transaction, document: bytes, idempotency_key: str | None) -> Transaction:
        """Keep a new transaction; with a key that this client used before, return that one instead."""
        ...

    async def load(self, transaction_id: str) -> Transaction | None:
        """Return a transaction."""
        ...

    async def load_by_reference(self, reference: str) -> Transaction | None:
        """Return the transaction that an upstream's reference belongs to."""
        ...

    async def change(
        self,
        transaction_id: str,
        work: Callable[[Transaction], Transaction | None],
        documents: Mapping[DocumentKind, bytes] | None = None,
    ) -> Transaction | None:
        """Read, decide and write in one database transaction.

        Args:
            transaction_id: which one.
            work: returns the changed value, or None to leave it as it is.
            documents: stored with it when it changes.

        Returns:
            The changed value, or None when nothing was changed.
        """
        ...

    async def load_document(self, transaction_id: str, kind: DocumentKind) -> bytes | None:
        """Return a document, opened."""
        ...

    async def purge(self, before: datetime) -> int:
        """Delete transactions whose deadline was before then, with their documents; return how many."""
        ...

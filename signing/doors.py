"""What the doors of this package share: the objects that the host built, and how a transaction is shown.

Owns:    `SigningDoors`, `shown`. Leaves HTTP itself to `routes` and `page_routes`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from signing.config import SigningConfig
from signing.evidence import EvidenceSource
from signing.policy import DEFAULT, POLICIES
from signing.ports import Authorisations, PageRenderer, PersonalDataCipher
from signing.report import Json, ValidationReport
from signing.transaction_model import Transaction
from signing.transactions import SigningTransactions
from signing.worker_client import PdfWorkers
from trust_lists.clock import Clock
from trust_lists.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class SigningDoors:
    """What the doors need; built by the host.

    Attributes:
        transactions: the process.
        workers: limited processes for validation.
        evidence: source of revocation data.
        snapshot: the accepted trust list at a time; raises where there is none.
        authorisations: tokens and sessions.
        pages: renderer.
        cipher: for the pages' form tokens.
        clock: reads the time.
        config: limits and addresses.
    """

    transactions: SigningTransactions
    workers: PdfWorkers
    evidence: EvidenceSource
    snapshot: Callable[[datetime], Snapshot]
    authorisations: Authorisations
    pages: PageRenderer
    cipher: PersonalDataCipher
    clock: Clock
    config: SigningConfig

    async def validate(self, document: bytes, policy: str = DEFAULT.name) -> ValidationReport:
        """Validate an uploaded file against the current trust list."""
        at = self.clock()
        return await self.workers.validate(document, self.snapshot(at), POLICIES[policy], at, self.evidence)


def shown(transaction: Transaction, doors: SigningDoors) -> Json:
    """Return a transaction as portals see it."""
    remaining = transaction.deadline - doors.clock()
    error: Json | None = None
    if transaction.error_code is not None:
        error = {"code": transaction.error_code, "detail": transaction.error_detail or ""}
    return {
        "transaction": transaction.id,
        "url": f"{doors.config.public_url}/sign/{transaction.id}",
        "status": transaction.status.public.value,
        "document_sha256": transaction.document_sha256,
        "document_name": transaction.document_name,
        "level": transaction.level.value,
        "expires_in": max(0, int(remaining.total_seconds())),
        "created_at": _instant(transaction.created_at),
        "error": error,
    }


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")

"""A signing transaction as a value: a portal's request, its citizen, its state.

Owns:    `Transaction`, its states, and which state may follow which. Leaves storage to `store`, the process to `transactions`.
Rules:   a final state never changes; a transaction past its deadline is expired whatever its row says;
         a state in which one process works is a lease: after `LEASE` another may take over.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from signing.model import SignatureLevel

LEASE = timedelta(seconds=90)


class TransactionStatus(StrEnum):
    """Where a transaction stands."""

    CREATED = "created"
    STARTING = "starting"
    """One process asks the upstream."""
    AWAITING_APPROVAL = "awaiting_approval"
    COMPLETING = "completing"
    """One process embeds, stamps and validates."""
    SIGNED = "signed"
    REFUSED = "refused"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Nothing follows."""
        return self in (TransactionStatus.SIGNED, TransactionStatus.REFUSED, TransactionStatus.EXPIRED)

    @property
    def public(self) -> "TransactionStatus":
        """The state as portals see it: a working state looks like the one before it."""
        return {
            TransactionStatus.STARTING: TransactionStatus.CREATED,
            TransactionStatus.COMPLETING: TransactionStatus.AWAITING_APPROVAL,
        }.get(self, self)


FOLLOWS: dict[TransactionStatus, frozenset[TransactionStatus]] = {
    TransactionStatus.STARTING: frozenset({TransactionStatus.CREATED, TransactionStatus.STARTING}),
    TransactionStatus.AWAITING_APPROVAL: frozenset({TransactionStatus.STARTING}),
    TransactionStatus.COMPLETING: frozenset({TransactionStatus.AWAITING_APPROVAL, TransactionStatus.COMPLETING}),
    TransactionStatus.SIGNED: frozenset({TransactionStatus.COMPLETING}),
    TransactionStatus.CREATED: frozenset({TransactionStatus.STARTING}),
    TransactionStatus.REFUSED: frozenset(
        {
            TransactionStatus.CREATED,
            TransactionStatus.STARTING,
            TransactionStatus.AWAITING_APPROVAL,
            TransactionStatus.COMPLETING,
        }
    ),
    TransactionStatus.EXPIRED: frozenset({TransactionStatus.CREATED, TransactionStatus.AWAITING_APPROVAL}),
}
"""Each state with those that it may follow; back to CREATED when the upstream could not be asked."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One signing transaction.

    Attributes:
        id: opaque.
        client_id: the portal.
        client_name: shown to the citizen.
        region: the portal's.
        citizen: opaque person id whose signature is asked for.
        document_name: shown to the citizen.
        document_sha256: of the document as posted, hex.
        reason: goes into the signature dictionary.
        level: asked for.
        status: as stored.
        changed_at: when the status was last written (lease).
        created_at: beginning.
        deadline: after it, only EXPIRED follows.
        connector: upstream of the signature, once asked.
        reference: the upstream's, once it took the request.
        comparison_code: digits shown on both sides.
        approval_url: where the browser goes to approve.
        error_code: why it was refused.
        error_detail: one sentence, safe to show.
    """

    id: str
    client_id: str
    client_name: str
    region: str
    citizen: str
    document_name: str
    document_sha256: str
    reason: str
    level: SignatureLevel
    status: TransactionStatus
    changed_at: datetime
    created_at: datetime
    deadline: datetime
    connector: str | None = None
    reference: str | None = None
    comparison_code: str | None = None
    approval_url: str | None = None
    error_code: str | None = None
    error_detail: str | None = None

    def status_at(self, at: datetime) -> TransactionStatus:
        """The status that counts: an abandoned working state is the one before it, an open one past its deadline is expired."""
        status = self.status
        if at - self.changed_at > LEASE:
            status = status.public
        if at >= self.deadline and status in FOLLOWS[TransactionStatus.EXPIRED] | {TransactionStatus.STARTING}:
            return TransactionStatus.EXPIRED
        return status

    def may_become(self, status: TransactionStatus, at: datetime) -> bool:
        """Tell whether the status may be written now; taking over a working state needs its lease to be over."""
        if self.status not in FOLLOWS[status]:
            return False
        return self.status is not status or at - self.changed_at > LEASE

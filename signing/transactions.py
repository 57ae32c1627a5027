"""Signing transactions: what a portal asks, a citizen approves, an upstream signs.

Owns:    the process over the states of `transaction_model`: create, authorise, complete, refuse. Implements `SignatureReceiver`.
Leaves:  HTTP to `routes`, the upstream to a `RemoteSigner`, hostile files to the limited workers.
Rules:   1 the portal names the citizen by the citizen's own token; only that citizen may authorise
         2 one key operation: the upstream is asked by the one process that took the transaction from CREATED
         3 a signature is used once; a repeated result changes nothing; every result is acknowledged
         4 what our own validation does not pass is refused with its sub-indication, acknowledged as rejected, never given out
         5 no time stamp, no signature: `tsa_unavailable`
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from signing.config import SigningConfig
from signing.creation import PreparedSignature, SigningOptions, accept_output, appearance_lines, embed
from signing.errors import (
    AccessRefused,
    DocumentTooLarge,
    RemoteRefused,
    RequestRefused,
    SignatureRejected,
    SigningError,
    SigningUnavailable,
    TransactionBusy,
    TransactionExpired,
    TransactionState,
    TransactionUnknown,
)
from signing.evidence import EvidenceSource
from signing.model import SignatureLevel
from signing.policy import DEFAULT
from signing.ports import PortalAccess, SignedInCitizen
from signing.remote_signing import RemoteSignature, RemoteSigner, RemoteSigningRequest, SigningOutcome
from signing.store import DocumentKind, Store
from signing.transaction_model import Transaction, TransactionStatus
from signing.tsa import TimestampClient
from signing.worker_client import PdfWorkers
from trust_lists.audit_trail import AuditTrail
from trust_lists.clock import Clock
from trust_lists.snapshot import Snapshot

_MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class SigningDemand:
    """What a portal posts."""

    document: bytes
    document_name: str
    reason: str = ""
    level: SignatureLevel = SignatureLevel.B_T
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class SigningParts:
    """What the process works with; built by the host.

    Attributes:
        store: keeps transactions.
        workers: limited processes.
        remote_signers: by connector name.
        timestamps: client of the TSA.
        evidence: source of revocation data.
        snapshot: the accepted trust list at a time; raises where there is none.
        audit: takes events.
        clock: reads the time.
        config: limits and addresses.
    """

    store: Store
    workers: PdfWorkers
    remote_signers: Mapping[str, RemoteSigner]
    timestamps: TimestampClient
    evidence: EvidenceSource
    snapshot: Callable[[datetime], Snapshot]
    audit: AuditTrail
    clock: Clock
    config: SigningConfig


class SigningTransactions:
    """The process; one object serves all requests."""

    def __init__(self, parts: SigningParts) -> None:
        self._parts = parts

    async def create(self, access: PortalAccess, demand: SigningDemand) -> Transaction:
        """Take a portal's document.

        Raises:
            AccessRefused: the token is not a citizen's.
            RequestRefused: a field is nonsense.
            DocumentTooLarge: beyond the limit.
        """
        at = self._parts.clock()
        if access.citizen is None:
            raise AccessRefused("a signature is asked with the citizen's own access token", "insufficient_scope")
        _check_named(access, demand.document)
        _check_demand(demand, self._parts.config)
        await self._parts.store.purge(at - self._parts.config.retention)
        transaction = Transaction(
            id=secrets.token_urlsafe(24),
            client_id=access.client_id,
            client_name=access.client_name,
            region=access.region.value,
            citizen=access.citizen,
            document_name=demand.document_name,
            document_sha256=hashlib.sha256(demand.document).hexdigest(),
            reason=demand.reason,
            level=demand.level,
            status=TransactionStatus.CREATED,
            changed_at=at,
            created_at=at,
            deadline=at + self._parts.config.transaction_lifetime,
        )
        kept = await self._parts.store.create(transaction, demand.document, demand.idempotency_key)
        if kept.document_sha256 != transaction.document_sha256:
            raise RequestRefused("the idempotency key was used for another document")
        if kept.id == transaction.id:
            await self._parts.audit.record(
                "signing.created", correlation=kept.id, detail={"client": kept.client_id, "level": kept.level.value}
            )
        return kept

    async def view(self, transaction_id: str) -> Transaction:
        """Return a transaction with the status that counts now.

        Raises:
            TransactionUnknown: there is none.
        """
        found = await self._parts.store.load(transaction_id)
        if found is None:
            raise TransactionUnknown("there is no such signing transaction")
        return replace(found, status=found.status_at(self._parts.clock()))

    async def view_for_portal(self, transaction_id: str, access: PortalAccess) -> Transaction:
        """The same, for the portal that made it; to others it does not exist."""
        found = await self.view(transaction_id)
        if found.client_id != access.client_id:
            raise TransactionUnknown("there is no such signing transaction")
        return found

    async def view_for_citizen(self, transaction_id: str, citizen: SignedInCitizen) -> Transaction:
        """The same, for the citizen whose signature is asked for.

        Raises:
            AccessRefused: somebody else is signed in.
        """
        found = await self.view(transaction_id)
        if not hmac.compare_digest(found.citizen.encode(), citizen.citizen.encode()):
            raise AccessRefused("this document is for another person to sign", "signer_mismatch")
        return found

    async def document(self, transaction_id: str, kind: DocumentKind) -> bytes:
        """Return a document of a transaction.

        Raises:
            TransactionState: there is none of that kind yet.
        """
        found = await self._parts.store.load_document(transaction_id, kind)
        if found is None:
            raise TransactionState("the document is not there yet")
        return found

    async def authorise(self, transaction_id: str, citizen: SignedInCitizen, locale: str) -> Transaction:
        """Let the citizen's upstream sign; asking again while it is under way changes nothing.

        Raises:
            AccessRefused, TransactionState, TransactionExpired: it cannot be done.
            RemoteRefused, RemoteSignerUnavailable: the upstream.
            DocumentRefused: the document cannot be signed.
        """
        found = await self.view_for_citizen(transaction_id, citizen)
        if found.status in (TransactionStatus.AWAITING_APPROVAL, TransactionStatus.COMPLETING):
            return found
        if found.status is TransactionStatus.EXPIRED:
            raise TransactionExpired("the time to sign this document is over")
        signer = self._parts.remote_signers.get(citizen.connector)
        if signer is None:
            raise RemoteRefused("this sign-in cannot sign documents", "signing_not_supported")
        taken = await self._move(transaction_id, TransactionStatus.STARTING, connector=citizen.connector)
        if taken is None:
            raise TransactionState("the document is being signed or is finished")
        try:
            return await self._start(taken, citizen, signer, locale)
        except SigningUnavailable:
            await self._move(transaction_id, TransactionStatus.CREATED)
            raise
        except SigningError as error:
            await self._close(taken, error)
            raise

    async def complete(self, signature: RemoteSignature) -> None:
        """Take the upstream's signature; see `SignatureReceiver`.

        Raises:
            TransactionUnknown: the reference is not known (yet).
            TransactionBusy: another process is finishing this transaction.
            TransactionState: it was finished otherwise.
        """
        found = await self._by_reference(signature.reference)
        if found.status is TransactionStatus.SIGNED:
            return
        if found.status_at(self._parts.clock()).is_final:
            await self._acknowledge(found, SigningOutcome.REJECTED)
            raise TransactionState("the transaction is closed")
        taken = await self._move(found.id, TransactionStatus.COMPLETING)
        if taken is None:
            raise TransactionBusy("the transaction is being finished")
        try:
            await self._finish(taken, signature)
        except SigningError as error:
            await self._close(taken, error)
            await self._acknowledge(taken, SigningOutcome.REJECTED)

    async def refuse(self, reference: str, code: str) -> None:
        """Take the upstream's refusal; see `SignatureReceiver`.

        Raises:
            TransactionUnknown: the reference is not known (yet).
        """
        found = await self._by_reference(reference)
        await self._close(found, RemoteRefused("the signature was refused at the identity provider", code))

    async def _start(
        self, taken: Transaction, citizen: SignedInCitizen, signer: RemoteSigner, locale: str
    ) -> Transaction:
        certificates = await signer.certificates(citizen.signer)
        document = await self.document(taken.id, DocumentKind.ORIGINAL)
        at = self._parts.clock()
        lines = appearance_lines(certificates.end_entity, at, taken.reason)
        options = SigningOptions(level=taken.level, reason=taken.reason or None, appearance=lines)
        prepared = await self._parts.workers.prepare(document, certificates.end_entity, certificates.chain, options, at)
        kept = await self._move(
            taken.id,
            TransactionStatus.STARTING,
            keep=True,
            documents={DocumentKind.PREPARED: prepared.document, DocumentKind.STATE: prepared.state().encode()},
        )
        if kept is None:
            raise TransactionState("the transaction was closed meanwhile")
        started = await signer.start(
            RemoteSigningRequest(
                taken.id,
                citizen.signer,
                prepared.digest,
                prepared.digest_algorithm,
                taken.document_name,
                taken.client_name,
                locale,
            )
        )
        waiting = await self._move(
            taken.id,
            TransactionStatus.AWAITING_APPROVAL,
            reference=started.reference,
            comparison_code=started.comparison_code,
            approval_url=started.approval_url,
        )
        if waiting is None:
            raise TransactionState("the transaction was closed meanwhile")
        await self._parts.audit.record("signing.started", correlation=taken.id, detail={"connector": citizen.connector})
        return waiting

    async def _finish(self, taken: Transaction, signature: RemoteSignature) -> None:
        document = await self.document(taken.id, DocumentKind.PREPARED)
        state = await self.document(taken.id, DocumentKind.STATE)
        prepared = PreparedSignature.from_state(state.decode(), document)
        if not hmac.compare_digest(signature.certificate, prepared.signer.certificate):
            # The certificate is named in what was signed (ESS), so this signature cannot fit the document.
            raise SignatureRejected("the upstream signed with another certificate", "NO_SIGNING_CERTIFICATE_FOUND")
        stamp = None
        if prepared.level is not SignatureLevel.B_B:
            stamp = await self._parts.timestamps.stamp(signature.signature)
        output = embed(prepared, signature.signature, stamp)
        at = self._parts.clock()
        report = await self._parts.workers.validate(output, self._parts.snapshot(at), DEFAULT, at, self._parts.evidence)
        if report.error is not None:
            raise SignatureRejected("our own validation could not judge the signature", report.error.code)
        accept_output(report, prepared.field, prepared.level, trusted=True)
        shown = report.to_json(taken.document_name)
        done = await self._move(
            taken.id,
            TransactionStatus.SIGNED,
            documents={
                DocumentKind.SIGNED: output,
                DocumentKind.REPORT: json.dumps(shown, ensure_ascii=False).encode(),
            },
        )
        if done is None:
            raise TransactionState("the transaction was closed meanwhile")
        await self._parts.audit.record(
            "signing.signed", correlation=taken.id, detail={"level": taken.level.value, "sha256": _sha256(output)}
        )
        await self._acknowledge(done, SigningOutcome.ACCEPTED)

    async def _by_reference(self, reference: str) -> Transaction:
        found = await self._parts.store.load_by_reference(reference)
        if found is None:
            raise TransactionUnknown("there is no such signing transaction")
        return found

    async def _move(
        self,
        transaction_id: str,
        status: TransactionStatus,
        *,
        keep: bool = False,
        documents: Mapping[DocumentKind, bytes] | None = None,
        **values: str | None,
    ) -> Transaction | None:
        """Write another state where it may follow; None where it may not."""
        at = self._parts.clock()

        def work(now: Transaction) -> Transaction | None:
            allowed = now.status is status if keep else now.may_become(status, at)
            if not allowed:
                return None
            return replace(now, status=status, changed_at=at, **values)  # type: ignore[arg-type]  # text columns only

        return await self._parts.store.change(transaction_id, work, documents)

    async def _close(self, found: Transaction, error: SigningError) -> None:
        closed = await self._move(found.id, TransactionStatus.REFUSED, error_code=error.code, error_detail=str(error))
        if closed is not None:
            await self._parts.audit.record("signing.refused", correlation=found.id, outcome=error.code)

    async def _acknowledge(self, found: Transaction, outcome: SigningOutcome) -> None:
        signer = self._parts.remote_signers.get(found.connector or "")
        if signer is None or found.reference is None:
            return
        try:
            await signer.acknowledge(found.reference, outcome)
        except SigningError as error:
            # The document stands or falls without the acknowledgement; the upstream asks again by itself.
            await self._parts.audit.record(
                "signing.acknowledged", correlation=found.id, outcome=error.code, detail={"result": outcome.value}
            )
            return
        await self._parts.audit.record("signing.acknowledged", correlation=found.id, detail={"result": outcome.value})


def _check_named(access: PortalAccess, document: bytes) -> None:
    """RFC 9396 cl. 2: a token that names documents serves for those, byte for byte, and for no others."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(document).digest()).rstrip(b"=").decode()
    if access.documents and not any(hmac.compare_digest(named, digest) for named in access.documents):
        raise AccessRefused("the access token names other documents than this one", "insufficient_scope")


def _check_demand(demand: SigningDemand, config: SigningConfig) -> None:
    if len(demand.document) > config.document.max_pdf_bytes:
        raise DocumentTooLarge("the document is too large")
    if not demand.document.startswith(b"%PDF-"):
        raise RequestRefused("the document is not a PDF")
    if not 0 < len(demand.document_name) <= _MAX_NAME or not demand.document_name.isprintable():
        raise RequestRefused("the document needs a name of at most 200 printable characters")
    if len(demand.reason) > _MAX_NAME or not demand.reason.isprintable():
        raise RequestRefused("the reason must be at most 200 printable characters")
    if demand.level not in (SignatureLevel.B_B, SignatureLevel.B_T):
        raise RequestRefused("the level must be B-B or B-T")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

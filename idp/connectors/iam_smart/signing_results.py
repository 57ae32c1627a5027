"""What a signing callback does: the signature is verified over our own digest, then handed to who asked for it.

Owns:    the `ResultHandler` of signatures: the checks, in order, and the delivery. Leaves correlation to `callbacks`.
Rules:   1 hashCode is ours; the time is within the request's; the certificate is one for signing and valid now; the signature
           verifies over OUR digest with it; it is the certificate that was promised (it is named in what was signed)
         2 a signature under another certificate of the same name is refused, and that certificate promised for the next attempt
         3 the verdict is stored before anybody hears of it; a signature that we refuse is acknowledged as rejected (SR002)
         4 the receiver is told until it listens: here a few times, then again with every repeated callback
Spec:    fact sheet upstreams.md §1.4, §6.6.
"""

import asyncio
import base64
import hmac
import logging
from dataclasses import replace
from datetime import timedelta

from starlette.background import BackgroundTask

from idp.connectors.iam_smart.callbacks import Answer
from idp.connectors.iam_smart.cek import from_ms, read_time_ms
from idp.connectors.iam_smart.certificates import (
    SigningCertificate,
    names_match,
    parse_signing_certificate,
    verify_digest_signature,
)
from idp.connectors.iam_smart.client import IamSmartClient
from idp.connectors.iam_smart.codes import is_return_code
from idp.connectors.iam_smart.config import IamSmartConfig
from idp.connectors.iam_smart.errors import (
    ClockSkewed,
    ContentMalformed,
    EnvelopeMalformed,
    SignatureMismatch,
    SignerCertificateChanged,
)
from idp.connectors.iam_smart.outcomes import error_for_outcome
from idp.connectors.iam_smart.records import SigningAnswer, SigningContext, Vault
from idp.connectors.iam_smart.remote_signer import RESULTS
from idp.connectors.iam_smart.store import IamSmartStore, PendingRequest, PendingStatus, SessionRow, Settlement
from idp.connectors.iam_smart.wire import decode_binary
from idp.errors import UpstreamError, UpstreamUnavailable
from signing.errors import SigningRefused, SigningUnavailable, TransactionUnknown
from signing.remote_signing import RemoteSignature, SignatureReceiver, SigningOutcome
from trust_lists.audit_trail import AuditTrail
from trust_lists.clock import Clock

DELIVERY_PAUSES = (timedelta(), timedelta(seconds=0.1), timedelta(seconds=0.4), timedelta(seconds=1))
"""The receiver may not yet know a reference whose callback was quicker than the reply to the request."""
MAX_SIGNATURE_BYTES = 1_024
_LOG = logging.getLogger(__name__)


class SigningResults:
    """Settles signing requests and delivers their results."""

    def __init__(
        self,
        config: IamSmartConfig,
        store: IamSmartStore,
        vault: Vault,
        client: IamSmartClient,
        clock: Clock,
        audit: AuditTrail,
    ) -> None:
        self._config = config
        self._store = store
        self._vault = vault
        self._client = client
        self._clock = clock
        self._audit = audit
        self._receiver: SignatureReceiver | None = None

    def send_to(self, receiver: SignatureReceiver) -> None:
        """Send every result to this receiver from now on."""
        self._receiver = receiver

    async def settle(self, pending: PendingRequest, answer: Answer) -> PendingRequest | None:
        """Settle with the verified signature, or with the code of the refusal."""
        return await self._store.settle_pending(pending.reference, await self._judge(pending, answer))

    async def deliver(self, pending: PendingRequest) -> BackgroundTask | None:
        """Hand the result to the receiver; a signature of the upstream that we refused is acknowledged afterwards.

        Raises:
            UpstreamUnavailable: nobody takes it now; the upstream may call again.
        """
        for pause in DELIVERY_PAUSES:
            await asyncio.sleep(pause.total_seconds())
            if await self._try_deliver(pending):
                await self._store.mark_delivered(pending.reference)
                refused_by_us = pending.status is PendingStatus.REFUSED and not is_return_code(pending.outcome)
                return BackgroundTask(self._reject, pending) if refused_by_us else None
        raise UpstreamUnavailable("the result cannot be taken now")

    async def _judge(self, pending: PendingRequest, answer: Answer) -> Settlement:
        if not answer.success:
            return Settlement(PendingStatus.REFUSED, outcome=answer.code, answer_digest=answer.digest)
        context = self._vault.open_signing_context(pending.sealed_context)
        try:
            signature, certificate = self._verify(context, answer)
        except (ClockSkewed, ContentMalformed, SignatureMismatch) as refusal:
            return Settlement(PendingStatus.REFUSED, outcome=refusal.code, answer_digest=answer.digest)
        session = await self._session_with(context.handle, certificate)
        if not hmac.compare_digest(certificate.der, context.certificate):
            return Settlement(
                PendingStatus.REFUSED,
                outcome=SignerCertificateChanged.code,
                answer_digest=answer.digest,
                session=session,
            )
        sealed = self._vault.seal_signing_answer(SigningAnswer(signature, certificate.der))
        return Settlement(PendingStatus.ANSWERED, sealed_answer=sealed, answer_digest=answer.digest, session=session)

    def _verify(self, context: SigningContext, answer: Answer) -> tuple[bytes, SigningCertificate]:
        """Run the checks of rule 1, up to the promise.

        Raises:
            ContentMalformed: a member is missing, or the certificate is not one for signing now.
            SignatureMismatch: another hashCode, or not a signature over our digest.
            ClockSkewed: signed outside the time of this request.
        """
        content, now, skew = answer.content, self._clock(), self._config.max_clock_skew
        hash_code = content.get("hashCode")
        if not isinstance(hash_code, str):
            raise ContentMalformed
        if not hmac.compare_digest(hash_code.encode(), base64.b64encode(context.digest)):
            raise SignatureMismatch
        signed_at = from_ms(read_time_ms(content, "timestamp"))
        if not from_ms(context.asked_ms) - skew <= signed_at <= now + skew:
            raise ClockSkewed
        try:
            signature, der = decode_binary(content.get("signature")), decode_binary(content.get("cert"))
        except EnvelopeMalformed as error:
            raise ContentMalformed from error
        if len(signature) > MAX_SIGNATURE_BYTES:
            raise ContentMalformed
        certificate = parse_signing_certificate(der, at=now)
        verify_digest_signature(certificate, signature, context.digest)
        return signature, certificate

    async def _session_with(self, handle: str, certificate: SigningCertificate) -> SessionRow | None:
        """Return the citizen's session with this certificate promised next, when it bears the citizen's name."""
        row = await self._store.load_session(handle, at=self._clock())
        if row is None:
            return None
        session = self._vault.open_session(row)
        if not names_match(certificate.common_name, session.name_latin):
            return None
        return self._vault.seal_session(handle, replace(session, certificate=certificate.der))

    async def _try_deliver(self, pending: PendingRequest) -> bool:
        if self._receiver is None:
            return False
        try:
            if pending.sealed_answer is None:
                await self._receiver.refuse(pending.reference, error_for_outcome(pending.outcome).code)
            else:
                answer = self._vault.open_signing_answer(pending.sealed_answer)
                await self._receiver.complete(RemoteSignature(pending.reference, answer.signature, answer.certificate))
        except (SigningUnavailable, TransactionUnknown) as error:
            _LOG.warning("a signing result was not taken yet: %s", error.code)
            return False
        except SigningRefused as error:
            # The receiver has heard it and has no use for it (expired, already closed): telling it again changes nothing.
            _LOG.warning("a signing result was refused by its receiver: %s", error.code)
        return True

    async def _reject(self, pending: PendingRequest) -> None:
        outcome = "ok"
        try:
            await self._client.acknowledge(pending.business_id, RESULTS[SigningOutcome.REJECTED])
        except UpstreamError as error:
            outcome = error.code
        await self._audit.record("iam_smart.signature_rejected", correlation=pending.transaction, outcome=outcome)

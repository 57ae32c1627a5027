"""A citizen's remote key at iAM Smart, as `signing` wants it: which certificate, one signature, acknowledgement.

Owns:    the `signing.remote_signing.RemoteSigner` of this wire. Leaves what comes back to `signing_results`.
Rules:   1 one `start` is one request to the upstream over one SHA-256 digest
         2 the certificate that is promised is the one of the citizen's last signature in this session, else the one that the
           CA's public repository has under the citizen's name; the signature that comes back must be under it
         3 the identification code is computed here, from what we send, never taken from the upstream
         4 an upstream error leaves as signing's own error, with its code
Spec:    fact sheet upstreams.md §1.4, §6.6.
"""

import base64
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from idp.connectors.iam_smart.certificate_repository import CertificateRepository
from idp.connectors.iam_smart.certificates import choose_certificate, find_issuer, parse_signing_certificate
from idp.connectors.iam_smart.client import SIGNING, IamSmartClient, Initiated
from idp.connectors.iam_smart.config import IamSmartConfig
from idp.connectors.iam_smart.errors import ContentMalformed, NoSigningCertificate, SessionEnded
from idp.connectors.iam_smart.front_channel import build_broker_url
from idp.connectors.iam_smart.identification import hkic_hash, identification_code
from idp.connectors.iam_smart.records import CitizenSession, SigningContext, Vault
from idp.connectors.iam_smart.store import IamSmartStore, PendingKind, PendingRequest
from idp.errors import IdpUnavailable, UpstreamError, UpstreamUnavailable
from signing.errors import RemoteRefused, RemoteSignerUnavailable, SigningError
from signing.remote_signing import RemoteSigningRequest, SignerCertificates, SigningOutcome, StartedSigning
from trust_lists.clock import Clock

DIGEST_ALGORITHM = "sha256"
DIGEST_BYTES = 32
MAX_SERVICE_NAME_CHARS = 255
MAX_DOCUMENT_NAME_CHARS = 255
ID_BYTES = 24
RESULTS = {SigningOutcome.ACCEPTED: "SR001", SigningOutcome.REJECTED: "SR002", SigningOutcome.NOT_RECEIVED: "SR003"}


class IamSmartRemoteSigner:
    """The remote signer."""

    def __init__(
        self,
        *,
        config: IamSmartConfig,
        store: IamSmartStore,
        vault: Vault,
        client: IamSmartClient,
        clock: Clock,
        repository: CertificateRepository | None,
        authorities: Callable[[], Sequence[bytes]],
    ) -> None:
        self._config = config
        self._store = store
        self._vault = vault
        self._client = client
        self._clock = clock
        self._repository = repository
        self._authorities = authorities

    async def certificates(self, signer: str) -> SignerCertificates:
        """Return the certificate that the citizen's next signature is expected under.

        Raises:
            RemoteRefused: the session has ended, or no certificate can be told to be this citizen's.
            RemoteSignerUnavailable: the repository does not answer.
        """
        try:
            certificate = await self._promise(signer, await self._session(signer))
        except UpstreamError as error:
            raise _signing_error(error) from error
        issuer = find_issuer(certificate, self._authorities())
        return SignerCertificates(certificate, () if issuer is None else (issuer,))

    async def start(self, request: RemoteSigningRequest) -> StartedSigning:
        """Ask the citizen, on the phone, for one signature.

        Raises:
            RemoteRefused: the digest is not SHA-256, the session has ended, or the upstream refuses.
            RemoteSignerUnavailable: no answer.
        """
        if request.digest_algorithm != DIGEST_ALGORITHM or len(request.digest) != DIGEST_BYTES:
            raise RemoteRefused("iAM Smart signs SHA-256 digests only", "digest_unsuitable")
        try:
            return await self._start(request, await self._session(request.signer))
        except UpstreamError as error:
            raise _signing_error(error) from error

    async def acknowledge(self, reference: str, outcome: SigningOutcome) -> None:
        """Tell the upstream what became of its signature (SR001, SR002, SR003).

        Raises:
            RemoteRefused: the reference is unknown, or the upstream refuses.
            RemoteSignerUnavailable: no answer.
        """
        pending = await self._store.load_pending(reference)
        if pending is None or pending.kind is not PendingKind.SIGNING:
            raise RemoteRefused("no such signing request", "transaction_not_found")
        try:
            await self._client.acknowledge(pending.business_id, RESULTS[outcome])
        except UpstreamError as error:
            raise _signing_error(error) from error

    async def _session(self, signer: str) -> CitizenSession:
        row = await self._store.load_session(signer, at=self._clock())
        if row is None:
            raise SessionEnded
        return self._vault.open_session(row)

    async def _promise(self, signer: str, session: CitizenSession) -> bytes:
        """Return the certificate of the next signature, and keep it: what `certificates` said is what `start` expects."""
        now = self._clock()
        if session.certificate is not None and _is_fit(session.certificate, now):
            return session.certificate
        if self._repository is None:
            raise NoSigningCertificate
        candidates = await self._repository.fetch_by_name(session.name_latin)
        chosen = choose_certificate(candidates, name=session.name_latin, at=now).der
        await self._store.save_session(self._vault.seal_session(signer, replace(session, certificate=chosen)))
        return chosen

    async def _start(self, request: RemoteSigningRequest, session: CitizenSession) -> StartedSigning:
        now = self._clock()
        hash_code = base64.b64encode(request.digest).decode()
        context = SigningContext(
            handle=request.signer,
            digest=request.digest,
            certificate=await self._promise(request.signer, session),
            asked_ms=int(now.timestamp() * 1000),
        )
        pending = PendingRequest(
            reference=secrets.token_urlsafe(ID_BYTES),
            kind=PendingKind.SIGNING,
            business_id=secrets.token_urlsafe(ID_BYTES),
            state=secrets.token_urlsafe(ID_BYTES),
            transaction=request.transaction,
            deadline=now + self._config.flow_lifetime,
            sealed_context=self._vault.seal_signing_context(context),
        )
        # Kept before it is sent: the callback may be quicker than the reply.
        await self._store.add_pending(pending, at=now)
        try:
            initiated = await self._client.initiate(SIGNING, self._content(request, session, pending, hash_code))
        except UpstreamError:
            await self._store.drop_pending(pending.reference)
            raise
        return StartedSigning(
            reference=pending.reference,
            comparison_code=identification_code(hash_code, session.grant.open_id),
            approval_url=self._approval_url(initiated, pending, request.locale),
            deadline=pending.deadline,
        )

    def _content(
        self, request: RemoteSigningRequest, session: CitizenSession, pending: PendingRequest, hash_code: str
    ) -> dict[str, object]:
        return {
            "businessID": pending.business_id,
            "accessToken": session.grant.access_token,
            "openID": session.grant.open_id,
            "source": self._config.source,
            "redirectURI": self._config.redirect_uri,
            "state": pending.state,
            "hashCode": hash_code,
            "sigAlgo": self._config.sign_algorithm,
            "HKICHash": hkic_hash(session.card_identifier),
            "department": self._config.department,
            "serviceName": _shorten(request.service_name, MAX_SERVICE_NAME_CHARS),
            "documentName": _shorten(request.document_name, MAX_DOCUMENT_NAME_CHARS),
        }

    def _approval_url(self, initiated: Initiated, pending: PendingRequest, locale: str) -> str | None:
        if initiated.ticket is None:
            return None
        return build_broker_url(self._config, state=pending.state, locale=locale, ticket=initiated.ticket)


def _is_fit(certificate: bytes, at: datetime) -> bool:
    try:
        parse_signing_certificate(certificate, at=at)
    except ContentMalformed:
        return False
    return True


def _shorten(name: str, limit: int) -> str:
    """Keep a name within the wire's limit; what the person compares is the code, the name only helps."""
    name = name.strip() or "-"
    return name if len(name) <= limit else name[: limit - 1] + "…"


def _signing_error(error: UpstreamError) -> SigningError:
    if isinstance(error, UpstreamUnavailable | IdpUnavailable):
        return RemoteSignerUnavailable(str(error))
    return RemoteRefused(str(error), error.code)

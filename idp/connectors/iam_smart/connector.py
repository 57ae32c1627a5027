"""A login through iAM Smart: redirect, return, token, profile by callback, assertion.

Owns:    the `Connector` of this wire and the joining of its parts. Leaves bytes, calls and callbacks to them.
Rules:   1 an assertion is made from three things that belong together by construction: the code of this browser's return, the
           token for it, and the profile called back for the request that was made with that token
         2 a step that fails leaves nothing behind that a new attempt could meet
Spec:    fact sheet upstreams.md §1.2, §1.3.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import httpx
from starlette.routing import BaseRoute

from idp.connectors.iam_smart.callbacks import CallbackDoor
from idp.connectors.iam_smart.cek import from_ms
from idp.connectors.iam_smart.certificate_repository import CertificateRepository
from idp.connectors.iam_smart.client import PROFILE, IamSmartClient
from idp.connectors.iam_smart.config import IamSmartConfig
from idp.connectors.iam_smart.errors import CallbackUnknown
from idp.connectors.iam_smart.front_channel import accept_return, build_broker_url
from idp.connectors.iam_smart.outcomes import error_for_outcome
from idp.connectors.iam_smart.profile import PROFILE_FIELDS
from idp.connectors.iam_smart.profile_results import ProfileResults
from idp.connectors.iam_smart.records import PROFILE_SCOPE, Grant, ProfileContext, Vault
from idp.connectors.iam_smart.remote_signer import IamSmartRemoteSigner
from idp.connectors.iam_smart.signing_results import SigningResults
from idp.connectors.iam_smart.store import IamSmartStore, PendingKind, PendingRequest, PendingStatus
from idp.connectors.iam_smart.wire import load_kek
from idp.errors import UpstreamAccountRefused, UpstreamError, UpstreamTimedOut
from idp.ports import PersonalDataCipher
from idp.upstream import PendingAssertion, UpstreamAssertion, UpstreamRedirect
from signing.remote_signing import SignatureReceiver
from trust_lists.audit_trail import AuditTrail
from trust_lists.clock import Clock
from trust_lists.vocabulary import Region

NAME = "iam_smart"
TRUST_FRAMEWORK = "hk_iam_smart"
ID_BYTES = 24
"""Entropy of references, business ids and states: 32 characters of base64url, within the wire's 36."""
DISPLAY_NAMES: Mapping[str, str] = {
    "native": "智方便 iAM Smart",
    "zh-Hant": "智方便",
    "zh-Hans": "智方便",
    "pt": "iAM Smart",
    "en": "iAM Smart",
}


class IamSmartConnector:
    """The connector of iAM Smart; keeps `idp.upstream.Connector`."""

    name = NAME
    region = Region.HK
    display_names = DISPLAY_NAMES

    def __init__(
        self,
        config: IamSmartConfig,
        store: IamSmartStore,
        cipher: PersonalDataCipher,
        http: httpx.AsyncClient,
        clock: Clock,
        audit: AuditTrail,
    ) -> None:
        """Join the parts.

        Raises:
            ValueError: a key-encryption key cannot be used.
        """
        keks = tuple(load_kek(pem) for pem in config.credentials.kek_private_keys)
        self._config = config
        self._store = store
        self._http = http
        self._clock = clock
        self._audit = audit
        self._vault = Vault(cipher)
        self._client = IamSmartClient(config, store, http, clock, keks)
        self._signing_results = SigningResults(config, store, self._vault, self._client, clock, audit)
        self._door = CallbackDoor(
            config=config,
            keks=keks,
            store=store,
            vault=self._vault,
            clock=clock,
            audit=audit,
            handlers={
                PendingKind.PROFILE: ProfileResults(store, self._vault),
                PendingKind.SIGNING: self._signing_results,
            },
        )

    async def begin(self, transaction: str, *, state: str, locale: str) -> UpstreamRedirect:
        """Send the browser to the broker page; nothing is asked of the upstream yet."""
        return UpstreamRedirect(build_broker_url(self._config, state=state, locale=locale))

    async def exchange(self, transaction: str, *, query: str, state: str) -> UpstreamAssertion | PendingAssertion:
        """Take the browser's return, get the token, ask for the core profile; the profile comes by callback.

        Raises:
            UpstreamError: see `idp.upstream.Connector.exchange`.
        """
        code = accept_return(query, state=state)
        grant = await self._client.get_token(code)
        if PROFILE_SCOPE not in grant.scopes:
            raise UpstreamAccountRefused
        now = self._clock()
        context = ProfileContext(grant, handle=f"{NAME}:{secrets.token_urlsafe(ID_BYTES)}")
        pending = PendingRequest(
            reference=secrets.token_urlsafe(ID_BYTES),
            kind=PendingKind.PROFILE,
            business_id=secrets.token_urlsafe(ID_BYTES),
            state=secrets.token_urlsafe(ID_BYTES),
            transaction=transaction,
            deadline=now + self._config.flow_lifetime,
            sealed_context=self._vault.seal_profile_context(context),
        )
        # Kept before it is sent: the callback may be quicker than the reply.
        await self._store.add_pending(pending, at=now)
        try:
            await self._client.initiate(PROFILE, self._profile_request(grant, pending))
        except UpstreamError:
            await self._store.drop_pending(pending.reference)
            raise
        return PendingAssertion(pending.reference, pending.deadline)

    async def collect(self, reference: str) -> UpstreamAssertion | PendingAssertion:
        """Return the assertion when the profile has come.

        Raises:
            UpstreamError: the reference is unknown, the request was refused, or its deadline is past.
        """
        pending = await self._store.load_pending(reference)
        if pending is None or pending.kind is not PendingKind.PROFILE:
            raise CallbackUnknown
        if pending.status is PendingStatus.REFUSED:
            raise error_for_outcome(pending.outcome)
        if self._clock() >= pending.deadline:
            raise UpstreamTimedOut
        if pending.sealed_answer is None:
            return PendingAssertion(reference, pending.deadline)
        return self._assertion(pending, pending.sealed_answer)

    def logout_url(self, *, return_to: str) -> str | None:
        """Return None: iAM Smart keeps no browser session that a relying party could end."""
        return None

    def routes(self) -> Sequence[BaseRoute]:
        """Return the server callbacks."""
        return self._door.routes()

    def remote_signer(
        self, receiver: SignatureReceiver, *, authorities: Callable[[], Sequence[bytes]] = tuple
    ) -> IamSmartRemoteSigner:
        """Return the remote signer over this connector, and send its results to `receiver` from now on.

        Args:
            receiver: takes signatures and refusals.
            authorities: certificates (DER) of the CAs that issue to citizens, now; for the chain beside a signer's certificate.
        """
        self._signing_results.send_to(receiver)
        repository = None
        if self._config.certificate_repository is not None:
            repository = CertificateRepository(
                self._http, self._config.certificate_repository, timeout=self._config.call_timeout
            )
        return IamSmartRemoteSigner(
            config=self._config,
            store=self._store,
            vault=self._vault,
            client=self._client,
            clock=self._clock,
            repository=repository,
            authorities=authorities,
        )

    def _profile_request(self, grant: Grant, pending: PendingRequest) -> Mapping[str, object]:
        return {
            "businessID": pending.business_id,
            "accessToken": grant.access_token,
            "openID": grant.open_id,
            "source": self._config.source,
            "redirectURI": self._config.redirect_uri,
            "state": pending.state,
            "profileFields": list(PROFILE_FIELDS),
        }

    def _assertion(self, pending: PendingRequest, sealed_identity: bytes) -> UpstreamAssertion:
        context = self._vault.open_profile_context(pending.sealed_context)
        grant = context.grant
        authenticated_at: datetime = from_ms(grant.issued_ms)
        return UpstreamAssertion(
            connector=NAME,
            region=Region.HK,
            trust_framework=TRUST_FRAMEWORK,
            subject=grant.open_id,
            account_level=grant.user_type,
            session_method=self._config.session_method,
            amr=self._config.amr,
            authenticated_at=authenticated_at,
            identity=self._vault.open_identity(sealed_identity),
            signer=context.handle if grant.can_sign else None,
        )

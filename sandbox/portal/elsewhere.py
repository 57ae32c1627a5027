"""What the portal asks of people who are at another device: a kiosk with a QR code, and a confirmation by phone.

Owns:    `Elsewhere`: the requests that wait, and when each may be polled again. Leaves HTTP to `elsewhere_routes`, OAuth to
         `relying_party`.
Rules:   1 a request is polled when somebody looks at its page, and never sooner than the provider allows
         2 what came is verified like any token; a confirmation must speak of the very person who was asked
         3 requests live in memory, at most `MAX_WAITING`; the oldest goes first
Spec:    RFC 8628 cl. 3.4, 3.5; OpenID Connect CIBA Core 1.0 cl. 7, 10, 11
"""

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from sandbox.portal.errors import ErrandNotReady, ErrandUnknown, PortalError, TokenRefused
from sandbox.portal.relying_party import Identity, ProviderClient
from sandbox.portal.verification import Claims, verify_signed_id_token
from trust_lists.clock import Clock

MAX_WAITING = 200
SLOWER = timedelta(seconds=5)
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
CIBA_GRANT = "urn:openid:params:grant-type:ciba"
_STILL_OPEN = frozenset({"authorization_pending", "slow_down"})
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


@dataclass(slots=True)
class Waiting:
    """One request that waits for a person elsewhere."""

    id: str
    grant: str
    handle: str
    """`device_code` or `auth_req_id`."""
    shown: str
    """The user code, or the words that the person compares."""
    link: str
    """The complete verification address (device), else empty."""
    page: str
    """The verification address to type (device), else empty."""
    interval: timedelta
    next_poll: datetime
    subject: str | None = None
    """Who must answer (confirmation)."""
    error: str | None = None
    name: str | None = None
    """What the provider told of the person who agreed."""
    agreed: bool = False


class Elsewhere:
    """The requests of this portal that wait."""

    def __init__(self, provider: ProviderClient, identity: Identity, clock: Clock) -> None:
        self._provider = provider
        self._identity = identity
        self._clock = clock
        self._waiting: OrderedDict[str, Waiting] = OrderedDict()

    async def start_kiosk(self) -> Waiting:
        """Ask for a device code (RFC 8628 cl. 3.1)."""
        at = self._clock()
        form = {"scope": "openid profile"}
        told = await self._provider.ask("device_authorization_endpoint", self._identity, form, at=at)
        return self._keep(
            told,
            grant=DEVICE_GRANT,
            handle=str(told["device_code"]),
            shown=str(told["user_code"]),
            link=str(told["verification_uri_complete"]),
            page=str(told["verification_uri"]),
        )

    async def ask_by_phone(self, subject: str) -> Waiting:
        """Ask a known person to confirm on their phone (CIBA cl. 7.1).

        Raises:
            ErrandNotReady: nobody has signed in.
        """
        if not subject:
            raise ErrandNotReady("The citizen has not signed in yet")
        words = "-".join("".join(secrets.choice(_LETTERS) for _ in range(3)) for _ in range(2))
        form = {"scope": "openid", "login_hint": subject, "binding_message": words}
        told = await self._provider.ask("backchannel_authentication_endpoint", self._identity, form, at=self._clock())
        handle = str(told["auth_req_id"])
        return self._keep(told, grant=CIBA_GRANT, handle=handle, shown=words, subject=subject)

    async def look(self, identifier: str) -> Waiting:
        """Return a request; when it may be polled, poll it first.

        Raises:
            ErrandUnknown: none of this identifier.
        """
        waiting = self._waiting.get(identifier)
        if waiting is None:
            raise ErrandUnknown
        at = self._clock()
        if waiting.agreed or waiting.error is not None or at < waiting.next_poll:
            return waiting
        waiting.next_poll = at + waiting.interval
        try:
            await self._poll(waiting, at)
        except PortalError as error:
            if error.code == "slow_down":
                waiting.interval += SLOWER
            if error.code not in _STILL_OPEN:
                waiting.error = error.code
        return waiting

    async def _poll(self, waiting: Waiting, at: datetime) -> None:
        parameter = "device_code" if waiting.grant == DEVICE_GRANT else "auth_req_id"
        form = {"grant_type": waiting.grant, parameter: waiting.handle}
        tokens = await self._provider.ask("token_endpoint", self._identity, form, at=at)
        claims = await self._verified(tokens, at)
        if waiting.subject is not None and claims["sub"] != waiting.subject:
            raise TokenRefused("subject_mismatch", "Another person answered than the one who was asked")
        userinfo = await self._provider.userinfo(str(tokens["access_token"]))
        waiting.name = str(userinfo["name"]) if "name" in userinfo else None
        waiting.agreed = True

    async def _verified(self, tokens: dict[str, object], at: datetime) -> Claims:
        return verify_signed_id_token(
            str(tokens.get("id_token")),
            await self._provider.keys(),
            issuer=str((await self._provider.metadata())["issuer"]),
            client_id=self._identity.client_id,
            access_token=str(tokens.get("access_token")),
            at=at,
        )

    def _keep(
        self,
        told: dict[str, object],
        *,
        grant: str,
        handle: str,
        shown: str,
        link: str = "",
        page: str = "",
        subject: str | None = None,
    ) -> Waiting:
        interval = timedelta(seconds=int(str(told.get("interval", 5))))
        waiting = Waiting(
            id=secrets.token_urlsafe(12),
            grant=grant,
            handle=handle,
            shown=shown,
            link=link,
            page=page,
            interval=interval,
            next_poll=self._clock() + interval,
            subject=subject,
        )
        self._waiting[waiting.id] = waiting
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)
        return waiting

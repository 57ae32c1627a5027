"""Delivery of logout tokens: each notice is told until it is heard, or until it is no use any more.

Owns:    the one task that delivers, its pauses, and what counts as heard. Leaves the outbox to the store, the token to `tokens`.
Rules:   1 a notice leaves the outbox only when the relying party answered 200 or 204 (cl. 2.8), or 400: it heard, and cannot use it
         2 otherwise again after 5 s, 30 s, 5 min, then every 30 min, until the notice expires
         3 the token is minted anew for each try: it lives for two minutes
         4 redirects are not followed, answers are not read
         5 a notice goes where the relying party wants to hear now, not where it wanted when the session began
         6 one notice that fails, however it fails, holds up no other
Spec:    OpenID Connect Back-Channel Logout 1.0 cl. 2.5, 2.8
"""

import asyncio
import contextlib
from datetime import timedelta

import httpx

from idp.deps import IdpDeps
from idp.model import LogoutNotice
from idp.outbound import AddressRefused, post_form
from idp.tokens.logout_tokens import mint_logout_token

PAUSES = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=5), timedelta(minutes=30))
LEASE = timedelta(seconds=60)
BATCH = 20
IDLE_S = 5.0
_HEARD = frozenset({200, 204, 400})


async def deliver_forever(deps: IdpDeps) -> None:
    """Deliver what is due, then wait for the bell or for the time; runs until it is cancelled."""
    while True:
        deps.logout_bell.clear()
        try:
            delivered = await deliver_due(deps)
        except Exception:  # noqa: BLE001 - the store may be away for a while; the task must live
            delivered = 0
        if delivered < BATCH:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(deps.logout_bell.wait(), IDLE_S)


async def deliver_due(deps: IdpDeps) -> int:
    """Deliver one batch; return how many notices were tried."""
    at = deps.clock()
    notices = await deps.store.take_notices(at=at, until=at + LEASE, limit=BATCH)
    await asyncio.gather(
        *(_deliver(notice, deps) for notice in notices), return_exceptions=True
    )  # rule 6: its lease runs out
    return len(notices)


async def _deliver(notice: LogoutNotice, deps: IdpDeps) -> None:
    party = await deps.store.load_client(notice.client_id)
    if party is None or party.backchannel_logout_uri is None:
        await deps.store.settle_notice(notice.id, retry_at=None)  # whoever was to hear it is gone
        return
    at = deps.clock()
    token = mint_logout_token(notice, party, keys=deps.token_keys, config=deps.config, at=at)
    try:
        status = await post_form(
            deps.http,
            party.backchannel_logout_uri,
            {"logout_token": token},
            private_allowed=deps.config.private_callbacks,
        )
    except (httpx.HTTPError, AddressRefused, OSError):
        status = 0
    heard = status in _HEARD
    pause = PAUSES[min(notice.attempts, len(PAUSES) - 1)]
    await deps.store.settle_notice(notice.id, retry_at=None if heard else at + pause)
    await deps.audit.record(
        "logout.notified" if heard else "logout.not_notified",
        correlation=notice.id,
        outcome="ok" if heard else "unreachable",
        detail={"client": notice.client_id, "status": status, "attempt": notice.attempts + 1},
    )

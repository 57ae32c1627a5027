"""What a redemption that failed says: one sentence a case to the relying party, the exact reason to the audit trail.

Owns:    the translation from the store's outcome to the standard's error. Leaves the outcomes to the store.
"""

import secrets
from typing import NoReturn

from idp.back_channel import replay_refusal
from idp.deps import IdpDeps
from idp.errors import InvalidGrant
from idp.store import Redemption, Replayed, Reused
from idp.token_request import TokenRequest


async def refused(asked: TokenRequest, deps: IdpDeps, outcome: str, *, correlation: str | None = None) -> None:
    """Note a refusal in the audit trail."""
    await deps.audit.record(
        "token.refused",
        correlation=correlation or secrets.token_urlsafe(9),
        outcome=outcome,
        detail={"client": asked.party.client_id},
    )


async def refuse_outcome(asked: TokenRequest, deps: IdpDeps, outcome: Redemption, *, what: str) -> NoReturn:
    """Refuse what the store did not redeem.

    Raises:
        ProtocolError: always.
    """
    if isinstance(outcome, Replayed):
        await refuse_replay(asked, deps)
    if isinstance(outcome, Reused):
        await refused(asked, deps, f"{what}_reused", correlation=outcome.correlation)
        raise InvalidGrant(f"The {what.replace('_', ' ')} was used before; what it gave is revoked")
    await refused(asked, deps, f"{what}_unknown")
    raise InvalidGrant


async def refuse_replay(asked: TokenRequest, deps: IdpDeps) -> NoReturn:
    """Refuse an assertion or a proof that was used before.

    Raises:
        InvalidClient, InvalidDpopProof: as `replay_refusal` says.
    """
    await refused(asked, deps, "assertion_replayed")
    raise await replay_refusal(asked.uses, deps)

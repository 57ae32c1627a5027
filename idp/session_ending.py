"""The end of a sign-in session, wherever it is asked for: the session, its tokens, and everybody who relied on it.

Owns:    that act, for the logout door and the account page alike. Leaves delivery to `logout_delivery`, frames to the page.
Rules:   1 session, tokens that hang on it, and the notices to tell are one transaction
         2 each relying party hears of the session under the names that it knows (`sid`, pairwise `sub`)
Spec:    OpenID Connect Back-Channel Logout 1.0 cl. 2.5, 2.7; Front-Channel Logout 1.0 cl. 2, 3
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from idp.deps import IdpDeps
from idp.identity import pairwise_subject, session_identifier
from idp.model import LogoutNotice, SignIn
from idp.ports import AuditValue, PersonalDataCipher
from idp.relying_parties import RelyingParty


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """What is left to do in the browser."""

    sign_in: SignIn
    frames: tuple[str, ...]
    """Front-channel logout URIs to load."""


async def end_session(deps: IdpDeps, session: str, *, by: str, at: datetime) -> SessionEnd | None:
    """End a session by its public id; None when it had ended before.

    Args:
        deps: the provider's parts.
        session: the public id.
        by: who asked, for the audit trail: `logout`, `account`.
        at: now.
    """
    ended = await deps.store.end_session(
        session,
        at=at,
        notices_of=lambda sign_in, parties: notices_of(sign_in, parties, deps.cipher),
        notices_expire_at=at + deps.config.logout_notice_lifetime,
    )
    if ended is None:
        return None
    deps.logout_bell.set()
    detail: dict[str, AuditValue] = {"by": by, "portals": len(ended.participants)}
    await deps.audit.record("session.ended", correlation=session, detail=detail)
    frames = tuple(
        _frame(party, known, deps) for known, party in ended.participants if party.frontchannel_logout_uri is not None
    )
    return SessionEnd(ended.sign_in, frames)


def notices_of(sign_in: SignIn, parties: Sequence[RelyingParty], cipher: PersonalDataCipher) -> Sequence[LogoutNotice]:
    """Return the notices for those relying parties that registered a back-channel URI."""
    return [
        LogoutNotice(
            id=secrets.token_urlsafe(12),
            client_id=party.client_id,
            uri=party.backchannel_logout_uri,
            subject=pairwise_subject(cipher, sector=party.sector, person=sign_in.person),
            sid=session_identifier(cipher, session=sign_in.session, client_id=party.client_id),
        )
        for party in parties
        if party.backchannel_logout_uri is not None
    ]


def _frame(party: RelyingParty, sign_in: SignIn, deps: IdpDeps) -> str:
    """Front-Channel Logout 1.0 cl. 2: `iss` and `sid` for those who need them."""
    uri = party.frontchannel_logout_uri or ""
    if not party.frontchannel_logout_session_required:
        return uri
    sid = session_identifier(deps.cipher, session=sign_in.session, client_id=party.client_id)
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode({'iss': deps.config.issuer, 'sid': sid})}"

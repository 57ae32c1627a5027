"""Logout tokens: what a relying party's backend is told of the end of a session.

Rules:   1 `typ` is `logout+jwt` and there is no nonce: it never serves as an ID token (cl. 2.4, 2.6)
         2 it names the session by `sid` and the person by `sub`, as this relying party knows them
Spec:    OpenID Connect Back-Channel Logout 1.0 cl. 2.4
"""

import secrets
from datetime import datetime

from idp.config import IdpConfig
from idp.jose.compact import sign_compact
from idp.model import LogoutNotice
from idp.ports import JwtKeys
from idp.relying_parties import RelyingParty

EVENT = "http://schemas.openid.net/event/backchannel-logout"


def mint_logout_token(
    notice: LogoutNotice, party: RelyingParty, *, keys: JwtKeys, config: IdpConfig, at: datetime
) -> str:
    """Mint a logout token, with the algorithm of the relying party's ID tokens (cl. 2.4)."""
    claims = {
        "iss": config.issuer,
        "aud": notice.client_id,
        "sub": notice.subject,
        "sid": notice.sid,
        "iat": int(at.timestamp()),
        "exp": int((at + config.logout_token_lifetime).timestamp()),
        "jti": secrets.token_urlsafe(16),
        "events": {EVENT: {}},
    }
    return sign_compact(keys.current(party.id_token_alg), party.id_token_alg, "logout+jwt", claims)

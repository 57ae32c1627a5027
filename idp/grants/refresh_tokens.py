"""Refresh tokens: one family a grant, told apart by generation, proved by a keyed hash.

Owns:    their making and reading. Leaves spending to the store, what follows from reuse to `redeeming`.
Rules:   1 a token is `rt.grant.generation.mac`; nothing of it is stored but the grant's current generation, so a
           copied database yields none
         2 the keyed hash binds it to its relying party, and a public client's also to its DPoP key (RFC 9449 cl. 5)
         3 what does not verify never reaches the store: only a genuine token of an earlier generation is reuse (RFC 9700 cl. 4.14.2)
Spec:    RFC 6749 cl. 1.5, 6, 10.4; RFC 9700 cl. 2.2.2, 4.14
"""

import hmac
import re
from dataclasses import dataclass

from idp.ports import PersonalDataCipher
from idp.protocol import ClientAuthMethod
from idp.relying_parties import RelyingParty

_TOKEN = re.compile(r"rt\.([A-Za-z0-9_-]{22})\.([0-9]{1,9})\.([A-Za-z0-9_-]{43})")
_PURPOSE = "idp.refresh_token"


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A genuine refresh token of this relying party; whether it is the current one is the store's to say."""

    grant: str
    generation: int


def make_refresh_token(
    cipher: PersonalDataCipher, party: RelyingParty, *, grant: str, generation: int, jkt: str | None
) -> str:
    """Make the token of a generation."""
    return f"rt.{grant}.{generation}.{_mac(cipher, party, grant, generation, jkt)}"


def verify_refresh_token(
    cipher: PersonalDataCipher, party: RelyingParty, token: str, *, jkt: str | None
) -> RefreshToken | None:
    """Return a token that we made for this relying party (and, for a public client, this key); None when it is not."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    expected = _mac(cipher, party, match[1], int(match[2]), jkt)
    return RefreshToken(match[1], int(match[2])) if hmac.compare_digest(match[3], expected) else None


def _mac(cipher: PersonalDataCipher, party: RelyingParty, grant: str, generation: int, jkt: str | None) -> str:
    key = jkt or "" if party.auth_method is ClientAuthMethod.NONE else ""
    return cipher.lookup(f"{grant}\x1f{generation}\x1f{party.client_id}\x1f{key}", purpose=_PURPOSE)

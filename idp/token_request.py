"""What a redemption is given, and what it yields: two values between the door of `/token` and the grants.

Owns:    `TokenRequest` and `Issue`. Leaves their making to `token_routes`, each grant's rules to its own file.
"""

from dataclasses import dataclass
from datetime import datetime

from idp.authorization_details import narrow_documents
from idp.model import DocumentToSign, Grant
from idp.parameters import Parameters
from idp.proof.binding import confirmation
from idp.proof.replay import ReplayUse
from idp.relying_parties import RelyingParty


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A token request of an authenticated relying party."""

    party: RelyingParty
    form: Parameters
    uses: tuple[ReplayUse, ...]
    """What must be remembered of assertion and proof, in the transaction that spends."""
    jkt: str | None
    """Thumbprint of the key that a verified DPoP proof proved."""
    x5t: str | None
    """Thumbprint of the certificate of the connection."""
    rotates: bool
    """Whether the relying party's profile rotates refresh tokens."""
    at: datetime

    @property
    def confirmation(self) -> dict[str, str]:
        """The key that a token minted now is bound to (RFC 7800 cl. 3.1, RFC 9449 cl. 6.1, RFC 8705 cl. 3.1); empty = none.

        A certificate counts only for who registered it: a proxy in between may show one for every connection.
        """
        if self.jkt is not None:
            return confirmation(jkt=self.jkt)
        if self.x5t is not None and (self.party.mtls_bound or self.party.auth_method.by_certificate):
            return confirmation(x5t=self.x5t)
        return {}

    def documents_of(self, granted: tuple[DocumentToSign, ...], *, api: str) -> tuple[DocumentToSign, ...]:
        """Return the documents that the token is for: those of the grant, or the fewer that are asked for (RFC 9396 cl. 6).

        Raises:
            InvalidAuthorizationDetails: more than was granted.
        """
        return narrow_documents(self.form.get("authorization_details"), granted, api=api)


@dataclass(frozen=True, slots=True)
class Issue:
    """What is to be minted."""

    grant: Grant
    scope: tuple[str, ...]
    audience: tuple[str, ...]
    documents: tuple[DocumentToSign, ...]
    """RFC 9396 cl. 6, 7: what this token may sign; never more than the grant names."""
    nonce: str | None = None
    id_token: bool = False
    refresh_generation: int | None = None
    """None = no refresh token."""
    act: dict[str, object] | None = None
    latest_expiry: datetime | None = None
    subject: str | None = None
    """Another subject than the grant's: a token exchange into another sector."""
    issued_token_type: str | None = None

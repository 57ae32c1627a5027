"""The rules of a token request, one function each; `profiles` puts them in order.

Owns:    what is judged of every grant alike, before anything is spent. Leaves each grant's own conditions to `grants`.
Rules:   a check takes what arrived and what is known, returns None or raises the standard's error; it has no other effect
Spec:    RFC 6749 cl. 3.2, 5.2; RFC 8705 cl. 3; RFC 9449 cl. 5; FAPI 2.0 Security Profile cl. 5.3.2.1
"""

from collections.abc import Callable

from idp.errors import InvalidDpopProof, InvalidRequest, UnauthorizedClient, UnsupportedGrantType
from idp.protocol import GrantType
from idp.token_request import TokenRequest

TokenCheck = Callable[[TokenRequest], None]

_MAY_REPEAT = frozenset({"resource", "audience"})
"""RFC 8707 cl. 2.2, RFC 8693 cl. 2.1."""


def check_no_parameter_repeated(asked: TokenRequest) -> None:
    """RFC 6749 cl. 3.2: parameters must not be included more than once."""
    if repeated := sorted(asked.form.repeated - _MAY_REPEAT):
        raise InvalidRequest(f"{repeated[0] if repeated[0].isalnum() else 'A parameter'} is repeated")


def check_grant_registered(asked: TokenRequest) -> None:
    """RFC 7591 cl. 2: a relying party uses the grants that it registered, and there are no others."""
    grant_type = asked.form.get("grant_type")
    if grant_type is None:
        raise InvalidRequest("grant_type is missing")
    if grant_type not in set(GrantType):
        raise UnsupportedGrantType
    if grant_type not in asked.party.grant_types:
        raise UnauthorizedClient("This relying party is not registered for this grant")


def check_bound_when_required(asked: TokenRequest) -> None:
    """A relying party that registered bound tokens gets no others (RFC 9449 cl. 5.2, RFC 8705 cl. 3.4)."""
    if asked.party.dpop_bound and asked.jkt is None:
        raise InvalidDpopProof("A DPoP proof is required")
    if asked.party.mtls_bound and asked.x5t is None:
        raise InvalidRequest("A client certificate is required")


def check_sender_constrained(asked: TokenRequest) -> None:
    """FAPI 2.0 Security Profile cl. 5.3.2.1 (5): only sender-constrained access tokens."""
    if asked.jkt is None and asked.x5t is None:
        raise InvalidDpopProof("A DPoP proof or a client certificate is required")

"""Signed authorization responses (JARM).

Owns:    the response modes that exist, and the signed form of a response. Leaves the redirect to the doors.
Rules:   1 signed as the relying party registered, for it alone, for a few minutes; encrypted as well when it registered so
         2 whatever would travel as parameters travels inside, errors included; outside there is only `response`
Spec:    JWT Secured Authorization Response Mode for OAuth 2.0 (JARM) cl. 2, 3; FAPI 2.0 Message Signing cl. 5.4; RFC 9207 cl. 2
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from joserfc.jwk import Key

from idp.config import IdpConfig
from idp.jose.compact import sign_compact
from idp.jose.encryption import encrypt_for
from idp.relying_parties import RelyingParty


class ResponseMode(StrEnum):
    """How an authorization response travels."""

    QUERY = "query"
    QUERY_JWT = "query.jwt"
    JWT = "jwt"
    """The signed form of the response type's default; with `code` that is `query.jwt` (JARM cl. 2.3.4)."""

    @property
    def signed(self) -> bool:
        """Whether the response is a JWT."""
        return self is not ResponseMode.QUERY


class ResponseSigner(Protocol):
    """Whoever holds our private keys."""

    def current(self, algorithm: str, /) -> Key:
        """Return the key in use for an algorithm."""
        ...


def jarm_response(
    parameters: Mapping[str, str], party: RelyingParty, signer: ResponseSigner, config: IdpConfig, *, at: datetime
) -> str:
    """Return the value of the `response` parameter (JARM cl. 2.1, 2.2)."""
    claims = {
        **parameters,
        "iss": config.issuer,
        "aud": party.client_id,
        "exp": int((at + config.authorization_response_lifetime).timestamp()),
    }
    algorithm = party.authorization_response_alg
    signed = sign_compact(signer.current(algorithm), algorithm, "JWT", claims)
    if party.authorization_response_encryption is None:
        return signed
    return encrypt_for(party.encryption_keys, party.authorization_response_encryption, signed, cty="JWT", typ="JWT")

"""Relying parties: what a portal registers, in the member names of RFC 7591.

Owns:    the way from a document to a checked relying party and back. Leaves single members to `registration_members`, keys to
         `registration_keys`, rules over several members to `registration_rules`, storage to the stores.
Rules:   1 what is registered is either understood or refused; members that mean nothing here are dropped
         2 nothing is fetched from a relying party
         3 the way back is exact: parsing what `registration_document` returns gives the same relying party
Spec:    RFC 7591 cl. 2, 3.2; OpenID Connect Dynamic Client Registration 1.0 cl. 2, 5
"""

import json
from collections.abc import Mapping
from dataclasses import replace

from idp.errors import InvalidClientMetadata
from idp.jose.algorithms import Encryption
from idp.protocol import ClientAuthMethod, GrantType
from idp.registration_members import PROFILE_NAMES, REQUIRED, read_members, write_members
from idp.registration_parsers import CLIENT_ID
from idp.registration_rules import CHECKS
from idp.registration_values import (
    RegisteredClient,
    RelyingParty,
    TlsSubject,
    TlsSubjectKind,
    hash_secret,
    new_client_id,
    new_secret,
)

__all__ = [
    "PROFILE_NAMES", "Encryption", "RegisteredClient", "RelyingParty", "TlsSubject", "TlsSubjectKind", "hash_secret",
    "new_client_id", "new_secret", "parse_registration", "registration_document",
]  # fmt: skip

_ONLY: Mapping[str, object] = {
    "subject_type": "pairwise",
    "backchannel_token_delivery_mode": "poll",
    "backchannel_user_code_parameter": False,
}
"""Members of which one value is offered."""
_NOT_OFFERED: Mapping[str, str] = {
    "jwks_uri": "is not fetched: register the keys by value in jwks",
    "request_uris": "are not fetched: push the request to /par",
    "request_object_encryption_alg": "encrypted request objects are not offered",
    "introspection_encrypted_response_alg": "encrypted introspection is not offered",
    "backchannel_authentication_request_signing_alg": "signed authentication requests are not offered",
}
"""Members that would promise something which is not kept."""


def parse_registration(
    document: Mapping[str, object], *, client_id: str, secret_hash: str | None = None
) -> RelyingParty:
    """Turn a registration in RFC 7591 member names into a relying party.

    `gba_region`, `gba_profile`, `gba_purpose`, `gba_access_token_format` and `gba_delegates` are our own members.

    Raises:
        InvalidClientMetadata: a member is missing or not acceptable.
        InvalidRedirectUri: a redirect URI is not acceptable.
    """
    # 1 who it is
    if not CLIENT_ID.fullmatch(client_id):
        raise InvalidClientMetadata("client_id must be 3 to 64 characters of A-Z a-z 0-9 . _ -")
    # 2 each member alone
    _check_offered(document)
    values = {"redirect_uris": (), "auth_method": ClientAuthMethod.PRIVATE_KEY_JWT, **read_members(document)}
    if missing := [field for field in REQUIRED if field not in values]:
        raise InvalidClientMetadata(f"{_NAMES.get(missing[0], missing[0])} is missing")
    party = RelyingParty(client_id=client_id, secret_hash=secret_hash, **values)
    if party.profile == "fapi2":  # FAPI 2.0 Security Profile cl. 5.3.2.2 (1): there is no other way in
        party = replace(party, require_par=True)
    # 3 members together
    _check_response_types(document, party)
    for check in CHECKS:
        check(party)
    return party


def registration_document(party: RelyingParty) -> dict[str, object]:
    """Return the registration in RFC 7591 member names; never a secret or its hash."""
    document: dict[str, object] = {"client_id": party.client_id, **write_members(party)}
    document["response_types"] = _response_types(party)
    document["subject_type"] = "pairwise"
    if GrantType.CIBA in party.grant_types:
        document["backchannel_token_delivery_mode"] = "poll"  # noqa: S105 - a mode
    return document


_NAMES = {"region": "gba_region"}


def _check_offered(document: Mapping[str, object]) -> None:
    for member, supported in _ONLY.items():
        if document.get(member) is not None and document[member] != supported:
            raise InvalidClientMetadata(f"{member}: only {json.dumps(supported)} is offered")
    for member, reason in _NOT_OFFERED.items():
        if document.get(member) not in (None, []):
            raise InvalidClientMetadata(f"{member}: {reason}")


def _check_response_types(document: Mapping[str, object], party: RelyingParty) -> None:
    """RFC 7591 cl. 2.1: response types and grants must agree."""
    stated = document.get("response_types")
    if stated is not None and stated != _response_types(party):
        raise InvalidClientMetadata(
            f"response_types must be {json.dumps(_response_types(party))} for these grant_types"
        )


def _response_types(party: RelyingParty) -> list[str]:
    return ["code"] if GrantType.AUTHORIZATION_CODE in party.grant_types else []

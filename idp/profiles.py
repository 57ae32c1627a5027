"""The profiles that a relying party can register, each the whole rule set of its requests, on one screen.

Owns:    which rules make a profile, in their order. Leaves each rule to its own function (`authorization_checks`, `token_checks`).
Rules:   1 a profile is a named tuple of checks; read top to bottom it is the security argument of that profile
         2 `fapi2` adds to `basic`, it takes nothing away
         3 FAPI 2.0 Message Signing is `fapi2` with `require_signed_request_object`, and `response_mode=jwt` in the requests
Spec:    RFC 9700; OpenID Connect Core 1.0; FAPI 2.0 Security Profile (final) cl. 5.3; FAPI 2.0 Message Signing (final) cl. 5.3, 5.4
"""

from collections.abc import Mapping
from dataclasses import dataclass

from idp import authorization_checks as request
from idp import token_checks as token
from idp.authorization_checks import Check
from idp.token_checks import TokenCheck


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile."""

    name: str
    authorization: tuple[Check, ...]
    """`/authorize` and `/par`."""
    decoupled: tuple[Check, ...]
    """`/device_authorization` and `/backchannel_authentication`: the same, without what travels through a browser."""
    token: tuple[TokenCheck, ...]
    """`/token`, after client authentication and before anything is spent."""
    rotates_refresh_tokens: bool


_DECOUPLED: tuple[Check, ...] = (
    request.check_no_parameter_repeated,
    request.check_no_control_characters,
    request.check_scope,
    request.check_acr_values,
    request.check_claims,
    request.check_resource,
    request.check_authorization_details,
)

BASIC = Profile(
    name="basic",
    authorization=(
        request.check_no_parameter_repeated,
        request.check_no_control_characters,
        request.check_nothing_fetched,
        request.check_pushed_when_required,
        request.check_signed_when_required,
        request.check_response_type,
        request.check_response_mode,
        request.check_grant_registered,
        request.check_scope,
        request.check_pkce,
        request.check_state_and_nonce,
        request.check_prompt,
        request.check_max_age,
        request.check_acr_values,
        request.check_claims,
        request.check_connector,
        request.check_login_hint,
        request.check_id_token_hint,
        request.check_resource,
        request.check_authorization_details,
        request.check_dpop_jkt,
    ),
    decoupled=_DECOUPLED,
    token=(
        token.check_no_parameter_repeated,
        token.check_grant_registered,
        token.check_bound_when_required,
    ),
    rotates_refresh_tokens=True,
)

FAPI2 = Profile(
    name="fapi2",
    authorization=(request.check_pushed, *BASIC.authorization),  # cl. 5.3.2.2 (3): only /par
    decoupled=_DECOUPLED,
    token=(token.check_sender_constrained, *BASIC.token),  # cl. 5.3.2.1 (5): bound tokens only
    rotates_refresh_tokens=False,  # cl. 5.3.2.1 (11): no rotation, for bound tokens cannot be used by a thief
)

PROFILES: Mapping[str, Profile] = {profile.name: profile for profile in (BASIC, FAPI2)}

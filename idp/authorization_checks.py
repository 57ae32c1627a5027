"""The rules of an authorization request, one function each, and the ordered tuples that make a profile.

Owns:    `CHECKS` and `PROFILES`: read top to bottom, they are the security argument of `/authorize`.
Leaves:  who the relying party is, and the redirect URI, to `authorization` (those refusals may never be redirected).
Rules:   a check takes what arrived and what is known, returns None or raises the standard's error; it has no other effect
Spec:    RFC 6749 cl. 4.1; RFC 7636; RFC 9700 cl. 2.1; OpenID Connect Core 1.0 cl. 3.1.2, 5.5, 6; RFC 8707
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from idp.claims_request import parse_claims_request
from idp.config import IdpConfig
from idp.errors import (
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    ProtocolError,
    RegistrationNotSupported,
    RequestNotSupported,
    RequestUriNotSupported,
    UnauthorizedClient,
    UnmetAuthenticationRequirements,
    UnsupportedResponseType,
)
from idp.model import UnverifiedRequest
from idp.protocol import GrantType, Prompt, Scope
from idp.relying_parties import RelyingParty
from trust_lists.vocabulary import AssuranceLevel


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What is known when a request is judged."""

    config: IdpConfig
    relying_party: RelyingParty
    connectors: frozenset[str]
    token_keys: KeySet


Check = Callable[[UnverifiedRequest, RequestContext], None]

ONCE = frozenset({
    "client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "code_challenge",
    "code_challenge_method", "prompt", "max_age", "acr_values", "ui_locales", "claims", "login_hint", "id_token_hint",
    "connector", "request", "request_uri", "registration", "display", "claims_locales",
})  # fmt: skip
_S256 = re.compile(r"[A-Za-z0-9_-]{43}")
_SCOPE = re.compile(r"[!#-\[\]-~]+( [!#-\[\]-~]+)*")
_OPAQUE = re.compile(r"[ -~]{1,512}")


def check_no_parameter_repeated(request: UnverifiedRequest, _: RequestContext) -> None:
    """RFC 6749 cl. 3.1: parameters must not be included more than once."""
    if repeated := sorted(ONCE & request.parameters.repeated):
        raise InvalidRequest(f"{repeated[0]} is repeated")


def check_no_control_characters(request: UnverifiedRequest, _: RequestContext) -> None:
    """A line break or NUL in a parameter has no honest use; it is how headers and logs are forged."""
    if any(not value.isprintable() for name, value in request.parameters.values.items() if name in ONCE):
        raise InvalidRequest("A parameter contains control characters")


def check_no_request_object(request: UnverifiedRequest, _: RequestContext) -> None:
    """OpenID Connect Core cl. 6.1, 6.2, 7.2.1: say so; to ignore a request object silently would drop its demands."""
    refusals: Mapping[str, type[ProtocolError]] = {
        "request": RequestNotSupported,
        "request_uri": RequestUriNotSupported,
        "registration": RegistrationNotSupported,
    }
    for parameter, refusal in refusals.items():
        if request.get(parameter) is not None:
            raise refusal


def check_response_type(request: UnverifiedRequest, _: RequestContext) -> None:
    """Only `code`: no token ever travels through the browser (RFC 9700 cl. 2.1.2)."""
    if request.get("response_type") is None:
        raise InvalidRequest("response_type is missing")
    if request.get("response_type") != "code":
        raise UnsupportedResponseType


def check_response_mode(request: UnverifiedRequest, _: RequestContext) -> None:
    """Only `query`, the default of `code` (OAuth 2.0 Multiple Response Types cl. 2.1)."""
    if request.get("response_mode") not in {None, "query"}:
        raise InvalidRequest("Only response_mode=query is offered")


def check_grant_registered(_: UnverifiedRequest, context: RequestContext) -> None:
    """RFC 7591 cl. 2: a relying party uses the grants that it registered."""
    if GrantType.AUTHORIZATION_CODE.value not in context.relying_party.grant_types:
        raise UnauthorizedClient("This relying party is not registered for the authorization code grant")


def check_scope(request: UnverifiedRequest, context: RequestContext) -> None:
    """`openid` is asked, and nothing of ours beyond the registration; unknown scopes are ignored (Core cl. 3.1.2.1)."""
    scope = request.get("scope")
    if scope is None or not _SCOPE.fullmatch(scope):
        raise InvalidScope("scope is missing or malformed")
    asked = set(scope.split(" "))
    if Scope.OPENID not in asked:
        raise InvalidScope("scope must contain openid")
    if beyond := sorted((asked & set(Scope)) - set(context.relying_party.scope)):
        raise InvalidScope(f"This relying party is not registered for the scope {beyond[0]}")


def check_pkce(request: UnverifiedRequest, _: RequestContext) -> None:
    """PKCE always, S256 only: RFC 7636 cl. 4.2, 4.4.1; RFC 9700 cl. 2.1.1. `plain` protects nothing."""
    challenge, method = request.get("code_challenge"), request.get("code_challenge_method")
    if challenge is None:
        raise InvalidRequest("code_challenge is missing")
    if method != "S256":
        raise InvalidRequest("code_challenge_method must be S256")
    if not _S256.fullmatch(challenge):
        raise InvalidRequest("code_challenge is not a base64url SHA-256 value")


def check_state_and_nonce(request: UnverifiedRequest, _: RequestContext) -> None:
    """Both are optional with PKCE, and opaque: printable ASCII of sane length (RFC 6749 appendix A.5)."""
    for name in ("state", "nonce"):
        value = request.get(name)
        if value is not None and not _OPAQUE.fullmatch(value):
            raise InvalidRequest(f"{name} is too long or not printable ASCII")


def check_prompt(request: UnverifiedRequest, _: RequestContext) -> None:
    """OpenID Connect Core cl. 3.1.2.1: known words; `none` stands alone."""
    words = (request.get("prompt") or "").split()
    if any(word not in set(Prompt) for word in words):
        raise InvalidRequest("prompt has an unknown value")
    if Prompt.NONE in words and len(words) > 1:
        raise InvalidRequest("prompt=none excludes every other value")


def check_max_age(request: UnverifiedRequest, _: RequestContext) -> None:
    """A whole number of seconds, not negative."""
    value = request.get("max_age")
    if value is not None and not re.fullmatch(r"[0-9]{1,9}", value):
        raise InvalidRequest("max_age must be a number of seconds")


def check_acr_values(request: UnverifiedRequest, _: RequestContext) -> None:
    """At least one level must be ours: otherwise what the portal wants cannot be had, and it must hear so.

    Core cl. 3.1.2.1 lets a provider ignore what it does not know; docs/divergences.md says why we do not.
    """
    asked = (request.get("acr_values") or "").split()
    if asked and not any(AssuranceLevel.from_acr(value) for value in asked):
        raise UnmetAuthenticationRequirements("None of the acr_values exists here")


def check_claims(request: UnverifiedRequest, _: RequestContext) -> None:
    """Well-formed and bounded; an essential `acr` must name a level of ours (Core cl. 5.5.1.1)."""
    asked = parse_claims_request(request.get("claims"))
    if asked.acr_essential and asked.acr_values and not any(map(AssuranceLevel.from_acr, asked.acr_values)):
        raise UnmetAuthenticationRequirements("None of the essential acr values exists here")


def check_connector(request: UnverifiedRequest, context: RequestContext) -> None:
    """The upstream hint names a connected upstream; to send the person elsewhere would betray the portal's demand."""
    hint = request.get("connector")
    if hint is not None and hint not in context.connectors:
        raise InvalidRequest("connector names no connected identity provider")


def check_login_hint(request: UnverifiedRequest, _: RequestContext) -> None:
    """A hint for the upstream page, of sane length; it decides nothing."""
    if len(request.get("login_hint") or "") > 256:
        raise InvalidRequest("login_hint is too long")


def check_id_token_hint(request: UnverifiedRequest, context: RequestContext) -> None:
    """The hint is an ID token that we made for this relying party; it may have expired (Core cl. 3.1.2.1)."""
    hint = request.get("id_token_hint")
    if hint is not None:
        read_hint(hint, context)


def check_resource(request: UnverifiedRequest, context: RequestContext) -> None:
    """RFC 8707 cl. 2: the only resource is our own API, named by the issuer."""
    if any(resource != context.config.issuer for resource in request.parameters.all("resource")):
        raise InvalidTarget("resource must be the issuer")


def read_hint(hint: str, context: RequestContext) -> str:
    """Return the subject of an `id_token_hint`.

    Raises:
        InvalidRequest: not an ID token of ours for this relying party.
    """
    try:
        header, claims = _verified_hint(hint, context.token_keys)
    except (JoseError, ValueError) as error:
        raise InvalidRequest("id_token_hint is not an ID token of this provider") from error
    subject = claims.get("sub")
    for_us = claims.get("iss") == context.config.issuer and claims.get("aud") == context.relying_party.client_id
    if header.get("typ") != "JWT" or not for_us or not isinstance(subject, str):
        raise InvalidRequest("id_token_hint is not an ID token for this relying party")
    return subject


def _verified_hint(hint: str, keys: KeySet) -> tuple[Mapping[str, object], Mapping[str, object]]:
    token = jws.deserialize_compact(hint, keys, algorithms=["ES256"])
    claims = json.loads(token.payload or b"")
    if not isinstance(claims, dict):
        raise ValueError("no claims")  # noqa: TRY004 - one class for the caller
    return token.headers(), claims


CHECKS: tuple[Check, ...] = (
    check_no_parameter_repeated,
    check_no_control_characters,
    check_no_request_object,
    check_response_type,
    check_response_mode,
    check_grant_registered,
    check_scope,
    check_pkce,
    check_state_and_nonce,
    check_prompt,
    check_max_age,
    check_acr_values,
    check_claims,
    check_connector,
    check_login_hint,
    check_id_token_hint,
    check_resource,
)

PROFILES: Mapping[str, tuple[Check, ...]] = {"basic": CHECKS}
"""The rule set of every profile that a relying party can register; `fapi2` adds to this tuple, it takes nothing away."""

"""The rules of an authorization request, one function each; `profiles` puts them in order.

Owns:    every rule of `/authorize`, `/par` and the decoupled doors that concerns the request alone.
Leaves:  who the relying party is, and the redirect URI, to `authorization` (those refusals may never be redirected).
Rules:   a check takes what arrived and what is known, returns None or raises the standard's error; it has no other effect
Spec:    RFC 6749 cl. 4.1; RFC 7636; RFC 9700 cl. 2.1; OpenID Connect Core 1.0 cl. 3.1.2, 5.5, 6; RFC 8707, 9101, 9126, 9396, 9449; JARM
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from joserfc.jwk import KeySet

from idp.authorization_details import parse_authorization_details
from idp.claims_request import parse_claims_request
from idp.config import IdpConfig
from idp.errors import (
    InvalidRequest,
    InvalidScope,
    RegistrationNotSupported,
    RequestUriNotSupported,
    UnauthorizedClient,
    UnmetAuthenticationRequirements,
    UnsupportedResponseType,
)
from idp.model import UnverifiedRequest
from idp.protocol import GrantType, Prompt, Scope
from idp.relying_parties import RelyingParty
from idp.resources import check_resources, signing_api
from idp.tokens.hints import verify_id_token_hint
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
    "connector", "request", "request_uri", "registration", "display", "claims_locales", "authorization_details", "dpop_jkt",
    "binding_message", "login_hint_token", "requested_expiry", "user_code",
})  # fmt: skip
RESPONSE_MODES = {None: "query", "query": "query", "jwt": "jwt", "query.jwt": "jwt"}
"""What a request may say, and what it means; JARM cl. 2.3.4: `jwt` is `query.jwt` for `code`."""
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


def check_nothing_fetched(request: UnverifiedRequest, _: RequestContext) -> None:
    """Nothing is fetched for a request: a request_uri is one of ours or refused (Core cl. 6.2; RFC 9101 cl. 10.4: SSRF).

    A pushed request and a request object were taken apart before; what is left here is foreign or misplaced.
    """
    if request.get("request_uri") is not None:
        raise RequestUriNotSupported
    if request.get("request") is not None:
        raise InvalidRequest("request is misplaced")
    if request.get("registration") is not None:  # Core cl. 7.2.1
        raise RegistrationNotSupported


def check_pushed_when_required(request: UnverifiedRequest, context: RequestContext) -> None:
    """RFC 9126 cl. 6: a relying party that registered so uses `/par` only."""
    if context.relying_party.require_par:
        check_pushed(request, context)


def check_pushed(request: UnverifiedRequest, _: RequestContext) -> None:
    """FAPI 2.0 Security Profile cl. 5.3.2.2 (3): no request but by `/par`."""
    if not request.pushed:
        raise InvalidRequest("This relying party must push its authorization requests to /par")


def check_signed_when_required(request: UnverifiedRequest, context: RequestContext) -> None:
    """RFC 9101 cl. 10.5; FAPI 2.0 Message Signing cl. 5.3.1: no request but in a signed request object."""
    if context.relying_party.require_signed_request and not request.signed:
        raise InvalidRequest("This relying party must send signed request objects")


def check_response_type(request: UnverifiedRequest, _: RequestContext) -> None:
    """Only `code`: no token ever travels through the browser (RFC 9700 cl. 2.1.2)."""
    if request.get("response_type") is None:
        raise InvalidRequest("response_type is missing")
    if request.get("response_type") != "code":
        raise UnsupportedResponseType


def check_response_mode(request: UnverifiedRequest, _: RequestContext) -> None:
    """`query`, the default of `code`, or signed in a JWT (Multiple Response Types cl. 2.1; JARM cl. 2.3.1, 2.3.4)."""
    if request.get("response_mode") not in RESPONSE_MODES:
        raise InvalidRequest("response_mode can only be query, jwt or query.jwt")


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
    registered = set(context.relying_party.scope)
    if GrantType.REFRESH_TOKEN.value in context.relying_party.grant_types:
        registered.add(Scope.OFFLINE_ACCESS)  # Core cl. 11: meaningless without refresh tokens, so the grant decides
    else:
        asked.discard(Scope.OFFLINE_ACCESS)
    if beyond := sorted((asked & set(Scope)) - registered):
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
    """The hint is an ID token that we made for this relying party; it may have expired (Core cl. 3.1.2.1).

    It names the person whom the `claims` parameter asks for, if that names one (cl. 5.5.1).
    """
    hint = request.get("id_token_hint")
    if hint is not None and parse_claims_request(request.get("claims")).subject not in {None, read_hint(hint, context)}:
        raise InvalidRequest("id_token_hint and the claims parameter name different people")


def check_resource(request: UnverifiedRequest, context: RequestContext) -> None:
    """RFC 8707 cl. 2: the only resources are our own APIs."""
    check_resources(request.parameters.all("resource"), context.config)


def check_authorization_details(request: UnverifiedRequest, context: RequestContext) -> None:
    """RFC 9396 cl. 5: understood to the last member, or refused; signing also needs the scope."""
    details = request.get("authorization_details")
    documents = parse_authorization_details(
        details,
        registered=context.relying_party.authorization_details_types,
        api=signing_api(context.config),
    )
    if documents and Scope.SIGNING not in (request.get("scope") or "").split(" "):
        raise InvalidScope("authorization_details of sign_document need the scope signing")


def check_dpop_jkt(request: UnverifiedRequest, _: RequestContext) -> None:
    """RFC 9449 cl. 10: a JWK thumbprint with SHA-256."""
    jkt = request.get("dpop_jkt")
    if jkt is not None and not _S256.fullmatch(jkt):
        raise InvalidRequest("dpop_jkt is not a JWK SHA-256 thumbprint")


def read_hint(hint: str, context: RequestContext) -> str:
    """Return the subject of an `id_token_hint`.

    Raises:
        InvalidRequest: not an ID token of ours for this relying party.
    """
    claims = verify_id_token_hint(hint, context.token_keys, issuer=context.config.issuer)
    if claims is None or claims["aud"] != context.relying_party.client_id:
        raise InvalidRequest("id_token_hint is not an ID token of this provider for this relying party")
    return str(claims["sub"])

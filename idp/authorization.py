"""Acceptance of an authorization request: the only way what arrived becomes an `AuthorizationRequest`.

Owns:    the order (relying party, redirect URI, then the profile's checks) and where each refusal goes.
Leaves:  single rules to `authorization_checks`, their order to `profiles`; the way of an answer to `authorization_response`.
Rules:   1 until the relying party is known and its redirect URI matches exactly, a refusal is shown, never redirected
         2 after that, every refusal goes to that redirect URI with `state` and `iss` (RFC 9207)
Spec:    RFC 6749 cl. 4.1.1, 4.1.2.1; OpenID Connect Core 1.0 cl. 3.1.2; RFC 9101 cl. 6.3; RFC 9126 cl. 2.1; RFC 9700 cl. 4.1, 4.11
"""

import re
from dataclasses import dataclass

from idp.authorization_checks import RESPONSE_MODES, RequestContext, read_hint
from idp.authorization_details import parse_authorization_details
from idp.claims_request import parse_claims_request
from idp.errors import ProtocolError
from idp.model import AuthorizationRequest, ClaimsRequest, Target, UnverifiedRequest
from idp.page_errors import MalformedRequest, UnregisteredRedirectUri
from idp.profiles import PROFILES
from idp.protocol import GrantType, Scope
from idp.redirect_uris import match_redirect_uri
from idp.relying_parties import RelyingParty
from idp.resources import signing_api
from trust_lists.vocabulary import AssuranceLevel

_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """A refusal that may travel: the redirect URI is verified."""

    error: ProtocolError
    redirect_uri: str
    state: str | None
    response_mode: str = "query"


def read_client_id(request: UnverifiedRequest) -> str:
    """Return the client_id, before anything is believed.

    Raises:
        MalformedRequest: absent, repeated or absurd; shown, not redirected.
    """
    client_id = request.get("client_id")
    if client_id is None or "client_id" in request.parameters.repeated or len(client_id) > 256:
        raise MalformedRequest("client_id is missing, repeated or too long")
    return client_id


def accept_request(request: UnverifiedRequest, context: RequestContext) -> AuthorizationRequest | RefusedRequest:
    """Judge a request whose relying party is known.

    Raises:
        PageError: the redirect URI is not verified, so the refusal must be shown.
    """
    # 1 RFC 6749 cl. 4.1.2.1: an unverified redirect URI is never used
    redirect_uri = verified_redirect_uri(request, context.relying_party)
    # 2 the profile's checks, in their order; the first refusal ends it
    try:
        for check in PROFILES[context.relying_party.profile].authorization:
            check(request, context)
        # 3 only now does it become a verified value
        return build_request(request, context, redirect_uri=redirect_uri)
    except ProtocolError as error:
        return refused_request(request, error, redirect_uri)


def refused_request(request: UnverifiedRequest, error: ProtocolError, redirect_uri: str) -> RefusedRequest:
    """Return a refusal for a redirect URI that is verified; the answer goes in the mode that was asked for, if it is one."""
    mode = RESPONSE_MODES.get(request.get("response_mode"), "query")
    return RefusedRequest(error, redirect_uri, _returnable_state(request), mode)


def verified_redirect_uri(request: UnverifiedRequest, party: RelyingParty) -> str:
    """Return the redirect URI of a request when it is one that was registered.

    Raises:
        MalformedRequest: missing or repeated: required by OpenID Connect Core cl. 3.1.2.1.
        UnregisteredRedirectUri: another one.
    """
    arriving = request.get("redirect_uri")
    if arriving is None or "redirect_uri" in request.parameters.repeated:
        raise MalformedRequest("redirect_uri is missing or repeated")
    if not match_redirect_uri(arriving, party.redirect_uris, native=party.native):
        raise UnregisteredRedirectUri
    return arriving


def build_request(
    request: UnverifiedRequest,
    context: RequestContext,
    *,
    redirect_uri: str = "",
    target: Target = Target.PORTAL,
    hinted_subject: str | None = None,
) -> AuthorizationRequest:
    """Make the verified value of a request that passed its checks; the registration fills in what was left open."""
    party, asked_scope = context.relying_party, (request.get("scope") or "").split(" ")
    claims = parse_claims_request(request.get("claims"))
    acr_values = _acr_values(request, claims) or party.default_acr_values
    max_age, hint = request.get("max_age"), request.get("id_token_hint")
    return AuthorizationRequest(
        client_id=party.client_id,
        redirect_uri=redirect_uri,
        scope=tuple(word.value for word in Scope if word in asked_scope and _meant(word, party)),
        code_challenge=request.get("code_challenge") or "",
        state=request.get("state"),
        nonce=request.get("nonce"),
        prompt=tuple((request.get("prompt") or "").split()),
        max_age_s=party.default_max_age_s if max_age is None else int(max_age),
        wanted_levels=tuple(level for value in acr_values if (level := AssuranceLevel.from_acr(value))),
        claims=claims,
        ui_locales=_language_tags(request.get("ui_locales")),
        login_hint=request.get("login_hint"),
        connector=request.get("connector"),
        hinted_subject=read_hint(hint, context) if hint is not None else claims.subject or hinted_subject,
        response_mode=RESPONSE_MODES.get(request.get("response_mode"), "query"),
        resources=tuple(dict.fromkeys(request.parameters.all("resource"))),
        documents=parse_authorization_details(
            request.get("authorization_details"),
            registered=party.authorization_details_types,
            api=signing_api(context.config),
        ),
        dpop_jkt=request.get("dpop_jkt"),
        target=target,
        binding_message=request.get("binding_message") or "",
    )


def _acr_values(request: UnverifiedRequest, claims: ClaimsRequest) -> tuple[str, ...]:
    """An essential `acr` is a demand: wishes beside it do not soften it (Core cl. 5.5.1.1)."""
    if claims.acr_essential and claims.acr_values:
        return claims.acr_values
    return (*(request.get("acr_values") or "").split(), *claims.acr_values)


def _meant(word: Scope, party: RelyingParty) -> bool:
    """Core cl. 11: offline_access is ignored where no refresh token can follow."""
    return word is not Scope.OFFLINE_ACCESS or GrantType.REFRESH_TOKEN.value in party.grant_types


def _returnable_state(request: UnverifiedRequest) -> str | None:
    state = request.get("state")
    unusable = state is None or "state" in request.parameters.repeated or len(state) > 512 or not state.isprintable()
    return None if unusable else state


def _language_tags(ui_locales: str | None) -> tuple[str, ...]:
    """Malformed tags are left out: a language preference must not cause an error (Core cl. 3.1.2.1)."""
    return tuple(tag for tag in (ui_locales or "").split()[:10] if _LANGUAGE_TAG.fullmatch(tag))

"""Acceptance of an authorization request: the only way `/authorize` turns what arrived into an `AuthorizationRequest`.

Owns:    the order (relying party, redirect URI, then the profile's checks) and where each refusal goes.
Leaves:  single rules to `authorization_checks`; what happens next to `login`.
Rules:   1 until the relying party is known and its redirect URI matches exactly, a refusal is shown, never redirected
         2 after that, every refusal goes to that redirect URI with `state` and `iss` (RFC 9207)
Spec:    RFC 6749 cl. 4.1.1, 4.1.2.1; OpenID Connect Core 1.0 cl. 3.1.2; RFC 9207; RFC 9700 cl. 4.1, 4.11
"""

import re
from dataclasses import dataclass
from urllib.parse import urlencode

from idp.authorization_checks import PROFILES, RequestContext, read_hint
from idp.claims_request import parse_claims_request
from idp.errors import MalformedRequest, ProtocolError, UnregisteredRedirectUri
from idp.model import AuthorizationRequest, UnverifiedRequest
from idp.protocol import Scope
from idp.redirect_uris import match_redirect_uri
from trust_lists.vocabulary import AssuranceLevel

_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """A refusal that may travel: the redirect URI is verified."""

    error: ProtocolError
    redirect_uri: str
    state: str | None


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
    redirect_uri = _verified_redirect_uri(request, context)
    # 2 the profile's checks, in their order; the first refusal ends it
    try:
        for check in PROFILES[context.relying_party.profile]:
            check(request, context)
        # 3 only now does it become a verified value
        return _build(request, context, redirect_uri)
    except ProtocolError as error:
        return RefusedRequest(error, redirect_uri, _returnable_state(request))


def response_location(redirect_uri: str, parameters: dict[str, str | None], *, issuer: str | None) -> str:
    """Return the redirect URI with a response; an authorization response always carries `iss` (RFC 9207 cl. 2).

    Values are percent-encoded, so none can break out of the query, let alone of the header line.
    """
    present = {name: value for name, value in {**parameters, "iss": issuer}.items() if value is not None}
    separator = "&" if "?" in redirect_uri else "?"
    return f"{redirect_uri}{separator}{urlencode(present)}" if present else redirect_uri


def error_location(refused: RefusedRequest, *, issuer: str) -> str:
    """Return where an error response goes (RFC 6749 cl. 4.1.2.1)."""
    error = refused.error
    return response_location(
        refused.redirect_uri,
        {"error": error.code, "error_description": error.description, "state": refused.state},
        issuer=issuer,
    )


def _verified_redirect_uri(request: UnverifiedRequest, context: RequestContext) -> str:
    arriving = request.get("redirect_uri")
    if arriving is None or "redirect_uri" in request.parameters.repeated:
        raise MalformedRequest("redirect_uri is missing or repeated")  # required: OpenID Connect Core cl. 3.1.2.1
    party = context.relying_party
    if not match_redirect_uri(arriving, party.redirect_uris, native=party.native):
        raise UnregisteredRedirectUri
    return arriving


def _returnable_state(request: UnverifiedRequest) -> str | None:
    state = request.get("state")
    unusable = state is None or "state" in request.parameters.repeated or len(state) > 512 or not state.isprintable()
    return None if unusable else state


def _build(request: UnverifiedRequest, context: RequestContext, redirect_uri: str) -> AuthorizationRequest:
    asked_scope = (request.get("scope") or "").split(" ")
    claims = parse_claims_request(request.get("claims"))
    acr_values = (*(request.get("acr_values") or "").split(), *claims.acr_values)
    max_age, hint = request.get("max_age"), request.get("id_token_hint")
    return AuthorizationRequest(
        client_id=context.relying_party.client_id,
        redirect_uri=redirect_uri,
        scope=tuple(word.value for word in Scope if word in asked_scope),
        code_challenge=request.get("code_challenge") or "",
        state=request.get("state"),
        nonce=request.get("nonce"),
        prompt=tuple((request.get("prompt") or "").split()),
        max_age_s=None if max_age is None else int(max_age),
        wanted_levels=tuple(level for value in acr_values if (level := AssuranceLevel.from_acr(value))),
        claims=claims,
        ui_locales=_language_tags(request.get("ui_locales")),
        login_hint=request.get("login_hint"),
        connector=request.get("connector"),
        hinted_subject=None if hint is None else read_hint(hint, context),
    )


def _language_tags(ui_locales: str | None) -> tuple[str, ...]:
    """Malformed tags are left out: a language preference must not cause an error (Core cl. 3.1.2.1)."""
    return tuple(tag for tag in (ui_locales or "").split()[:10] if _LANGUAGE_TAG.fullmatch(tag))

"""How an authorization request arrives: in the parameters, in a signed request object, or pushed beforehand.

Owns:    the opening of all three, before the rules of the profile are asked. Leaves the rules to `authorization`, the signature to
         `proof.request_objects`, what was pushed to the store.
Rules:   1 a request object *is* the request: nothing beside it counts but the client_id (RFC 9101 cl. 5, 6.3)
         2 a request_uri is one that we gave to this very relying party, or it is refused unread; nothing is ever fetched
         3 both at once are refused (RFC 9101 cl. 5)
Spec:    RFC 9101; RFC 9126 cl. 4; OpenID Connect Core 1.0 cl. 6
"""

from datetime import datetime

from idp.authorization import RefusedRequest, accept_request, refused_request, verified_redirect_uri
from idp.authorization_checks import RequestContext
from idp.deps import IdpDeps
from idp.errors import InvalidRequest, InvalidRequestObject
from idp.hashes import hash_token
from idp.model import AuthorizationRequest, UnverifiedRequest
from idp.page_errors import PageError, RequestObjectRefused, UnknownPushedRequest
from idp.parameters import Parameters
from idp.proof.request_objects import open_request_object
from idp.relying_parties import RelyingParty

REQUEST_URI_PREFIX = "urn:ietf:params:oauth:request_uri:"
"""RFC 9126 cl. 2.2; what follows is ours."""


async def arrive(
    parameters: Parameters, party: RelyingParty, deps: IdpDeps, *, at: datetime
) -> AuthorizationRequest | RefusedRequest:
    """Judge what arrived at `/authorize` for a known relying party.

    Raises:
        PageError: the refusal must be shown.
    """
    request_uri = parameters.get("request_uri")
    if request_uri is not None and request_uri.startswith(REQUEST_URI_PREFIX):
        return await _pushed(parameters, request_uri, party, deps, at=at)
    outer = UnverifiedRequest(parameters)
    try:
        opened = open_request(outer, party, deps, at=at)
    except (InvalidRequest, InvalidRequestObject) as error:
        try:  # the object cannot be believed; the redirect URI beside it counts if it is a registered one
            return refused_request(outer, error, verified_redirect_uri(outer, party))
        except PageError as unverified:
            raise RequestObjectRefused from unverified
    return accept_request(opened, request_context(party, deps))


def open_request(arrived: UnverifiedRequest, party: RelyingParty, deps: IdpDeps, *, at: datetime) -> UnverifiedRequest:
    """Open the request object of a request, if it has one.

    Raises:
        InvalidRequestObject: it does not verify.
        InvalidRequest: it is repeated, or comes beside a request_uri.
    """
    text = arrived.get("request")
    if text is None:
        return arrived
    if "request" in arrived.parameters.repeated or arrived.get("request_uri") is not None:
        raise InvalidRequest("request is repeated, or comes beside request_uri")
    parameters = open_request_object(text, party, deps.config, at=at)
    return UnverifiedRequest(parameters, signed=True, pushed=arrived.pushed)


def request_context(party: RelyingParty, deps: IdpDeps) -> RequestContext:
    """Return what is known when a request is judged."""
    return RequestContext(deps.config, party, frozenset(deps.connectors), deps.token_keys.published())


async def _pushed(
    parameters: Parameters, request_uri: str, party: RelyingParty, deps: IdpDeps, *, at: datetime
) -> AuthorizationRequest:
    """RFC 9126 cl. 4: bound to its relying party, expiring, spent by the authorization; all else beside it is ignored."""
    if {"request_uri"} & parameters.repeated or parameters.get("request") is not None:
        raise UnknownPushedRequest
    loaded = await deps.store.load_pushed(hash_token(request_uri), client_id=party.client_id, at=at)
    if loaded is None:
        raise UnknownPushedRequest
    return loaded

"""Request objects: an authorization request that its relying party signed.

Owns:    opening one: signature, who, for whom, when, and the way from claims to parameters.
Leaves:  the parameters' meaning to the checks of the authorization request, `request_uri` to whoever pushed it: nothing is fetched.
Rules:   1 signed only, under a registered key, with the registered algorithm, else with one of the profile's list
         2 `iss` is the relying party, `aud` names us; `exp` is there, `nbf` too in fapi2, both within the hour
         3 it is the whole request: its client_id is the caller's, and it carries no other request
         4 a client assertion is no request object: `sub` = client_id is refused (RFC 9101 cl. 10.8)
         5 a claim becomes the text that the parameter would have had; what has no such text is refused
Spec:    RFC 9101 cl. 4, 5, 6, 10; OpenID Connect Core 1.0 cl. 6.1; FAPI 2.0 Message Signing cl. 5.3; RFC 8707 cl. 2; RFC 9396 cl. 3
"""

import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from idp.config import IdpConfig
from idp.errors import InvalidRequestObject, JoseRefused
from idp.jose.algorithms import names_of
from idp.jose.compact import verify_compact
from idp.parameters import Parameters
from idp.protocol import ASSERTION_ALGORITHMS, REQUEST_OBJECT_ALGORITHMS
from idp.relying_parties import RelyingParty

_TYPES: Final = frozenset({None, "JWT", "oauth-authz-req+jwt"})
_ABOUT_THE_OBJECT: Final = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti", "sub"})
_JSON_PARAMETERS: Final = frozenset({"claims", "authorization_details"})
_MAY_REPEAT: Final = frozenset({"resource"})
_AUTHENTICATE: Final = frozenset({"client_assertion", "client_assertion_type", "client_secret"})


def open_request_object(text: str, party: RelyingParty, config: IdpConfig, *, at: datetime) -> Parameters:
    """Verify a request object; return its parameters.

    Raises:
        InvalidRequestObject: any rule is broken.
    """
    # 1 the signature (RFC 9101 cl. 6.2)
    try:
        claims = verify_compact(text, party.keys, _algorithms(party), types=_TYPES).claims
    except JoseRefused as refusal:
        raise InvalidRequestObject("The request object is not signed as registered") from refusal
    # 2 who made it, and for whom (cl. 4)
    _check_parties(claims, party, config)
    # 3 when (FAPI 2.0 Message Signing cl. 5.3.1)
    _check_times(claims, party, config, at)
    # 4 it is a request, the whole request, and nothing but one (cl. 4, 6.3, 10.8)
    _check_whole(claims, party)
    # 5 from claims to parameters
    return _parameters(claims, config)


def _algorithms(party: RelyingParty) -> frozenset[str]:
    if party.request_object_alg is not None:
        return names_of(party.request_object_alg)
    return frozenset(ASSERTION_ALGORITHMS if party.profile == "fapi2" else REQUEST_OBJECT_ALGORITHMS)


def _check_parties(claims: Mapping[str, object], party: RelyingParty, config: IdpConfig) -> None:
    if not _is_text(claims.get("iss"), party.client_id):
        raise InvalidRequestObject("iss is not the relying party")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if not any(_is_text(one, config.issuer) for one in audiences):
        raise InvalidRequestObject("aud does not name this provider")


def _check_times(claims: Mapping[str, object], party: RelyingParty, config: IdpConfig, at: datetime) -> None:
    now, skew = at.timestamp(), config.clock_skew.total_seconds()
    longest = config.request_object_lifetime.total_seconds()
    expires, not_before, issued = (_seconds(claims, name) for name in ("exp", "nbf", "iat"))
    if expires is None or not now < expires <= now + longest + skew:
        raise InvalidRequestObject("exp is missing, past, or too far ahead")
    if not_before is None and party.profile == "fapi2":
        raise InvalidRequestObject("nbf is missing")
    if not_before is not None and not now - longest - skew <= not_before <= now + skew:
        raise InvalidRequestObject("nbf is in the future, or too far back")
    if issued is not None and issued > now + skew:
        raise InvalidRequestObject("iat is in the future")


def _check_whole(claims: Mapping[str, object], party: RelyingParty) -> None:
    if not _is_text(claims.get("client_id"), party.client_id):
        raise InvalidRequestObject("client_id is missing, or another")
    if "request" in claims or "request_uri" in claims:
        raise InvalidRequestObject("A request object must not contain another")
    if claims.get("sub") == party.client_id or _AUTHENTICATE & claims.keys():
        raise InvalidRequestObject("A client assertion is no request object")


def _parameters(claims: Mapping[str, object], config: IdpConfig) -> Parameters:
    every = tuple(
        (name, text)
        for name, value in claims.items()
        if name not in _ABOUT_THE_OBJECT
        for text in _texts(name, value)
        if text
    )
    if len(every) > config.max_parameters:
        raise InvalidRequestObject("The request object has too many parameters")
    if any(len(text) > config.max_parameter_bytes or len(name) > 128 for name, text in every):
        raise InvalidRequestObject("A parameter of the request object is too large")
    names = [name for name, _ in every]
    values = MappingProxyType(dict(reversed(every)))  # of a repeated one the first counts, as in a query
    return Parameters(values, frozenset(name for name in names if names.count(name) > 1), every)


def _texts(name: str, value: object) -> Iterator[str]:
    """Yield what would stand in a query for this claim."""
    if value is None:
        return
    if isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, (str, int)):
        yield str(value)
    elif name in _JSON_PARAMETERS and isinstance(value, (dict, list)):
        yield json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    elif name in _MAY_REPEAT and isinstance(value, list) and all(isinstance(one, str) for one in value):
        yield from value
    else:
        raise InvalidRequestObject(f"The claim {name[:64]} has no form as a parameter")


def _is_text(value: object, expected: str) -> bool:
    return isinstance(value, str) and hmac.compare_digest(value.encode(), expected.encode())


def _seconds(claims: Mapping[str, object], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e11:
        raise InvalidRequestObject(f"{name} is no time")
    return float(value)

"""Client authentication: a relying party proves at our back-channel endpoints that it is the one registered.

Owns:    `private_key_jwt`, `client_secret_basic` and `none`, and which of them a request may use.
Leaves:  the registration to the store, the replay memory of assertions to the store (it is part of the redemption's transaction).
Rules:   1 one method a request, and only the registered one (RFC 6749 cl. 2.3)
         2 an assertion's `aud` is the issuer, as a string: no array, no endpoint (FAPI 2.0 Security Profile cl. 5.3.2.1)
         3 the key comes from the registration, chosen by `kid` and type; header members that point to keys are refused
         4 the algorithm is one of a pinned list and fits the key's type: no `none`, no HMAC, no RS256
         5 every refusal says `invalid_client` and nothing more about why
Spec:    RFC 6749 cl. 2.3, 3.2.1; RFC 7521 cl. 4.2, 5; RFC 7523 cl. 3; RFC 8725 cl. 3
"""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote_plus

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import CompactSignature, JWSRegistry

from idp.config import IdpConfig
from idp.errors import InvalidClient, InvalidRequest
from idp.parameters import Parameters
from idp.proof.replay import ReplayUse
from idp.protocol import ASSERTION_ALGORITHMS, CLIENT_ASSERTION_TYPE, ClientAuthMethod
from idp.relying_parties import RelyingParty

MAX_ASSERTION_CHARS = 8_192
MAX_JTI_CHARS = 128
_POINTS_TO_KEYS = frozenset({"jku", "jwk", "x5u", "x5c", "crit", "b64"})
_TYPES = frozenset({None, "JWT", "client-authentication+jwt"})


@dataclass(frozen=True, slots=True)
class PresentedClient:
    """Who the caller says it is, and what it brings; nothing is proved yet."""

    client_id: str
    method: ClientAuthMethod
    proof: str = ""


def read_presented_client(form: Parameters, authorization: str | None) -> PresentedClient:
    """Read the one method that the request uses.

    Raises:
        InvalidRequest: several methods at once, or a repeated parameter.
        InvalidClient: none that can be read.
    """
    if {"client_id", "client_assertion", "client_assertion_type", "client_secret"} & form.repeated:
        raise InvalidRequest("A client authentication parameter is repeated")
    assertion, client_id = form.get("client_assertion"), form.get("client_id")
    if (authorization is not None) + (assertion is not None) + (form.get("client_secret") is not None) > 1:
        raise InvalidRequest("More than one client authentication method")  # RFC 6749 cl. 2.3
    if authorization is not None:
        presented = _basic(authorization)
    elif assertion is not None:
        presented = _assertion(assertion, form.get("client_assertion_type"))
    elif client_id is not None and form.get("client_secret") is None:
        presented = PresentedClient(client_id, ClientAuthMethod.NONE)
    else:
        raise InvalidClient
    if client_id is not None and client_id != presented.client_id:
        raise InvalidClient
    return presented


def verify_client(
    presented: PresentedClient, party: RelyingParty | None, config: IdpConfig, *, at: datetime
) -> ReplayUse | None:
    """Verify the proof; return what the store must remember of it.

    Raises:
        InvalidClient: unknown relying party, another method than registered, or a proof that does not hold.
    """
    if party is None or party.auth_method is not presented.method:
        raise InvalidClient
    if presented.method is ClientAuthMethod.NONE:
        return None
    if presented.method is ClientAuthMethod.CLIENT_SECRET_BASIC:
        if not party.accepts_secret(presented.proof):
            raise InvalidClient
        return None
    return verify_assertion(presented.proof, party, config, at=at)


def verify_assertion(assertion: str, party: RelyingParty, config: IdpConfig, *, at: datetime) -> ReplayUse:
    """Verify a `private_key_jwt` assertion, rule by rule (RFC 7523 cl. 3).

    Raises:
        InvalidClient: any rule is broken.
    """
    # 1 the header: a pinned algorithm, nothing that points to a key
    token = _extract(assertion)
    header = token.headers()
    algorithm = header.get("alg")
    if algorithm not in ASSERTION_ALGORITHMS or header.get("typ") not in _TYPES or _POINTS_TO_KEYS & header.keys():
        raise InvalidClient
    # 2 the signature, under a registered key
    if not any(_signed_by(token, algorithm, key) for key in _candidates(party, header)):
        raise InvalidClient
    # 3 cl. 3 (1)-(3): issuer and subject are the relying party, the audience is us and nobody else
    claims = _claims(token)
    for name, expected in (("iss", party.client_id), ("sub", party.client_id), ("aud", config.issuer)):
        value = claims.get(name)
        if not isinstance(value, str) or not hmac.compare_digest(value.encode(), expected.encode()):
            raise InvalidClient
    # 4 cl. 3 (4)-(6): times
    expires_at = _check_times(claims, config, at)
    # 5 cl. 3 (7): an identifier, so that it can be used once
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= MAX_JTI_CHARS:
        raise InvalidClient
    return ReplayUse(party.client_id, jti, expires_at)


def _check_times(claims: Mapping[str, object], config: IdpConfig, at: datetime) -> datetime:
    now, skew = at.timestamp(), config.clock_skew.total_seconds()
    expires = _seconds(claims, "exp")
    if expires is None or not now < expires <= now + config.max_assertion_lifetime.total_seconds() + skew:
        raise InvalidClient
    for name in ("nbf", "iat"):
        value = _seconds(claims, name)
        if value is not None and value > now + skew:
            raise InvalidClient
    return datetime.fromtimestamp(expires, UTC)


def _seconds(claims: Mapping[str, object], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e11:
        raise InvalidClient
    return float(value)


def _extract(assertion: str) -> CompactSignature:
    if len(assertion) > MAX_ASSERTION_CHARS:
        raise InvalidClient
    try:
        token = jws.extract_compact(assertion.encode("ascii"))
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidClient from error
    if not isinstance(token.headers(), dict):
        raise InvalidClient
    return token


def _claims(token: CompactSignature) -> Mapping[str, object]:
    try:
        claims = json.loads(token.payload)
    except (ValueError, RecursionError) as error:
        raise InvalidClient from error
    if not isinstance(claims, dict):
        raise InvalidClient
    return claims


def _candidates(party: RelyingParty, header: Mapping[str, object]) -> list[Key]:
    kid = header.get("kid")
    return [key for key in party.keys if kid is None or key.kid == kid]


def _signed_by(token: CompactSignature, algorithm: str, key: Key) -> bool:
    """Verify under one key; the registry is asked directly, so that `EdDSA` (RFC 9864 renames it) raises no warning."""
    model = JWSRegistry.algorithms[algorithm]
    try:
        model.check_key(key)
        signing_input = token.segments["header"] + b"." + token.segments["payload"]
        segment = token.segments["signature"]
        signature = base64.b64decode(segment + b"=" * (-len(segment) % 4), altchars=b"-_", validate=True)
        return model.verify(signing_input, signature, key)
    except (JoseError, ValueError):
        return False


def _assertion(assertion: str, kind: str | None) -> PresentedClient:
    if kind != CLIENT_ASSERTION_TYPE:
        raise InvalidClient
    subject = _claims(_extract(assertion)).get("sub")
    if not isinstance(subject, str):
        raise InvalidClient
    return PresentedClient(subject, ClientAuthMethod.PRIVATE_KEY_JWT, assertion)


def _basic(authorization: str) -> PresentedClient:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic" or len(value) > 1_024:
        raise InvalidClient
    try:
        name, colon, secret = base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError) as error:
        raise InvalidClient from error
    if not colon:
        raise InvalidClient
    # RFC 6749 cl. 2.3.1: both parts are form-encoded first
    return PresentedClient(unquote_plus(name), ClientAuthMethod.CLIENT_SECRET_BASIC, unquote_plus(secret))

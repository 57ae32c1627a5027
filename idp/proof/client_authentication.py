"""Client authentication: a relying party proves at our back-channel endpoints that it is the one registered.

Owns:    which method a request uses, and the proof of each: `private_key_jwt`, secrets, certificates, none.
Leaves:  the registration to the store, the memory of assertions to the store (it is part of the redemption's transaction),
         certificates to `mutual_tls`, signatures to `jose`.
Rules:   1 one method a request, and only the registered one (RFC 6749 cl. 2.3)
         2 an assertion's `aud` is the issuer, as a string: no array, no endpoint (FAPI 2.0 Security Profile cl. 5.3.2.1)
         3 the key comes from the registration, the algorithm from a pinned list or the registered one: no `none`, no HMAC, no RS256
         4 every refusal says `invalid_client` and nothing more about why
Spec:    RFC 6749 cl. 2.3, 3.2.1; RFC 7521 cl. 4.2, 5; RFC 7523 cl. 3; RFC 8705 cl. 2; RFC 8725 cl. 3
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote_plus

from idp.config import IdpConfig
from idp.errors import InvalidClient, InvalidRequest, JoseRefused
from idp.jose.algorithms import names_of
from idp.jose.compact import UnverifiedJws, parse_compact, verify_parsed
from idp.parameters import Parameters
from idp.proof.mutual_tls import ClientCertificate, verify_self_signed_client, verify_tls_client
from idp.proof.replay import ReplayUse
from idp.protocol import ASSERTION_ALGORITHMS, CLIENT_ASSERTION_TYPE, ClientAuthMethod
from idp.relying_parties import RelyingParty

MAX_JTI_CHARS: Final = 128
_TYPES: Final = frozenset({None, "JWT", "client-authentication+jwt"})
_WITHOUT_CREDENTIAL: Final = frozenset({
    ClientAuthMethod.NONE, ClientAuthMethod.TLS_CLIENT_AUTH, ClientAuthMethod.SELF_SIGNED_TLS_CLIENT_AUTH,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class PresentedClient:
    """Who the caller says it is, and what it brings; nothing is proved yet."""

    client_id: str
    method: ClientAuthMethod | None
    """None: only the client_id and a certificate came; the registration says what they must prove."""
    secret: str = ""
    assertion: UnverifiedJws | None = None


def read_presented_client(
    form: Parameters, authorization: str | None, certificate: ClientCertificate | None = None
) -> PresentedClient:
    """Read the one method that the request uses.

    Raises:
        InvalidRequest: several methods at once, or a repeated parameter.
        InvalidClient: none that can be read.
    """
    if {"client_id", "client_assertion", "client_assertion_type", "client_secret"} & form.repeated:
        raise InvalidRequest("A client authentication parameter is repeated")
    assertion, client_id, secret = form.get("client_assertion"), form.get("client_id"), form.get("client_secret")
    if (authorization is not None) + (assertion is not None) + (secret is not None) > 1:
        raise InvalidRequest("More than one client authentication method")  # RFC 6749 cl. 2.3
    if authorization is not None:
        presented = _basic(authorization)
    elif assertion is not None:
        presented = _assertion(assertion, form.get("client_assertion_type"))
    elif client_id is None:
        raise InvalidClient
    elif secret is not None:
        presented = PresentedClient(client_id, ClientAuthMethod.CLIENT_SECRET_POST, secret)
    else:
        presented = PresentedClient(client_id, ClientAuthMethod.NONE if certificate is None else None)
    if client_id is not None and client_id != presented.client_id:
        raise InvalidClient
    return presented


def verify_client(
    presented: PresentedClient,
    party: RelyingParty | None,
    config: IdpConfig,
    *,
    at: datetime,
    certificate: ClientCertificate | None = None,
    anchors: bytes = b"",
) -> ReplayUse | None:
    """Verify the proof; return what the store must remember of it.

    Args:
        presented: what came.
        party: the registration under the presented client_id, if there is one.
        config: ours.
        at: now.
        certificate: what a trusted proxy reports of the TLS connection.
        anchors: PEM of the CAs whose client certificates are taken.

    Raises:
        InvalidClient: unknown relying party, another method than registered, or a proof that does not hold.
    """
    if party is None or not _is_registered_method(presented.method, party.auth_method):
        raise InvalidClient
    if party.auth_method is ClientAuthMethod.PRIVATE_KEY_JWT:
        return verify_assertion(presented.assertion, party, config, at=at)
    if party.auth_method.by_secret:
        if not party.accepts_secret(presented.secret):
            raise InvalidClient
    elif party.auth_method is ClientAuthMethod.TLS_CLIENT_AUTH:
        verify_tls_client(certificate, party, anchors, at=at)
    elif party.auth_method is ClientAuthMethod.SELF_SIGNED_TLS_CLIENT_AUTH:
        verify_self_signed_client(certificate, party, at=at)
    return None


def verify_assertion(
    assertion: UnverifiedJws | None, party: RelyingParty, config: IdpConfig, *, at: datetime
) -> ReplayUse:
    """Verify a `private_key_jwt` assertion, rule by rule (RFC 7523 cl. 3).

    Raises:
        InvalidClient: any rule is broken.
    """
    # 1 the header and the signature, under a registered key
    if assertion is None:
        raise InvalidClient
    algorithms = ASSERTION_ALGORITHMS if party.auth_alg is None else names_of(party.auth_alg)
    try:
        claims = verify_parsed(assertion, party.keys, algorithms, types=_TYPES).claims
    except JoseRefused as refusal:
        raise InvalidClient from refusal
    # 2 cl. 3 (1)-(3): issuer and subject are the relying party, the audience is us and nobody else
    for name, expected in (("iss", party.client_id), ("sub", party.client_id), ("aud", config.issuer)):
        value = claims.get(name)
        if not isinstance(value, str) or not hmac.compare_digest(value.encode(), expected.encode()):
            raise InvalidClient
    # 3 cl. 3 (4)-(6): times
    expires_at = _check_times(claims, config, at)
    # 4 cl. 3 (7): an identifier, so that it can be used once
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= MAX_JTI_CHARS:
        raise InvalidClient
    return ReplayUse(party.client_id, jti, expires_at)


def _is_registered_method(presented: ClientAuthMethod | None, registered: ClientAuthMethod) -> bool:
    return registered in _WITHOUT_CREDENTIAL if presented is None else presented is registered


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


def _assertion(assertion: str, kind: str | None) -> PresentedClient:
    if kind != CLIENT_ASSERTION_TYPE:
        raise InvalidClient
    try:
        unverified = parse_compact(assertion)
    except JoseRefused as refusal:
        raise InvalidClient from refusal
    subject = unverified.claims.get("sub")
    if not isinstance(subject, str):
        raise InvalidClient
    return PresentedClient(subject, ClientAuthMethod.PRIVATE_KEY_JWT, assertion=unverified)


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

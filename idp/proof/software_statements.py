"""Software statements: what somebody whom we trust says of a piece of software that registers here.

Owns:    the verification of a statement, and how it is joined with the plain members.
Leaves:  who is trusted to the configuration, what the members mean to `relying_parties`, the echo of the statement to the door.
Rules:   1 the issuer is named in the configuration with its keys; nothing is fetched
         2 where both say something, the statement's word counts (RFC 7591 cl. 2.3)
         3 a statement with an expiry, a beginning or an audience keeps them
Spec:    RFC 7591 cl. 2.3, 3.1.1, 3.2.2
"""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final

from joserfc.jwk import KeySet

from idp.config import IdpConfig
from idp.errors import InvalidSoftwareStatement, JoseRefused, UnapprovedSoftwareStatement
from idp.jose.compact import parse_compact, verify_parsed
from idp.jose.public_keys import parse_public_key
from idp.protocol import ASSERTION_ALGORITHMS

MEMBER: Final = "software_statement"
_TYPES: Final = frozenset({None, "JWT", "software-statement+jwt"})
_ABOUT_THE_STATEMENT: Final = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", MEMBER})


def join_software_statement(document: Mapping[str, object], config: IdpConfig, *, at: datetime) -> dict[str, object]:
    """Return the registration with the statement's members in front; without a statement, as it came.

    Raises:
        InvalidSoftwareStatement: it is malformed, does not verify, or is out of its time.
        UnapprovedSoftwareStatement: nobody whom we trust issued it.
    """
    statement = document.get(MEMBER)
    plain = {name: value for name, value in document.items() if name != MEMBER}
    if statement is None:
        return plain
    claims = verify_software_statement(statement, config, at=at)
    return {**plain, **{name: value for name, value in claims.items() if name not in _ABOUT_THE_STATEMENT}}


def verify_software_statement(statement: object, config: IdpConfig, *, at: datetime) -> Mapping[str, object]:
    """Verify a statement; return its claims.

    Raises:
        InvalidSoftwareStatement: it is malformed, does not verify, or is out of its time.
        UnapprovedSoftwareStatement: nobody whom we trust issued it.
    """
    if not isinstance(statement, str):
        raise InvalidSoftwareStatement
    try:
        unverified = parse_compact(statement)
        # 1 who says so
        keys = dict(config.software_statement_issuers).get(str(unverified.claims.get("iss")))
        if keys is None:
            raise UnapprovedSoftwareStatement
        # 2 the signature
        claims = verify_parsed(unverified, issuer_keys(keys), ASSERTION_ALGORITHMS, types=_TYPES).claims
    except JoseRefused as refusal:
        raise InvalidSoftwareStatement from refusal
    # 3 when, and to whom
    _check_times(claims, config, at)
    audience = claims.get("aud")
    if audience is not None and config.issuer not in (audience if isinstance(audience, list) else [audience]):
        raise InvalidSoftwareStatement
    return claims


@lru_cache(maxsize=32)
def issuer_keys(jwks: str) -> KeySet:
    """Load an issuer's keys.

    Raises:
        ValueError: the configured text is no JWK set of public keys.
    """
    try:
        return KeySet([parse_public_key(member) for member in json.loads(jwks)["keys"]])
    except (JoseRefused, KeyError, TypeError) as error:
        raise ValueError("the keys of a software statement's issuer cannot be read") from error


def _check_times(claims: Mapping[str, object], config: IdpConfig, at: datetime) -> None:
    now, skew = at.timestamp(), config.clock_skew.total_seconds()
    for name, latest in (("nbf", now + skew), ("iat", now + skew), ("exp", float("inf"))):
        value = claims.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= latest:
            raise InvalidSoftwareStatement
        if name == "exp" and value <= now:
            raise InvalidSoftwareStatement("The software statement has expired")

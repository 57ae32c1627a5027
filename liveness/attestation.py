"""The permit attestation: a signed statement that this person, alive and now, holds this permit.

Owns:    its claims, `issue`, and `verify`, the one gate that turns a token into a `PermitAttestation`.
Leaves:  keys to the JWT ring; one-time retrieval to `check`.
Rules:   1 ES256 only, `typ` permit-attestation+jwt, a `kid` of the published set
         2 bound to issuer, audience, login transaction and upstream subject; five minutes
         3 no image, no name, no number: a keyed reference of the document
         4 a decision other than `pass` is no attestation
Spec:    RFC 7519, RFC 8725 (explicit typing, pinned algorithm); check_details of OpenID Connect for Identity Assurance 1.0
"""

import hmac
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet
from joserfc.jws import JWSRegistry

from liveness.errors import AttestationExpired, AttestationRefused
from liveness.model import Decision, DocumentType

TYPE = "permit-attestation+jwt"
ALGORITHM = "ES256"
MAX_TOKEN_CHARACTERS = 8192
CLOCK_SKEW = timedelta(seconds=5)
PORTRAIT_SOURCES = frozenset({"permit_authority", "chip", "card_photo"})
"""In order of worth: compared by the authority, read from the chip, photographed from the card."""


@dataclass(frozen=True, slots=True)
class AttestedDocument:
    """Which document, without its number."""

    type: DocumentType
    issuing_country: str
    reference: str
    """Keyed hash of the number: equal for equal documents, inside this deployment only."""


@dataclass(frozen=True, slots=True)
class AttestedCheck:
    """One check done, in the words of OpenID Connect for Identity Assurance."""

    check_method: str
    organization: str
    txn: str
    time: str
    """ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class PermitAttestation:
    """A verified attestation."""

    jti: str
    issuer: str
    subject: str
    transaction: str
    issued_at: datetime
    expires_at: datetime
    document: AttestedDocument
    checks: tuple[AttestedCheck, ...]
    portrait_source: str
    model_set: str
    thresholds: Mapping[str, float]


def issue(attestation: PermitAttestation, *, audience: str, key: ECKey) -> str:
    """Return the attestation as a signed JWT.

    Args:
        attestation: what is stated.
        audience: the broker that may read it.
        key: ES256 private key with a `kid`.
    """
    document, checks = asdict(attestation.document), [asdict(check) for check in attestation.checks]
    claims = {
        "iss": attestation.issuer,
        "aud": audience,
        "iat": int(attestation.issued_at.timestamp()),
        "exp": int(attestation.expires_at.timestamp()),
        "jti": attestation.jti,
        "sub": attestation.subject,
        "txn": attestation.transaction,
        "document": document,
        "checks": checks,
        "portrait_source": attestation.portrait_source,
        "model_set": attestation.model_set,
        "thresholds": dict(attestation.thresholds),
        "decision": Decision.PASS.value,
    }
    return jwt.encode({"alg": ALGORITHM, "typ": TYPE, "kid": key.kid}, claims, key, algorithms=[ALGORITHM])


def verify(
    token: str, keys: KeySet, *, issuer: str, audience: str, transaction: str, subject: str, at: datetime
) -> PermitAttestation:
    """Return the attestation that a token carries.

    Args:
        token: compact JWT.
        keys: the published attestation keys.
        issuer: who must have made it.
        audience: who it must be for.
        transaction: the login that it must belong to.
        subject: the upstream subject that it must speak of.
        at: now.

    Raises:
        AttestationExpired: genuine, but its time is over or not yet come.
        AttestationRefused: anything else is wrong.
    """
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise AttestationRefused("the permit attestation is too long")
    try:
        decoded = jwt.decode(token, keys, algorithms=[ALGORITHM], registry=JWSRegistry(algorithms=[ALGORITHM]))
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise AttestationRefused("the permit attestation is not signed by its issuer") from error
    if decoded.header.get("typ") != TYPE or not isinstance(decoded.header.get("kid"), str):
        raise AttestationRefused("the token is no permit attestation")
    claims = decoded.claims
    for name, wanted in (("iss", issuer), ("aud", audience), ("txn", transaction), ("sub", subject)):
        found = claims.get(name)
        if not isinstance(found, str) or not hmac.compare_digest(found.encode(), wanted.encode()):
            raise AttestationRefused(f"the permit attestation has another {name}")
    if claims.get("decision") != Decision.PASS.value:
        raise AttestationRefused("the permit attestation does not state a pass")
    attestation = _read(claims)
    if not attestation.issued_at - CLOCK_SKEW <= at < attestation.expires_at:
        raise AttestationExpired("the permit attestation's time is over")
    return attestation


def _read(claims: Mapping[str, Any]) -> PermitAttestation:
    try:
        document = claims["document"]
        read = PermitAttestation(
            jti=_text(claims["jti"]), issuer=claims["iss"], subject=claims["sub"], transaction=claims["txn"],
            issued_at=_instant(claims["iat"]), expires_at=_instant(claims["exp"]),
            document=AttestedDocument(
                DocumentType(document["type"]), _text(document["issuing_country"]), _text(document["reference"])
            ),
            checks=tuple(
                AttestedCheck(*(_text(check[name]) for name in ("check_method", "organization", "txn", "time")))
                for check in claims["checks"]
            ),
            portrait_source=_text(claims["portrait_source"]), model_set=_text(claims["model_set"]),
            thresholds={_text(name): float(value) for name, value in claims["thresholds"].items()},
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise AttestationRefused("the permit attestation's claims are malformed") from error
    if read.portrait_source not in PORTRAIT_SOURCES or not read.checks:
        raise AttestationRefused("the permit attestation names no portrait source or no check")
    return read


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("text expected")
    return value


def _instant(value: object) -> datetime:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("NumericDate expected")
    return datetime.fromtimestamp(value, UTC)

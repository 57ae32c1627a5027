"""Signed objects in compact form: made fast, read strictly.

Owns:    `sign_compact`, and the steps of `verify_compact`, which readers with a rule of their own (DPoP) take one by one.
Leaves:  which algorithms, types and keys are good to the caller; what the claims mean as well.
Rules:   1 three base64url segments in their one canonical form, bounded in size (RFC 7515 cl. 2)
         2 the algorithm is one of the caller's list, the key is the caller's, chosen by `kid`: the header chooses nothing else
         3 header members that point to a key or change the processing are refused: jku, jwk, x5u, x5c, crit, b64 (RFC 8725 cl. 3.9, 3.10)
         4 `typ` is one of the caller's, so that one kind of object never serves as another (RFC 8725 cl. 3.11)
Spec:    RFC 7515 cl. 3.1, 4.1, 5; RFC 7797; RFC 8725 cl. 3
"""

import base64
import binascii
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import Key

from idp.errors import JoseRefused
from idp.jose.algorithms import SIGNATURES, check_signature_key
from idp.jose.json_objects import parse_json_object

MAX_JWS_CHARS: Final = 8_192
MAX_KID_CHARS: Final = 200
MAX_CANDIDATES: Final = 10
POINTERS: Final = frozenset({"jku", "jwk", "x5u", "x5c"})
"""Header members that bring or name a key."""
_REFUSED: Final = frozenset({"crit", "b64"})
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class UnverifiedJws:
    """A well-formed signed object; nothing of it is believed yet."""

    header: Mapping[str, object]
    claims: Mapping[str, object]
    signing_input: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class VerifiedJws:
    """A signed object whose signature holds under a key of the caller."""

    header: Mapping[str, object]
    claims: Mapping[str, object]


def sign_compact(key: Key, algorithm: str, typ: str, claims: Mapping[str, object]) -> str:
    """Sign claims under a private key, named by its `kid`.

    Raises:
        JoseRefused: the key does not fit the algorithm.
    """
    row = check_signature_key(key, algorithm, "sign")
    message = _header_segment(key.kid, algorithm, typ) + _encode(_ENCODER.encode(claims).encode("utf-8"))
    return (message + b"." + _encode(row.sign(key.private_key, message))).decode("ascii")


def verify_compact(
    token: str,
    keys: Iterable[Key],
    algorithms: Collection[str],
    *,
    types: Collection[str | None],
    max_chars: int = MAX_JWS_CHARS,
) -> VerifiedJws:
    """Verify a signed object under one of the caller's keys.

    Args:
        token: the compact form.
        keys: public keys; `kid` chooses among them.
        algorithms: which of ours the object may use.
        types: the `typ` values that it may have; None stands for no `typ`.
        max_chars: how long it may be.

    Raises:
        JoseRefused: any rule is broken.
    """
    return verify_parsed(parse_compact(token, max_chars=max_chars), keys, algorithms, types=types)


def verify_parsed(
    unverified: UnverifiedJws, keys: Iterable[Key], algorithms: Collection[str], *, types: Collection[str | None]
) -> VerifiedJws:
    """Verify a signed object that was already taken apart, as `verify_compact` does.

    Raises:
        JoseRefused: any rule is broken.
    """
    algorithm = check_header(unverified.header, algorithms, types=types)
    kid = unverified.header.get("kid")
    candidates = [key for key in keys if kid is None or key.kid == kid][:MAX_CANDIDATES]
    if not any(_signed_by(unverified, algorithm, key) for key in candidates):
        raise JoseRefused("The signature does not hold under any key that fits")
    return VerifiedJws(unverified.header, unverified.claims)


def parse_compact(token: str, *, max_chars: int = MAX_JWS_CHARS) -> UnverifiedJws:
    """Take the three segments apart (RFC 7515 cl. 5.2, steps 1 to 7).

    Raises:
        JoseRefused: too long, not three canonical base64url segments, or header or payload are no JSON objects.
    """
    if len(token) > max_chars or not token.isascii():
        raise JoseRefused("Too long, or not ASCII")
    signing_input, _, signature = token.encode("ascii").rpartition(b".")
    header, dot, payload = signing_input.partition(b".")
    if not dot or b"." in payload:
        raise JoseRefused("A signed object has three segments")
    return UnverifiedJws(
        header=parse_json_object(_decode(header)),
        claims=parse_json_object(_decode(payload)),
        signing_input=signing_input,
        signature=_decode(signature),
    )


def check_header(
    header: Mapping[str, object],
    algorithms: Collection[str],
    *,
    types: Collection[str | None],
    pointers: frozenset[str] = frozenset(),
) -> str:
    """Hold the header against the caller's lists; return the algorithm.

    Args:
        header: as it came.
        algorithms: which of ours are good.
        types: which `typ` values are good; None stands for no `typ`.
        pointers: header members that bring a key and are wanted here (DPoP: `jwk`).

    Raises:
        JoseRefused: any rule is broken.
    """
    algorithm, kid, typ = header.get("alg"), header.get("kid"), header.get("typ")
    if not isinstance(algorithm, str) or algorithm not in algorithms or algorithm not in SIGNATURES:
        raise JoseRefused("The algorithm is not one that is taken here")
    if (_REFUSED | (POINTERS - pointers)) & header.keys():
        raise JoseRefused("The header points to a key, or asks for an extension")
    if kid is not None and (not isinstance(kid, str) or len(kid) > MAX_KID_CHARS):
        raise JoseRefused("kid is no text, or too long")
    if not isinstance(typ, str | None) or _media_type(typ) not in {_media_type(one) for one in types}:
        raise JoseRefused("The object is of another type")
    return algorithm


def verify_signature(unverified: UnverifiedJws, algorithm: str, key: Key) -> VerifiedJws:
    """Verify the signature under one key.

    Raises:
        JoseRefused: it does not hold, or the key does not fit.
    """
    row = check_signature_key(key, algorithm, "verify")
    try:
        row.verify(key.public_key, unverified.signature, unverified.signing_input)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, JoseError) as error:
        raise JoseRefused("The signature does not hold") from error
    return VerifiedJws(unverified.header, unverified.claims)


def _signed_by(unverified: UnverifiedJws, algorithm: str, key: Key) -> bool:
    try:
        verify_signature(unverified, algorithm, key)
    except JoseRefused:
        return False
    return True


@lru_cache(maxsize=256)
def _media_type(typ: str | None) -> str | None:
    """RFC 7515 cl. 4.1.9: compared without case; `application/` may be left out."""
    if typ is None:
        return None
    lowered = typ.lower()
    rest = lowered.removeprefix("application/")
    return lowered if "/" in rest else rest


@lru_cache(maxsize=256)
def _header_segment(kid: str | None, algorithm: str, typ: str) -> bytes:
    header = {"alg": algorithm, "kid": kid, "typ": typ}
    return _encode(_ENCODER.encode({k: v for k, v in header.items() if v is not None}).encode("utf-8")) + b"."


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decode(segment: bytes) -> bytes:
    """Decode base64url in its one canonical form: no padding, no other character, no stray bits."""
    try:
        data = binascii.a2b_base64(segment.translate(_TO_STANDARD) + b"=" * (-len(segment) % 4), strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise JoseRefused("A segment is not base64url") from error
    if _encode(data) != segment:
        raise JoseRefused("A segment is not in canonical base64url")
    return data


_TO_STANDARD: Final = bytes.maketrans(b"-_+/=", b"+/!!!")

"""DPoP: the caller holds the private key to which its tokens are, or will be, bound.

Owns:    the check of one proof against one request.
Leaves:  the memory of proofs to the store (`DpopProof.use`), nonces to `dpop_nonces`, the comparison of URIs to `request_targets`,
         the binding of tokens to `binding`.
Rules:   1 exactly one proof, signed by the public key in its own header, with a pinned asymmetric algorithm
         2 it is for this method, this URI, this moment, and, at a resource, for this access token
Spec:    RFC 9449 cl. 4.2, 4.3, 11; FAPI 2.0 Security Profile cl. 5.3.2.1, 5.4
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from joserfc.jwk import Key

from idp.config import IdpConfig
from idp.errors import InvalidDpopProof, JoseRefused, UseDpopNonce
from idp.jose.compact import check_header, parse_compact, verify_signature
from idp.jose.public_keys import PRIVATE_MEMBERS, parse_public_key
from idp.proof.dpop_nonces import DpopNonces
from idp.proof.replay import ReplayUse
from idp.proof.request_targets import normalise_target
from idp.protocol import DPOP_ALGORITHMS

__all__ = ["DpopNonces", "DpopProof", "verify_proof"]

MAX_PROOF_CHARS: Final = 4_096
MAX_JTI_CHARS: Final = 128
_TYPES: Final = frozenset({"dpop+jwt"})
_POINTERS: Final = frozenset({"jwk"})
_KEY_MEMBERS: Final = ("kty", "crv", "x", "y", "n", "e", "use", "alg")


@dataclass(frozen=True, slots=True)
class DpopProof:
    """A proof that holds: the key's RFC 7638 thumbprint, and what the store must remember."""

    jkt: str
    use: ReplayUse


def verify_proof(
    proofs: Sequence[str],
    *,
    method: str,
    url: str,
    at: datetime,
    config: IdpConfig,
    access_token: str | None = None,
    nonces: DpopNonces | None = None,
) -> DpopProof:
    """Verify a proof, step by step in the order of RFC 9449 cl. 4.3.

    Args:
        proofs: every `DPoP` header of the request.
        method: the request's.
        url: the request's URI, made from the issuer; its query does not count.
        at: now.
        config: ours.
        access_token: the token that comes with the proof, at a resource.
        nonces: when given, the proof must carry one of ours.

    Raises:
        InvalidDpopProof: any rule is broken.
        UseDpopNonce: the nonce is missing or old; it carries the one to use.
    """
    # 1 not more than one
    if len(proofs) != 1:
        raise InvalidDpopProof("Exactly one DPoP proof is needed")
    # 2-7 a well-formed JWT of its type, an asymmetric algorithm, a public key, and its signature
    claims, jkt = _verify_own_signature(proofs[0])
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= MAX_JTI_CHARS:
        raise InvalidDpopProof("jti is missing or too long")
    # 8 the method
    if claims.get("htm") != method:
        raise InvalidDpopProof("htm is another method")
    # 9 the URI
    htu = claims.get("htu")
    if not isinstance(htu, str) or (htu != url and normalise_target(htu) != normalise_target(url)):
        raise InvalidDpopProof("htu is another URI")
    # 10 the nonce
    if nonces is not None:
        _check_nonce(claims.get("nonce"), nonces, at)
    # 11 the time; what was used is remembered until it would be too old anyway
    issued_at = _check_issued_at(claims.get("iat"), config, at)
    # 12 the access token
    if access_token is not None:
        _check_token_hash(claims.get("ath"), access_token)
    return DpopProof(jkt, ReplayUse(f"dpop:{jkt}", jti, issued_at + config.dpop_window))


def _verify_own_signature(proof: str) -> tuple[Mapping[str, object], str]:
    try:
        unverified = parse_compact(proof, max_chars=MAX_PROOF_CHARS)
        algorithm = check_header(unverified.header, DPOP_ALGORITHMS, types=_TYPES, pointers=_POINTERS)
        key, jkt = _embedded_key(unverified.header.get("jwk"))
        return verify_signature(unverified, algorithm, key).claims, jkt
    except JoseRefused as refusal:
        raise InvalidDpopProof("The proof is not a signed object of its kind with a public key") from refusal


def _embedded_key(jwk: object) -> tuple[Key, str]:
    """Load the key from the members that make it; others, such as its `kid`, mean nothing here."""
    if not isinstance(jwk, dict) or PRIVATE_MEMBERS & jwk.keys():
        raise JoseRefused("jwk holds no public key, or a private one")
    return _loaded_key(json.dumps([jwk.get(name) for name in _KEY_MEMBERS]))


@lru_cache(maxsize=1024)
def _loaded_key(members: str) -> tuple[Key, str]:
    """A caller proves the same key again and again: loaded once, it costs a look-up."""
    values = zip(_KEY_MEMBERS, json.loads(members), strict=True)
    key = parse_public_key({name: value for name, value in values if value is not None})
    return key, key.thumbprint()


def _check_nonce(nonce: object, nonces: DpopNonces, at: datetime) -> None:
    if not isinstance(nonce, str) or not nonces.accepts(nonce, at=at):
        raise UseDpopNonce(nonces.current(at=at))


def _check_issued_at(iat: object, config: IdpConfig, at: datetime) -> datetime:
    if isinstance(iat, bool) or not isinstance(iat, (int, float)) or not 0 <= iat < 1e11:
        raise InvalidDpopProof("iat is missing")
    issued_at = datetime.fromtimestamp(iat, UTC)
    if not at - config.dpop_window <= issued_at <= at + config.dpop_ahead:
        raise InvalidDpopProof("iat is too old, or in the future")
    return issued_at


def _check_token_hash(ath: object, access_token: str) -> None:
    digest = hashlib.sha256(access_token.encode("utf-8", "surrogatepass")).digest()
    expected = base64.urlsafe_b64encode(digest).rstrip(b"=")
    if not isinstance(ath, str) or not hmac.compare_digest(ath.encode(), expected):
        raise InvalidDpopProof("ath is the hash of another token")

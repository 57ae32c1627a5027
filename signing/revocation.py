"""Revocation: what CRLs and OCSP responses say of one certificate.

Owns:    reading both kinds, proving them, choosing the one that counts, freshness. Leaves fetching to `evidence`.
Rules:   1 a CRL counts when the certificate's issuer signed it and it is complete for that kind of certificate
         2 an OCSP response counts when the issuer signed it, or a responder that the issuer delegated (RFC 6960 sec. 4.2.2.2)
         3 one proved statement of revocation outweighs any number of good ones
         4 a good statement must be fresh for the time in question, and no statement counts that was made after the
           certificate expired (a CA may drop it then)
Spec:    RFC 5280 sec. 6.3, RFC 6960 sec. 3.2 and 4.2.2, EN 319 102-1 cl. 5.2.5 (freshness)
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from asn1crypto import core, crl, keys, ocsp

from signing.certificates import Certificate, parse_certificate
from signing.errors import CmsMalformed
from signing.policy import Policy
from trust_lists.algorithms import SignatureAlgorithm, verify_signature
from trust_lists.errors import AlgorithmRefused, KeyRefused, SignatureInvalid

MAX_CRL_BYTES = 20_000_000
MAX_OCSP_BYTES = 200_000
_OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"
_CLOCK_SKEW = timedelta(minutes=5)
_HANDLED_CRL_CRITICAL = frozenset({"issuing_distribution_point", "authority_key_identifier", "crl_number"})


@dataclass(frozen=True, slots=True)
class Statement:
    """What one proved source says of one certificate.

    Attributes:
        source: `crl` or `ocsp`.
        this_update: when it was true.
        next_update: when the next one is promised, or None.
        revoked_at: None when good.
        reason: CRL reason, or None.
    """

    source: str
    this_update: datetime
    next_update: datetime | None
    revoked_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class _Crl:
    issuer: bytes
    this_update: datetime
    next_update: datetime | None
    tbs: bytes
    algorithm: SignatureAlgorithm
    signature: bytes
    parsed: crl.CertificateList
    usable: bool
    for_ca: bool
    for_users: bool


@dataclass(frozen=True, slots=True)
class _Single:
    hash_algorithm: str
    name_hash: bytes
    key_hash: bytes
    serial: int
    status: str
    this_update: datetime
    next_update: datetime | None
    revoked_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class _Ocsp:
    tbs: bytes
    algorithm: SignatureAlgorithm
    signature: bytes
    produced_at: datetime
    certificates: tuple[Certificate, ...]
    singles: tuple[_Single, ...]


def statements(
    certificate: Certificate, issuer: Certificate, crls: Iterable[bytes], responses: Iterable[bytes], now: datetime
) -> tuple[Statement, ...]:
    """Return every proved statement about a certificate that was made by `now`; unusable data is passed over."""
    found: list[Statement] = []
    for der in dict.fromkeys(crls):
        parsed = _parse_crl(der)
        if parsed is not None:
            found.extend(_from_crl(parsed, certificate, issuer))
    for der in dict.fromkeys(responses):
        answer = _parse_ocsp(der)
        if answer is not None:
            found.extend(_from_ocsp(answer, certificate, issuer))
    return tuple(item for item in found if item.this_update <= now + _CLOCK_SKEW)


def revocation_of(found: Sequence[Statement]) -> Statement | None:
    """Return the earliest proved revocation, or None (rule 3)."""
    revoked = [item for item in found if item.revoked_at is not None]
    return min(revoked, key=lambda item: item.revoked_at or item.this_update, default=None)


def fresh_statement(
    found: Sequence[Statement], certificate: Certificate, at: datetime, policy: Policy
) -> Statement | None:
    """Return the newest good statement that is fresh for `at` (rule 4), or None."""
    fresh = [
        item
        for item in found
        if item.revoked_at is None
        and item.this_update <= certificate.not_after
        and (
            item.this_update + policy.max_revocation_age >= at
            or (policy.accepts_next_update and item.next_update is not None and item.next_update >= at)
        )
    ]
    return max(fresh, key=lambda item: item.this_update, default=None)


def _from_crl(parsed: _Crl, certificate: Certificate, issuer: Certificate) -> list[Statement]:
    wanted = parsed.for_ca if certificate.is_ca else parsed.for_users
    if not parsed.usable or not wanted or parsed.issuer != certificate.issuer or issuer.subject != certificate.issuer:
        return []
    if issuer.key_usage is not None and "crl_sign" not in issuer.key_usage:
        return []
    if not _verifies(issuer.spki, parsed.algorithm, parsed.signature, parsed.tbs):
        return []
    revoked_at, reason = _revoked_entry(parsed.parsed, certificate.serial)
    return [Statement("crl", parsed.this_update, parsed.next_update, revoked_at, reason)]


def _revoked_entry(parsed: crl.CertificateList, serial: int) -> tuple[datetime | None, str | None]:
    entries = parsed["tbs_cert_list"]["revoked_certificates"]
    if isinstance(entries, core.Void):
        return None, None
    for entry in entries:
        if entry["user_certificate"].native == serial:
            reason = entry.crl_reason_value
            return entry["revocation_date"].native.astimezone(UTC), None if reason is None else reason.native
    return None, None


def _from_ocsp(answer: _Ocsp, certificate: Certificate, issuer: Certificate) -> list[Statement]:
    about = [item for item in answer.singles if _is_about(item, certificate, issuer)]
    if not about or not _authorised(answer, issuer):
        return []
    return [
        Statement("ocsp", item.this_update, item.next_update, item.revoked_at, item.reason)
        for item in about
        if item.status in {"good", "revoked"}
    ]


def _is_about(single: _Single, certificate: Certificate, issuer: Certificate) -> bool:
    if single.serial != certificate.serial or single.hash_algorithm not in {"sha1", "sha256", "sha384", "sha512"}:
        return False
    name = hashlib.new(single.hash_algorithm, certificate.issuer, usedforsecurity=False).digest()
    key = hashlib.new(single.hash_algorithm, _key_bits(issuer.spki), usedforsecurity=False).digest()
    return (single.name_hash, single.key_hash) == (name, key)


def _authorised(answer: _Ocsp, issuer: Certificate) -> bool:
    if _verifies(issuer.spki, answer.algorithm, answer.signature, answer.tbs):
        return True
    for responder in answer.certificates:
        delegated = (
            responder.issuer == issuer.subject
            and responder.extended_key_usage is not None
            and _OCSP_SIGNING in responder.extended_key_usage
            and responder.ocsp_no_check
            and responder.covers(answer.produced_at)
            and not responder.unhandled_critical
        )
        if (
            delegated
            and _verifies(responder.spki, answer.algorithm, answer.signature, answer.tbs)
            and _verifies(issuer.spki, responder.algorithm, responder.signature, responder.tbs)
        ):
            return True
    return False


def _verifies(spki: bytes, algorithm: SignatureAlgorithm, signature: bytes, data: bytes) -> bool:
    try:
        verify_signature(spki, algorithm, signature, data)
    except (SignatureInvalid, AlgorithmRefused, KeyRefused):
        return False
    return True


def _key_bits(spki: bytes) -> bytes:
    return bytes(keys.PublicKeyInfo.load(spki)["public_key"].contents[1:])


@lru_cache(maxsize=64)
def _parse_crl(der: bytes) -> _Crl | None:
    if len(der) > MAX_CRL_BYTES:
        return None
    try:
        parsed = crl.CertificateList.load(der, strict=True)
        tbs = parsed["tbs_cert_list"]
        next_update = tbs["next_update"].native
        point = parsed.issuing_distribution_point_value
        only_users = only_ca = partial = False
        if point is not None:
            only_users = bool(point["only_contains_user_certs"].native)
            only_ca = bool(point["only_contains_ca_certs"].native)
            partial = bool(
                point["indirect_crl"].native or point["only_contains_attribute_certs"].native
            ) or not isinstance(point["only_some_reasons"], core.Void)
        return _Crl(
            issuer=parsed.issuer.dump(),
            this_update=tbs["this_update"].native.astimezone(UTC),
            next_update=next_update.astimezone(UTC) if isinstance(next_update, datetime) else None,
            tbs=tbs.dump(),
            algorithm=SignatureAlgorithm.from_asn1(parsed["signature_algorithm"]),
            signature=parsed["signature"].native,
            parsed=parsed,
            usable=not partial and parsed.critical_extensions <= _HANDLED_CRL_CRITICAL,
            for_ca=not only_users,
            for_users=not only_ca,
        )
    except Exception:  # noqa: BLE001 - untrusted bytes meet asn1crypto; unreadable data proves nothing
        return None


@lru_cache(maxsize=256)
def _parse_ocsp(der: bytes) -> _Ocsp | None:
    if len(der) > MAX_OCSP_BYTES:
        return None
    try:
        outer = ocsp.OCSPResponse.load(der, strict=True)
        if outer["response_status"].native != "successful":
            return None
        basic = outer.basic_ocsp_response
        data = basic["tbs_response_data"]
        return _Ocsp(
            tbs=data.dump(),
            algorithm=SignatureAlgorithm.from_asn1(basic["signature_algorithm"]),
            signature=basic["signature"].native,
            produced_at=data["produced_at"].native.astimezone(UTC),
            certificates=_responder_certificates(basic),
            singles=tuple(_single(item) for item in list(data["responses"])[:50]),
        )
    except Exception:  # noqa: BLE001 - untrusted bytes meet asn1crypto; unreadable data proves nothing
        return None


def _responder_certificates(basic: ocsp.BasicOCSPResponse) -> tuple[Certificate, ...]:
    found = basic["certs"]
    if isinstance(found, core.Void):
        return ()
    result = []
    for item in list(found)[:5]:
        try:
            result.append(parse_certificate(item.dump()))
        except CmsMalformed:
            continue
    return tuple(result)


def _single(item: ocsp.SingleResponse) -> _Single:
    cert_id = item["cert_id"]
    status = item["cert_status"]
    next_update = item["next_update"].native
    revoked = status.chosen if status.name == "revoked" else None
    reason = None if revoked is None else revoked["revocation_reason"].native
    return _Single(
        hash_algorithm=cert_id["hash_algorithm"]["algorithm"].native,
        name_hash=cert_id["issuer_name_hash"].native,
        key_hash=cert_id["issuer_key_hash"].native,
        serial=cert_id["serial_number"].native,
        status=status.name,
        this_update=item["this_update"].native.astimezone(UTC),
        next_update=next_update.astimezone(UTC) if isinstance(next_update, datetime) else None,
        revoked_at=None if revoked is None else revoked["revocation_time"].native.astimezone(UTC),
        reason=reason if isinstance(reason, str) else None,
    )

"""RFC 3161 time-stamp tokens: read, and checked as far as no trust anchor is needed.

Owns:    TSTInfo, its binding to the token's signature, its imprint. Leaves the TSA's path and revocation to `validation`.
Rules:   the time that counts is the one inside the signed TSTInfo; a token without the ESS attribute is refused.
Spec:    RFC 3161 sec. 2.4.2, RFC 5816, EN 319 102-1 cl. 5.4 (time-stamp validation)
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from asn1crypto import tsp

from signing import cms
from signing.certificates import Certificate
from signing.errors import CmsMalformed
from signing.model import SubIndication, Unsatisfied
from trust_lists.algorithms import SUITABLE_DIGESTS


@dataclass(frozen=True, slots=True)
class ParsedTimestamp:
    """A token; nothing of it is verified.

    Attributes:
        signed_data: the CMS around it.
        time: genTime.
        imprint_algorithm: of the message imprint.
        imprint: the hashed message.
        serial: serialNumber.
        nonce: or None.
        policy: dotted OID.
    """

    signed_data: cms.ParsedSignedData
    time: datetime
    imprint_algorithm: str
    imprint: bytes
    serial: int
    nonce: int | None
    policy: str


def parse_timestamp(der: bytes) -> ParsedTimestamp:
    """Read a token.

    Raises:
        CmsMalformed: not a time-stamp token.
    """
    signed = cms.parse_signed_data(der)
    if signed.content_type != cms.TST_INFO or signed.content is None:
        raise CmsMalformed("the time stamp carries no TSTInfo")
    try:
        info = tsp.TSTInfo.load(signed.content, strict=True)
        if info["version"].native != "v1":
            raise CmsMalformed("the time stamp has an unknown version")
        return ParsedTimestamp(
            signed_data=signed,
            time=info["gen_time"].native.astimezone(UTC),
            imprint_algorithm=info["message_imprint"]["hash_algorithm"]["algorithm"].native,
            imprint=info["message_imprint"]["hashed_message"].native,
            serial=info["serial_number"].native,
            nonce=info["nonce"].native,
            policy=info["policy"].dotted,
        )
    except CmsMalformed:
        raise
    except Exception as error:
        raise CmsMalformed("the time stamp cannot be read") from error


def verify_token(token: ParsedTimestamp, further: Iterable[Certificate] = ()) -> Certificate:
    """Check that TSTInfo is what the token's signature signs, and return the signing certificate, not judged yet.

    Raises:
        Unsatisfied: with the sub-indication of the first check that fails.
    """
    signed = token.signed_data
    cms.verify_digest(signed, [signed.content or b""], content_type=cms.TST_INFO)
    if not signed.ess:  # RFC 3161 sec. 2.4.2, RFC 5816 sec. 2.1: the attribute must be there
        raise Unsatisfied(SubIndication.SIG_CONSTRAINTS_FAILURE, "the time stamp does not name its certificate")
    certificate = cms.identify_signer(signed, further)
    cms.verify_value(signed, certificate)
    return certificate


def verify_imprint(token: ParsedTimestamp, parts: Iterable[bytes | memoryview]) -> None:
    """Check that the token stamps these bytes (EN 319 102-1 cl. 5.4.4 step 1).

    Raises:
        Unsatisfied: HASH_FAILURE, or CRYPTO_CONSTRAINTS_FAILURE for a weak imprint.
    """
    if token.imprint_algorithm not in SUITABLE_DIGESTS:
        raise Unsatisfied(SubIndication.CRYPTO_CONSTRAINTS_FAILURE, "the time stamp's digest algorithm is too weak")
    engine = hashlib.new(token.imprint_algorithm)
    for part in parts:
        engine.update(part)
    if not hmac.compare_digest(engine.digest(), token.imprint):
        raise Unsatisfied(SubIndication.HASH_FAILURE, "the time stamp does not stamp these bytes")

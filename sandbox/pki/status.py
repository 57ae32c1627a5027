"""OCSP answers by a delegated responder.

Owns:    request parsing and response building. Leaves the knowledge of what is revoked to the caller.
Rules:   answers `unknown` for a serial that the CA never issued (RFC 6960 sec. 2.2); echoes the nonce; SHA-1 and SHA-256 CertIDs.
Spec:    RFC 6960 sec. 4, RFC 8954 (nonce of 1 to 32 octets)
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from asn1crypto import core, keys, ocsp, x509

from sandbox.pki.certificates import RevokedEntry
from sandbox.pki.keys import PrivateKey

FRESHNESS = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Responder:
    """The delegated OCSP signer of one CA."""

    key: PrivateKey
    certificate: bytes
    ca_certificate: bytes


def answer(
    request: bytes,
    responder: Responder,
    *,
    is_issued: Callable[[int], bool],
    revocation_of: Callable[[int], RevokedEntry | None],
    at: datetime,
) -> bytes:
    """Answer an OCSP request; a request that cannot be read gets `malformed_request`."""
    try:
        parsed = ocsp.OCSPRequest.load(request, strict=True)
        cert_ids = [single["req_cert"] for single in parsed["tbs_request"]["request_list"]]
        for cert_id in cert_ids:
            cert_id.native  # noqa: B018 - asn1crypto parses lazily; force it inside the guard
        nonce = parsed.nonce_value
        nonce_bytes = None if nonce is None else nonce.native
    except Exception:  # noqa: BLE001 - untrusted bytes meet asn1crypto
        return _failure("malformed_request")
    if not 0 < len(cert_ids) <= 16:
        return _failure("malformed_request")
    responses = []
    for cert_id in cert_ids:
        serial = cert_id["serial_number"].native
        ours = _is_ours(cert_id, responder.ca_certificate) and is_issued(serial)
        responses.append(
            {
                "cert_id": cert_id,
                "cert_status": _status(revocation_of(serial), known=ours),
                "this_update": at.replace(microsecond=0),
                "next_update": at.replace(microsecond=0) + FRESHNESS,
            }
        )
    return _successful(responses, responder, nonce_bytes, at)


def _successful(responses: list[dict[str, object]], responder: Responder, nonce: bytes | None, at: datetime) -> bytes:
    certificate = x509.Certificate.load(responder.certificate)
    data: dict[str, object] = {
        "responder_id": ocsp.ResponderId(
            name="by_key", value=hashlib.sha1(_key_bits(certificate), usedforsecurity=False).digest()
        ),
        "produced_at": at.replace(microsecond=0),
        "responses": responses,
    }
    if nonce is not None and 0 < len(nonce) <= 32:
        data["response_extensions"] = [{"extn_id": "nonce", "critical": False, "extn_value": core.OctetString(nonce)}]
    tbs = ocsp.ResponseData(data)
    basic = ocsp.BasicOCSPResponse(
        {
            "tbs_response_data": tbs,
            "signature_algorithm": responder.key.signature_algorithm(),
            "signature": responder.key.sign(tbs.dump()),
            "certs": [certificate],
        }
    )
    return bytes(
        ocsp.OCSPResponse(
            {
                "response_status": "successful",
                "response_bytes": {"response_type": "basic_ocsp_response", "response": basic},
            }
        ).dump()
    )


def _status(revocation: RevokedEntry | None, *, known: bool) -> ocsp.CertStatus:
    if not known:
        return ocsp.CertStatus(name="unknown", value=ocsp.StatusUnknown())
    if revocation is None:
        return ocsp.CertStatus(name="good", value=ocsp.StatusGood())
    return ocsp.CertStatus(
        name="revoked",
        value={"revocation_time": revocation.at, "revocation_reason": ocsp.CRLReason(revocation.reason)},
    )


def _is_ours(cert_id: ocsp.CertId, ca_certificate: bytes) -> bool:
    algorithm = cert_id["hash_algorithm"]["algorithm"].native
    if algorithm not in {"sha1", "sha256"}:
        return False
    ca = x509.Certificate.load(ca_certificate)

    def digest(data: bytes) -> bytes:
        return hashlib.new(algorithm, data, usedforsecurity=False).digest()

    named = (cert_id["issuer_name_hash"].native, cert_id["issuer_key_hash"].native)
    return named == (digest(ca.subject.dump()), digest(_key_bits(ca)))


def _key_bits(certificate: x509.Certificate) -> bytes:
    info: keys.PublicKeyInfo = certificate["tbs_certificate"]["subject_public_key_info"]
    return bytes(info["public_key"].contents[1:])


def _failure(status: str) -> bytes:
    return bytes(ocsp.OCSPResponse({"response_status": status}).dump())

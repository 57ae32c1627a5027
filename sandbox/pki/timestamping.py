"""A time-stamping authority.

Owns:    reading a TimeStampReq, making a TimeStampResp with its token. Leaves HTTP to `pki_routes`, the clock to the caller.
Rules:   refuses weak imprints, wrong imprint lengths and unknown policies with the standard's failure codes; the token carries
         the signing certificate when asked, and always its ESSCertIDv2.
Spec:    RFC 3161 sec. 2.4, RFC 5816 (ESSCertIDv2), RFC 5652 (CMS)
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import cms, core, tsp, x509

from sandbox.pki.keys import PrivateKey

DIGEST_SIZES = {"sha256": 32, "sha384": 48, "sha512": 64}


@dataclass(frozen=True, slots=True)
class TimeStampUnit:
    """One TSU: its key, certificate, and the policy it stamps under."""

    key: PrivateKey
    certificate: bytes
    policy_oid: str


def stamp(request: bytes, unit: TimeStampUnit, at: datetime) -> bytes:
    """Answer a time-stamp request; what cannot be stamped gets a rejection with its failure code."""
    try:
        parsed = tsp.TimeStampReq.load(request, strict=True)
        imprint = parsed["message_imprint"]
        algorithm = imprint["hash_algorithm"]["algorithm"].native
        hashed = imprint["hashed_message"].native
        policy = parsed["req_policy"].native
        nonce = parsed["nonce"].native
        wants_certificate = bool(parsed["cert_req"].native)
    except Exception:  # noqa: BLE001 - untrusted bytes meet asn1crypto
        return _rejection("bad_data_format")
    if algorithm not in DIGEST_SIZES:
        return _rejection("bad_alg")
    if len(hashed) != DIGEST_SIZES[algorithm]:
        return _rejection("bad_data_format")
    if policy not in (None, unit.policy_oid):
        return _rejection("unaccepted_policy")
    info: dict[str, object] = {
        "version": "v1",
        "policy": unit.policy_oid,
        "message_imprint": imprint,
        "serial_number": secrets.randbits(120) | 1 << 118,
        "gen_time": at.replace(microsecond=0),
        "accuracy": {"seconds": 1},
    }
    if nonce is not None:
        info["nonce"] = nonce
    token = _token(tsp.TSTInfo(info), unit, wants_certificate=wants_certificate)
    return bytes(tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump())


def _token(info: tsp.TSTInfo, unit: TimeStampUnit, *, wants_certificate: bool) -> cms.ContentInfo:
    certificate = x509.Certificate.load(unit.certificate)
    content = tsp.TSTInfo.load(info.dump())
    ess = tsp.SigningCertificateV2({"certs": [{"cert_hash": hashlib.sha256(unit.certificate).digest()}]})
    attributes = cms.CMSAttributes(
        [
            {"type": "content_type", "values": ["tst_info"]},
            {"type": "message_digest", "values": [hashlib.sha256(info.dump()).digest()]},
            {"type": "signing_certificate_v2", "values": [ess]},
        ]
    )
    signer = {
        "version": "v1",
        "sid": cms.SignerIdentifier(
            name="issuer_and_serial_number",
            value={"issuer": certificate.issuer, "serial_number": certificate.serial_number},
        ),
        "digest_algorithm": {"algorithm": "sha256"},
        "signed_attrs": attributes,
        "signature_algorithm": unit.key.signature_algorithm(),
        "signature": unit.key.sign(attributes.dump()),
    }
    signed: dict[str, object] = {
        "version": "v3",
        "digest_algorithms": [{"algorithm": "sha256"}],
        "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(content.dump())},
        "signer_infos": [signer],
    }
    if wants_certificate:
        signed["certificates"] = [certificate]
    return cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)})


class _Rejection(core.Sequence):  # type: ignore[misc]  # asn1crypto is untyped
    """A TimeStampResp without a token (RFC 3161 sec. 2.4.2); asn1crypto's own class insists on one."""

    _fields = [("status", tsp.PKIStatusInfo)]  # noqa: RUF012 - asn1crypto's way of declaring


def _rejection(failure: str) -> bytes:
    return bytes(_Rejection({"status": {"status": "rejection", "fail_info": {failure}}}).dump())

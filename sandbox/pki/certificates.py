"""Certificates and CRLs in DER.

Owns:    the encoding of RFC 5280 structures. Leaves key handling to `keys`, bookkeeping to `pki`.
Rules:   no default of a library decides an extension: each is written here.
Spec:    RFC 5280 sec. 4 and 5
"""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import core, crl, keys, x509

from sandbox.pki.keys import PrivateKey
from sandbox.pki.profiles import CertificateProfile, Subject


@dataclass(frozen=True, slots=True)
class Validity:
    """The period of a certificate, whole seconds, UTC."""

    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class StatusUrls:
    """Where the status and the issuer of a certificate are found."""

    crl: str
    ocsp: str
    ca_issuers: str


@dataclass(frozen=True, slots=True)
class Issuer:
    """The signing side: a CA's name, key and certificate."""

    name: x509.Name
    key: PrivateKey


@dataclass(frozen=True, slots=True)
class RevokedEntry:
    """One line of a CRL."""

    serial: int
    at: datetime
    reason: str


Extension = Mapping[str, object]


def build_ca_certificate(subject: Subject, key: PrivateKey, validity: Validity) -> bytes:
    """Make a self-signed CA certificate (path length 0: these CAs issue end entities only)."""
    name = subject.name()
    extensions: list[Extension] = [
        {"extn_id": "basic_constraints", "critical": True, "extn_value": {"ca": True, "path_len_constraint": 0}},
        {"extn_id": "key_usage", "critical": True, "extn_value": {"key_cert_sign", "crl_sign"}},
        {"extn_id": "key_identifier", "critical": False, "extn_value": _key_id(key.spki)},
    ]
    return _sign_certificate(Issuer(name, key), name, key.spki, validity, extensions, secrets.randbits(63) | 1 << 62)


def build_end_entity_certificate(
    issuer: Issuer,
    subject: Subject,
    spki: bytes,
    validity: Validity,
    *,
    profile: CertificateProfile,
    policy_oid: str | None,
    urls: StatusUrls | None,
) -> bytes:
    """Make an end-entity certificate; without `urls` it names no place where its status could be asked."""
    extensions: list[Extension] = [
        {"extn_id": "basic_constraints", "critical": True, "extn_value": {"ca": False}},
        {"extn_id": "key_usage", "critical": True, "extn_value": set(profile.key_usage)},
        {"extn_id": "key_identifier", "critical": False, "extn_value": _key_id(spki)},
        {
            "extn_id": "authority_key_identifier",
            "critical": False,
            "extn_value": {"key_identifier": _key_id(issuer.key.spki)},
        },
    ]
    if profile.extended_key_usage:
        extensions.append(
            {
                "extn_id": "extended_key_usage",
                "critical": profile.extended_key_usage_critical,
                "extn_value": list(profile.extended_key_usage),
            }
        )
    if policy_oid:
        policies = [{"policy_identifier": policy_oid}]
        extensions.append({"extn_id": "certificate_policies", "critical": False, "extn_value": policies})
    if profile.no_revocation_check:
        extensions.append({"extn_id": "ocsp_no_check", "critical": False, "extn_value": core.Null()})
    elif urls:
        extensions.extend(_status_extensions(urls))
    serial = secrets.randbits(120) | 1 << 118
    return _sign_certificate(issuer, subject.name(), spki, validity, extensions, serial)


def build_crl(issuer: Issuer, revoked: Iterable[RevokedEntry], this_update: datetime, next_update: datetime) -> bytes:
    """Make a full CRL; the number rises with time (RFC 5280 sec. 5.2.3)."""
    entries = [
        {
            "user_certificate": entry.serial,
            "revocation_date": _time(entry.at),
            "crl_entry_extensions": [
                {"extn_id": "crl_reason", "critical": False, "extn_value": crl.CRLReason(entry.reason)}
            ],
        }
        for entry in revoked
    ]
    tbs: dict[str, object] = {
        "version": "v2",
        "signature": issuer.key.signature_algorithm(),
        "issuer": issuer.name,
        "this_update": _time(this_update),
        "next_update": _time(next_update),
        "crl_extensions": [
            {
                "extn_id": "authority_key_identifier",
                "critical": False,
                "extn_value": {"key_identifier": _key_id(issuer.key.spki)},
            },
            {"extn_id": "crl_number", "critical": False, "extn_value": int(this_update.timestamp())},
        ],
    }
    if entries:
        tbs["revoked_certificates"] = entries
    tbs_list = crl.TbsCertList(tbs)
    signed = crl.CertificateList(
        {
            "tbs_cert_list": tbs_list,
            "signature_algorithm": issuer.key.signature_algorithm(),
            "signature": issuer.key.sign(tbs_list.dump()),
        }
    )
    return bytes(signed.dump())


def _status_extensions(urls: StatusUrls) -> list[Extension]:
    return [
        {
            "extn_id": "crl_distribution_points",
            "critical": False,
            "extn_value": [
                {
                    "distribution_point": x509.DistributionPointName(
                        name="full_name",
                        value=[x509.GeneralName(name="uniform_resource_identifier", value=urls.crl)],
                    )
                }
            ],
        },
        {
            "extn_id": "authority_information_access",
            "critical": False,
            "extn_value": [
                {
                    "access_method": method,
                    "access_location": x509.GeneralName(name="uniform_resource_identifier", value=url),
                }
                for method, url in (("ocsp", urls.ocsp), ("ca_issuers", urls.ca_issuers))
            ],
        },
    ]


def _sign_certificate(
    issuer: Issuer, subject: x509.Name, spki: bytes, validity: Validity, extensions: list[Extension], serial: int
) -> bytes:
    tbs = x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": serial,
            "signature": issuer.key.signature_algorithm(),
            "issuer": issuer.name,
            "validity": {"not_before": _time(validity.not_before), "not_after": _time(validity.not_after)},
            "subject": subject,
            "subject_public_key_info": keys.PublicKeyInfo.load(spki),
            "extensions": extensions,
        }
    )
    certificate = x509.Certificate(
        {
            "tbs_certificate": tbs,
            "signature_algorithm": issuer.key.signature_algorithm(),
            "signature_value": issuer.key.sign(tbs.dump()),
        }
    )
    return bytes(certificate.dump())


def _time(moment: datetime) -> x509.Time:
    # RFC 5280 sec. 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050.
    moment = moment.replace(microsecond=0)
    if moment.year < 2050:
        return x509.Time(name="utc_time", value=moment)
    return x509.Time(name="general_time", value=moment)


def _key_id(spki: bytes) -> bytes:
    # RFC 7093 sec. 2 method 1: leftmost 160 bits of SHA-256 of the key bits.
    key_bits = keys.PublicKeyInfo.load(spki)["public_key"].contents[1:]
    return hashlib.sha256(key_bits).digest()[:20]

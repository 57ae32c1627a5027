"""The object identifiers of the SM algorithms, and their registration in asn1crypto.

Owns:    the OIDs, and the one place where the project changes asn1crypto's tables.
Rules:   registration is idempotent and happens when this module is imported; whoever parses SM2 certificates or CMS imports it.
Spec:    GM/T 0006 (OIDs), GM/T 0009 (SM2 use), GM/T 0010 = GB/T 35275 (signed data).
"""

from asn1crypto import algos, cms, core, keys
from asn1crypto import pdf as _pdf  # noqa: F401 - adds names of its own to CMS: they must be there before the first use
from asn1crypto import tsp as _tsp  # noqa: F401 - as above

SM3 = "1.2.156.10197.1.401"
SM2_WITH_SM3 = "1.2.156.10197.1.501"
SM2_SIGN = "1.2.156.10197.1.301.1"
"""digestEncryptionAlgorithm of GM/T 0010 signer infos; the digest stands beside it."""
SM2_CURVE = "1.2.156.10197.1.301"
GM_DATA = "1.2.156.10197.6.1.4.2.1"
GM_SIGNED_DATA = "1.2.156.10197.6.1.4.2.2"

RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
RSA_SHA256 = "1.2.840.113549.1.1.11"
RSA_SHA384 = "1.2.840.113549.1.1.12"
RSA_SHA512 = "1.2.840.113549.1.1.13"
RSA_SHA1 = "1.2.840.113549.1.1.5"
RSA_MD5 = "1.2.840.113549.1.1.4"
RSA_PSS = "1.2.840.113549.1.1.10"
ECDSA_SHA1 = "1.2.840.10045.4.1"
ECDSA_SHA256 = "1.2.840.10045.4.3.2"
ECDSA_SHA384 = "1.2.840.10045.4.3.3"
ECDSA_SHA512 = "1.2.840.10045.4.3.4"
EC_PUBLIC_KEY = "1.2.840.10045.2.1"
ED25519 = "1.3.101.112"

_NAMES = (
    (algos.DigestAlgorithmId, SM3, "sm3"),
    (algos.SignedDigestAlgorithmId, SM2_WITH_SM3, "sm2_sm3"),
    (algos.SignedDigestAlgorithmId, SM2_SIGN, "sm2"),
    (cms.ContentType, GM_DATA, "gm_data"),
    (cms.ContentType, GM_SIGNED_DATA, "gm_signed_data"),
)


def register() -> None:
    """Teach asn1crypto the SM names; harmless when called again."""
    for identifier, dotted, name in _NAMES:
        if identifier._map.get(dotted) == name:
            continue
        identifier._map[dotted] = name
        identifier._reverse_map = None  # asn1crypto builds it from `_map` when the class is first used, and only then
    # SignedData version 1 parses encapContentInfo as ContentInfo, so both GM content types need their shape here.
    cms.ContentInfo._oid_specs["gm_signed_data"] = cms.SignedData
    cms.ContentInfo._oid_specs["gm_data"] = core.OctetString
    if SM2_CURVE not in keys.NamedCurve._map:
        keys.NamedCurve.register("sm2p256v1", SM2_CURVE, 32)


register()

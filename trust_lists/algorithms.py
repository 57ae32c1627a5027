"""Signature algorithms: verify one signature, and say which algorithms are suitable until when.

Owns:    OID to verifier, for RSA, ECDSA, Ed25519 and SM2; the suitability table per region.
Leaves:  SM2 arithmetic to `sm2`; certificates, CMS and lists to their modules. Says nothing of trust.
Rules:   `verify_signature` returns None or raises. The algorithm comes from the signed structure, the key decides what it may be:
         a P-256 key under 1.501 or an SM2 key under ecdsa-with-SHA256 is refused before any arithmetic.
         SHA-1 and MD5 are not verified at all; RSA below 2048 bits neither.
Spec:    RFC 8017 (RSA), RFC 4055 (PSS parameters), RFC 5758 (ECDSA), RFC 8410 (Ed25519), GM/T 0009 (SM2);
         suitability: NIST SP 800-57 part 1 rev. 5 table 2 (112-bit strength through 2030), GM/T 0003, GM/T 0006.
         ETSI TS 119 312 and SOG-IS 1.3 are stricter on RSA below 3000 bits (2025) and list no SM2: see docs/divergences.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from asn1crypto import algos, keys
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from trust_lists import asn1_oids as oid
from trust_lists.errors import AlgorithmRefused, KeyRefused, SignatureInvalid
from trust_lists.sm2 import DEFAULT_USER_ID, SM2PublicKey, is_sm2_spki
from trust_lists.vocabulary import Region

MAX_SPKI_BYTES = 4096
MAX_RSA_BITS = 8192
MIN_RSA_BITS = 2048
MAX_PSS_SALT_BYTES = MAX_RSA_BITS // 8
"""A bound for the parameter; what the key at hand allows is less, and verification checks it (RFC 8017 cl. 9.1.2)."""
_NULL = b"\x05\x00"

_HASHES: MappingProxyType[str, hashes.HashAlgorithm] = MappingProxyType(
    {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
)
_RSA_DIGESTS = MappingProxyType({oid.RSA_SHA256: "sha256", oid.RSA_SHA384: "sha384", oid.RSA_SHA512: "sha512"})
_ECDSA_DIGESTS = MappingProxyType({oid.ECDSA_SHA256: "sha256", oid.ECDSA_SHA384: "sha384", oid.ECDSA_SHA512: "sha512"})
_CURVE_BITS = MappingProxyType({"secp256r1": 256, "secp384r1": 384, "secp521r1": 521})


@dataclass(frozen=True, slots=True)
class SignatureAlgorithm:
    """An AlgorithmIdentifier: the OID in dotted form, and the DER of its parameters or None when there are none."""

    oid: str
    parameters: bytes | None = None

    @classmethod
    def from_asn1(cls, algorithm: algos.SignedDigestAlgorithm) -> "SignatureAlgorithm":
        """Take it from asn1crypto."""
        raw = algorithm["parameters"].dump()
        return cls(algorithm["algorithm"].dotted, raw or None)


def verify_signature(
    spki: bytes,
    algorithm: SignatureAlgorithm | algos.SignedDigestAlgorithm,
    signature: bytes,
    data: bytes,
    *,
    digest: str | None = None,
    user_id: bytes = DEFAULT_USER_ID,
) -> None:
    """Return when `signature` signs `data` under the key.

    Args:
        spki: SubjectPublicKeyInfo in DER.
        algorithm: as it stands in the certificate, CRL or signer info.
        signature: the value, without the BIT STRING's first octet.
        data: the signed bytes (not their digest).
        digest: name of the digest algorithm, only for OIDs that do not fix it (rsaEncryption and 1.301.1 in CMS);
            where the OID fixes one, a different name here is refused.
        user_id: SM2 only.

    Raises:
        SignatureInvalid: it does not verify.
        AlgorithmRefused: unknown, weak, or not one for this key.
        KeyRefused: the key cannot be read or is too weak.
    """
    named = algorithm if isinstance(algorithm, SignatureAlgorithm) else SignatureAlgorithm.from_asn1(algorithm)
    verifier = _VERIFIERS.get(named.oid)
    if verifier is None:
        raise AlgorithmRefused("the signature algorithm is unknown or no longer accepted")
    if len(spki) > MAX_SPKI_BYTES:
        raise KeyRefused("the public key is too long")
    verifier(spki, named, signature, data, digest, user_id)


def _verify_sm2(
    spki: bytes, algorithm: SignatureAlgorithm, signature: bytes, data: bytes, digest: str | None, user_id: bytes
) -> None:
    # Some CAs write NULL parameters for 1.501, GM/T 0006 none: both are seen, nothing else is allowed.
    if algorithm.parameters not in (None, _NULL):
        raise AlgorithmRefused("SM2 with SM3 takes no parameters")
    if digest not in (None, "sm3") or (algorithm.oid == oid.SM2_SIGN and digest is None):
        raise AlgorithmRefused("SM2 signatures are made over SM3")
    SM2PublicKey.from_spki(spki).verify(signature, data, user_id=user_id)


def _verify_rsa_pkcs1(
    spki: bytes, algorithm: SignatureAlgorithm, signature: bytes, data: bytes, digest: str | None, user_id: bytes
) -> None:
    if algorithm.parameters not in (None, _NULL):  # RFC 4055 cl. 5: NULL; absent is tolerated on reading
        raise AlgorithmRefused("unexpected RSA parameters")
    hash_algorithm = _hash(_RSA_DIGESTS.get(algorithm.oid), digest)
    _checked(lambda: _load_rsa(spki).verify(signature, data, padding.PKCS1v15(), hash_algorithm))


def _verify_rsa_pss(
    spki: bytes, algorithm: SignatureAlgorithm, signature: bytes, data: bytes, digest: str | None, user_id: bytes
) -> None:
    try:
        parameters = algos.RSASSAPSSParams.load(algorithm.parameters or b"", strict=True)
        name = parameters["hash_algorithm"]["algorithm"].native
        mask = parameters["mask_gen_algorithm"]
        mask_ok = mask["algorithm"].native == "mgf1" and mask["parameters"]["algorithm"].native == name
        salt_bytes, trailer = parameters["salt_length"].native, parameters["trailer_field"].native
    except (ValueError, TypeError, KeyError) as error:
        raise AlgorithmRefused("the PSS parameters cannot be read") from error
    # RFC 4055 cl. 3.1: MGF1 over the same hash (recommended there, required here); trailer field 1.
    if not mask_ok or trailer != "trailer_field_bc" or not 0 <= salt_bytes <= MAX_PSS_SALT_BYTES:
        raise AlgorithmRefused("the PSS parameters are not accepted")
    hash_algorithm = _hash(name, digest)
    scheme = padding.PSS(padding.MGF1(hash_algorithm), salt_bytes)
    _checked(lambda: _load_rsa(spki).verify(signature, data, scheme, hash_algorithm))


def _verify_ecdsa(
    spki: bytes, algorithm: SignatureAlgorithm, signature: bytes, data: bytes, digest: str | None, user_id: bytes
) -> None:
    if algorithm.parameters is not None:  # RFC 5758 cl. 3.2: absent
        raise AlgorithmRefused("ECDSA takes no parameters")
    hash_algorithm = _hash(_ECDSA_DIGESTS[algorithm.oid], digest)
    key = _load(spki)
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _CURVE_BITS:
        raise KeyRefused("not a key for this ECDSA algorithm")
    _checked(lambda: key.verify(signature, data, ec.ECDSA(hash_algorithm)))


def _verify_ed25519(
    spki: bytes, algorithm: SignatureAlgorithm, signature: bytes, data: bytes, digest: str | None, user_id: bytes
) -> None:
    if algorithm.parameters is not None:  # RFC 8410 cl. 3
        raise AlgorithmRefused("Ed25519 takes no parameters")
    key = _load(spki)
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise KeyRefused("not an Ed25519 key")
    _checked(lambda: key.verify(signature, data))


_VERIFIERS: MappingProxyType[str, Callable[[bytes, SignatureAlgorithm, bytes, bytes, str | None, bytes], None]] = (
    MappingProxyType(
        {
            oid.RSA_ENCRYPTION: _verify_rsa_pkcs1,
            oid.RSA_SHA256: _verify_rsa_pkcs1,
            oid.RSA_SHA384: _verify_rsa_pkcs1,
            oid.RSA_SHA512: _verify_rsa_pkcs1,
            oid.RSA_PSS: _verify_rsa_pss,
            oid.ECDSA_SHA256: _verify_ecdsa,
            oid.ECDSA_SHA384: _verify_ecdsa,
            oid.ECDSA_SHA512: _verify_ecdsa,
            oid.ED25519: _verify_ed25519,
            oid.SM2_WITH_SM3: _verify_sm2,
            oid.SM2_SIGN: _verify_sm2,
        }
    )
)


def _hash(fixed: str | None, stated: str | None) -> hashes.HashAlgorithm:
    """Choose the digest: fixed by the OID, else stated beside it; the two may not disagree."""
    name = fixed or stated
    if name is None or name not in _HASHES or (stated is not None and stated != name):
        raise AlgorithmRefused("the digest algorithm is missing, unknown or contradicts the signature algorithm")
    return _HASHES[name]


def _load(spki: bytes) -> object:
    try:
        return load_der_public_key(spki)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyRefused("the public key cannot be read") from error


def _load_rsa(spki: bytes) -> rsa.RSAPublicKey:
    key = _load(spki)
    if not isinstance(key, rsa.RSAPublicKey):
        raise KeyRefused("not an RSA key")
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise KeyRefused("the RSA key is too short or too long")
    return key


def _checked(verify: Callable[[], None]) -> None:
    try:
        verify()
    except InvalidSignature as error:
        raise SignatureInvalid("the signature does not verify") from error
    except (ValueError, UnsupportedAlgorithm) as error:  # for example a salt longer than the key allows
        raise SignatureInvalid("the signature is not well formed") from error


@dataclass(frozen=True, slots=True)
class KeyKind:
    """What a public key is: `rsa`, `ecdsa`, `ed25519` or `sm2`, and its size."""

    family: str
    bits: int


def key_kind(spki: bytes) -> KeyKind:
    """Say what kind of key this is, weak or not.

    Raises:
        KeyRefused: unreadable, or of a kind that is not verified here.
    """
    if is_sm2_spki(spki):  # before asn1crypto, which does not know the form with the curve as algorithm
        return KeyKind("sm2", 256)
    try:
        info = keys.PublicKeyInfo.load(spki, strict=True)
        name = info["algorithm"]["algorithm"].native
        curve = info["algorithm"]["parameters"].native if name == "ec" else None
        if name in ("rsa", "rsassa_pss"):
            return KeyKind("rsa", info["public_key"].parsed["modulus"].native.bit_length())
    except (ValueError, TypeError, KeyError) as error:
        raise KeyRefused("the public key cannot be read") from error
    if name == "ed25519":
        return KeyKind("ed25519", 256)
    if isinstance(curve, str) and curve in _CURVE_BITS:
        return KeyKind("ecdsa", _CURVE_BITS[curve])
    raise KeyRefused("a key of an unknown kind")


@dataclass(frozen=True, slots=True)
class SuitabilityRule:
    """A kind of key of at least `min_bits` is suitable until `until` (None: no end set), by `source`."""

    family: str
    min_bits: int
    until: datetime | None
    source: str


_END_OF_2030 = datetime(2031, 1, 1, tzinfo=UTC)
_INTERNATIONAL = (
    SuitabilityRule("rsa", 3000, None, "NIST SP 800-57 part 1 rev. 5; ETSI TS 119 312"),
    SuitabilityRule("rsa", 2048, _END_OF_2030, "NIST SP 800-57 part 1 rev. 5 table 2: 112 bits through 2030"),
    SuitabilityRule("ecdsa", 256, None, "ETSI TS 119 312; NIST SP 800-57 part 1 rev. 5"),
    SuitabilityRule("ed25519", 256, None, "RFC 8032; NIST SP 800-186"),
)
SUITABLE: MappingProxyType[Region, tuple[SuitabilityRule, ...]] = MappingProxyType(
    {
        # Hong Kong and Macao take SM2 because a recognised Guangdong certificate may carry it; TS 119 312 has none.
        Region.HK: (*_INTERNATIONAL, SuitabilityRule("sm2", 256, None, "GM/T 0003, for Guangdong certificates")),
        Region.MO: (*_INTERNATIONAL, SuitabilityRule("sm2", 256, None, "GM/T 0003, for Guangdong certificates")),
        Region.GD: (*_INTERNATIONAL, SuitabilityRule("sm2", 256, None, "GM/T 0003, GM/T 0006")),
    }
)
SUITABLE_DIGESTS = frozenset({"sha256", "sha384", "sha512", "sm3"})
"""Digests that may stand under a signature anywhere; SHA-1 and MD5 never (collision attacks)."""


def check_suitable(kind: KeyKind, region: Region, at: datetime, *, digest: str | None = None) -> SuitabilityRule:
    """Return the rule by which a key of this kind is suitable in the region at that time.

    Raises:
        AlgorithmRefused: no rule allows it, or the digest is too weak.
    """
    if digest is not None and digest not in SUITABLE_DIGESTS:
        raise AlgorithmRefused("the digest algorithm is too weak")
    for rule in SUITABLE[region]:
        if rule.family == kind.family and kind.bits >= rule.min_bits and (rule.until is None or at < rule.until):
            return rule
    raise AlgorithmRefused(f"{kind.family} with {kind.bits} bits is not suitable at that time")


def suitable(family: str, bits: int, region: Region, at: datetime) -> bool:
    """Tell whether a key of this family and size is suitable in the region at that time."""
    try:
        check_suitable(KeyKind(family, bits), region, at)
    except AlgorithmRefused:
        return False
    return True

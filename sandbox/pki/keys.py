"""Private keys of the sandbox, of every kind that the three regions use.

Owns:    generation, PKCS#8 form, signing, and the AlgorithmIdentifier that names the signature. Leaves disk to `files`.
Rules:   one object, one algorithm: a key says itself with which AlgorithmIdentifier it signs.
Spec:    RFC 4055 (RSA), RFC 5758 (ECDSA), RFC 8410 (Ed25519), GM/T 0009 and OID 1.2.156.10197.1.501 (SM2 with SM3)
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from asn1crypto import algos, core
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from trust_lists.sm2 import SM2PrivateKey

SM2_WITH_SM3 = "1.2.156.10197.1.501"
_RSA_SHA256 = "1.2.840.113549.1.1.11"
_ECDSA_SHA256 = "1.2.840.10045.4.3.2"
_ECDSA_SHA384 = "1.2.840.10045.4.3.3"
_ED25519 = "1.3.101.112"


class KeyKind(StrEnum):
    """The kinds of key that the sandbox can make."""

    RSA_2048 = "rsa-2048"
    P256 = "p256"
    P384 = "p384"
    ED25519 = "ed25519"
    SM2 = "sm2"


_SIGNATURE_OID = {
    KeyKind.RSA_2048: _RSA_SHA256,
    KeyKind.P256: _ECDSA_SHA256,
    KeyKind.P384: _ECDSA_SHA384,
    KeyKind.ED25519: _ED25519,
    KeyKind.SM2: SM2_WITH_SM3,
}


@dataclass(frozen=True)
class PrivateKey:
    """A private key in PKCS#8 DER with what is needed to sign certificates and documents."""

    kind: KeyKind
    der: bytes

    @classmethod
    def generate(cls, kind: KeyKind) -> "PrivateKey":
        """Make a new key."""
        if kind is KeyKind.SM2:
            return cls(kind, SM2PrivateKey.generate().to_der())
        return cls(
            kind,
            _generate_classic(kind).private_bytes(
                serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )

    @cached_property
    def _sm2(self) -> SM2PrivateKey:
        return SM2PrivateKey.from_der(self.der)

    @cached_property
    def _classic(self) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey:
        # The key was made by us: skipping the RSA prime re-check saves 40 ms a load.
        key = serialization.load_der_private_key(self.der, None, unsafe_skip_rsa_key_validation=True)
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
            raise TypeError("not a key that the sandbox makes")
        return key

    @cached_property
    def spki(self) -> bytes:
        """The SubjectPublicKeyInfo in DER."""
        if self.kind is KeyKind.SM2:
            return self._sm2.spki()
        return self._classic.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def signature_algorithm(self) -> algos.SignedDigestAlgorithm:
        """The AlgorithmIdentifier of this key's signatures (NULL parameters for RSA only, RFC 4055 sec. 5)."""
        value: dict[str, object] = {"algorithm": _SIGNATURE_OID[self.kind]}
        if self.kind is KeyKind.RSA_2048:
            value["parameters"] = core.Null()
        return algos.SignedDigestAlgorithm(value)

    def sign(self, data: bytes) -> bytes:
        """Sign data: PKCS #1 v1.5, ECDSA (DER), Ed25519, or SM2 with the default user id."""
        if self.kind is KeyKind.SM2:
            return self._sm2.sign(data)
        key = self._classic
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(data, ec.ECDSA(_curve_hash(self.kind)))
        return key.sign(data)

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign a digest that was computed elsewhere (what a remote hash-signing service does); RSA and ECDSA only.

        Raises:
            ValueError: the digest's length does not fit, or the key kind signs no bare digest.
        """
        key = self._classic if self.kind is not KeyKind.SM2 else None
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(digest, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(digest, ec.ECDSA(utils.Prehashed(_curve_hash(self.kind))))
        raise ValueError("this kind of key signs no bare digest")


def _generate_classic(
    kind: KeyKind,
) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey:
    match kind:
        case KeyKind.RSA_2048:
            return rsa.generate_private_key(65537, 2048)
        case KeyKind.P384:
            return ec.generate_private_key(ec.SECP384R1())
        case KeyKind.ED25519:
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            return ec.generate_private_key(ec.SECP256R1())


def _curve_hash(kind: KeyKind) -> hashes.SHA256 | hashes.SHA384:
    return hashes.SHA384() if kind is KeyKind.P384 else hashes.SHA256()

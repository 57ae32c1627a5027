"""One signature verified, or refused with the right code; what is suitable where until when."""

from datetime import UTC, datetime

import pytest
from asn1crypto import algos
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.trust_lists import refusal, spki_of
from trust_lists import asn1_oids as oid
from trust_lists.algorithms import (
    KeyKind,
    SignatureAlgorithm,
    check_suitable,
    key_kind,
    suitable,
    verify_signature,
)
from trust_lists.sm2 import SM2PrivateKey
from trust_lists.vocabulary import Region

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP384R1())
ED = ed25519.Ed25519PrivateKey.generate()
NULL = b"\x05\x00"
DATA = b"what is signed"
AT = datetime(2026, 11, 24, tzinfo=UTC)


def _pss(
    hash_algorithm: str = "sha256", *, mask: str = "sha256", salt: int = 32, trailer: int = 1
) -> SignatureAlgorithm:
    parameters = algos.RSASSAPSSParams(
        {
            "hash_algorithm": {"algorithm": hash_algorithm},
            "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": mask}},
            "salt_length": salt,
            "trailer_field": trailer,
        }
    )
    return SignatureAlgorithm(oid.RSA_PSS, parameters.dump())


def _rsa(padder: padding.AsymmetricPadding, digest: hashes.HashAlgorithm) -> bytes:
    return RSA.sign(DATA, padder, digest)


PKCS1 = padding.PKCS1v15()
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
GOOD = {
    "rsa sha256": (spki_of(RSA), SignatureAlgorithm(oid.RSA_SHA256, NULL), _rsa(PKCS1, hashes.SHA256())),
    "rsa sha384": (spki_of(RSA), SignatureAlgorithm(oid.RSA_SHA384, NULL), _rsa(PKCS1, hashes.SHA384())),
    "rsa sha512 without null": (spki_of(RSA), SignatureAlgorithm(oid.RSA_SHA512), _rsa(PKCS1, hashes.SHA512())),
    "pss": (spki_of(RSA), _pss(), _rsa(PSS, hashes.SHA256())),
    "ecdsa sha256": (spki_of(EC), SignatureAlgorithm(oid.ECDSA_SHA256), EC.sign(DATA, ec.ECDSA(hashes.SHA256()))),
    "ecdsa sha384": (spki_of(EC), SignatureAlgorithm(oid.ECDSA_SHA384), EC.sign(DATA, ec.ECDSA(hashes.SHA384()))),
    "ed25519": (spki_of(ED), SignatureAlgorithm(oid.ED25519), ED.sign(DATA)),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_and_changed(name: str) -> None:
    spki, algorithm, signature = GOOD[name]
    verify_signature(spki, algorithm, signature, DATA)
    assert refusal(verify_signature, spki, algorithm, signature, DATA + b"!") == "signature_invalid"
    broken = bytes([signature[0]]) + signature[1:-1] + bytes([signature[-1] ^ 1])
    assert refusal(verify_signature, spki, algorithm, broken, DATA) == "signature_invalid"
    assert refusal(verify_signature, spki, algorithm, b"", DATA) == "signature_invalid"


def test_the_algorithm_of_asn1crypto_is_taken() -> None:
    algorithm = algos.SignedDigestAlgorithm({"algorithm": "sha256_rsa"})
    verify_signature(spki_of(RSA), algorithm, GOOD["rsa sha256"][2], DATA)


def test_rsa_encryption_needs_the_digest_beside_it() -> None:
    spki, signature = spki_of(RSA), GOOD["rsa sha256"][2]
    plain = SignatureAlgorithm(oid.RSA_ENCRYPTION, NULL)
    verify_signature(spki, plain, signature, DATA, digest="sha256")
    assert refusal(verify_signature, spki, plain, signature, DATA) == "algorithm_refused"
    assert refusal(verify_signature, spki, plain, signature, DATA, digest="sha1") == "algorithm_refused"
    contradiction = SignatureAlgorithm(oid.RSA_SHA256, NULL)
    assert refusal(verify_signature, spki, contradiction, signature, DATA, digest="sha512") == "algorithm_refused"


@pytest.mark.parametrize(
    "algorithm",
    [
        _pss(mask="sha512"),
        _pss("sha1", mask="sha1"),
        _pss(salt=5000),
        SignatureAlgorithm(oid.RSA_PSS),
        SignatureAlgorithm(oid.RSA_PSS, b"\x30\x05nope"),
        SignatureAlgorithm(oid.RSA_SHA1, NULL),
        SignatureAlgorithm(oid.RSA_MD5, NULL),
        SignatureAlgorithm(oid.ECDSA_SHA1),
        SignatureAlgorithm("1.2.3"),
        SignatureAlgorithm(oid.RSA_SHA256, b"\x30\x00"),
        SignatureAlgorithm(oid.ECDSA_SHA256, NULL),
        SignatureAlgorithm(oid.ED25519, NULL),
    ],
)
def test_algorithms_that_are_refused(algorithm: SignatureAlgorithm) -> None:
    assert refusal(verify_signature, spki_of(RSA), algorithm, GOOD["pss"][2], DATA) == "algorithm_refused"


@pytest.mark.parametrize(
    "spki, algorithm",
    [
        (spki_of(EC), SignatureAlgorithm(oid.RSA_SHA256, NULL)),
        (spki_of(RSA), SignatureAlgorithm(oid.ECDSA_SHA256)),
        (spki_of(RSA), SignatureAlgorithm(oid.ED25519)),
        (spki_of(ec.generate_private_key(ec.SECP256K1())), SignatureAlgorithm(oid.ECDSA_SHA256)),
        (spki_of(rsa.generate_private_key(65537, 1024)), SignatureAlgorithm(oid.RSA_SHA256, NULL)),
        (b"\x30\x03\x02\x01\x05", SignatureAlgorithm(oid.RSA_SHA256, NULL)),
        (bytes(5000), SignatureAlgorithm(oid.RSA_SHA256, NULL)),
    ],
)
def test_keys_that_are_refused(spki: bytes, algorithm: SignatureAlgorithm) -> None:
    assert refusal(verify_signature, spki, algorithm, b"x", DATA) == "key_refused"


def test_kinds_of_keys() -> None:
    assert key_kind(spki_of(RSA)) == KeyKind("rsa", 2048)
    assert key_kind(spki_of(EC)) == KeyKind("ecdsa", 384)
    assert key_kind(ED.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)) == KeyKind(
        "ed25519", 256
    )
    assert key_kind(SM2PrivateKey.generate().spki()) == KeyKind("sm2", 256)
    assert refusal(key_kind, spki_of(ec.generate_private_key(ec.SECP256K1()))) == "key_refused"
    assert refusal(key_kind, b"nonsense") == "key_refused"


def test_suitability_has_an_end() -> None:
    after = datetime(2031, 1, 1, tzinfo=UTC)
    for region in Region:
        assert suitable("rsa", 2048, region, AT)
        assert not suitable("rsa", 2048, region, after)
        assert suitable("rsa", 3072, region, after)
        assert not suitable("rsa", 1024, region, AT)
        assert suitable("sm2", 256, region, AT)
        assert not suitable("dsa", 2048, region, AT)
        assert refusal(check_suitable, KeyKind("rsa", 3072), region, AT, digest="sha1") == "algorithm_refused"
        assert check_suitable(KeyKind("sm2", 256), region, AT, digest="sm3").source.startswith("GM/T")

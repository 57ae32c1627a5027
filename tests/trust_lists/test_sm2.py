"""SM2: the published known answer, both back ends against each other, and the exact forms that are taken."""

import pytest
from asn1crypto import pem, x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import SHARED_DATA
from tests.support.trust_lists import refusal, spki_of
from trust_lists import asn1_oids, sm2, sm2_libcrypto, sm2_pure
from trust_lists.algorithms import SignatureAlgorithm, verify_signature
from trust_lists.sm2 import SM2PrivateKey, SM2PublicKey

# GB/T 32918.5 annex A.2
X = 0x09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020
Y = 0xCCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13
R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA
MESSAGE = b"message digest"
Z = "b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3"

KEY = SM2PrivateKey.generate()


def test_known_z() -> None:
    assert sm2_pure.z_value(sm2.DEFAULT_USER_ID, X, Y).hex() == Z


@pytest.mark.parametrize("use_libcrypto", [True, False])
def test_known_answer(use_libcrypto: bool) -> None:
    key = SM2PublicKey(X, Y, use_libcrypto=use_libcrypto)
    key.verify(sm2_pure.encode_signature(R, S), MESSAGE)
    assert refusal(key.verify, sm2_pure.encode_signature(R, S), b"other message") == "signature_invalid"


@pytest.mark.parametrize("use_libcrypto", [True, False])
@pytest.mark.parametrize(
    "r, s", [(0, S), (R, 0), (sm2_pure.N, S), (R, sm2_pure.N), (R, sm2_pure.N - R), (R + 1, S), (S, R)]
)
def test_numbers_out_of_range_or_wrong(use_libcrypto: bool, r: int, s: int) -> None:
    key = SM2PublicKey(X, Y, use_libcrypto=use_libcrypto)
    assert refusal(key.verify, sm2_pure.encode_signature(r, s), MESSAGE) == "signature_invalid"


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=300), user_id=st.binary(max_size=40), flip=st.integers(0, 511))
def test_back_ends_agree(data: bytes, user_id: bytes, flip: int) -> None:
    signature = KEY.sign(data, user_id=user_id)
    public = KEY.public_key()
    pure = SM2PublicKey(public.x, public.y, use_libcrypto=False)
    for key in (public, pure):
        key.verify(signature, data, user_id=user_id)
    broken = bytearray(signature)
    broken[flip // 8 % len(broken)] ^= 1 << flip % 8
    for key in (public, pure):
        assert refusal(key.verify, bytes(broken), data, user_id=user_id) == "signature_invalid"
        assert refusal(key.verify, signature, data + b"x", user_id=user_id) == "signature_invalid"
        assert refusal(key.verify, signature, data, user_id=user_id + b"x") == "signature_invalid"


def test_keys_survive_their_forms() -> None:
    again = SM2PrivateKey.from_der(KEY.to_der())
    assert again.spki() == KEY.spki() == SM2PublicKey.from_spki(KEY.spki()).spki()
    KEY.public_key().verify(again.sign(b"data"), b"data")


def test_spki_with_the_curve_as_algorithm() -> None:
    point = KEY.spki()[-64:]
    plain = bytes.fromhex("3050300a06082a811ccf5501822d03420004") + point
    with_null = bytes.fromhex("3052300c06082a811ccf5501822d050003420004") + point
    assert SM2PublicKey.from_spki(plain).spki() == SM2PublicKey.from_spki(with_null).spki() == KEY.spki()


def test_private_key_of_another_kind() -> None:
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    assert refusal(SM2PrivateKey.from_der, other) == "key_refused"
    assert refusal(SM2PrivateKey.from_der, b"\x30\x00") == "key_refused"
    assert refusal(SM2PrivateKey.from_der, bytes(5000)) == "key_refused"
    assert refusal(SM2PublicKey.from_spki, spki_of(ec.generate_private_key(ec.SECP256R1()))) == "key_refused"


def test_user_id_has_a_limit() -> None:
    assert refusal(KEY.sign, b"x", user_id=bytes(8191)) == "key_refused"
    signature = KEY.sign(b"x", user_id=bytes(8190))
    KEY.public_key().verify(signature, b"x", user_id=bytes(8190))
    public = KEY.public_key()
    for use_libcrypto in (True, False):
        key = SM2PublicKey(public.x, public.y, use_libcrypto=use_libcrypto)
        assert refusal(key.verify, signature, b"x", user_id=bytes(8191)) == "signature_invalid"


def test_without_libcrypto_verification_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    signature = KEY.sign(b"data")
    monkeypatch.setattr(sm2, "library", lambda: None)
    SM2PublicKey.from_spki(KEY.spki()).verify(signature, b"data")
    assert refusal(SM2PrivateKey.generate) == "sm2_unavailable"
    assert refusal(SM2PrivateKey.from_der, KEY.to_der()) == "sm2_unavailable"


def test_the_back_end_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "OpenSSL" in sm2.backend()
    monkeypatch.setattr(sm2_libcrypto, "_CANDIDATES", ("no-such-library.so",))
    monkeypatch.setattr(sm2_libcrypto.ctypes.util, "find_library", lambda _name: None)
    sm2_libcrypto.library.cache_clear()
    try:
        assert "pure Python" in sm2.backend()
    finally:
        monkeypatch.undo()
        sm2_libcrypto.library.cache_clear()


def test_sm3_does_not_need_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"  # GM/T 0004 A.1, "abc"
    assert sm2_pure.sm3(b"abc").hex() == expected
    monkeypatch.setattr(sm2_pure.hashlib, "algorithms_available", set())
    assert sm2_pure.sm3(b"abc").hex() == expected


def _shared(name: str) -> bytes:
    path = SHARED_DATA / "sm2" / name
    if not path.exists():
        pytest.skip(f"shared data absent: sm2/{name}")
    data = path.read_bytes()
    return pem.unarmor(data)[2] if pem.detect(data) else data


@pytest.mark.parametrize("use_libcrypto", [True, False])
@pytest.mark.parametrize(
    "issuer, subject",
    [
        ("nrcac_ROOTCA.pem", "nrcac_ROOTCA.pem"),
        ("nrcac_Civil_Servant_ROOT.pem", "nrcac_Civil_Servant_ROOT.pem"),
        ("nrcac_ROOTCA.pem", "ca_Taier_CA.pem"),
        ("nrcac_Civil_Servant_ROOT.pem", "ca_TJCA.pem"),
        ("testonly_ica.pem", "testonly_ee.pem"),
    ],
)
def test_real_mainland_certificates(issuer: str, subject: str, use_libcrypto: bool) -> None:
    certificate = x509.Certificate.load(_shared(subject))
    spki = x509.Certificate.load(_shared(issuer)).public_key.dump()
    signed, signature = certificate["tbs_certificate"].dump(), certificate.signature
    SM2PublicKey.from_spki(spki, use_libcrypto=use_libcrypto).verify(signature, signed)
    algorithm = SignatureAlgorithm.from_asn1(certificate["signature_algorithm"])
    verify_signature(spki, algorithm, signature, signed)
    assert algorithm.parameters in (None, b"\x05\x00")
    assert (
        refusal(verify_signature, spki, algorithm, signature, signed[:-1] + bytes([signed[-1] ^ 1]))
        == "signature_invalid"
    )


def test_real_mainland_crl() -> None:
    from asn1crypto import crl

    revocations = crl.CertificateList.load(_shared("nrcac_ROOTCA.crl"))
    spki = x509.Certificate.load(_shared("nrcac_ROOTCA.pem")).public_key.dump()
    algorithm = SignatureAlgorithm.from_asn1(revocations["signature_algorithm"])
    assert algorithm.oid == asn1_oids.SM2_WITH_SM3
    verify_signature(spki, algorithm, revocations["signature"].native, revocations["tbs_cert_list"].dump())

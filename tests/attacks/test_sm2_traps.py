"""The traps of SM2 in the wild (facts sheet §5.3), each with the code that it must give."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from asn1crypto import algos, core, pem, x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.conftest import SHARED_DATA
from tests.support.trust_lists import START, make_certificate, refusal, spki_of
from trust_lists import asn1_oids, sm2_pure
from trust_lists.algorithms import SignatureAlgorithm, key_kind, verify_signature
from trust_lists.certificates import parse_certificate
from trust_lists.errors import TrustListError
from trust_lists.sm2 import SM2PrivateKey, SM2PublicKey

KEY = SM2PrivateKey.generate()
SIGNATURE = KEY.sign(b"data")
SM2 = SignatureAlgorithm(asn1_oids.SM2_WITH_SM3)
P256 = ec.generate_private_key(ec.SECP256R1())
R, S = sm2_pure.parse_signature(SIGNATURE)


def test_a_signature_under_the_empty_id_is_refused() -> None:
    """OpenSSL 3's own default id is empty; ours never is unless said."""
    empty = KEY.sign(b"data", user_id=b"")
    assert refusal(verify_signature, KEY.spki(), SM2, empty, b"data") == "signature_invalid"
    verify_signature(KEY.spki(), SM2, empty, b"data", user_id=b"")


def test_a_p256_key_is_refused_under_the_sm2_algorithm() -> None:
    signature = P256.sign(b"data", ec.ECDSA(hashes.SHA256()))
    assert refusal(verify_signature, spki_of(P256), SM2, signature, b"data") == "key_refused"


@pytest.mark.parametrize("algorithm", [asn1_oids.ECDSA_SHA256, asn1_oids.RSA_SHA256, asn1_oids.ED25519])
def test_an_sm2_key_is_refused_under_other_algorithms(algorithm: str) -> None:
    assert refusal(verify_signature, KEY.spki(), SignatureAlgorithm(algorithm), SIGNATURE, b"data") == "key_refused"


def test_null_parameters_are_tolerated_and_others_refused() -> None:
    verify_signature(KEY.spki(), SignatureAlgorithm(asn1_oids.SM2_WITH_SM3, b"\x05\x00"), SIGNATURE, b"data")
    for parameters in (b"\x30\x00", b"\x06\x08\x2a\x81\x1c\xcf\x55\x01\x82\x2d", b""):
        named = SignatureAlgorithm(asn1_oids.SM2_WITH_SM3, parameters)
        assert refusal(verify_signature, KEY.spki(), named, SIGNATURE, b"data") == "algorithm_refused"


def test_the_gmt_0010_algorithm_needs_its_digest() -> None:
    named = SignatureAlgorithm(asn1_oids.SM2_SIGN)
    verify_signature(KEY.spki(), named, SIGNATURE, b"data", digest="sm3")
    assert refusal(verify_signature, KEY.spki(), named, SIGNATURE, b"data") == "algorithm_refused"
    assert refusal(verify_signature, KEY.spki(), named, SIGNATURE, b"data", digest="sha256") == "algorithm_refused"


def _sign_by_hand(e: int) -> tuple[SM2PublicKey, bytes]:
    """Sign a number as GB/T 32918.2 cl. 6.1 does, with fixed secrets: for showing a dialect, nothing else."""
    d, k = (
        0x1649AB77A00637BD5E2EFE283FBF353534AA7F7CB89463F208DDBC2920BB0DA0,
        0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21,
    )
    generator = (sm2_pure.GX, sm2_pure.GY)
    (x, y), (x1, _) = sm2_pure._to_affine([sm2_pure._sum_of_products(n, 0, generator) for n in (d, k)])
    e = e or int.from_bytes(sm2_pure.sm3(sm2_pure.z_value(b"1234567812345678", x, y) + b"data"), "big")
    r = (e + x1) % sm2_pure.N
    s = pow(1 + d, -1, sm2_pure.N) * (k - r * d) % sm2_pure.N
    return SM2PublicKey(x, y), sm2_pure.encode_signature(r, s)


def test_a_signature_over_the_bare_digest_without_z_is_refused() -> None:
    """GmSSL's cmssign hashes without Z: the other GM/T 0010 dialect."""
    key, good = _sign_by_hand(0)
    verify_signature(key.spki(), SM2, good, b"data")
    key, without_z = _sign_by_hand(int.from_bytes(sm2_pure.sm3(b"data"), "big"))
    assert refusal(verify_signature, key.spki(), SM2, without_z, b"data") == "signature_invalid"


def _off_curve() -> bytes:
    spki = bytearray(KEY.spki())
    spki[-1] ^= 1
    return bytes(spki)


@pytest.mark.parametrize(
    "spki",
    [
        _off_curve(),
        KEY.spki()[:-64] + bytes(64),
        KEY.spki() + b"\x00",
        KEY.spki()[:-1],
        KEY.spki()[:26].replace(b"\x04", b"\x02") + KEY.spki()[27:59],
        KEY.spki()[:-64] + sm2_pure.P.to_bytes(32, "big") + bytes(32),
        b"",
    ],
    ids=["off the curve", "zero point", "trailing byte", "short", "compressed", "unreduced", "empty"],
)
def test_a_bad_point_is_refused(spki: bytes) -> None:
    for use_libcrypto in (True, False):
        assert refusal(SM2PublicKey.from_spki, spki, use_libcrypto=use_libcrypto) == "key_refused"


def _integer(raw: bytes) -> bytes:
    return b"\x02" + bytes([len(raw)]) + raw


def _sequence(body: bytes) -> bytes:
    return b"\x30" + bytes([len(body)]) + body


_R, _S = (value.to_bytes(value.bit_length() // 8 + 1, "big") for value in (R, S))


@pytest.mark.parametrize(
    "signature",
    [
        SIGNATURE + b"\x00",
        R.to_bytes(32, "big") + S.to_bytes(32, "big"),
        _sequence(_integer(b"\x00" * 2 + _R.lstrip(b"\x00")) + _integer(_S)),
        b"\x30\x81" + SIGNATURE[1:],
        b"\x30\x80" + SIGNATURE[2:] + b"\x00\x00",
        _sequence(_integer(_R) + _integer(_S) + b"\x05\x00"),
        _sequence(_integer(b"\xff" + _R[1:]) + _integer(_S)),
        _sequence(_integer(_R)),
        _sequence(_integer(b"") + _integer(_S)),
        b"",
        b"\x30",
    ],
    ids=["trailing", "raw r and s", "padded", "long length", "indefinite", "third member", "negative", "one member", "empty integer",
         "empty", "header only"],
)  # fmt: skip
def test_a_signature_that_is_not_strict_der_is_refused(signature: bytes) -> None:
    public = KEY.public_key()
    for use_libcrypto in (True, False):
        key = SM2PublicKey(public.x, public.y, use_libcrypto=use_libcrypto)
        assert refusal(key.verify, signature, b"data") == "signature_invalid"


# --- certificates ------------------------------------------------------------------------------------------------------


def openssl(*arguments: str, folder: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl not installed")
    done = subprocess.run(["openssl", *arguments], cwd=folder, check=False, capture_output=True)
    if done.returncode:
        pytest.skip("openssl with SM2 not installed")


@pytest.mark.parametrize("distid", [True, False], ids=["default id", "empty id"])
def test_a_certificate_of_the_openssl_command(tmp_path: Path, distid: bool) -> None:
    """Trap 1: without -sigopt distid OpenSSL signs under the empty id, and such roots are in circulation."""
    openssl("genpkey", "-algorithm", "SM2", "-out", "key.pem", folder=tmp_path)
    option = ("-sigopt", "distid:1234567812345678") if distid else ()
    openssl(
        "req",
        "-x509",
        "-new",
        "-key",
        "key.pem",
        "-sm3",
        "-subj",
        "/CN=x",
        "-outform",
        "DER",
        "-out",
        "c.der",
        *option,
        folder=tmp_path,
    )
    facts = parse_certificate((tmp_path / "c.der").read_bytes())
    arguments = (facts.spki, facts.algorithm, facts.signature, facts.signed_bytes)
    if distid:
        verify_signature(*arguments)
    else:
        if refusal_or_none(arguments) is None:
            pytest.skip("an openssl whose default id is not empty is no trap: old openssl not installed")
        assert refusal(verify_signature, *arguments) == "signature_invalid"
        verify_signature(*arguments, user_id=b"")


def refusal_or_none(arguments: tuple) -> str | None:
    try:
        verify_signature(*arguments)
    except TrustListError as error:
        return error.code
    return None


def certificate_with(edit: Callable[[dict], None]) -> bytes:
    """An SM2 certificate whose parts are edited before it is signed."""
    loaded = x509.Certificate.load(make_certificate("A", KEY, "A", KEY))
    parts = {"tbs": loaded["tbs_certificate"], "outer": loaded["signature_algorithm"]}
    edit(parts)
    made = x509.Certificate(
        {
            "tbs_certificate": parts["tbs"],
            "signature_algorithm": parts["outer"],
            "signature_value": KEY.sign(parts["tbs"].dump(force=True)),
        }
    )
    return made.dump(force=True)


def test_null_parameters_in_a_certificate() -> None:
    """Trap 4: inner and outer algorithm must be the same bytes, with NULL or without."""

    def both(parts: dict) -> None:
        for algorithm in (parts["tbs"]["signature"], parts["outer"]):
            algorithm["parameters"] = core.Null()

    def outer(parts: dict) -> None:
        parts["outer"] = parts["outer"].copy()
        parts["outer"]["parameters"] = core.Null()

    facts = parse_certificate(certificate_with(both))
    assert facts.algorithm.parameters == b"\x05\x00"
    verify_signature(facts.spki, facts.algorithm, facts.signature, facts.signed_bytes)
    assert refusal(parse_certificate, certificate_with(outer)) == "certificate_malformed"


def test_generalized_time_before_2050() -> None:
    """Trap 4: a public test CA writes it; the certificate is read and verified all the same."""

    def general(parts: dict) -> None:
        parts["tbs"]["validity"]["not_before"] = x509.Time({"general_time": START})

    der = certificate_with(general)
    facts = parse_certificate(der)
    verify_signature(facts.spki, facts.algorithm, facts.signature, facts.signed_bytes)
    assert x509.Certificate.load(der).not_valid_before == START


def test_the_curve_as_key_algorithm_in_a_certificate() -> None:
    """Trap 5: SubjectPublicKeyInfo with OID 1.301 itself."""
    spki = bytes.fromhex("3050300a06082a811ccf5501822d03420004") + KEY.spki()[-64:]
    assert key_kind(spki).family == "sm2"
    verify_signature(spki, SM2, SIGNATURE, b"data")


def test_names_alone_never_select_the_key() -> None:
    """Another key under the same issuer name: trap of the published test CRL."""
    other = SM2PrivateKey.generate()
    facts = parse_certificate(make_certificate("A", KEY, "Issuer", other))
    assert (
        refusal(verify_signature, KEY.spki(), facts.algorithm, facts.signature, facts.signed_bytes)
        == "signature_invalid"
    )
    verify_signature(other.spki(), facts.algorithm, facts.signature, facts.signed_bytes)


@pytest.mark.parametrize(
    "issuer, subject",
    [
        ("nrcac_Civil_Servant_ROOT.pem", "ca_Taier_CA.pem"),
        ("nrcac_ROOTCA.pem", "ca_TJCA.pem"),
        ("testonly_root.pem", "testonly_ee.pem"),
    ],
)
def test_real_certificates_under_the_wrong_root(issuer: str, subject: str) -> None:
    folder = SHARED_DATA / "sm2"
    if not (folder / subject).exists():
        pytest.skip(f"shared data absent: sm2/{subject}")
    facts = parse_certificate(pem.unarmor((folder / subject).read_bytes())[2])
    spki = parse_certificate(pem.unarmor((folder / issuer).read_bytes())[2]).spki
    assert refusal(verify_signature, spki, facts.algorithm, facts.signature, facts.signed_bytes) == "signature_invalid"


def test_the_names_are_registered_once() -> None:
    """Trap 10: asn1crypto learns the SM names, and learning them again changes nothing."""
    asn1_oids.register()
    asn1_oids.register()
    assert algos.SignedDigestAlgorithm({"algorithm": asn1_oids.SM2_WITH_SM3})["algorithm"].native == "sm2_sm3"
    assert algos.DigestAlgorithm({"algorithm": "sm3"})["algorithm"].dotted == asn1_oids.SM3

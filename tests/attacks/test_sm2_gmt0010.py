"""The dialects of GM/T 0010: both good forms verify, the others are refused by name."""

from collections.abc import Callable

import pytest
from asn1crypto import cms, core, keys, pem, x509

from tests.conftest import SHARED_DATA
from tests.support.trust_lists import authority, make_certificate, refusal
from trust_lists import asn1_oids, sm2_pure
from trust_lists.errors import SignatureInvalid
from trust_lists.gmt0010 import MAX_BYTES, Dialect, verify_signed_data
from trust_lists.sm2 import SM2PrivateKey, SM2PublicKey

D = 0x1649AB77A00637BD5E2EFE283FBF353534AA7F7CB89463F208DDBC2920BB0DA0
KEY = SM2PrivateKey.generate()
CERTIFICATE = make_certificate("Signer", KEY, "Issuer", KEY)
DATA = b"a document, in bytes"


def sign_digest(digest: bytes) -> tuple[bytes, bytes]:
    """Sign a bare digest with a fixed key, for showing a dialect; returns the certificate and the value."""
    generator = (sm2_pure.GX, sm2_pure.GY)
    k = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
    (x, y), (x1, _) = sm2_pure._to_affine([sm2_pure._sum_of_products(n, 0, generator) for n in (D, k)])
    r = (int.from_bytes(digest, "big") + x1) % sm2_pure.N
    s = pow(1 + D, -1, sm2_pure.N) * (k - r * D) % sm2_pure.N
    certificate = x509.Certificate.load(CERTIFICATE)
    tbs = certificate["tbs_certificate"]
    tbs["subject_public_key_info"] = keys.PublicKeyInfo.load(SM2PublicKey(x, y).spki())
    certificate["signature_value"] = KEY.sign(tbs.dump(force=True))
    return certificate.dump(force=True), sm2_pure.encode_signature(r, s)


def build(
    *,
    gm: bool = True,
    attributes: bool = False,
    certificate: bytes = CERTIFICATE,
    sign: Callable[[bytes, bytes], bytes] | None = None,
    algorithm: str | None = None,
    digest: str = asn1_oids.SM3,
    data: bytes = DATA,
    detached: bool = False,
) -> bytes:
    kind = "gm_data" if gm else "data"
    encapsulated = {"content_type": kind} if detached else {"content_type": kind, "content": core.OctetString(data)}
    signed_attrs = None
    message = data
    if attributes:
        signed_attrs = cms.CMSAttributes(
            [
                cms.CMSAttribute({"type": "content_type", "values": [kind]}),
                cms.CMSAttribute({"type": "message_digest", "values": [sm2_pure.sm3(data)]}),
            ]
        )
        message = signed_attrs.dump()
    loaded = x509.Certificate.load(certificate)
    value = (sign or (lambda m, _info: KEY.sign(m)))(message, cms.ContentInfo(encapsulated).dump())
    signer = {
        "version": "v1",
        "sid": cms.SignerIdentifier(
            {"issuer_and_serial_number": {"issuer": loaded.issuer, "serial_number": loaded.serial_number}}
        ),
        "digest_algorithm": {"algorithm": digest},
        "signature_algorithm": {"algorithm": algorithm or (asn1_oids.SM2_SIGN if gm else asn1_oids.SM2_WITH_SM3)},
        "signature": value,
    }
    if signed_attrs is not None:
        signer["signed_attrs"] = signed_attrs
    signed = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [{"algorithm": digest}],
            "encap_content_info": encapsulated,
            "certificates": [loaded],
            "signer_infos": [signer],
        }
    )
    return cms.ContentInfo({"content_type": "gm_signed_data" if gm else "signed_data", "content": signed}).dump()


def dialect_refused(der: bytes, words: str) -> None:
    with pytest.raises(SignatureInvalid, match=words):
        verify_signed_data(der)


@pytest.mark.parametrize("gm", [True, False])
@pytest.mark.parametrize("attributes", [True, False])
def test_both_forms_verify(gm: bool, attributes: bool) -> None:
    found = verify_signed_data(build(gm=gm, attributes=attributes))
    assert found.dialect is (Dialect.GMT_0010 if gm else Dialect.RFC_5652)
    assert (found.content, found.certificate) == (DATA, CERTIFICATE)


def test_both_signature_algorithms_are_seen_in_the_national_form() -> None:
    assert verify_signed_data(build(algorithm=asn1_oids.SM2_WITH_SM3)).dialect is Dialect.GMT_0010


def test_detached_content() -> None:
    der = build(detached=True)
    assert verify_signed_data(der, DATA).content == DATA
    assert refusal(verify_signed_data, der) == "signature_invalid"
    assert refusal(verify_signed_data, der, DATA + b"x") == "signature_invalid"


def test_changed_content() -> None:
    for attributes in (True, False):
        der = build(attributes=attributes).replace(DATA, DATA[:-1] + b"X")
        assert refusal(verify_signed_data, der) == "signature_invalid"


def test_empty_user_id_is_refused_by_name() -> None:
    dialect_refused(build(sign=lambda message, _info: KEY.sign(message, user_id=b"")), "empty user id")


def test_gmssl_dialect_is_refused_by_name() -> None:
    certificate, _ = sign_digest(bytes(32))
    der = build(
        certificate=certificate,
        sign=lambda _m, info: sign_digest(sm2_pure.sm3(info))[1],
        algorithm=asn1_oids.SM2_WITH_SM3,
    )
    dialect_refused(der, "as GmSSL's cmssign does")


def test_bare_digest_without_z_is_refused_by_name() -> None:
    certificate, _ = sign_digest(bytes(32))
    dialect_refused(build(certificate=certificate, sign=lambda m, _info: sign_digest(sm2_pure.sm3(m))[1]), "without Z")


def test_raw_value_is_not_well_formed() -> None:
    dialect_refused(build(sign=lambda _m, _info: bytes(64)), "not well formed")


@pytest.mark.parametrize(
    "more",
    [{"digest": "2.16.840.1.101.3.4.2.1"}, {"algorithm": "1.2.840.10045.4.3.2"}, {"algorithm": "1.2.840.113549.1.1.11"}],
    ids=["sha256", "ecdsa", "rsa"],
)  # fmt: skip
def test_other_algorithms_are_refused(more: dict[str, str]) -> None:
    assert refusal(verify_signed_data, build(**more)) == "algorithm_refused"


def test_a_p256_certificate_is_refused() -> None:
    assert refusal(verify_signed_data, build(certificate=authority("HK TSA").certificate)) == "key_refused"


def test_the_signer_must_be_among_the_certificates() -> None:
    other = make_certificate("Signer", KEY, "Issuer", KEY, serial=5)
    info = cms.ContentInfo.load(build())
    info["content"]["certificates"][0] = cms.CertificateChoices("certificate", x509.Certificate.load(other))
    assert refusal(verify_signed_data, info.dump(force=True)) == "key_refused"


@pytest.mark.parametrize(
    "der", [b"", b"\x30\x00", b"nonsense", build() + b"\x00", build()[:-1], bytes(MAX_BYTES + 1)], ids=range(6)
)
def test_what_is_no_signed_data(der: bytes) -> None:
    assert refusal(verify_signed_data, der) == "signature_invalid"


def test_with_a_published_test_chain() -> None:
    """The shared test-only signer, whose certificate an OpenSSL with the right user id made."""
    folder = SHARED_DATA / "sm2"
    if not (folder / "testonly_ee.key").exists():
        pytest.skip("shared data absent: sm2/testonly_ee.key")
    certificate = pem.unarmor((folder / "testonly_ee.pem").read_bytes())[2]
    key = SM2PrivateKey.from_der(pem.unarmor((folder / "testonly_ee.key").read_bytes())[2])
    der = build(certificate=certificate, sign=lambda message, _info: key.sign(message))
    assert verify_signed_data(der).certificate == certificate

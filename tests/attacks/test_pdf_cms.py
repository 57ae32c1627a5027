"""Bent signature values: weak digests (40), ESS (41, 42), content type (43), confusion of algorithms, doubled parts."""

import hashlib

import pytest

from signing import cms_builder
from signing.cms_builder import oid, signed_attributes, signed_data, tlv
from tests.support import pki
from tests.support.signing import sign_pdf, sign_with_attributes, verdict

MESSAGE_DIGEST = oid("1.2.840.113549.1.9.4")
CONTENT_TYPE = oid("1.2.840.113549.1.9.3")
ESS = oid("1.2.840.113549.1.9.16.2.47")
DATA = oid("1.2.840.113549.1.7.1")
SHA256 = tlv(0x30, oid("2.16.840.1.101.3.4.2.1"), b"\x05\x00")
RSA_SHA256 = tlv(0x30, oid("1.2.840.113549.1.1.11"), b"\x05\x00")


def digest_of(made, name: str) -> bytes:
    data = made.document
    return hashlib.new(name, data[: made.gap_start] + data[made.gap_end :], usedforsecurity=False).digest()


def attribute(kind: bytes, value: bytes) -> bytes:
    return tlv(0x30, kind, tlv(0x31, value))


def parts(digest: bytes, *, ess: bytes | None = None, content: bytes = DATA) -> bytes:
    found = [attribute(CONTENT_TYPE, content), attribute(MESSAGE_DIGEST, tlv(0x04, digest))]
    if ess is not None:
        found.append(attribute(ESS, tlv(0x30, tlv(0x30, tlv(0x30, tlv(0x04, ess))))))
    return tlv(0x31, *sorted(found))


def of_holder() -> bytes:
    return hashlib.sha256(pki.holder().certificate).digest()


@pytest.mark.parametrize(
    ("name", "digest_oid", "signature_oid"),
    [("md5", "1.2.840.113549.2.5", "1.2.840.113549.1.1.4"), ("sha1", "1.3.14.3.2.26", "1.2.840.113549.1.1.5")],
    ids=["40a-md5", "40b-sha1"],
)
def test_40_weak_digests(name, digest_oid, signature_oid):
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding

    key = serialization.load_der_private_key(pki.holder().private_key.der, None)

    def weak(made):
        attributes = parts(digest_of(made, name), ess=of_holder())
        value = key.sign(attributes, padding.PKCS1v15(), getattr(hashes, name.upper())())
        whole = signed_data(made.signer, attributes, value)
        weaker = tlv(0x30, oid(digest_oid), b"\x05\x00"), tlv(0x30, oid(signature_oid), b"\x05\x00")
        return attributes, rebuilt(made, attributes, value, *weaker) or whole

    assert verdict(sign_with_attributes(weak))[:2] == ("INDETERMINATE", "CRYPTO_CONSTRAINTS_FAILURE")


def rebuilt(made, attributes: bytes, value: bytes, digest: bytes = SHA256, algorithm: bytes = RSA_SHA256) -> bytes:
    """SignedData with other AlgorithmIdentifiers than the builder writes."""
    from signing.certificates import parse_certificate

    certificate = parse_certificate(made.signer.certificate)
    serial = tlv(0x02, certificate.serial.to_bytes(certificate.serial.bit_length() // 8 + 1, "big"))
    signer = tlv(
        0x30, b"\x02\x01\x01", tlv(0x30, certificate.issuer, serial), digest, b"\xa0" + attributes[1:], algorithm,
        tlv(0x04, value),
    )  # fmt: skip
    content = tlv(
        0x30, b"\x02\x01\x01", tlv(0x31, digest), tlv(0x30, DATA), tlv(0xA0, made.signer.certificate), tlv(0x31, signer)
    )
    return tlv(0x30, oid("1.2.840.113549.1.7.2"), tlv(0xA0, content))


def test_41_ess_of_another_certificate():
    other = hashlib.sha256(pki.fresh().certificate).digest()
    bent = sign_with_attributes(lambda made: (parts(digest_of(made, "sha256"), ess=other), None))
    assert verdict(bent)[:2] == ("INDETERMINATE", "NO_SIGNING_CERTIFICATE_FOUND")


def test_42_no_signing_certificate_attribute():
    bent = sign_with_attributes(lambda made: (parts(digest_of(made, "sha256")), None))
    assert verdict(bent)[:2] == ("INDETERMINATE", "SIG_CONSTRAINTS_FAILURE")


def test_43_content_type_attribute_of_something_else():
    other = oid("1.2.840.113549.1.9.16.1.4")
    bent = sign_with_attributes(lambda made: (parts(digest_of(made, "sha256"), ess=of_holder(), content=other), None))
    assert verdict(bent)[:2] == ("TOTAL_FAILED", "FORMAT_FAILURE")


def test_two_message_digests():
    def doubled(made):
        digest = digest_of(made, "sha256")
        twice = [attribute(MESSAGE_DIGEST, tlv(0x04, digest))] * 2
        return tlv(0x31, attribute(CONTENT_TYPE, DATA), *twice), None

    assert verdict(sign_with_attributes(doubled))[:2] == ("TOTAL_FAILED", "FORMAT_FAILURE")


def test_two_values_in_one_attribute():
    def doubled(made):
        digest = digest_of(made, "sha256")
        two = tlv(0x30, MESSAGE_DIGEST, tlv(0x31, tlv(0x04, bytes(32)), tlv(0x04, digest)))
        return tlv(0x31, attribute(CONTENT_TYPE, DATA), two), None

    assert verdict(sign_with_attributes(doubled))[:2] == ("TOTAL_FAILED", "FORMAT_FAILURE")


def test_54_ecdsa_that_says_rsa():
    held = pki.holder("mo-p256")

    def confused(made):
        attributes = made.attributes
        return attributes, rebuilt(made, attributes, held.private_key.sign(attributes))

    assert verdict(sign_with_attributes(confused, held))[:2] == ("INDETERMINATE", "CRYPTO_CONSTRAINTS_FAILURE")


def test_attributes_in_place_of_content():
    """The attributes of a signature are no content: a value over the bare document digest is refused."""

    def without(made):
        value = pki.holder().private_key.sign(made.document[: made.gap_start] + made.document[made.gap_end :])
        whole = rebuilt(made, signed_attributes(digest_of(made, "sha256"), made.signer.certificate), value)
        return made.attributes, whole

    assert verdict(sign_with_attributes(without))[:2] == ("TOTAL_FAILED", "SIG_CRYPTO_FAILURE")


def test_a_digest_that_contradicts_the_signature_algorithm():
    def mixed(made):
        attributes = parts(digest_of(made, "sha512"), ess=of_holder())
        sha512 = tlv(0x30, oid("2.16.840.1.101.3.4.2.3"), b"\x05\x00")
        return attributes, rebuilt(made, attributes, pki.holder().private_key.sign(attributes), sha512)

    assert verdict(sign_with_attributes(mixed))[:2] == ("INDETERMINATE", "CRYPTO_CONSTRAINTS_FAILURE")


def test_sm2_under_the_empty_user_id_is_refused():
    from trust_lists.sm2 import SM2PrivateKey

    held = pki.holder("gd-sm2")

    def other_id(made):
        value = SM2PrivateKey.from_der(held.private_key.der).sign(made.attributes, user_id=b"")
        return made.attributes, cms_builder.signed_data(made.signer, made.attributes, value)

    assert verdict(sign_with_attributes(other_id, held))[:2] == ("TOTAL_FAILED", "SIG_CRYPTO_FAILURE")


def test_the_untouched_one_passes():
    assert verdict(sign_pdf())[0] == "TOTAL_PASSED"

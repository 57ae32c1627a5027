"""Certificates that may not sign documents (30a to 30g), and chains that lead nowhere."""

from datetime import timedelta

import pytest

from sandbox.pki import build_pki, profiles
from sandbox.pki.certificates import Issuer, Validity, build_end_entity_certificate
from sandbox.pki.keys import KeyKind, PrivateKey
from sandbox.pki.pki import IssuedCertificate
from signing.policy import STRICT
from tests.support import pki
from tests.support.pki import AT
from tests.support.signing import later, sign_pdf, verdict


def test_30a_an_unknown_ca(tmp_path):
    held = build_pki(tmp_path, pki.BASE_URL, AT).issue("hk-rsa", profiles.Subject("Somebody", "HK"), at=AT)
    assert verdict(sign_pdf(held=held)) == ("INDETERMINATE", "NO_CERTIFICATE_CHAIN_FOUND", "ok")


def test_30b_an_expired_certificate_without_time_stamp():
    held = pki.fresh(not_before=later(days=-9), lifetime=timedelta(days=3))
    assert verdict(sign_pdf(held=held))[:2] == ("INDETERMINATE", "OUT_OF_BOUNDS_NO_POE")


@pytest.mark.parametrize(
    "profile",
    [profiles.OCSP_RESPONDER, profiles.TLS_SERVER, profiles.TIME_STAMPING],
    ids=["30c-ocsp", "30e-tls", "30f-tsa"],
)
def test_30cef_a_certificate_for_something_else(profile):
    held = pki.fresh(profile=profile)
    assert verdict(sign_pdf(held=held))[:2] == ("INDETERMINATE", "CHAIN_CONSTRAINTS_FAILURE")


def test_a_certificate_without_signature_usage():
    held = pki.fresh(profile=profiles.CertificateProfile(frozenset({"key_agreement"})))
    assert verdict(sign_pdf(held=held))[:2] == ("INDETERMINATE", "CHAIN_CONSTRAINTS_FAILURE")


def test_the_strict_policy_wants_non_repudiation():
    held = pki.fresh(profile=profiles.CertificateProfile(frozenset({"digital_signature"})))
    signed = sign_pdf(held=held)
    assert verdict(signed)[0] == "TOTAL_PASSED"
    assert verdict(signed, policy=STRICT)[:2] == ("INDETERMINATE", "CHAIN_CONSTRAINTS_FAILURE")


def test_30d_a_revoked_certificate():
    held = pki.fresh()
    pki.pki().revoke(held.serial, later(days=-1))
    assert verdict(sign_pdf(held=held))[:2] == ("INDETERMINATE", "REVOKED_NO_POE")


def under(issuer: IssuedCertificate, chain: tuple[bytes, ...]) -> IssuedCertificate:
    """A certificate signed by an end entity's key."""
    from asn1crypto import x509

    name = x509.Certificate.load(issuer.certificate).subject
    key = PrivateKey.generate(KeyKind.P256)
    certificate = build_end_entity_certificate(
        Issuer(name, issuer.private_key),
        profiles.Subject("A Forger", "HK"),
        key.spki,
        Validity(later(hours=-1), later(days=30)),
        profile=profiles.SIGNER,
        policy_oid=profiles.HK_POLICY_OID,
        urls=None,
    )
    return IssuedCertificate("hk-rsa", certificate, key, chain)


def test_30g_the_issuer_is_no_ca():
    leaf = pki.fresh()
    forged = under(leaf, (leaf.certificate, *leaf.chain))
    assert verdict(sign_pdf(held=forged))[:2] == ("INDETERMINATE", "CERTIFICATE_CHAIN_GENERAL_FAILURE")


def test_a_ca_certificate_signs_no_document():
    authority = pki.pki().authorities["mo-p256"]
    held = IssuedCertificate("mo-p256", authority.certificate, authority._issuer.key, ())
    assert verdict(sign_pdf(held=held))[:2] == ("INDETERMINATE", "CHAIN_CONSTRAINTS_FAILURE")


def test_a_weak_key_signs_nothing():
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    from signing.cms_builder import suite_for
    from signing.errors import KeyRefused

    weak = rsa.generate_private_key(65537, 1024)
    spki = weak.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    authority = pki.pki().authorities["hk-rsa"]
    certificate = build_end_entity_certificate(
        authority._issuer, profiles.Subject("Weak", "HK"), spki, Validity(AT, later(days=9)), profile=profiles.SIGNER,
        policy_oid=None, urls=None,
    )  # fmt: skip
    with pytest.raises(KeyRefused):
        suite_for(certificate)

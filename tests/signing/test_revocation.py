"""Revocation, expiry and freshness, each at the time that counts."""

from datetime import timedelta

import pytest

from sandbox.pki import profiles
from signing.certificates import parse_certificate
from signing.evidence import build_ocsp_request
from signing.model import Evidence, SignatureLevel
from signing.policy import DEFAULT, STRICT
from signing.revocation import fresh_statement, revocation_of, statements
from tests.support import pki
from tests.support.pki import AT
from tests.support.signing import judge, later, sign_pdf, verdict


def ocsp_evidence(held, at=AT) -> Evidence:
    authority = pki.pki().authorities[held.authority]
    request = build_ocsp_request(parse_certificate(held.certificate), parse_certificate(authority.certificate))
    return Evidence(ocsp_responses=(authority.ocsp(request, at),))


@pytest.mark.parametrize("authority", ["hk-rsa", "mo-p256", "gd-sm2"])
@pytest.mark.parametrize("source", ["crl", "ocsp"])
def test_revoked_before_signing_is_revoked(authority, source):
    held = pki.fresh(authority)
    pki.pki().revoke(held.serial, later(hours=-2))
    evidence = pki.crls() if source == "crl" else ocsp_evidence(held)
    assert verdict(sign_pdf(held=held), evidence=evidence)[:2] == ("INDETERMINATE", "REVOKED_NO_POE")


def test_revoked_after_a_proven_time_still_passes():
    held = pki.fresh()
    signed = sign_pdf(held=held, level=SignatureLevel.B_T)
    pki.pki().revoke(held.serial, later(hours=1))
    assert verdict(signed, at=later(hours=2))[0] == "TOTAL_PASSED"


def test_revoked_after_signing_without_proof_does_not_pass():
    held = pki.fresh()
    signed = sign_pdf(held=held)
    pki.pki().revoke(held.serial, later(hours=1))
    assert verdict(signed, at=later(hours=2))[:2] == ("INDETERMINATE", "REVOKED_NO_POE")


def test_without_revocation_data_one_must_try_later():
    assert verdict(sign_pdf(), evidence=Evidence())[:2] == ("INDETERMINATE", "TRY_LATER")


def test_stale_revocation_data_is_none():
    evidence = pki.crls(later(days=-3))
    assert verdict(sign_pdf(), evidence=evidence)[:2] == ("INDETERMINATE", "TRY_LATER")


def test_an_expired_certificate_without_proof_is_out_of_bounds():
    held = pki.fresh(not_before=later(days=-20), lifetime=timedelta(days=10))
    assert verdict(sign_pdf(held=held))[:2] == ("INDETERMINATE", "OUT_OF_BOUNDS_NO_POE")


def test_an_expired_certificate_with_proof_from_its_lifetime_passes():
    held = pki.fresh(not_before=later(days=-20), lifetime=timedelta(days=21))
    signed = sign_pdf(held=held, level=SignatureLevel.B_T)
    assert verdict(signed, evidence=pki.crls(later(hours=1)).joined(pki.crls(later(days=2))), at=later(days=2))[0] == (
        "TOTAL_PASSED"
    )


def test_a_certificate_from_the_future_is_not_yet_valid():
    held = pki.fresh(not_before=later(days=1))
    assert verdict(sign_pdf(held=held))[:2] == ("TOTAL_FAILED", "NOT_YET_VALID")


def test_a_crl_of_another_key_under_the_same_name_says_nothing(tmp_path):
    from sandbox.pki import build_pki

    held = pki.fresh()
    impostor = build_pki(tmp_path, pki.BASE_URL, AT).authorities["hk-rsa"].crl(AT)
    ours = parse_certificate(held.certificate)
    assert statements(ours, parse_certificate(held.chain[0]), [impostor], [], AT) == ()


def test_an_ocsp_answer_by_a_certificate_without_delegation_says_nothing():
    held = pki.fresh()
    authority = pki.pki().authorities["hk-rsa"]
    signer = pki.fresh(profile=profiles.SIGNER)
    from sandbox.pki import status

    answer = status.answer(
        build_ocsp_request(parse_certificate(held.certificate), parse_certificate(authority.certificate)),
        status.Responder(signer.private_key, signer.certificate, authority.certificate),
        is_issued=lambda serial: True,
        revocation_of=lambda serial: None,
        at=AT,
    )
    assert (
        statements(parse_certificate(held.certificate), parse_certificate(authority.certificate), [], [answer], AT)
        == ()
    )


def test_one_revocation_outweighs_a_good_answer():
    held = pki.fresh()
    good = ocsp_evidence(held)
    pki.pki().revoke(held.serial, later(minutes=-5))
    certificate, issuer = parse_certificate(held.certificate), parse_certificate(held.chain[0])
    found = statements(certificate, issuer, pki.crls().crls, good.ocsp_responses, AT)
    assert len(found) == 2
    assert revocation_of(found).revoked_at == later(minutes=-5)


def test_the_strict_policy_wants_data_from_after_the_signature():
    held = pki.fresh()
    certificate, issuer = parse_certificate(held.certificate), parse_certificate(held.chain[0])
    found = statements(certificate, issuer, pki.crls(later(hours=-1)).crls, (), AT)
    assert fresh_statement(found, certificate, AT, DEFAULT) is not None
    assert fresh_statement(found, certificate, AT, STRICT) is None


def test_garbage_as_evidence_changes_nothing():
    garbage = Evidence(crls=(b"\x30\x00", b"x"), ocsp_responses=(b"\x30\x03\x0a\x01\x06", b"y"), certificates=(b"z",))
    assert judge(sign_pdf(), evidence=garbage.joined(pki.crls())).indication.value == "TOTAL_PASSED"

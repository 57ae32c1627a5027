"""What a signature is worth where, and what the end of a service does to it (EN 319 102-1, trust anchor sunset)."""

import pytest

from sandbox.pki.profiles import Subject
from signing.model import Indication, SignatureLevel
from tests.support import pki
from tests.support.pki import AT
from tests.support.signing import TrustListOfTheRun, judge, later, sign_pdf, verdict


@pytest.fixture(scope="module")
def listed() -> TrustListOfTheRun:
    return TrustListOfTheRun()


def effects(report) -> dict[tuple[str, str], str]:
    return {(row.region.value, row.purpose): row.effect.value for row in report.signatures[0].standing}


@pytest.mark.parametrize("authority", ["hk-rsa", "mo-p256", "gd-rsa", "gd-sm2"])
def test_a_listed_ca_passes_and_every_region_and_purpose_has_a_row(listed, authority):
    report = judge(sign_pdf(held=pki.holder(authority), level=SignatureLevel.B_T), anchors=listed.snapshot)
    assert report.indication is Indication.TOTAL_PASSED
    rows = effects(report)
    assert set(rows) == {(purpose.region.value, purpose.name) for purpose in listed.snapshot.scheme.purposes}
    assert "recognised" in rows.values()
    assert report.snapshot.sha256 == listed.snapshot.sha256


def test_hong_kong_is_recognised_at_home_and_in_the_mainland(listed):
    rows = effects(judge(sign_pdf(level=SignatureLevel.B_T), anchors=listed.snapshot))
    assert rows["hk", "hk_government"] == rows["gd", "mainland"] == "recognised"


def test_another_product_of_the_same_ca_is_recognised_nowhere(listed):
    held = pki.fresh(policy_oid="2.999.1.1")
    report = judge(sign_pdf(held=held, level=SignatureLevel.B_T), anchors=listed.snapshot)
    assert report.indication is Indication.TOTAL_PASSED
    assert set(effects(report).values()) == {"not_recognised"}


def test_the_name_of_a_listed_ca_with_another_key_is_nobody(listed, tmp_path):
    from sandbox.pki import build_pki

    other = build_pki(tmp_path, pki.BASE_URL, AT)
    held = other.issue("hk-rsa", Subject("CHAN, Ka Yan", "HK"), at=AT)
    report = judge(sign_pdf(held=held), anchors=listed.snapshot)
    assert report.signatures[0].sub_indication.word == "NO_CERTIFICATE_CHAIN_FOUND"
    assert set(effects(report).values()) == {"not_recognised"}


def test_a_time_stamping_service_anchors_no_signer(listed):
    held = pki.fresh("tsa")
    assert verdict(sign_pdf(held=held), anchors=listed.snapshot)[1] == "NO_CERTIFICATE_CHAIN_FOUND"


def test_after_the_withdrawal_the_proven_signature_stands_and_the_new_one_does_not():
    listed = TrustListOfTheRun()
    before = sign_pdf(level=SignatureLevel.B_T, at=AT)
    listed.withdraw("hk-rsa", later(hours=1))
    after = sign_pdf(level=SignatureLevel.B_T, at=later(hours=2))
    now = later(hours=3)

    old = judge(before, anchors=listed.snapshot, at=now)
    assert old.indication is Indication.TOTAL_PASSED
    assert effects(old)["gd", "mainland"] == "recognised"

    new = judge(after, anchors=listed.snapshot, at=now)
    assert new.indication is Indication.INDETERMINATE
    assert new.signatures[0].sub_indication.word == "NO_CERTIFICATE_CHAIN_FOUND_NO_POE"
    assert set(effects(new).values()) == {"not_recognised"}


def test_after_the_withdrawal_a_signature_without_time_stamp_is_not_proven():
    listed = TrustListOfTheRun()
    before = sign_pdf(level=SignatureLevel.B_B, at=AT)
    listed.withdraw("hk-rsa", later(hours=1))
    assert verdict(before, anchors=listed.snapshot, at=later(hours=3))[:2] == (
        "INDETERMINATE",
        "NO_CERTIFICATE_CHAIN_FOUND_NO_POE",
    )


def test_a_withdrawn_tsa_proves_nothing():
    listed = TrustListOfTheRun()
    signed = sign_pdf(level=SignatureLevel.B_T, at=AT)
    listed.withdraw("tsa", later(hours=1))
    report = judge(signed, anchors=listed.snapshot, at=later(hours=3))
    (found,) = report.signatures
    assert found.best_signature_time_proven is False
    assert found.timestamps[0].sub_indication.word == "NO_CERTIFICATE_CHAIN_FOUND_NO_POE"

"""What we make, we judge; in every algorithm, by both engines, at both levels."""

import pytest

from sandbox.pki import KeyKind
from signing.endesive_engine import EndesiveEngine
from signing.model import Coverage, Indication, IntegrityVerdict, SignatureFormat, SignatureLevel
from signing.pyhanko_engine import PyHankoEngine
from tests.support import pki
from tests.support.signing import judge, plain_pdf, sign_pdf, verdict

ALGORITHMS = [
    ("hk-rsa", None, False, "sha256_rsa"),
    ("hk-rsa", None, True, "rsassa_pss"),
    ("mo-p256", None, False, "sha256_ecdsa"),
    ("mo-p256", KeyKind.P384, False, "sha384_ecdsa"),
    ("mo-p256", KeyKind.ED25519, False, "ed25519"),
    ("gd-sm2", None, False, "sm2_sm3"),
]


@pytest.mark.parametrize("engine", [PyHankoEngine(), EndesiveEngine()], ids=lambda engine: engine.name)
@pytest.mark.parametrize(("authority", "kind", "pss", "name"), ALGORITHMS, ids=[item[3] for item in ALGORITHMS])
@pytest.mark.parametrize("level", [SignatureLevel.B_B, SignatureLevel.B_T])
def test_a_signature_of_ours_passes(engine, authority, kind, pss, name, level):
    signed = sign_pdf(held=pki.holder(authority, kind), level=level, engine=engine, pss=pss, reason="同意 agree")
    report = judge(signed)
    (found,) = report.signatures
    assert report.indication is Indication.TOTAL_PASSED, found.detail
    assert report.integrity_verdict is IntegrityVerdict.OK
    assert found.level is level
    assert found.algorithm == name
    assert found.integrity.coverage is Coverage.WHOLE_FILE
    assert found.best_signature_time_proven is (level is SignatureLevel.B_T)


def test_sm2_is_labelled_as_what_it_is():
    (found,) = judge(sign_pdf(held=pki.holder("gd-sm2"))).signatures
    assert found.format is SignatureFormat.PADES_SM2


@pytest.mark.parametrize("engine", [PyHankoEngine(), EndesiveEngine()], ids=lambda engine: engine.name)
def test_a_changed_byte_of_the_text_is_a_hash_failure(engine):
    signed = sign_pdf(plain_pdf(3), level=SignatureLevel.B_T, engine=engine)
    at = signed.index(b"stream", 300) + 20
    changed = signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :]
    assert verdict(changed) == ("TOTAL_FAILED", "HASH_FAILURE", "broken")


@pytest.mark.parametrize("place", range(0, 100, 4))
def test_a_changed_byte_anywhere_never_passes(place):
    signed = sign_pdf(level=SignatureLevel.B_T)
    gap_start = signed.index(b"<3082") + 1
    covered = [at for at in range(0, len(signed) - 1) if not gap_start - 1 <= at < signed.index(b">", gap_start) + 1]
    at = covered[place * (len(covered) - 1) // 100]
    changed = signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :]
    report = judge(changed)
    assert report.indication is not Indication.TOTAL_PASSED
    assert report.integrity_verdict is not IntegrityVerdict.OK


def test_two_signers_in_order_both_pass():
    once = sign_pdf(level=SignatureLevel.B_T)
    twice = sign_pdf(once, pki.holder("mo-p256"), level=SignatureLevel.B_T)
    report = judge(twice)
    assert [item.field for item in report.signatures] == ["Signature1", "Signature2"]
    assert report.indication is Indication.TOTAL_PASSED
    assert report.signatures[0].integrity.coverage is Coverage.WHOLE_REVISION


def test_a_file_without_signature_says_so():
    report = judge(plain_pdf())
    assert report.indication is Indication.NO_SIGNATURE
    assert report.integrity_verdict is IntegrityVerdict.NONE


@pytest.mark.parametrize("content", [b"", b"no pdf", b"%PDF-1.7", b"%PDF-1.7\nstartxref\n9\n%%EOF\n"])
def test_what_is_no_pdf_gets_a_verdict_and_a_code(content):
    report = judge(content)
    assert report.error is not None
    assert report.error.code == "document_malformed"
    assert report.indication is Indication.INDETERMINATE


def test_a_report_has_no_truth_value():
    with pytest.raises(TypeError):
        bool(judge(plain_pdf()))

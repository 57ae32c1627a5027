"""Time stamps that lie (50), that stamp something else, and document time stamps over changed content (51, 52)."""

import asyncio
from datetime import timedelta

import pytest

from signing import creation
from signing.model import SignatureLevel
from signing.pyhanko_engine import PyHankoEngine
from tests.support import pki
from tests.support.pki import AT
from tests.support.signing import judge, later, plain_pdf, sign_attributes, sign_pdf, verdict


def stamped_by(token_of, held=None) -> bytes:
    """A B-T signature whose token the test makes."""
    held = held or pki.holder()
    wish = creation.SigningOptions(level=SignatureLevel.B_T)
    made = creation.prepare(plain_pdf(), held.certificate, held.chain, wish, PyHankoEngine(), AT)
    value = sign_attributes(held, made)
    return creation.embed(made, value, token_of(value))


def first_time_stamp(document: bytes, **more):
    (found,) = judge(document, **more).signatures
    return found, found.timestamps[0]


def test_50_the_time_rewritten_without_the_tsas_key():
    token_time = AT.strftime("%Y%m%d%H%M%SZ").encode()
    lie = stamped_by(lambda value: pki.stamp(value).replace(token_time, b"20160101000000Z"))
    found, stamp = first_time_stamp(lie)
    assert stamp.sub_indication.word == "HASH_FAILURE"
    assert found.best_signature_time_proven is False
    assert found.level is SignatureLevel.B_B


def test_a_token_over_another_value():
    found, stamp = first_time_stamp(stamped_by(lambda value: pki.stamp(b"something else")))
    assert stamp.sub_indication.word == "HASH_FAILURE"
    assert found.level is SignatureLevel.B_B


def test_a_token_by_an_unknown_authority(tmp_path, monkeypatch):
    from sandbox.pki import build_pki

    other = build_pki(tmp_path, pki.BASE_URL, AT)

    def token(value: bytes) -> bytes:
        monkeypatch.setattr(pki, "pki", lambda: other)
        made = pki.stamp(value)
        monkeypatch.undo()
        return made

    found, stamp = first_time_stamp(stamped_by(token))
    assert stamp.sub_indication.word == "NO_CERTIFICATE_CHAIN_FOUND"
    assert found.best_signature_time_proven is False


def test_a_token_by_a_certificate_that_may_not_stamp():
    from sandbox.pki.timestamping import TimeStampUnit, stamp
    from signing import tsa

    held = pki.fresh("tsa")
    unit = TimeStampUnit(held.private_key, held.certificate, "2.999.344.1.1")

    def token(value: bytes) -> bytes:
        import hashlib

        digest = hashlib.sha256(value).digest()
        return tsa.read_response(stamp(tsa.build_request(digest, 1), unit, AT), digest, 1)

    _, verdict_on_stamp = first_time_stamp(stamped_by(token))
    assert verdict_on_stamp.sub_indication.word == "CHAIN_CONSTRAINTS_FAILURE"


def test_a_token_from_the_future():
    _, stamp = first_time_stamp(stamped_by(lambda value: pki.stamp(value, later(days=2))))
    assert stamp.sub_indication.word == "TIMESTAMP_ORDER_FAILURE"


def test_garbage_as_a_token_is_that_time_stamps_failure_alone():
    found, stamp = first_time_stamp(stamped_by(lambda value: b"\x30\x03\x02\x01\x05"))
    assert stamp.sub_indication.word == "FORMAT_FAILURE"
    assert found.indication.value == "TOTAL_PASSED"


def document_stamped(document: bytes, at=AT) -> bytes:
    reserved = creation.reserve_timestamp(document, 8192, at, PyHankoEngine())
    covered = reserved.data[: reserved.gap_start] + reserved.data[reserved.gap_end :]
    return creation.fill(reserved.data, reserved.gap_start, reserved.gap_end, pki.stamp(covered, at))


def test_51_a_document_time_stamp_alone():
    report = judge(document_stamped(plain_pdf()))
    # The time stamp is good, and it is no signature: a reader who asks for one is not told TOTAL_PASSED.
    assert (report.indication.value, report.integrity_verdict.value) == ("NO_SIGNATURE", "ok")
    assert report.signatures == ()
    assert [item.indication.value for item in report.document_timestamps] == ["TOTAL_PASSED"]


def test_52_content_changed_under_a_document_time_stamp():
    stamped = document_stamped(plain_pdf())
    at = stamped.index(b"endstream") - 8
    changed = stamped[:at] + b"#" + stamped[at + 1 :]
    assert verdict(changed)[2] == "broken"
    assert judge(changed).indication.value == "TOTAL_FAILED"


def test_a_document_time_stamp_proves_the_signature_below_it():
    held = pki.fresh(not_before=later(days=-20), lifetime=timedelta(days=21))
    signed = document_stamped(sign_pdf(held=held))
    report = judge(signed, evidence=pki.crls(later(hours=1)).joined(pki.crls(later(days=2))), at=later(days=2))
    (found,) = report.signatures
    assert found.indication.value == "TOTAL_PASSED"
    assert (found.level, found.best_signature_time_proven) == (SignatureLevel.B_T, True)


def test_53_a_dead_tsa_answers_nothing_of_a_lower_level():
    from signing.errors import RequestRefused, TsaUnavailable
    from signing.http import build_http_client
    from signing.tsa import TimestampClient

    held = pki.holder()
    wish = creation.SigningOptions(level=SignatureLevel.B_T)
    made = creation.prepare(plain_pdf(), held.certificate, held.chain, wish, PyHankoEngine(), AT)
    with pytest.raises(RequestRefused):
        creation.embed(made, sign_attributes(held, made))

    async def ask() -> None:
        async with build_http_client() as http:
            await TimestampClient("http://127.0.0.1:9/tsa", http).stamp(b"x")

    with pytest.raises(TsaUnavailable):
        asyncio.run(ask())


@pytest.mark.parametrize("answer", [b"", b"\x30\x05\x30\x03\x02\x01\x02", b"<html>"])
def test_an_answer_that_is_no_time_stamp(answer):
    from signing import tsa
    from signing.errors import TsaUnavailable

    with pytest.raises(TsaUnavailable):
        tsa.read_response(answer, bytes(32), 1)


def test_an_answer_to_another_request():
    from signing import tsa
    from signing.errors import TsaUnavailable

    answer = pki.pki().timestamp(tsa.build_request(bytes(32), 1), AT)
    with pytest.raises(TsaUnavailable):
        tsa.read_response(answer, bytes(32), 2)
    with pytest.raises(TsaUnavailable):
        tsa.read_response(answer, b"\x01" * 32, 1)

"""The small parts: the CMS builder's size, the codec of the pipe, prepared state, status rules, the RFC 3161 request."""

from dataclasses import replace

import pytest
from asn1crypto import cms as asn1_cms
from asn1crypto import tsp

from sandbox.pki import KeyKind
from signing import cms, cms_builder, tsa
from signing.cms_builder import SignerMaterial, oid, suite_for, tlv
from signing.creation import PreparedSignature, SigningOptions, fill, prepare
from signing.errors import CmsMalformed, DocumentRefused, DocumentTooLarge, EngineRefused, RequestRefused
from signing.model import SignatureLevel
from signing.pyhanko_engine import PyHankoEngine
from signing.report import worst_indication, worst_integrity
from signing.transaction_model import FOLLOWS, LEASE, Transaction, TransactionStatus
from signing.transport import decode, encode
from signing.validation import Judgement
from signing.validation import judge as judge_file
from tests.support import pki
from tests.support.pki import AT
from tests.support.signing import later, plain_pdf, sign_pdf

KINDS = [
    ("hk-rsa", None),
    ("mo-p256", None),
    ("mo-p256", KeyKind.P384),
    ("mo-p256", KeyKind.ED25519),
    ("gd-sm2", None),
]


@pytest.mark.parametrize(("authority", "kind"), KINDS)
def test_the_size_is_known_before_the_value(authority, kind):
    held = pki.holder(authority, kind)
    signer = SignerMaterial(held.certificate, held.chain, suite_for(held.certificate))
    attributes = cms_builder.signed_attributes(bytes(32), held.certificate)
    value = held.private_key.sign(attributes)
    made = cms_builder.signed_data(signer, attributes, value)
    room = cms_builder.largest_size(signer, 0)
    assert len(made) <= room <= len(made) + 64
    token = pki.stamp(value)
    assert len(cms_builder.signed_data(signer, attributes, value, token)) <= cms_builder.largest_size(
        signer, len(token)
    )


def test_what_is_built_is_der_that_another_library_reads_the_same():
    held = pki.holder()
    signer = SignerMaterial(held.certificate, held.chain, suite_for(held.certificate))
    attributes = cms_builder.signed_attributes(bytes(32), held.certificate)
    made = cms_builder.signed_data(signer, attributes, held.private_key.sign(attributes), pki.stamp(b"x"))
    parsed = asn1_cms.ContentInfo.load(made, strict=True)
    names = [item["type"].native for item in parsed["content"]["signer_infos"][0]["signed_attrs"]]
    assert sorted(names) == ["content_type", "message_digest", "signing_certificate_v2"]
    assert parsed["content"]["signer_infos"][0]["unsigned_attrs"][0]["type"].native == "signature_time_stamp_token"


@pytest.mark.parametrize("dotted", ["1.2.840.113549.1.7.2", "2.999.446.1", "2.16.344.8.2.2008.810.2.2018.1.1"])
def test_object_identifiers(dotted):
    from asn1crypto.core import ObjectIdentifier

    assert ObjectIdentifier.load(oid(dotted)).dotted == dotted


@pytest.mark.parametrize("size", [0, 127, 128, 255, 256, 70_000])
def test_lengths(size):
    from asn1crypto.core import OctetString

    assert OctetString.load(tlv(0x04, bytes(size)), strict=True).native == bytes(size)


def test_a_judgement_survives_the_pipe():
    judged = judge_file(sign_pdf(level=SignatureLevel.B_T), pki.crls(), pki.roots(), pki_policy(), AT)
    assert decode(Judgement, encode(judged)) == judged


def pki_policy():
    from signing.policy import DEFAULT

    return DEFAULT


@pytest.mark.parametrize("data", [None, [], {}, {"report": 1, "lacking": []}, "x", 5])
def test_what_is_no_judgement_does_not_decode(data):
    with pytest.raises(ValueError, match="expected"):
        decode(Judgement, data)


def prepared() -> PreparedSignature:
    held = pki.holder()
    return prepare(plain_pdf(), held.certificate, held.chain, SigningOptions(), PyHankoEngine(), AT)


def test_a_prepared_signature_waits_as_text_and_bytes():
    made = prepared()
    assert PreparedSignature.from_state(made.state(), made.document) == made


def test_a_value_too_large_for_its_gap():
    made = prepared()
    with pytest.raises(DocumentTooLarge):
        fill(made.document, made.gap_start, made.gap_end, bytes(made.gap_end - made.gap_start))


def test_a_level_that_is_not_made_here():
    held = pki.holder()
    with pytest.raises(RequestRefused):
        prepare(plain_pdf(), held.certificate, held.chain, SigningOptions(SignatureLevel.B_LT), PyHankoEngine(), AT)


def test_a_document_with_a_broken_signature_is_not_signed_again():
    signed = sign_pdf()
    broken = signed + b"trailing"
    held = pki.holder()
    with pytest.raises(DocumentRefused):
        prepare(broken, held.certificate, held.chain, SigningOptions(), PyHankoEngine(), AT)


def test_endesive_refuses_what_it_does_wrongly():
    from signing.endesive_engine import EndesiveEngine
    from tests.attacks.test_pdf_certification import form_pdf

    with pytest.raises(EngineRefused):
        sign_pdf(form_pdf(), engine=EndesiveEngine())
    with pytest.raises(EngineRefused):
        sign_pdf(engine=EndesiveEngine(), box=(0, 10, 10, 90, 40))


def test_an_engine_that_touches_the_old_bytes_is_refused():
    class Careless(PyHankoEngine):
        def reserve(self, document, field, contents_bytes):
            made = super().reserve(document, field, contents_bytes)
            return replace(made, data=made.data[:100] + b"?" + made.data[101:])

    with pytest.raises(DocumentRefused):
        sign_pdf(engine=Careless())


def test_the_time_stamp_request_is_what_others_read():
    parsed = tsp.TimeStampReq.load(tsa.build_request(bytes(range(32)), 2**62 + 5), strict=True)
    assert parsed["message_imprint"]["hashed_message"].native == bytes(range(32))
    assert parsed["nonce"].native == 2**62 + 5
    assert parsed["cert_req"].native is True


@pytest.mark.parametrize(
    "contents", [b"", b"\x30", b"\x30\x80", b"\x30\x03\x02\x01", b"\x30\x01\x00\x01", b"\x04\x00\x00\x00"]
)
def test_contents_that_hold_no_value(contents):
    with pytest.raises(CmsMalformed):
        cms.parse_signed_data(cms.unpadded(contents))


def transaction(status: TransactionStatus) -> Transaction:
    return Transaction(
        "id",
        "client",
        "Client",
        "gd",
        "person",
        "a.pdf",
        "00",
        "",
        SignatureLevel.B_T,
        status,
        AT,
        AT,
        later(minutes=30),
    )


def test_final_states_stay():
    for status in TransactionStatus:
        for following in TransactionStatus:
            if status.is_final:
                assert not transaction(status).may_become(following, later(hours=9))


def test_a_working_state_is_taken_over_only_after_its_lease():
    working = transaction(TransactionStatus.COMPLETING)
    assert not working.may_become(TransactionStatus.COMPLETING, AT + LEASE)
    assert working.may_become(TransactionStatus.COMPLETING, AT + 2 * LEASE)
    assert TransactionStatus.COMPLETING in FOLLOWS[TransactionStatus.SIGNED]


def test_the_worst_counts():
    from signing.model import Indication, IntegrityVerdict

    assert worst_indication([]) is Indication.NO_SIGNATURE
    assert worst_indication([Indication.TOTAL_PASSED, Indication.INDETERMINATE]) is Indication.INDETERMINATE
    assert worst_integrity([IntegrityVerdict.OK, IntegrityVerdict.BROKEN]) is IntegrityVerdict.BROKEN

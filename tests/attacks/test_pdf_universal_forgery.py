"""Universal signature forgery (17 to 20) and signature wrapping (21): the dictionary is bent, the signed bytes stay."""

import re

from tests.support.signing import incremental_update, judge, object_body, object_with, sign_pdf, verdict


def bent(replace_from: bytes, replace_to: bytes) -> bytes:
    """Rewrite the signature dictionary in an update."""
    signed = sign_pdf()
    number = object_with(signed, b"/ByteRange")
    body = object_body(signed, number)
    changed = re.sub(replace_from, replace_to, body, count=1, flags=re.DOTALL)
    assert changed != body
    return incremental_update(signed, {number: changed})


def refused(document: bytes) -> str:
    indication, _, integrity = verdict(document)
    assert indication == "TOTAL_FAILED"
    return integrity


def test_17_rewritten_without_contents():
    assert refused(bent(rb"/Contents <[0-9A-Fa-f]+>", b"")) == "malformed"


def test_18_rewritten_without_byte_range():
    assert refused(bent(rb"/ByteRange \[[^\]]*\]", b"")) == "malformed"


def test_19_byte_range_null():
    assert refused(bent(rb"/ByteRange \[[^\]]*\]", b"/ByteRange null")) == "malformed"


def test_20_unknown_sub_filter():
    assert refused(bent(rb"/SubFilter /ETSI.CAdES.detached", b"/SubFilter /Whatever")) == "modified"


def test_the_reason_replaced_in_an_update():
    assert refused(bent(rb"/Type /Sig", b"/Type /Sig /Reason (I owe everything)")) == "modified"


def test_20_unknown_sub_filter_in_the_signed_file_itself():
    signed = sign_pdf()
    changed = signed.replace(b"/ETSI.CAdES.detached", b"/ETSI.CAdES.detacheX", 1)
    assert refused(changed) != "ok"


def test_the_field_loses_its_value_and_the_file_keeps_the_signature():
    signed = sign_pdf()
    number = object_with(signed, b"/FT /Sig")
    body = re.sub(rb"/V \d+ 0 R", b"", object_body(signed, number))
    report = judge(incremental_update(signed, {number: body}))
    assert report.indication.value == "TOTAL_FAILED"
    assert report.signatures[0].field == ""


def test_21_signed_tail_moved_behind_an_attackers_part():
    signed = sign_pdf()
    found = re.search(rb"/ByteRange \[0 (\d+) (\d+) (\d+)\]", signed)
    first, second = int(found[1]), int(found[2])
    tail = signed[second:]
    between = b"\n800 0 obj\n<< /Type /Page >>\nendobj\n" + b" " * 200
    moved = signed[:second] + between + tail
    ranged = b"/ByteRange [0 %d %d %d]" % (first, second + len(between), len(tail))
    wrapped = moved[: found.start()] + ranged.ljust(found.end() - found.start()) + moved[found.end() :]
    assert refused(wrapped) in ("malformed", "broken", "modified")


def test_a_file_with_two_dictionaries_keys_is_refused():
    signed = sign_pdf()
    number = object_with(signed, b"/ByteRange")
    body = object_body(signed, number).replace(b"/Type /Sig", b"/Type /Sig /Type /Sig", 1)
    assert refused(incremental_update(signed, {number: body})) != "ok"


def test_the_signature_of_another_document():
    stolen, victim = sign_pdf(), sign_pdf(reason="something longer than before")
    value = re.search(rb"<(30[0-9a-f]+)>", stolen)[1]
    place = re.search(rb"<(30[0-9a-f]+)>", victim)
    room = place.end(1) - place.start(1)
    forged = victim[: place.start(1)] + value.ljust(room, b"0")[:room] + victim[place.end(1) :]
    assert verdict(forged)[:2] == ("TOTAL_FAILED", "HASH_FAILURE")

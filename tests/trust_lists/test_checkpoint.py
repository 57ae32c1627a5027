"""Checkpoints and notes: the published example, what is not one, and evidence that proves itself."""

from datetime import UTC, datetime

import pytest

from tests.support.trust_lists import Offices, refusal
from trust_lists.checkpoint import (
    Checkpoint,
    cosign_note,
    note_key,
    parse_checkpoint,
    parse_note,
    parse_note_key,
    sign_note,
    verify_note,
    write_note,
)
from trust_lists.drafting import repeal_agreement
from trust_lists.equivocation import Evidence, compare, parse_evidence, verify_evidence
from trust_lists.signers import generate_key
from trust_lists.transparency import parse_log_entry, parse_log_keys, parse_proof

AT = datetime(2026, 11, 25, tzinfo=UTC)
# The example of C2SP signed-note, which is that of Go's golang.org/x/mod/sumdb/note.
KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_the_published_note_verifies() -> None:
    key = parse_note_key(KEY)
    assert key.text() == KEY
    assert verify_note(parse_note(NOTE.encode()), [key]) == {key: None}
    assert refusal(verify_note, parse_note(NOTE.replace("answer", "ANSWER").encode()), [key]) == "signature_invalid"


def test_signatures_and_cosignatures() -> None:
    log, witness = generate_key(), generate_key()
    text = Checkpoint("example/log", 3, bytes(32)).text()
    keys = [note_key("example/log", log.public_key), note_key("w", witness.public_key, cosigns=True)]
    note = write_note(text, [sign_note(text, "example/log", log), cosign_note(text, "w", witness, AT)])
    assert verify_note(parse_note(note), keys) == {keys[0]: None, keys[1]: AT}
    assert parse_checkpoint(parse_note(note).text) == Checkpoint("example/log", 3, bytes(32))
    plain = write_note(text, [sign_note(text, "w", witness)])  # a signature is no co-signature
    assert verify_note(parse_note(plain), keys) == {}
    later = note.replace(b"\n3\n", b"\n4\n")
    assert refusal(verify_note, parse_note(later), keys) == "signature_invalid"
    assert refusal(note_key, "x", generate_key("p256").public_key) == "key_refused"


@pytest.mark.parametrize(
    "text",
    ["", "a\n1\nAAAA\n", "a\n01\n" + "A" * 43 + "=\n", "a b\n1\n" + "A" * 43 + "=\n", "a\n1\n" + "A" * 43 + "=\nextension\n", "a\n1\n!\n"],
)  # fmt: skip
def test_what_is_no_checkpoint(text: str) -> None:
    assert refusal(parse_checkpoint, text) == "list_malformed"


@pytest.mark.parametrize(
    "data",
    [b"", b"text", b"text\n\n", b"text\n\nno signature\n", b"\xff\n\n", b"x" * 20_000, b"t\n\n\xe2\x80\x94 n AA=A\n"],
)
def test_what_is_no_note(data: bytes) -> None:
    assert refusal(parse_note, data) == "list_malformed"


@pytest.mark.parametrize(
    "value",
    [None, {}, {"log": KEY, "witnesses": {}}, {"log": KEY, "witnesses": {"xx": KEY}}, {"log": 1, "witnesses": {}}],
)
def test_what_names_no_log(value: object) -> None:
    assert refusal(parse_log_keys, value) == "list_malformed"


def test_what_is_no_proof_leaf_or_key() -> None:
    for rest in (b"index 00\n\n", b"index 0\nAAAA\n\nx", b"index 0\n!\n\nx", b"index 0\n"):
        assert refusal(parse_proof, b"c2sp.org/tlog-proof@v1\n" + rest) == "list_malformed"
    assert refusal(parse_proof, b"x\nindex 0\n\ny") == "list_malformed"
    assert refusal(parse_log_entry, b"gba-trust/list-snapshot/v1\n0\n") == "list_malformed"
    for text in ("a", KEY.replace("c74f20a3", "c74f20a4"), KEY[:-8], "a+b+!"):
        assert refusal(parse_note_key, text) == "list_malformed"


# --- evidence ----------------------------------------------------------------------------------------------------------


def two_snapshots() -> tuple[Offices, Evidence]:
    offices = Offices()
    one, two = (
        offices.bundle(offices.staged(repeal_agreement(offices.draft(), name, offices.clock())))
        for name in ("hk-gd", "gd-mo")
    )
    found = compare(offices.root, (2, one.snapshot), (2, two.snapshot))
    assert found is not None
    return offices, found


def test_two_snapshots_of_one_version_prove_themselves() -> None:
    offices, found = two_snapshots()
    again = parse_evidence(found.to_bytes())
    assert again == found
    assert "two different lists as version 2" in verify_evidence(again).statement
    forger = Offices()
    forged = Evidence(found.kind, offices.root, found.first, forger.published.bundle.snapshot)
    assert refusal(verify_evidence, forged) == "signature_invalid"
    same = Evidence(found.kind, offices.root, found.first, found.first)
    assert refusal(verify_evidence, same) == "list_malformed"
    assert compare(offices.root, (2, found.first), (2, found.first)) is None


def test_two_logs_prove_themselves() -> None:
    offices = Offices()
    one, two = offices.notary.fork(), offices.notary.fork()
    for notary, name in ((one, "hk-gd"), (two, "gd-mo")):
        offices.bundle(offices.staged(repeal_agreement(offices.draft(), name, offices.clock())), log=notary)
    same_size = compare(offices.root, (1, b"{}"), (2, b"{}"), [(one.note, ()), (two.note, ())])
    assert same_size is not None and "2 leaves" in verify_evidence(same_size).statement
    two.prove(3, b"{}", AT)
    longer = compare(offices.root, (1, b"{}"), (2, b"{}"), [(two.note, two.log.leaves), (one.note, one.log.leaves)])
    assert longer is not None and len(longer.leaves) == 3
    assert "does not begin with them" in verify_evidence(longer).statement
    bare = Evidence(longer.kind, longer.root, longer.first, longer.second, longer.leaves[:2])
    assert refusal(verify_evidence, bare) == "list_malformed"
    assert compare(offices.root, (1, b"{}"), (2, b"{}"), [(one.note, ()), (one.note, ())]) is None


@pytest.mark.parametrize("data", [b"", b"{}", b'{"kind":"x","root":"","first":"","second":"","leaves":[]}'])
def test_what_is_no_evidence(data: bytes) -> None:
    assert refusal(parse_evidence, data) == "list_malformed"


def test_evidence_under_nonsense() -> None:
    for root in (b"", b"{}", Offices().published.bundle.timestamp):
        assert refusal(verify_evidence, Evidence("two_logs", root, b"", b"")) == "list_malformed"

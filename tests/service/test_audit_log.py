"""The chain finds every way of changing history; checkpoints find what a chain cannot."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, KeySet

from service.audit_log import EMPTY, Entry, Head, link, read_checkpoint, sign_checkpoint, verify_chain, verify_log
from service.errors import AuditBroken

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
KEY = ECKey.generate_key("P-256", {"kid": "audit-1"}, private=True)
KEYS = KeySet([KEY])


def make_log(length: int) -> list[Entry]:
    entries: list[Entry] = []
    head = EMPTY
    for index in range(length):
        entry = link(
            head, at=AT, event="token.issued", outcome="ok", correlation=f"login-{index}", detail={"client": "bank"}
        )
        entries.append(entry)
        head = Head(entry.seq, entry.hash)
    return entries


def test_an_untouched_log_verifies_to_its_head() -> None:
    log = make_log(5)
    assert verify_log(log, []).head == Head(5, log[-1].hash)


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "invalid_grant"},
        {"at_us": 0},
        {"correlation": "other"},
        {"detail": {"client": "other"}},
        {"event": "x"},
        {"prev": "0" * 64},
    ],
)
def test_an_edited_entry_is_found(change: dict[str, object]) -> None:
    log = make_log(5)
    log[2] = replace(log[2], **change)
    with pytest.raises(AuditBroken, match="entry 3"):
        list(verify_chain(log))


def test_a_dropped_entry_is_found() -> None:
    log = make_log(5)
    del log[2]
    with pytest.raises(AuditBroken, match="entry 4 does not follow"):
        list(verify_chain(log))


def test_swapped_entries_are_found() -> None:
    log = make_log(5)
    log[1], log[2] = log[2], log[1]
    with pytest.raises(AuditBroken):
        list(verify_chain(log))


def test_a_cut_tail_is_found_by_a_checkpoint_only() -> None:
    log = make_log(5)
    checkpoint = read_checkpoint(sign_checkpoint(Head(5, log[-1].hash), KEY, at=AT), KEYS)
    assert verify_log(log[:3], []).head.seq == 3
    with pytest.raises(AuditBroken, match="ends at entry 3"):
        verify_log(log[:3], [checkpoint])


def test_a_fork_is_found_by_a_checkpoint() -> None:
    log = make_log(3)
    fork = [*log[:2], link(Head(2, log[1].hash), at=AT, event="other", outcome="ok", correlation="x", detail={})]
    with pytest.raises(AuditBroken, match="entry 3 is not the one"):
        verify_log(fork, [Head(3, log[2].hash)])


def test_a_checkpoint_by_another_key_is_refused() -> None:
    stranger = ECKey.generate_key("P-256", {"kid": "audit-1"}, private=True)
    with pytest.raises(AuditBroken, match="not signed by an audit key"):
        read_checkpoint(sign_checkpoint(Head(1, "a" * 64), stranger, at=AT), KEYS)


def test_detail_is_bounded() -> None:
    with pytest.raises(ValueError, match="too large"):
        link(EMPTY, at=AT, event="x", outcome="ok", correlation="y", detail={"text": "z" * 5000})


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
DETAIL = st.dictionaries(TEXT, st.one_of(TEXT, st.integers(), st.booleans(), st.none()), max_size=5)


@given(event=TEXT, outcome=TEXT, correlation=TEXT, detail=DETAIL)
def test_the_hash_is_that_of_the_whole_objects_canonical_json(
    event: str, outcome: str, correlation: str, detail
) -> None:
    head = Head(41, "a" * 64)
    entry = link(head, at=AT, event=event, outcome=outcome, correlation=correlation, detail=detail)
    whole = {
        "seq": 42, "at_us": entry.at_us, "event": event, "outcome": outcome, "correlation": correlation,
        "detail": detail, "prev": head.hash,
    }  # fmt: skip
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert entry.hash == hashlib.sha256(text.encode()).hexdigest()

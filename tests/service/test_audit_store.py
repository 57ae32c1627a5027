"""The stored log: durable, in order under concurrency, append-only, and verified as a whole."""

import asyncio
import sqlite3
from collections.abc import Awaitable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.audit_file import create_audit_file, open_for_writing
from service.audit_log import Head, link
from service.audit_store import AuditLog, verify_stored
from service.errors import AuditBroken, ServiceUnavailable
from service.key_ring import KeyRing
from trust_lists.audit_trail import AuditEvent

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.fixture
async def stored(tmp_path: Path):
    path = tmp_path / "audit.db"
    create_audit_file(path)
    log = AuditLog(path, KeyRing.open(tmp_path / "keys", b"k" * 32, at=AT), lambda: AT)
    await log.start()
    yield log, path
    await log.stop()


async def test_concurrent_events_form_one_chain(stored) -> None:
    log, _ = stored
    await asyncio.gather(*(log.record("login.started", correlation=f"t{i}") for i in range(300)))
    assert (await log.verify()).head.seq == 300


async def test_entries_of_one_errand_are_found_by_correlation(stored) -> None:
    log, _ = stored
    await log.record("login.started", correlation="a")
    await log.record("login.started", correlation="b")
    await log.record("token.issued", correlation="a", outcome="ok", detail={"client": "bank"})
    assert [entry.event for entry in await log.entries(correlation="a")] == ["login.started", "token.issued"]


async def test_the_table_refuses_update_and_delete(stored) -> None:
    log, path = stored
    await log.record("login.started", correlation="a")
    with sqlite3.connect(path) as other:
        for statement in ("UPDATE audit_entries SET outcome='x'", "DELETE FROM audit_entries"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                other.execute(statement)
    other.close()


async def test_an_edit_behind_the_triggers_is_found(stored) -> None:
    log, path = stored
    for index in range(3):
        await log.record("login.started", correlation=f"t{index}")
    with sqlite3.connect(path) as other:
        other.execute("DROP TRIGGER audit_entries_no_update")
        other.execute("UPDATE audit_entries SET outcome='changed' WHERE seq = 2")
    other.close()
    with pytest.raises(AuditBroken, match="entry 2"):
        await log.verify()


async def test_a_truncated_log_is_found_after_a_checkpoint(stored) -> None:
    log, path = stored
    for index in range(3):
        await log.record("login.started", correlation=f"t{index}")
    await log.checkpoint()
    with sqlite3.connect(path) as other:
        other.execute("DROP TRIGGER audit_entries_no_delete")
        other.execute("DELETE FROM audit_entries WHERE seq = 3")
    other.close()
    with pytest.raises(AuditBroken, match="ends at entry 2"):
        await log.verify()


async def test_the_events_of_a_batch_follow_one_another(stored) -> None:
    log, _ = stored
    batches = [[AuditEvent("login.step", f"t{n}", detail={"step": step}) for step in range(3)] for n in range(50)]
    await asyncio.gather(
        *(log.record_all(batch) for batch in batches), *(log.record("x", correlation="y") for _ in range(20))
    )
    entries = await log.entries()
    assert len(entries) == 170
    for number in range(50):
        found = [entry for entry in entries if entry.correlation == f"t{number}"]
        assert [entry.detail["step"] for entry in found] == [0, 1, 2]
        assert [entry.seq - found[0].seq for entry in found] == [0, 1, 2]
    assert (await log.verify()).head.seq == 170


async def test_an_event_that_cannot_be_an_entry_spoils_no_other(stored) -> None:
    log, _ = stored
    done = await asyncio.gather(
        log.record("good", correlation="a"),
        log.record("too large", correlation="a", detail={"text": "z" * 5000}),
        log.record("no text", correlation="\ud800"),
        log.record_all([AuditEvent("good", "b"), AuditEvent("no text", "b", detail={"x": "\udfff"})]),
        log.record_all([AuditEvent("many", "c")] * 65),
        log.record("good", correlation="a"),
        return_exceptions=True,
    )
    assert [type(result) for result in done[1:5]] == [ValueError, UnicodeEncodeError, UnicodeEncodeError, ValueError]
    assert [entry.event for entry in await log.entries()] == ["good", "good"]


async def test_an_entry_is_on_disk_when_record_returns(stored) -> None:
    log, path = stored
    await log.record("login.started", correlation="a")
    other = sqlite3.connect(path)
    assert other.execute("SELECT count(*) FROM audit_entries").fetchone() == (1,)
    other.close()


async def test_a_checkpoint_is_signed_every_thousand_entries_and_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    create_audit_file(path)
    ring = KeyRing.open(tmp_path / "keys", b"k" * 32, at=AT)
    log = AuditLog(path, ring, lambda: AT)
    await log.start()
    for _ in range(21):
        await asyncio.gather(*(log.record_all([AuditEvent("x", "y")] * 10) for _ in range(10)))
    await log.stop()
    other = sqlite3.connect(path)
    seqs = [row[0] for row in other.execute("SELECT seq FROM audit_checkpoints ORDER BY seq")]
    verified = verify_stored(other, ring.jwt_keys("audit").published())
    other.close()
    assert [seq // 1000 for seq in seqs] == [1, 2, 2]
    assert (verified.head.seq, verified.checkpoints) == (2100, 3)


async def test_when_the_disk_is_full_who_waits_is_told_and_the_log_goes_on_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    create_audit_file(path)
    connections = []

    def open_small(where: Path, *, waits: bool = True) -> sqlite3.Connection:
        connection = open_for_writing(where, waits=waits)
        connection.execute("PRAGMA max_page_count=14")
        connections.append(connection)
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("service.audit_writer.open_for_writing", open_small)
        log = AuditLog(path, KeyRing.open(tmp_path / "keys", b"k" * 32, at=AT), lambda: AT)
        await log.start()
        done = [await told(log.record("x", correlation=f"c{n}", detail={"text": "z" * 3000})) for n in range(30)]
    kept = done.count(None)
    assert 0 < kept < 30
    assert {type(result) for result in done[kept:]} == {ServiceUnavailable}
    connections[0].execute("PRAGMA max_page_count=1000000")
    await log.record("x", correlation="again")
    assert (await log.verify()).head.seq == kept + 1
    await log.stop()


async def told(record: Awaitable[None]) -> ServiceUnavailable | None:
    try:
        await record
    except ServiceUnavailable as error:
        return error
    return None


async def test_an_entry_of_another_process_does_not_break_the_chain(stored) -> None:
    """Nothing else may append, but if it did: the one group is refused, the next one continues from what is there."""
    log, path = stored
    await log.record("x", correlation="a")
    (first,) = await log.entries()
    foreign = link(Head(1, first.hash), at=AT, event="foreign", outcome="ok", correlation="f", detail={})
    with sqlite3.connect(path) as other:
        other.execute(
            "INSERT INTO audit_entries VALUES (2, ?, 'foreign', 'ok', 'f', '{}', ?, ?)",
            (foreign.at_us, first.hash, foreign.hash),
        )
    other.close()
    with pytest.raises(ServiceUnavailable):
        await log.record("x", correlation="b")
    await log.record("x", correlation="c")
    assert (await log.verify()).head.seq == 3


async def test_a_stopped_log_takes_nothing(stored) -> None:
    log, _ = stored
    waiting = [asyncio.ensure_future(log.record("x", correlation="a")) for _ in range(5)]
    await asyncio.sleep(0)
    await log.stop()
    await asyncio.gather(*waiting)
    with pytest.raises(ServiceUnavailable):
        await log.record("x", correlation="a")

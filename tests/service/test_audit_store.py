"""The stored log: durable, in order under concurrency, append-only, and verified as a whole."""

import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.audit_store import AuditLog
from service.database import SqliteDatabase, upgrade_schema
from service.errors import AuditBroken
from service.key_ring import KeyRing

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.fixture
async def stored(tmp_path: Path):
    path = tmp_path / "service.db"
    upgrade_schema(path)
    database = SqliteDatabase(path, synchronous="FULL")
    log = AuditLog(database, KeyRing.open(tmp_path / "keys", b"k" * 32, at=AT), lambda: AT)
    await log.start()
    yield log, path
    await log.stop()
    database.close()


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

"""The store's promises, over SQLite with the migration's own schema."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from idp.connectors.iam_smart.sqlite_store import KEPT_AFTER_DEADLINE, SqliteIamSmartStore
from idp.connectors.iam_smart.store import (
    IamSmartStore,
    PendingKind,
    PendingRequest,
    PendingStatus,
    SessionRow,
    Settlement,
)
from tests.support.iam_smart import Database

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
REQUEST = PendingRequest("ref", PendingKind.PROFILE, "biz", "state", "txn", NOW + timedelta(minutes=18), b"context")


@pytest.fixture
def store(tmp_path):
    database = Database(tmp_path / "store.sqlite")
    yield SqliteIamSmartStore(database)
    database.close()


async def test_timestamps_never_go_back_whoever_asks(store: IamSmartStore):
    wanted = [random.Random(7).randrange(1_000_000, 2_000_000) for _ in range(50)]
    given: list[int] = []

    async def worker(now_ms: int) -> None:
        given.append(await store.next_timestamp("client", now_ms))

    for now_ms in wanted:
        await worker(now_ms)
    assert given == sorted(given) and all(out >= asked for out, asked in zip(given, wanted, strict=True))
    results = await asyncio.gather(*(store.next_timestamp("client", now_ms) for now_ms in wanted))
    assert set(results) == {max(wanted)}
    assert await store.next_timestamp("another", 5) == 5


async def test_a_request_is_found_by_both_its_names(store: IamSmartStore):
    await store.add_pending(REQUEST, at=NOW)
    assert await store.load_pending("ref") == await store.find_pending("biz") == REQUEST
    assert await store.load_pending("biz") is None and await store.find_pending("ref") is None


async def test_a_request_is_settled_once(store: IamSmartStore):
    await store.add_pending(REQUEST, at=NOW)
    session = SessionRow("handle", b"sealed", NOW + timedelta(hours=4))
    first = Settlement(PendingStatus.ANSWERED, sealed_answer=b"one", answer_digest="1", session=session)
    second = Settlement(
        PendingStatus.REFUSED, outcome="D50001", answer_digest="2", session=replace(session, sealed=b"other")
    )
    settled = await asyncio.gather(store.settle_pending("ref", first), store.settle_pending("ref", second))
    assert settled[0] == settled[1]
    winner = settled[0]
    assert winner is not None and winner.answer_digest in ("1", "2")
    kept = await store.load_session("handle", at=NOW)
    assert kept is not None and kept.sealed == (b"sealed" if winner.answer_digest == "1" else b"other")
    assert await store.settle_pending("nothing", first) is None


async def test_delivery_is_noted_and_a_waiting_request_may_be_dropped_but_not_a_settled_one(store: IamSmartStore):
    await store.add_pending(REQUEST, at=NOW)
    await store.drop_pending("ref")
    assert await store.load_pending("ref") is None
    await store.add_pending(REQUEST, at=NOW)
    await store.settle_pending("ref", Settlement(PendingStatus.REFUSED, outcome="D50001"))
    await store.mark_delivered("ref")
    await store.drop_pending("ref")
    kept = await store.load_pending("ref")
    assert kept is not None and kept.delivered and kept.outcome == "D50001"


async def test_sessions_end_and_old_rows_go(store: IamSmartStore):
    session = SessionRow("handle", b"one", NOW + timedelta(hours=1))
    await store.save_session(session)
    await store.save_session(replace(session, sealed=b"two"))
    assert await store.load_session("handle", at=NOW) == replace(session, sealed=b"two")
    assert await store.load_session("handle", at=session.expires_at) is None
    await store.add_pending(REQUEST, at=NOW)
    later = REQUEST.deadline + KEPT_AFTER_DEADLINE + timedelta(seconds=1)
    await store.add_pending(
        replace(REQUEST, reference="new", business_id="new", deadline=later + timedelta(minutes=18)), at=later
    )
    assert await store.load_pending("ref") is None

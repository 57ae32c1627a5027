"""The store's contract, on sqlite with the migration's schema."""

import asyncio

import pytest

from liveness.sqlite_store import SqliteStore
from liveness.store import CheckState, SessionClaim, Store
from tests.support.liveness import Database


@pytest.fixture
def store():
    database = Database()
    yield SqliteStore(database)
    database.close()


async def opened(store: Store) -> None:
    await store.add_check("c", b"request", created_at_s=100, expires_at_s=200)


async def test_a_new_check(store: Store) -> None:
    await opened(store)
    row = await store.find_check("c")
    assert row is not None
    assert (row.sealed_request, row.sealed_document, row.state, row.attempts) == (b"request", None, CheckState.OPEN, 0)
    assert await store.find_check("other") is None


async def test_document_attempts_have_an_end(store: Store) -> None:
    await opened(store)
    assert [await store.count_document_attempt("c", limit=2) for _ in range(3)] == [True, True, False]


async def test_session_attempts_have_an_end_and_can_be_given_back(store: Store) -> None:
    await opened(store)
    assert await store.start_session("c", "s1", expires_at_s=160, limit=1)
    assert not await store.start_session("c", "s2", expires_at_s=160, limit=1)
    await store.refund_attempt("c")
    assert await store.start_session("c", "s3", expires_at_s=160, limit=1)


async def test_a_session_is_used_once_even_at_the_same_moment(store: Store) -> None:
    await opened(store)
    await store.start_session("c", "s", expires_at_s=160, limit=3)
    assert not await store.is_answered("s")
    claims = await asyncio.gather(*(store.claim_session("s", at_s=150) for _ in range(4)))
    assert sorted(claims) == [SessionClaim.CLAIMED, *[SessionClaim.USED_BEFORE] * 3]
    assert await store.is_answered("s")
    assert await store.claim_session("unknown", at_s=150) is SessionClaim.UNKNOWN


async def test_a_check_ends_once_and_forgets_the_document(store: Store) -> None:
    await opened(store)
    await store.keep_document("c", b"document")
    assert await store.pass_check("c", "code", b"token", expires_at_s=300)
    assert not await store.pass_check("c", "code2", b"token", expires_at_s=300)
    assert not await store.close_check("c", CheckState.FAILED)
    row = await store.find_check("c")
    assert row is not None
    assert (row.state, row.sealed_document) == (CheckState.PASSED, None)
    assert not await store.start_session("c", "s", expires_at_s=160, limit=3)


async def test_a_code_serves_once_and_in_time(store: Store) -> None:
    await opened(store)
    await store.pass_check("c", "code", b"token", expires_at_s=300)
    assert sorted(filter(None, await asyncio.gather(*(store.redeem("code", at_s=299) for _ in range(4))))) == [b"token"]
    await store.add_check("d", b"request", created_at_s=100, expires_at_s=200)
    await store.pass_check("d", "late", b"token", expires_at_s=300)
    assert await store.redeem("late", at_s=300) is None
    assert await store.redeem("late", at_s=1) is None


async def test_what_expired_goes(store: Store) -> None:
    await opened(store)
    await store.start_session("c", "s", expires_at_s=160, limit=3)
    await store.pass_check("c", "code", b"token", expires_at_s=210)
    assert await store.purge(before_s=200) == 0
    assert await store.purge(before_s=211) == 1
    assert await store.find_check("c") is None
    assert await store.redeem("code", at_s=0) is None

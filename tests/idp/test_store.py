"""The contract that every store keeps: atomic, once, sealed, expiring on the boundary."""

import asyncio
import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest

from idp.errors import StoreUnavailable
from idp.model import AuthorizationCode, AuthorizationRequest, ConsentRecord, Grant, LoginTransaction
from idp.proof.replay import ReplayUse
from idp.relying_parties import parse_registration
from idp.store import AssertionReplayed, CodeReused, CodeUnknown, Redeemed
from tests.support.idp import AT, Client, Provider
from trust_lists.vocabulary import Region


def transaction(client_id: str = "gd-bank") -> LoginTransaction:
    request = AuthorizationRequest(client_id, "https://portal.test/callback", ("openid",), "c" * 43, login_hint="秘密")
    return LoginTransaction("login-1", request, AT, AT + timedelta(minutes=20), "csrf-1")


def grant(identifier: str = "grant-1") -> Grant:
    return Grant(
        identifier, "gd-bank", "person-1", "session-1", "login-1", "subject-1", ("openid",), AT, AT + timedelta(minutes=16),
        {"acr": "x", "auth_time": 1}, {"name": "CHAN, Ka Yan"},
    )  # fmt: skip


def code(identifier: str = "grant-1") -> AuthorizationCode:
    return AuthorizationCode(
        identifier, "gd-bank", "https://portal.test/callback", "c" * 43, "n", AT + timedelta(seconds=60)
    )


async def kept_code(provider: Provider, identifier: str = "grant-1") -> None:
    assert await provider.store.commit_code(
        code(identifier), grant(identifier), code_hash=f"hash-{identifier}", consent=None, handle_hash=None
    )


async def test_relying_parties_come_back_as_they_were(provider: Provider) -> None:
    party = parse_registration(Client().registration(), client_id="gd-bank")
    await provider.store.save_client(party, at=AT)
    assert await provider.store.load_client("gd-bank") == party
    changed = replace(party, purpose="Something else")
    await provider.store.save_client(changed, at=AT + timedelta(hours=1))
    assert await provider.store.load_client("gd-bank") == changed
    (listed,) = await provider.store.list_clients()
    assert (listed.created_at, listed.updated_at) == (AT, AT + timedelta(hours=1))
    assert await provider.store.remove_client("gd-bank")
    assert not await provider.store.remove_client("gd-bank")
    assert await provider.store.load_client("gd-bank") is None


async def test_login_is_replaced_only_from_the_version_that_was_read(provider: Provider, client: Client) -> None:
    await provider.store.open_login(transaction(), handle_hash="h", replaces=None)
    loaded = await provider.store.load_login("h", None, at=AT)
    assert loaded.transaction == transaction()
    assert await provider.store.save_login(replace(loaded.transaction, notice="a"), handle_hash="h")
    assert not await provider.store.save_login(replace(loaded.transaction, notice="b"), handle_hash="h")
    again = await provider.store.load_login("h", None, at=AT)
    assert (again.transaction.notice, again.transaction.version) == ("a", 1)


async def test_login_ends_on_the_boundary_and_with_its_successor(provider: Provider, client: Client) -> None:
    await provider.store.open_login(transaction(), handle_hash="h", replaces=None)
    assert await provider.store.load_login("h", None, at=AT + timedelta(minutes=20) - timedelta(seconds=1))
    assert await provider.store.load_login("h", None, at=AT + timedelta(minutes=20)) is None
    await provider.store.open_login(transaction(), handle_hash="h2", replaces="h")
    assert await provider.store.load_login("h", None, at=AT) is None


async def test_code_is_spent_once(provider: Provider, client: Client) -> None:
    await kept_code(provider)
    first = await provider.store.redeem_code("hash-grant-1", client_id="gd-bank", assertion=None, at=AT)
    assert isinstance(first, Redeemed)
    assert first.grant == grant()
    assert first.code == code()
    second = await provider.store.redeem_code("hash-grant-1", client_id="gd-bank", assertion=None, at=AT)
    assert second == CodeReused("grant-1", "login-1")
    assert await provider.store.load_grant("grant-1", at=AT) is None


async def test_code_at_the_same_instant_has_one_winner(provider: Provider, client: Client) -> None:
    await kept_code(provider)
    answers = await asyncio.gather(
        *(provider.store.redeem_code("hash-grant-1", client_id="gd-bank", assertion=None, at=AT) for _ in range(8))
    )
    assert [type(answer) for answer in answers].count(Redeemed) == 1
    assert [type(answer) for answer in answers].count(CodeReused) == 7


async def test_code_expires_on_the_boundary(provider: Provider, client: Client) -> None:
    await kept_code(provider, "a")
    await kept_code(provider, "b")
    boundary = AT + timedelta(seconds=60)
    late = await provider.store.redeem_code("hash-a", client_id="gd-bank", assertion=None, at=boundary)
    assert late == CodeUnknown()
    just = boundary - timedelta(microseconds=1)
    assert isinstance(
        await provider.store.redeem_code("hash-b", client_id="gd-bank", assertion=None, at=just), Redeemed
    )


async def test_another_relying_party_neither_spends_nor_revokes(provider: Provider, client: Client) -> None:
    await kept_code(provider)
    store = provider.store
    assert await store.redeem_code("hash-grant-1", client_id="thief", assertion=None, at=AT) == CodeUnknown()
    assert isinstance(await store.redeem_code("hash-grant-1", client_id="gd-bank", assertion=None, at=AT), Redeemed)
    assert await store.redeem_code("hash-grant-1", client_id="thief", assertion=None, at=AT) == CodeUnknown()
    assert await store.load_grant("grant-1", at=AT) is not None


async def test_assertion_is_remembered_before_the_code_is_touched(provider: Provider, client: Client) -> None:
    await kept_code(provider)
    use = ReplayUse("gd-bank", "jti-1", AT + timedelta(minutes=1))
    assert await provider.store.remember_assertion(use)
    assert not await provider.store.remember_assertion(use)
    assert await provider.store.remember_assertion(replace(use, space="other"))
    answer = await provider.store.redeem_code("hash-grant-1", client_id="gd-bank", assertion=use, at=AT)
    assert answer == AssertionReplayed()
    assert isinstance(
        await provider.store.redeem_code("hash-grant-1", client_id="gd-bank", assertion=None, at=AT), Redeemed
    )


async def test_commit_of_a_code_needs_the_login_to_be_there(provider: Provider, client: Client) -> None:
    await provider.store.open_login(transaction(), handle_hash="h", replaces=None)
    arguments = {"consent": None, "handle_hash": "h"}
    assert await provider.store.commit_code(code("a"), grant("a"), code_hash="1", **arguments)
    assert not await provider.store.commit_code(code("b"), grant("b"), code_hash="2", **arguments)
    assert await provider.store.load_grant("b", at=AT) is None


async def test_removed_relying_party_takes_its_grants_along(provider: Provider, client: Client) -> None:
    await kept_code(provider)
    await provider.store.remove_client("gd-bank")
    assert await provider.store.load_grant("grant-1", at=AT) is None
    assert await provider.store.redeem_code("hash-grant-1", client_id="gd-bank", assertion=None, at=AT) == CodeUnknown()


async def test_purge_takes_what_expired_and_leaves_consents(provider: Provider, client: Client) -> None:
    consent = ConsentRecord(
        "c1", "person-1", "gd-bank", ("name",), (), "p", Region.HK, Region.GD, "en", AT, AT + timedelta(days=90)
    )
    await provider.store.open_login(transaction(), handle_hash="h", replaces=None)
    await provider.store.commit_code(code(), grant(), code_hash="1", consent=consent, handle_hash=None)
    assert await provider.store.purge(at=AT) == 0
    assert await provider.store.purge(at=AT + timedelta(days=200)) == 3
    rows = sqlite3.connect(provider.database.path)
    assert rows.execute("SELECT count(*) FROM idp_consents").fetchone() == (1,)
    rows.close()


async def test_sealed_row_moved_elsewhere_does_not_open(provider: Provider, client: Client) -> None:
    """A sealed grant copied over another person's row is not that person's grant."""
    await kept_code(provider, "a")
    await kept_code(provider, "b")
    move = "UPDATE idp_grants SET sealed = (SELECT sealed FROM idp_grants WHERE grant_id = 'a') WHERE grant_id = 'b'"
    await provider.database.write(lambda connection: connection.execute(move))
    with pytest.raises(StoreUnavailable):
        await provider.store.load_grant("b", at=AT)


async def test_a_known_account_keeps_its_person(provider: Provider, client: Client) -> None:
    await client.login(provider.browser())
    await client.login(provider.browser())
    rows = sqlite3.connect(provider.database.path)
    assert rows.execute("SELECT count(*), count(DISTINCT person) FROM idp_identities").fetchone() == (1, 1)
    assert rows.execute("SELECT count(*), count(DISTINCT person) FROM idp_sessions").fetchone() == (2, 1)
    rows.close()

"""The contract that every store keeps: atomic, once, sealed, expiring on the boundary."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio

from idp.errors import StoreUnavailable
from idp.model import (
    AuthorizationRequest,
    CodeConditions,
    ConsentRecord,
    DecoupledRequest,
    Grant,
    InitialAccessToken,
    LoginTransaction,
    LogoutNotice,
)
from idp.proof.replay import ReplayUse
from idp.relying_parties import parse_registration
from idp.store import Ending, PollOutcome, Redeemed, Replayed, Reused, Store, Unknown
from idp.stores.postgres_store import PostgresStore
from idp.stores.sql_store import SqlStore
from service.postgres import PostgresDatabase
from tests.support.idp import AT, Client, Provider, postgres_schema, provider_in
from tests.support.postgres import postgres  # noqa: F401 - a fixture
from trust_lists.vocabulary import Region


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def provider(request: pytest.FixtureRequest, tmp_path):
    """The same suite on both databases."""
    database = None
    if request.param == "postgresql":
        cluster = request.getfixturevalue("postgres")
        url = cluster.create_database()
        cluster.run_sql(postgres_schema(), url.partition("?")[0].rpartition("/")[2])
        database = PostgresDatabase(url, pool_size=8)
    async with provider_in(tmp_path, postgres=database) as made:
        yield made


@pytest.fixture
async def client(provider: Provider) -> Client:
    return await provider.register(Client())


def test_each_database_has_its_own_store(provider: Provider) -> None:
    assert type(provider.store) is (SqlStore if provider.postgres is None else PostgresStore)


async def rows_of(provider: Provider, statement: str) -> list[tuple]:
    database = provider.postgres or provider.database
    async with database.reading() as work:
        return [tuple(row) for row in await work.fetch_all(statement)]


def transaction(client_id: str = "gd-bank") -> LoginTransaction:
    request = AuthorizationRequest(client_id, "https://portal.test/callback", ("openid",), "c" * 43, login_hint="秘密")
    return LoginTransaction("login-1", request, AT, AT + timedelta(minutes=20), "csrf-1")


def grant(identifier: str = "grant-1", **changes) -> Grant:
    made = Grant(
        identifier, "gd-bank", "person-1", "session-1", "login-1", "subject-1", ("openid",), AT, AT + timedelta(minutes=16),
        {"acr": "x", "auth_time": 1}, {"name": "CHAN, Ka Yan"}, conditions=conditions(),
    )  # fmt: skip
    return replace(made, **changes)


def conditions() -> CodeConditions:
    return CodeConditions("https://portal.test/callback", "c" * 43, "n", AT + timedelta(seconds=60))


async def kept_code(store: Store, identifier: str = "grant-1", **changes) -> None:
    made = grant(identifier, **changes)
    assert await store.commit_grant(made, code_hash=f"hash-{identifier}", consent=None, ending=Ending())


async def spend(store: Store, identifier: str = "grant-1", *, client_id: str = "gd-bank", uses=(), at=AT):
    return await store.redeem_code(identifier, f"hash-{identifier}", client_id=client_id, uses=uses, at=at)


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
    store = provider.store
    await kept_code(store)
    assert await spend(store) == Redeemed(grant())
    assert await spend(store) == Reused("grant-1", "login-1")
    assert await store.load_grant("grant-1", at=AT) is None


async def test_code_at_the_same_instant_has_one_winner(provider: Provider, client: Client) -> None:
    await kept_code(provider.store)
    answers = await asyncio.gather(*(spend(provider.store) for _ in range(8)))
    assert [type(answer) for answer in answers].count(Redeemed) == 1
    assert [type(answer) for answer in answers].count(Reused) == 7


async def test_code_expires_on_the_boundary(provider: Provider, client: Client) -> None:
    store, boundary = provider.store, AT + timedelta(seconds=60)
    await kept_code(store, "a")
    await kept_code(store, "b")
    assert await spend(store, "a", at=boundary) == Unknown()
    assert isinstance(await spend(store, "b", at=boundary - timedelta(microseconds=1)), Redeemed)


async def test_another_relying_party_neither_spends_nor_revokes(provider: Provider, client: Client) -> None:
    store = provider.store
    await kept_code(store)
    assert await spend(store, client_id="thief") == Unknown()
    assert isinstance(await spend(store), Redeemed)
    assert await spend(store, client_id="thief") == Unknown()
    assert await store.load_grant("grant-1", at=AT) is not None


async def test_uses_are_remembered_before_the_code_is_touched(provider: Provider, client: Client) -> None:
    store = provider.store
    await kept_code(store)
    use = ReplayUse("gd-bank", "jti-1", AT + timedelta(minutes=1))
    fresh = replace(use, space="dpop:key")
    assert await store.remember((use,))
    assert not await store.remember((use,))
    assert await store.remember((replace(use, space="other"),))
    assert await spend(store, uses=(fresh, use)) == Replayed()
    assert isinstance(await spend(store, uses=(fresh,)), Redeemed), "a refused pair leaves nothing behind"


async def test_refresh_generations_at_the_same_instant_have_one_winner(provider: Provider, client: Client) -> None:
    store = provider.store
    await kept_code(store, refreshable=True)

    async def refresh(generation: int, *, rotate: bool = True):
        return await store.redeem_refresh(
            "grant-1", generation, client_id="gd-bank", rotate=rotate, uses=(), at=AT + timedelta(minutes=1)
        )

    assert await refresh(0) == Redeemed(grant(refreshable=True), 1)
    assert await refresh(1, rotate=False) == Redeemed(grant(refreshable=True), 1), "without rotation it stays"
    assert await store.load_grant("grant-1", at=AT, generation=1) is not None
    assert await store.load_grant("grant-1", at=AT, generation=0) is None
    answers = await asyncio.gather(*(refresh(1) for _ in range(6)))
    kinds = [type(answer) for answer in answers]
    assert kinds.count(Redeemed) == 1
    assert kinds.count(Reused) >= 1, "who comes second revokes the family; after that nothing is there"
    assert kinds.count(Reused) + kinds.count(Unknown) == 5
    assert await refresh(2) == Unknown()


async def test_commit_of_a_grant_needs_what_led_to_it(provider: Provider, client: Client) -> None:
    store = provider.store
    await store.open_login(transaction(), handle_hash="h", replaces=None)
    ending = Ending(handle_hash="h")
    assert await store.commit_grant(grant("a"), code_hash="1", consent=None, ending=ending)
    assert not await store.commit_grant(grant("b"), code_hash="2", consent=None, ending=ending)
    assert await store.load_grant("b", at=AT) is None


async def test_pushed_request_is_its_relying_partys_and_spent_once(provider: Provider, client: Client) -> None:
    store, request = provider.store, replace(transaction().request, pushed="u")
    ends = AT + timedelta(seconds=90)
    assert await store.push_request(request, uri_hash="u", expires_at=ends, uses=())
    assert await store.load_pushed("u", client_id="gd-bank", at=AT) == request
    assert await store.load_pushed("u", client_id="thief", at=AT) is None
    assert await store.load_pushed("u", client_id="gd-bank", at=ends) is None
    answers = await asyncio.gather(
        *(store.commit_grant(grant(x), code_hash=x, consent=None, ending=Ending(pushed="u")) for x in "abcd")
    )
    assert answers.count(True) == 1


def decoupled(identifier: str = "d-1", **changes) -> DecoupledRequest:
    made = DecoupledRequest(identifier, transaction().request, AT, AT + timedelta(minutes=10), 5)
    return replace(made, **changes)


async def test_decoupled_request_answers_each_poll_and_is_redeemed_once(provider: Provider, client: Client) -> None:
    store = provider.store
    assert await store.open_decoupled(decoupled(), secret_hash="s", user_code_lookup="c", uses=())
    assert not await store.open_decoupled(decoupled("d-2"), secret_hash="s", user_code_lookup="c", uses=()), (
        "code taken"
    )
    assert await store.find_decoupled("c", at=AT) == decoupled()

    async def poll(seconds: float, *, client_id: str = "gd-bank", secret: str = "s"):
        at = AT + timedelta(seconds=seconds)
        return await store.redeem_decoupled("d-1", secret, client_id=client_id, uses=(), at=at)

    assert await poll(0) is PollOutcome.PENDING
    assert await poll(1) is PollOutcome.SLOW_DOWN
    assert await poll(7) is PollOutcome.SLOW_DOWN, "ten seconds now"
    assert await poll(30) is PollOutcome.PENDING
    assert await poll(60, client_id="thief") is PollOutcome.UNKNOWN
    assert await poll(60, secret="x") is PollOutcome.UNKNOWN
    given = grant(conditions=None)
    assert await store.commit_grant(given, code_hash=None, consent=None, ending=Ending(decoupled="d-1"))
    assert not await store.close_login(Ending(decoupled="d-1")), "decided once"
    answers = await asyncio.gather(*(poll(90) for _ in range(4)))
    assert answers.count(Redeemed(given)) == 1
    assert answers.count(PollOutcome.UNKNOWN) == 3


async def test_decoupled_request_that_is_denied_or_late(provider: Provider, client: Client) -> None:
    store = provider.store
    for identifier in ("d-1", "d-2"):
        await store.open_decoupled(decoupled(identifier), secret_hash="s", user_code_lookup=identifier, uses=())
    assert await store.close_login(Ending(decoupled="d-1"))
    poll = {"client_id": "gd-bank", "uses": ()}
    assert await store.redeem_decoupled("d-1", "s", at=AT, **poll) is PollOutcome.DENIED
    late = AT + timedelta(minutes=10)
    assert await store.redeem_decoupled("d-2", "s", at=late, **poll) is PollOutcome.EXPIRED
    assert await store.find_decoupled("d-2", at=late) is None


async def test_removed_relying_party_takes_its_grants_along(provider: Provider, client: Client) -> None:
    store = provider.store
    await kept_code(store)
    await store.remove_client("gd-bank")
    assert await store.load_grant("grant-1", at=AT) is None
    assert await spend(store) == Unknown()
    party = parse_registration(Client().registration(), client_id="gd-bank")
    await store.save_client(party, at=AT + timedelta(seconds=1))
    assert await store.load_grant("grant-1", at=AT) is None, "who comes back under the same name inherits nothing"


async def test_purge_takes_what_expired_and_leaves_consents(provider: Provider, client: Client) -> None:
    store = provider.store
    consent = ConsentRecord(
        "c1", "person-1", "gd-bank", ("name",), (), "p", Region.HK, Region.GD, "en", AT, AT + timedelta(days=90)
    )
    await store.open_login(transaction(), handle_hash="h", replaces=None)
    await store.commit_grant(grant(), code_hash="1", consent=consent, ending=Ending())
    assert await store.purge(at=AT) == 0
    assert await store.purge(at=AT + timedelta(days=200)) == 2
    assert await store.list_consents("person-1") == [consent]


async def test_purge_takes_whatever_has_piled_up(provider: Provider, client: Client) -> None:
    store, many = provider.store, 1_203
    uses = [ReplayUse("space", f"jti-{n}", AT) for n in range(many)]
    for start in range(0, many, 200):
        assert await store.remember(uses[start : start + 200])
    assert await store.purge(at=AT + timedelta(seconds=1)) == many
    assert await store.purge(at=AT + timedelta(seconds=1)) == 0


async def test_revoked_consent_ends_the_portals_grants_and_no_others(provider: Provider, client: Client) -> None:
    store = provider.store
    for number, portal in enumerate(("gd-bank", "gd-bank", "other")):
        consent = ConsentRecord(
            f"c{number}",
            "person-1",
            portal,
            ("name",),
            (),
            "p",
            Region.HK,
            Region.GD,
            "en",
            AT,
            AT + timedelta(days=90),
        )
        made = grant(f"g{number}", client_id=portal)
        await store.commit_grant(made, code_hash=None, consent=consent, ending=Ending())
    await store.save_client(parse_registration(Client("other").registration(), client_id="other"), at=AT)
    assert await store.find_person("gd-bank", "subject-1", at=AT) == "person-1"
    assert await store.find_person("gd-bank", "subject-1", at=AT + timedelta(days=90)) is None, (
        "its consents have expired"
    )
    assert await store.revoke_consent("somebody", "c0", at=AT) is None
    revoked = await store.revoke_consent("person-1", "c1", at=AT)
    assert revoked is not None
    assert revoked.revoked_at == AT
    assert [record.revoked_at for record in await store.list_consents("person-1") if record.client_id == "gd-bank"] == [
        AT,
        AT,
    ]
    assert await store.load_grant("g0", at=AT) is None
    assert await store.load_grant("g2", at=AT) is not None
    assert await store.find_person("gd-bank", "subject-1", at=AT) is None
    assert await store.revoke_consent("person-1", "c1", at=AT) is None


async def test_session_end_takes_online_grants_and_keeps_its_notices(provider: Provider, client: Client) -> None:
    store, (session, person) = provider.store, await a_session(provider, client)
    await kept_code(store, "on", session=session, person=person)
    await kept_code(store, "off", session=session, person=person, offline=True)
    notice = LogoutNotice("n1", "gd-bank", "https://portal.test/bye", "s", "sid")
    ended = await store.end_session(
        session, at=AT, notices_of=lambda sign_in, parties: [notice], notices_expire_at=AT + timedelta(hours=1)
    )
    assert ended is not None
    assert [party.client_id for _, party in ended.participants] == ["gd-bank"]
    assert await store.load_grant("on", at=AT) is None
    assert await store.load_grant("off", at=AT) is not None
    again = await store.end_session(session, at=AT, notices_of=lambda *_: [notice], notices_expire_at=AT)
    assert again is None
    until = AT + timedelta(minutes=1)
    taken = await asyncio.gather(*(store.take_notices(at=AT, until=until, limit=5) for _ in range(3)))
    assert sorted(map(list, taken)) == [[], [], [notice]], "one process delivers"
    await store.settle_notice("n1", retry_at=until + timedelta(seconds=5))
    assert await store.take_notices(at=until, until=until, limit=5) == []
    (later,) = await store.take_notices(at=until + timedelta(seconds=5), until=until, limit=5)
    assert later.attempts == 1
    await store.settle_notice("n1", retry_at=None)
    assert await store.take_notices(at=until + timedelta(minutes=5), until=until, limit=5) == []


async def a_session(provider: Provider, client: Client) -> tuple[str, str]:
    await client.login(provider.browser())
    (row,) = await rows_of(provider, "SELECT session, person FROM idp_sessions")
    return row


async def test_initial_access_token_has_so_many_uses(provider: Provider) -> None:
    store, token = provider.store, InitialAccessToken("i1", "for a bank", 2, AT + timedelta(days=1))
    await store.save_initial_token(token, token_hash="t")
    answers = await asyncio.gather(*(store.use_initial_token("t", at=AT) for _ in range(5)))
    assert len([answer for answer in answers if answer is not None]) == 2
    assert [left.uses_left for left in await store.list_initial_tokens()] == [0]
    await store.save_initial_token(replace(token, id="i2"), token_hash="u")
    assert await store.use_initial_token("u", at=AT + timedelta(days=1)) is None
    assert await store.remove_initial_token("i2")
    assert not await store.remove_initial_token("i2")


async def test_sealed_row_moved_elsewhere_does_not_open(provider: Provider, client: Client) -> None:
    """A sealed grant copied over another person's row is not that person's grant."""
    await kept_code(provider.store, "a")
    await kept_code(provider.store, "b")
    move = "UPDATE idp_grants SET sealed = (SELECT sealed FROM idp_grants WHERE grant_id = 'a') WHERE grant_id = 'b'"
    await (provider.postgres or provider.database).write_row(move)
    with pytest.raises(StoreUnavailable):
        await provider.store.load_grant("b", at=AT)


async def test_a_known_account_keeps_its_person(provider: Provider, client: Client) -> None:
    await client.login(provider.browser())
    await client.login(provider.browser())
    assert await rows_of(provider, "SELECT count(*), count(DISTINCT person) FROM idp_identities") == [(1, 1)]
    assert await rows_of(provider, "SELECT count(*), count(DISTINCT person) FROM idp_sessions") == [(2, 1)]

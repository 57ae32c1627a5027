"""RFC 7591 and RFC 7592 over HTTP: a portal registers itself, and looks after its registration."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from idp.hashes import hash_token
from idp.model import InitialAccessToken
from tests.support.idp import ISSUER, Client, Provider

TOKEN = "initial-access-token-of-the-test"
SINGLE = "another-token-for-a-single-use"


@pytest.fixture(autouse=True)
async def initial_token(provider: Provider) -> None:
    await allow(provider, TOKEN, uses=3)


async def allow(provider: Provider, token: str, *, uses: int = 1, days: int = 1) -> None:
    kept = InitialAccessToken(token[-8:], "test", uses, provider.now + timedelta(days=days))
    await provider.store.save_initial_token(kept, token_hash=hash_token(token))


def document(**changes: Any) -> dict[str, Any]:
    wanted = {
        "client_name": "Macao Sample Clinic",
        "redirect_uris": ["https://clinic.test/cb"],
        "gba_region": "mo",
        "scope": "openid profile",
        **changes,
    }
    return {name: value for name, value in wanted.items() if value is not None}


async def call(
    provider: Provider, method: str, path: str, body: Any = None, *, token: str | None = None, **headers: str
) -> httpx.Response:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    async with provider.back_channel() as http:
        if isinstance(body, bytes):
            return await http.request(
                method, path, content=body, headers={"Content-Type": "application/json", **headers}
            )
        return await http.request(method, path, json=body, headers=headers)


async def register(provider: Provider, **changes: Any) -> dict[str, Any]:
    answer = await call(provider, "POST", "/register", document(**changes), token=TOKEN)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def manage(provider: Provider, method: str, made: dict[str, Any], body: Any = None) -> httpx.Response:
    path = made["registration_client_uri"].removeprefix(ISSUER)
    return await call(provider, method, path, body, token=made["registration_access_token"])


def error(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]


async def uses_left(provider: Provider) -> int:
    return next(t.uses_left for t in await provider.store.list_initial_tokens() if t.id == TOKEN[-8:])


async def test_the_answer_has_what_the_standards_want(provider: Provider) -> None:
    """RFC 7591 cl. 3.2.1, RFC 7592 cl. 3."""
    answer = await call(provider, "POST", "/register", document(), token=TOKEN)
    made = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert made["client_id_issued_at"] == int(provider.now.timestamp())
    assert made["client_secret_expires_at"] == 0
    assert len(made["client_secret"]) >= 32
    assert made["token_endpoint_auth_method"] == "client_secret_basic"  # RFC 7591 cl. 2: the default
    assert made["registration_client_uri"] == f"{ISSUER}/register/{made['client_id']}"
    assert made["redirect_uris"] == ["https://clinic.test/cb"]
    assert provider.trail.last("client.registered").detail["client"] == made["client_id"]
    for secret in (made["client_secret"], made["registration_access_token"], TOKEN):
        assert secret not in str(provider.trail.events)


async def test_what_was_registered_can_sign_people_in(provider: Provider) -> None:
    made = await register(provider)
    client = Client(client_id=made["client_id"], redirect_uri="https://clinic.test/cb", auth="client_secret_basic")
    client.secret, client.provider = made["client_secret"], provider
    browser = provider.browser()
    page = await browser.follow(await browser.get(client.url()), until="https://clinic.test")
    response = await browser.agree(page)
    code = dict(httpx.URL(response.headers["location"]).params)["code"]
    assert "id_token" in (await client.redeem(code)).json()


async def test_read_update_delete(provider: Provider) -> None:
    made = await register(provider)
    read = (await manage(provider, "GET", made)).json()
    assert read["client_name"] == "Macao Sample Clinic"
    assert "client_secret" not in read  # it is kept as its hash
    changed = await manage(provider, "PUT", made, document(client_id=made["client_id"], client_name="Other Clinic"))
    assert changed.status_code == 200, changed.text
    assert changed.json()["client_name"] == "Other Clinic"
    assert "client_secret" not in changed.json()  # the old one stays
    gone = await manage(provider, "DELETE", changed.json())
    assert (gone.status_code, gone.content) == (204, b"")
    assert error(await manage(provider, "GET", changed.json())) == (401, "invalid_token")
    assert await provider.store.load_client(made["client_id"]) is None


async def test_an_update_is_the_whole_registration(provider: Provider) -> None:
    """RFC 7592 cl. 2.2: what is left out goes."""
    made = await register(provider, gba_purpose="Appointments", policy_uri="https://clinic.test/policy")
    body = document(client_id=made["client_id"], policy_uri=None)
    changed = (await manage(provider, "PUT", made, {**body, "gba_purpose": None})).json()
    assert "policy_uri" not in changed
    assert "gba_purpose" not in changed


async def test_the_management_token_rotates(provider: Provider) -> None:
    made = await register(provider)
    assert (await manage(provider, "GET", made)).json()["registration_access_token"] == made[
        "registration_access_token"
    ]
    changed = (await manage(provider, "PUT", made, document(client_id=made["client_id"]))).json()
    assert changed["registration_access_token"] != made["registration_access_token"]
    for method in ("GET", "PUT", "DELETE"):
        assert error(await manage(provider, method, made, document())) == (401, "invalid_token")
    assert (await manage(provider, "GET", changed)).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_wrong_token_learns_nothing(provider: Provider, method: str) -> None:
    """RFC 7592 cl. 2: the same 401 for a client that exists, one that an operator registered, and one that does not."""
    made, other = await register(provider), await register(provider, redirect_uris=["https://second.test/cb"])
    await provider.register(Client(client_id="by-operator"))
    answers = []
    for client_id in (made["client_id"], "by-operator", "nobody", "x" * 300, "%00"):
        for token in (other["registration_access_token"], TOKEN, "x", None):
            answers.append(await call(provider, method, f"/register/{client_id}", document(), token=token))
    assert {error(answer) for answer in answers} == {(401, "invalid_token")}
    assert len({answer.text for answer in answers[:3]}) == 1
    assert (await manage(provider, "GET", made)).status_code == 200


async def test_without_an_initial_token_nobody_registers(provider: Provider) -> None:
    for token in (None, "x", "", TOKEN + "x", TOKEN[:-1]):
        assert error(await call(provider, "POST", "/register", document(), token=token)) == (401, "invalid_token")
    basic = await call(provider, "POST", "/register", document(), Authorization=f"Basic {TOKEN}")
    assert error(basic) == (401, "invalid_token")
    assert await provider.store.list_clients() == []


async def test_one_use_too_many(provider: Provider) -> None:
    await allow(provider, SINGLE)
    answers = await asyncio.gather(
        *(
            call(provider, "POST", "/register", document(redirect_uris=[f"https://c{n}.test/cb"]), token=SINGLE)
            for n in range(4)
        )
    )  # fmt: skip
    assert sorted(answer.status_code for answer in answers) == [201, 401, 401, 401]


async def test_a_token_runs_out(provider: Provider) -> None:
    provider.later(days=1)
    assert error(await call(provider, "POST", "/register", document(), token=TOKEN)) == (401, "invalid_token")


async def test_a_typing_error_costs_no_use(provider: Provider) -> None:
    refused = await call(provider, "POST", "/register", document(redirect_uris=["http://clinic.test/cb"]), token=TOKEN)
    assert error(refused) == (400, "invalid_redirect_uri")
    assert await uses_left(provider) == 3


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"redirect_uris": ["https://clinic.test/cb#x"]}, "invalid_redirect_uri"),
        ({"redirect_uris": "https://clinic.test/cb"}, "invalid_client_metadata"),
        ({"redirect_uris": []}, "invalid_client_metadata"),
        ({"gba_region": "mars"}, "invalid_client_metadata"),
        ({"client_name": 7}, "invalid_client_metadata"),
        ({"client_name": "x" * 200}, "invalid_client_metadata"),
        ({"client_name": "a\u202eb"}, "invalid_client_metadata"),
        ({"scope": "openid profile signing"}, "invalid_client_metadata"),
        ({"scope": "openid permit"}, "invalid_client_metadata"),
        ({"grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange"]}, "invalid_client_metadata"),
        ({"gba_delegates": ["gd-bank"]}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "none"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
        ({"jwks": {"keys": [{"kty": "EC", "d": "x"}]}}, "invalid_client_metadata"),
        ({"backchannel_logout_uri": "http://clinic.test/out"}, "invalid_client_metadata"),
        ({"frontchannel_logout_uri": "https://elsewhere.test/out"}, "invalid_client_metadata"),
    ],
)
async def test_what_is_refused(provider: Provider, changes: dict[str, Any], code: str) -> None:
    assert error(await call(provider, "POST", "/register", document(**changes), token=TOKEN)) == (400, code)
    assert await provider.store.list_clients() == []


async def test_nobody_chooses_their_own_secrets_and_names(provider: Provider) -> None:
    made = await register(provider, client_id="gd-bank", client_secret="chosen", registration_access_token="chosen")
    assert made["client_id"] != "gd-bank"
    assert "chosen" not in json.dumps(made)
    body = document(client_id=made["client_id"], client_secret="another")
    assert error(await manage(provider, "PUT", made, body)) == (400, "invalid_client_metadata")
    assert error(await manage(provider, "PUT", made, document(client_id="gd-bank"))) == (400, "invalid_client_metadata")
    same = document(client_id=made["client_id"], client_secret=made["client_secret"])
    assert (await manage(provider, "PUT", made, same)).status_code == 200


async def test_an_update_takes_no_more_than_a_registration(provider: Provider) -> None:
    made = await register(provider)
    body = document(client_id=made["client_id"], scope="openid signing")
    assert error(await manage(provider, "PUT", made, body)) == (400, "invalid_client_metadata")


async def test_nobody_joins_anothers_sector(provider: Provider) -> None:
    """The people of a sector are known by the same subjects: with a device grant a stranger would read them."""
    await provider.register(Client())
    device = ["urn:ietf:params:oauth:grant-type:device_code"]
    for changes in (
        {"redirect_uris": ["https://portal.test/other"]},
        {"sector_identifier_uri": "https://portal.test/sector.json"},
        {"redirect_uris": None, "grant_types": device, "sector_identifier_uri": "https://portal.test/x"},
    ):
        refused = await call(provider, "POST", "/register", document(**changes), token=TOKEN)
        assert error(refused) == (400, "invalid_client_metadata"), changes
    made = await register(provider)
    body = document(client_id=made["client_id"], sector_identifier_uri="https://portal.test/sector.json")
    assert error(await manage(provider, "PUT", made, body)) == (400, "invalid_client_metadata")


BODIES = {
    "empty": b"",
    "not json": b"{",
    "list": b"[]",
    "text": b'"x"',
    "null": b"null",
    "deep": b"[" * 60_000 + b"]" * 5_000,
    "deep object": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "not utf-8": b'{"client_name":"\xff"}',
    "oversized": b'{"client_name":"' + b"x" * 70_000 + b'"}',
    "huge number": b'{"default_max_age":' + b"9" * 5_000 + b"}",
    "nan": b'{"default_max_age":NaN}',
    "surrogate": b'{"client_name":"\\ud800"}',
}


@pytest.mark.parametrize("name", BODIES)
async def test_bodies_that_no_registration_has(provider: Provider, name: str) -> None:
    made = await register(provider)
    for method, path, token in (
        ("POST", "/register", TOKEN),
        ("PUT", f"/register/{made['client_id']}", made["registration_access_token"]),
    ):
        answer = await call(provider, method, path, BODIES[name], token=token)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"] in {"invalid_client_metadata", "invalid_request"}
    assert await uses_left(provider) == 2


async def test_another_content_type_is_refused(provider: Provider) -> None:
    headers = {"Content-Type": "text/plain"}
    answer = await call(provider, "POST", "/register", json.dumps(document()).encode(), token=TOKEN, **headers)
    assert error(answer) == (400, "invalid_client_metadata")


async def test_a_deleted_portals_tokens_end(provider: Provider) -> None:
    made = await register(provider)
    client = Client(client_id=made["client_id"], redirect_uri="https://clinic.test/cb", auth="client_secret_basic")
    client.secret, client.provider = made["client_secret"], provider
    browser = provider.browser()
    page = await browser.follow(await browser.get(client.url()), until="https://clinic.test")
    response = await browser.agree(page)
    code = dict(httpx.URL(response.headers["location"]).params)["code"]
    token = (await client.redeem(code)).json()["access_token"]
    await manage(provider, "DELETE", made)
    async with provider.back_channel() as http:
        told = await http.get("/userinfo", headers={"Authorization": f"Bearer {token}"})
    assert told.status_code == 401

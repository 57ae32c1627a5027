"""RFC 8628 over HTTP: a device without a keyboard, a person with a phone."""

import pytest

from idp.config import RateLimit
from idp.protocol import GrantType
from tests.support.decoupled import ask_device, claims_of, decide, enter_code, kiosk, poll_device
from tests.support.idp import ISSUER, Client, Provider, provider_in
from tests.support.oauth_peer import WONG


@pytest.fixture
async def client(provider: Provider) -> Client:
    return await provider.register(kiosk())


def error(response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]


async def test_the_answer_has_what_the_standard_wants(client: Client) -> None:
    """RFC 8628 cl. 3.2."""
    answer = await client.call("/device_authorization", scope="openid")
    asked = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert set(asked) == {
        "device_code", "user_code", "verification_uri", "verification_uri_complete", "expires_in", "interval",
    }  # fmt: skip
    assert (asked["verification_uri"], asked["expires_in"], asked["interval"]) == (f"{ISSUER}/device", 600, 5)
    assert asked["verification_uri_complete"] == f"{ISSUER}/device?user_code={asked['user_code']}"
    assert asked["user_code"] not in asked["device_code"]
    assert not set("AEIOUY01") & set(asked["user_code"])  # cl. 6.1


async def test_a_person_agrees_and_the_device_gets_tokens(provider: Provider, client: Client) -> None:
    asked = await ask_device(client)
    assert error(await poll_device(client, asked)) == (400, "authorization_pending")
    browser = provider.browser()
    consent = await enter_code(browser, asked["user_code"])
    assert f'id="binding-message">{asked["user_code"]}<' in consent.text
    closed = await decide(browser, consent)
    assert "You are done here" in closed.text
    assert str(closed.url).startswith(f"{ISSUER}/done?of=")
    provider.later(seconds=6)
    tokens = (await poll_device(client, asked)).json()
    assert tokens["token_type"] == "Bearer"
    claims = claims_of(tokens["id_token"])
    assert claims["aud"] == client.client_id
    assert "nonce" not in claims
    assert "c_hash" not in claims
    async with provider.back_channel() as http:
        told = await http.get("/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert told.json()["name"] == "CHAN, Ka Yan"
    assert {"device.authorization_opened", "consent.given", "grant.approved"} <= set(provider.trail.names())


async def test_one_redemption(provider: Provider, client: Client) -> None:
    asked = await ask_device(client)
    browser = provider.browser()
    await decide(browser, await enter_code(browser, asked["user_code"]))
    assert (await poll_device(client, asked)).status_code == 200
    assert error(await poll_device(client, asked)) == (400, "invalid_grant")


async def test_two_polls_at_the_same_instant_get_one_grant(provider: Provider, client: Client) -> None:
    import asyncio

    asked = await ask_device(client)
    browser = provider.browser()
    await decide(browser, await enter_code(browser, asked["user_code"]))
    answers = await asyncio.gather(*(poll_device(client, asked) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]


async def test_slow_down_adds_five_seconds(provider: Provider, client: Client) -> None:
    """RFC 8628 cl. 3.5."""
    asked = await ask_device(client)
    assert error(await poll_device(client, asked)) == (400, "authorization_pending")
    provider.later(seconds=1)
    assert error(await poll_device(client, asked)) == (400, "slow_down")
    provider.later(seconds=6)  # enough before, too soon now: the interval is ten seconds
    assert error(await poll_device(client, asked)) == (400, "slow_down")
    provider.later(seconds=15)
    assert error(await poll_device(client, asked)) == (400, "authorization_pending")


async def test_declined(provider: Provider, client: Client) -> None:
    asked = await ask_device(client)
    browser = provider.browser()
    closed = await decide(browser, await enter_code(browser, asked["user_code"]), "decline")
    assert "Nothing was passed on" in closed.text
    assert error(await poll_device(client, asked)) == (400, "access_denied")
    assert error(await poll_device(client, asked)) == (400, "invalid_grant")


async def test_given_up_at_the_choice_of_provider(provider: Provider, client: Client) -> None:
    asked = await ask_device(client)
    browser = provider.browser()
    await browser.follow(await browser.client.post(f"{ISSUER}/device", data={"user_code": asked["user_code"]}))
    closed = await browser.open(f"{ISSUER}/login/cancel")
    assert "Nothing was passed on" in closed.text
    assert error(await poll_device(client, asked)) == (400, "access_denied")


async def test_expiry_on_the_boundary(provider: Provider, client: Client) -> None:
    asked = await ask_device(client)
    provider.later(seconds=599)
    assert error(await poll_device(client, asked)) == (400, "authorization_pending")
    provider.later(seconds=1)
    assert error(await poll_device(client, asked)) == (400, "expired_token")
    page = await enter_code(provider.browser(), asked["user_code"])
    assert page.status_code == 400
    assert "No device is waiting under this code" in page.text


async def test_who_answers_after_the_expiry_answers_nothing(provider: Provider, client: Client) -> None:
    asked = await ask_device(client)
    browser = provider.browser()
    consent = await enter_code(browser, asked["user_code"])
    provider.later(minutes=11)
    late = await browser.agree(consent)
    assert (late.status_code, "login_expired" in late.text) == (400, True)
    assert error(await poll_device(client, asked)) == (400, "expired_token")
    assert "consent.given" not in provider.trail.names()


async def test_another_client_cannot_redeem_it(provider: Provider, client: Client) -> None:
    other = await provider.register(kiosk(client_id="other-kiosk", redirect_uri="https://other.test/cb"))
    asked = await ask_device(client)
    browser = provider.browser()
    await decide(browser, await enter_code(browser, asked["user_code"]))
    assert error(await poll_device(other, asked)) == (400, "invalid_grant")
    assert (await poll_device(client, asked)).status_code == 200


async def test_a_second_person_finds_the_code_spent(provider: Provider, client: Client) -> None:
    asked = await ask_device(client)
    first, second = provider.browser(), provider.browser()
    await decide(first, await enter_code(first, asked["user_code"]))
    page = await enter_code(second, asked["user_code"])
    assert "No device is waiting under this code" in page.text


async def test_two_people_at_the_consent_page_and_one_answer(provider: Provider, client: Client) -> None:
    asked = await ask_device(client)
    first, second = provider.browser(), provider.browser()
    page_of_first = await enter_code(first, asked["user_code"])
    provider.peer.person = WONG
    page_of_second = await enter_code(second, asked["user_code"])
    await decide(first, page_of_first)
    late = await second.agree(page_of_second)
    assert late.status_code == 409
    assert "login_step_repeated" in late.text
    tokens = (await poll_device(client, asked)).json()
    async with provider.back_channel() as http:
        told = await http.get("/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert told.json()["name"] == "CHAN, Ka Yan"


@pytest.mark.parametrize(
    "typed",
    ["{code}", "{lower}", "{spaced}", " {code} ", "{bare}"],
    ids=["as shown", "lower", "spaces", "padded", "no dash"],
)
async def test_case_spaces_and_dashes_do_not_matter(provider: Provider, client: Client, typed: str) -> None:
    """RFC 8628 cl. 6.1."""
    code = (await ask_device(client))["user_code"]
    forms = {
        "code": code,
        "lower": code.lower(),
        "spaced": " ".join(code.replace("-", "")),
        "bare": code.replace("-", ""),
    }
    page = await enter_code(provider.browser(), typed.format(**forms))
    assert "/login/consent" in page.text


async def test_the_complete_link_asks_before_it_goes_on(provider: Provider, client: Client) -> None:
    """RFC 8628 cl. 3.3.1: the person confirms that the device shows this code."""
    asked = await ask_device(client)
    browser = provider.browser()
    page = await browser.get(asked["verification_uri_complete"])
    assert page.status_code == 200
    assert asked["user_code"] in page.text
    assert "Does the device show this code?" in page.text
    assert "location" not in page.headers
    for garbage in ("<script>", "AAAA-AAAA", "x" * 40, "BBBB-BBB"):
        page = await browser.client.get(f"{ISSUER}/device", params={"user_code": garbage})
        assert "Enter the code of the device" in page.text
        assert garbage not in page.text.partition("<main")[2]


async def test_clients_that_may_not(provider: Provider) -> None:
    plain = await provider.register(Client(client_id="plain"))
    assert error(await plain.call("/device_authorization", scope="openid")) == (400, "unauthorized_client")
    client = await provider.register(kiosk())
    async with provider.back_channel() as http:
        assert error(await http.post("/device_authorization", data={"scope": "openid"}))[1] == "invalid_client"
        form = {"client_id": client.client_id, "scope": "openid"}
        assert error(await http.post("/device_authorization", data=form)) == (401, "invalid_client")
    assert error(await client.call("/device_authorization", scope="openid", request="x.y.z")) == (
        400,
        "invalid_request",
    )


async def test_a_native_app_without_secret_may(provider: Provider) -> None:
    extra = {"grant_types": [GrantType.DEVICE_CODE.value], "sector_identifier_uri": "https://tv.test/"}
    app = await provider.register(Client(client_id="tv-app", auth="none", native=True, scope="openid", extra=extra))
    asked = await ask_device(app, scope="openid")
    browser = provider.browser()
    await decide(browser, await enter_code(browser, asked["user_code"]))
    assert (await poll_device(app, asked)).status_code == 200


async def test_an_earlier_consent_never_serves(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    first = await ask_device(client)
    await decide(browser, await enter_code(browser, first["user_code"]))
    second = await ask_device(client)
    page = await enter_code(browser, second["user_code"])  # signed in, agreed a moment ago
    assert second["user_code"] in page.text
    assert "/login/consent" in page.text


async def test_a_refresh_token_where_the_client_may_have_one(provider: Provider, client: Client) -> None:
    asked = await ask_device(client, scope="openid offline_access")
    browser = provider.browser()
    await decide(browser, await enter_code(browser, asked["user_code"]))
    tokens = (await poll_device(client, asked)).json()
    again = await client.call("/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert again.status_code == 200


async def test_wrong_device_codes(client: Client) -> None:
    asked = await ask_device(client)
    identifier, _, secret = asked["device_code"].partition(".")
    for wrong in ("x", f"{identifier}.{secret[:-1]}A", f"{identifier[:-1]}A.{secret}", "." * 55, "y" * 4000):
        assert error(await poll_device(client, {"device_code": wrong})) == (400, "invalid_grant")
    missing = await client.call("/token", grant_type=GrantType.DEVICE_CODE.value)
    assert error(missing) == (400, "invalid_request")


async def test_tries_are_counted_by_address(tmp_path) -> None:
    """RFC 8628 cl. 5.1."""
    async with provider_in(tmp_path, user_code_limit=RateLimit(burst=3, per_second=0.1)) as provider:
        client = await provider.register(kiosk())
        asked = await ask_device(client)
        browser = provider.browser()
        for _ in range(3):
            assert (await enter_code(browser, "BBBB-CCCC")).status_code == 400
        page = await enter_code(browser, asked["user_code"])
        assert page.status_code == 429
        assert int(page.headers["retry-after"]) >= 1
        provider.later(seconds=int(page.headers["retry-after"]))
        assert "/login/consent" in (await enter_code(browser, asked["user_code"])).text

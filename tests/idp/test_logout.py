"""Logout: the session cookie decides, never a replayed hint, and nobody is sent to an unregistered place."""

import asyncio
import html
import re
from dataclasses import replace
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from jose import jwt as python_jose
from joserfc import jwt
from joserfc.jwk import KeySet

from idp import logout_delivery, outbound
from idp.logout_delivery import LEASE, deliver_due
from idp.sealed_values import seal_value
from idp.stores.choice import store_on
from service.sqlite_loop import LoopSqliteDatabase
from tests.support.decoupled import claims_of
from tests.support.idp import ISSUER, Client, Provider, answer
from tests.support.oauth_peer import WONG

BACK = "https://portal.test/bye"


@pytest.fixture
async def client(provider: Provider) -> Client:
    return await provider.register(Client(extra={"post_logout_redirect_uris": [BACK]}))


async def signed_in(client: Client):
    browser = client.provider.browser()
    parameters = await client.login(browser)
    return browser, (await client.redeem(parameters["code"])).json()["id_token"]


async def still_signed_in(browser, client: Client) -> bool:
    return "code" in answer(await browser.open(client.url(prompt="none")))


async def test_own_hint_ends_the_session_and_goes_back(provider: Provider, client: Client) -> None:
    browser, hint = await signed_in(client)
    provider.later(hours=1)
    response = await browser.client.get(
        f"{ISSUER}/logout", params={"id_token_hint": hint, "post_logout_redirect_uri": BACK, "state": "s&x"}
    )
    assert response.headers["location"] == f"{BACK}?state=s%26x"
    assert not await still_signed_in(browser, client)
    assert "session.ended" in provider.trail.names()


async def test_without_hint_the_person_is_asked(provider: Provider, client: Client) -> None:
    browser, _ = await signed_in(client)
    page = await browser.client.get(
        f"{ISSUER}/logout", params={"client_id": client.client_id, "post_logout_redirect_uri": BACK}
    )
    assert "Do you want to sign out?" in page.text
    assert await still_signed_in(browser, client)
    fields = dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"', page.text))
    response = await browser.client.post(f"{ISSUER}/logout", data=fields)
    assert response.headers["location"] == BACK
    assert not await still_signed_in(browser, client)


async def test_logout_csrf_a_foreign_hint_ends_nothing(provider: Provider, client: Client) -> None:
    _, foreign = await signed_in(client)
    provider.peer.person = WONG
    browser, _ = await signed_in(client)
    for data in ({"id_token_hint": foreign}, {"csrf": "guess"}, {"state": "x"}):
        page = await browser.client.post(f"{ISSUER}/logout", data=data)
        assert "Do you want to sign out?" in page.text
    assert await still_signed_in(browser, client)


async def test_replayed_hint_of_an_earlier_session_ends_nothing(provider: Provider, client: Client) -> None:
    browser, old = await signed_in(client)
    await client.login(browser, prompt="login")
    page = await browser.client.get(f"{ISSUER}/logout", params={"id_token_hint": old})
    assert "Do you want to sign out?" in page.text
    assert await still_signed_in(browser, client)


async def test_modified_or_unsigned_hint_and_bad_uris_do_not_redirect(provider: Provider, client: Client) -> None:
    browser, hint = await signed_in(client)
    head, body, _ = hint.split(".")
    for bad in (f"{head}.{body}.", "x", f"eyJhbGciOiJub25lIn0.{body}.", "y" * 9000):
        response = await browser.client.get(
            f"{ISSUER}/logout", params={"id_token_hint": bad, "post_logout_redirect_uri": BACK}
        )
        assert "location" not in response.headers
    for uri in (f"{BACK}/", "https://evil.test/", f"{BACK}?x"):
        response = await browser.client.get(
            f"{ISSUER}/logout", params={"id_token_hint": hint, "post_logout_redirect_uri": uri}
        )
        assert "location" not in response.headers


async def test_nobody_signed_in_is_simply_signed_out(provider: Provider, client: Client) -> None:
    response = await provider.browser().get(f"{ISSUER}/logout")
    assert "You are signed out here" in response.text


# --- back-channel ------------------------------------------------------------------------------------------------------------


HEARS = "https://portal.test/back-channel?tenant=1"
FRAME = "https://portal.test/front-channel"


@pytest.fixture
async def listener(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A portal that hears of logouts; its name resolves to a public address."""

    async def public(host: str, port: int, *, private_allowed: bool) -> list[str]:
        return ["203.0.113.9"]

    monkeypatch.setattr(outbound, "resolve", public)
    extra = {
        "post_logout_redirect_uris": [BACK],
        "backchannel_logout_uri": HEARS,
        "backchannel_logout_session_required": True,
        "grant_types": ["authorization_code", "refresh_token"],
    }
    return await provider.register(Client(scope="openid profile offline_access", extra=extra))


async def log_out(provider: Provider, browser, hint: str):
    return await browser.client.get(f"{ISSUER}/logout", params={"id_token_hint": hint})


def sent_token(provider: Provider) -> str:
    form = parse_qs(provider.outbound.received[-1].content.decode())
    assert list(form) == ["logout_token"]
    return form["logout_token"][0]


def public_keys(provider: Provider) -> dict:
    return provider.keys.published().as_dict(private=False)


async def test_the_portal_is_told_with_a_token_that_others_verify(provider: Provider, listener: Client) -> None:
    browser, hint = await signed_in(listener)
    await log_out(provider, browser, hint)
    assert await deliver_due(provider.deps) == 1
    [request] = provider.outbound.received
    assert (request.method, request.headers["host"], request.url.host) == ("POST", "portal.test", "203.0.113.9")
    assert request.url.query == b"tenant=1"
    assert request.extensions["sni_hostname"] == "portal.test"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    token, keys = sent_token(provider), public_keys(provider)
    ours = claims_of(hint)
    # python-jose and joserfc each on their own
    seen = python_jose.decode(
        token, keys, algorithms=["ES256"], audience=listener.client_id, options={"verify_exp": False}
    )
    assert jwt.decode(token, KeySet.import_key_set(keys), algorithms=["ES256"]).claims == seen
    assert python_jose.get_unverified_header(token)["typ"] == "logout+jwt"
    assert seen["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
    assert (seen["iss"], seen["aud"], seen["sub"], seen["sid"]) == (
        ISSUER,
        listener.client_id,
        ours["sub"],
        ours["sid"],
    )
    assert "nonce" not in seen
    assert seen["exp"] - seen["iat"] == 120
    assert await deliver_due(provider.deps) == 0  # heard


async def test_a_portal_that_is_away_is_told_again_until_a_day_has_passed(provider: Provider, listener: Client) -> None:
    browser, hint = await signed_in(listener)
    await log_out(provider, browser, hint)
    provider.outbound.status = 503
    tokens = []
    for pause in (0, 5, 30, 300, 1800, 1800):
        provider.later(seconds=pause - 1)
        assert await deliver_due(provider.deps) == 0 if pause else True
        provider.later(seconds=1)
        assert await deliver_due(provider.deps) == 1, pause
        tokens.append(sent_token(provider))
    assert len({claims_of(token)["jti"] for token in tokens}) == len(tokens)  # minted anew
    assert claims_of(tokens[-1])["iat"] == int(provider.now.timestamp())
    provider.later(days=1)
    assert await deliver_due(provider.deps) == 0
    assert provider.trail.last("logout.not_notified").detail["status"] == 503


@pytest.mark.parametrize(("status", "tried_again"), [(200, 0), (204, 0), (400, 0), (302, 1), (404, 1), (500, 1)])
async def test_what_counts_as_heard(provider: Provider, listener: Client, status: int, tried_again: int) -> None:
    browser, hint = await signed_in(listener)
    await log_out(provider, browser, hint)
    provider.outbound.status = status
    await deliver_due(provider.deps)
    provider.later(minutes=2)
    assert await deliver_due(provider.deps) == tried_again


async def test_a_notice_survives_a_restart(provider: Provider, listener: Client) -> None:
    browser, hint = await signed_in(listener)
    await log_out(provider, browser, hint)
    reopened = LoopSqliteDatabase(provider.database.path)
    try:
        again = replace(provider.deps, store=store_on(reopened, provider.cipher))
        assert await deliver_due(again) == 1
    finally:
        await reopened.close()
    assert len(provider.outbound.received) == 1


async def test_a_process_that_died_while_telling_loses_nothing(provider: Provider, listener: Client) -> None:
    browser, hint = await signed_in(listener)
    await log_out(provider, browser, hint)
    taken = await provider.store.take_notices(at=provider.now, until=provider.now + LEASE, limit=20)
    assert len(taken) == 1
    assert await deliver_due(provider.deps) == 0  # another process has it
    provider.later(seconds=61)
    assert await deliver_due(provider.deps) == 1


async def test_a_portal_that_moved_is_told_where_it_is_now(provider: Provider, listener: Client) -> None:
    browser, hint = await signed_in(listener)
    await log_out(provider, browser, hint)
    listener.extra["backchannel_logout_uri"] = "https://portal.test/moved"
    await provider.register(listener)
    await deliver_due(provider.deps)
    assert provider.outbound.received[-1].url.path == "/moved"


async def test_a_removed_portal_is_told_nothing(provider: Provider, listener: Client) -> None:
    browser, hint = await signed_in(listener)
    await log_out(provider, browser, hint)
    await provider.store.remove_client(listener.client_id)
    await deliver_due(provider.deps)
    assert provider.outbound.received == []


async def test_one_notice_that_cannot_be_sent_holds_up_no_other(
    provider: Provider, listener: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = Client(
        client_id="second",
        redirect_uri="https://second.test/cb",
        extra={"backchannel_logout_uri": "https://second.test/out"},
    )
    await provider.register(second)
    browser, hint = await signed_in(listener)
    page = await browser.follow(await browser.get(second.url()), until="https://second.test")
    await browser.agree(page)
    await log_out(provider, browser, hint)
    real = logout_delivery.mint_logout_token

    def broken(notice, party, **more):
        if party.client_id == listener.client_id:
            raise RuntimeError
        return real(notice, party, **more)

    monkeypatch.setattr(logout_delivery, "mint_logout_token", broken)
    assert await deliver_due(provider.deps) == 2
    assert [request.url.path for request in provider.outbound.received] == ["/out"]
    monkeypatch.undo()


async def test_portals_that_were_not_used_hear_nothing(provider: Provider, listener: Client) -> None:
    other = Client(
        client_id="other",
        redirect_uri="https://other.test/cb",
        extra={"backchannel_logout_uri": "https://other.test/out"},
    )
    await provider.register(other)
    browser, hint = await signed_in(listener)
    await log_out(provider, browser, hint)
    assert await deliver_due(provider.deps) == 1


async def test_the_bell_wakes_the_delivery(provider: Provider, listener: Client) -> None:
    delivering = asyncio.create_task(logout_delivery.deliver_forever(provider.deps))
    try:
        browser, hint = await signed_in(listener)
        await log_out(provider, browser, hint)
        async with asyncio.timeout(3):
            while not provider.outbound.received:
                await asyncio.sleep(0.01)
    finally:
        delivering.cancel()
        await asyncio.gather(delivering, return_exceptions=True)


# --- tokens --------------------------------------------------------------------------------------------------------------------


async def test_refresh_dies_with_the_session_but_not_what_was_agreed_offline(
    provider: Provider, listener: Client
) -> None:
    browser = provider.browser()
    online = (await listener.redeem((await listener.login(browser, scope="openid profile"))["code"])).json()
    code = (await listener.login(browser, scope="openid offline_access", prompt="consent"))["code"]
    offline = (await listener.redeem(code)).json()
    await log_out(provider, browser, online["id_token"])
    for tokens, status in ((online, 400), (offline, 200)):
        if "refresh_token" in tokens:
            answered = await listener.call("/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
            assert answered.status_code == status
        async with provider.back_channel() as http:
            told = await http.get("/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})
        assert told.status_code == (401 if status == 400 else 200)
    assert "refresh_token" in offline


# --- front-channel and upstream --------------------------------------------------------------------------------------------------


@pytest.fixture
async def framed(provider: Provider) -> Client:
    extra = {
        "post_logout_redirect_uris": [BACK],
        "frontchannel_logout_uri": f"{FRAME}?a=1&b=2",
        "frontchannel_logout_session_required": True,
    }
    return await provider.register(Client(extra=extra))


async def test_the_page_frames_the_portals_and_goes_on(provider: Provider, framed: Client) -> None:
    browser, hint = await signed_in(framed)
    page = await browser.client.get(
        f"{ISSUER}/logout", params={"id_token_hint": hint, "post_logout_redirect_uri": BACK, "state": "s1"}
    )
    [frame] = re.findall(r'<iframe src="([^"]+)"', page.text)
    address = urlsplit(html.unescape(frame))
    assert f"{address.scheme}://{address.netloc}{address.path}" == FRAME
    query = dict(parse_qsl(address.query))
    assert query == {"a": "1", "b": "2", "iss": ISSUER, "sid": claims_of(hint)["sid"]}
    assert 'sandbox="allow-scripts allow-same-origin"' in page.text
    assert f'content="3;url={BACK}?state=s1"' in page.text
    assert f'id="onward" href="{BACK}?state=s1"' in page.text
    policy = page.headers["content-security-policy"]
    assert policy.count("frame-src") == 1
    assert "frame-src https://portal.test" in policy.split("; ")
    assert page.headers["set-cookie"].startswith(f"{provider.config.session_cookie}=")


async def test_without_a_way_back_the_page_ends_here(framed: Client) -> None:
    browser, hint = await signed_in(framed)
    page = await browser.client.get(f"{ISSUER}/logout", params={"id_token_hint": hint})
    assert f'content="3;url={ISSUER}/logout"' in page.text
    assert "You are signed out here" in (await browser.get(f"{ISSUER}/logout")).text


async def test_through_the_upstream_and_back(provider: Provider, client: Client) -> None:
    provider.connector.ends_sessions = True
    browser, hint = await signed_in(client)
    start = await browser.client.get(
        f"{ISSUER}/logout", params={"id_token_hint": hint, "post_logout_redirect_uri": BACK, "state": "s1"}
    )
    assert start.headers["location"].startswith("https://upstream.test/o/logout?return_to=")
    assert "portal.test" not in start.headers["location"]  # the upstream does not learn where the person came from
    end = await browser.follow(start, until=BACK)
    assert end.headers["location"] == f"{BACK}?state=s1"
    assert provider.peer.logouts == 1


async def test_the_return_believes_only_what_was_sealed(provider: Provider, client: Client) -> None:
    provider.connector.ends_sessions = True
    browser, hint = await signed_in(client)
    params = {"id_token_hint": hint, "post_logout_redirect_uri": BACK}
    start = await browser.client.get(f"{ISSUER}/logout", params=params)
    sealed = parse_qs(parse_qs(urlsplit(start.headers["location"]).query)["return_to"][0].partition("?")[2])["then"][0]
    other = seal_value(provider.cipher, "https://evil.test/", purpose="idp.closing_page")
    for then in ("https://evil.test/", sealed[:-2], f"{sealed}A", sealed.swapcase(), other, "x" * 9000, "é", ""):
        page = await browser.client.get(f"{ISSUER}/logout/return", params={"then": then})
        assert "location" not in page.headers, then
        assert "You are signed out here" in page.text
    good = await browser.client.get(f"{ISSUER}/logout/return", params={"then": sealed})
    assert good.headers["location"] == BACK


async def test_the_form_lets_the_redirects_through(provider: Provider, client: Client) -> None:
    """Chromium holds every redirect after a form against the page's `form-action`."""
    provider.connector.ends_sessions = True
    browser, _ = await signed_in(client)
    page = await browser.client.get(
        f"{ISSUER}/logout", params={"client_id": client.client_id, "post_logout_redirect_uri": BACK}
    )
    policy = page.headers["content-security-policy"]
    assert "form-action 'self' https://upstream.test https://portal.test" in policy


async def test_the_page_speaks_the_language_that_the_portal_asks_for(provider: Provider, client: Client) -> None:
    browser, _ = await signed_in(client)
    page = await browser.client.get(f"{ISSUER}/logout", params={"client_id": client.client_id, "ui_locales": "pt"})
    assert "Pretende terminar a sessão?" in page.text

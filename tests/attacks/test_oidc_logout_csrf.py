"""Attacks on logout: another site signs people out, sends them away, or lets portals hear of an end that was none."""

import re

import pytest

from tests.support.idp import ISSUER, Client, Provider, answer, provider_in
from tests.support.oauth_peer import WONG

BACK = "https://portal.test/bye"


@pytest.fixture
async def provider(tmp_path):
    async with provider_in(tmp_path) as made:
        yield made


@pytest.fixture
async def client(provider: Provider) -> Client:
    extra = {"post_logout_redirect_uris": [BACK], "backchannel_logout_uri": "https://portal.test/back-channel"}
    return await provider.register(Client(extra=extra))


async def signed_in(client: Client):
    browser = client.provider.browser()
    parameters = await client.login(browser)
    return browser, (await client.redeem(parameters["code"])).json()["id_token"]


async def nothing_ended(provider: Provider, client: Client, browser) -> None:
    assert "code" in answer(await browser.open(client.url(prompt="none")))
    assert "session.ended" not in provider.trail.names()
    assert await provider.store.take_notices(at=provider.now, until=provider.now, limit=1) == []


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_on_another_site_signs_nobody_out(provider: Provider, client: Client, method: str) -> None:
    browser, _ = await signed_in(client)
    for fields in (
        {},
        {"client_id": client.client_id, "post_logout_redirect_uri": BACK},
        {"csrf": ""},
        {"csrf": "x" * 43},
        {"logout_hint": "x", "csrf": "é"},
    ):
        sent = {"params": fields} if method == "GET" else {"data": fields or {"x": "y"}}
        page = await browser.client.request(method, f"{ISSUER}/logout", **sent)
        assert "Do you want to sign out?" in page.text
    await nothing_ended(provider, client, browser)


async def test_the_attackers_own_hint_and_form_end_nobody_elses_session(provider: Provider, client: Client) -> None:
    attacker, hint = await signed_in(client)
    page = await attacker.get(f"{ISSUER}/logout")
    csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)[1]
    provider.peer.person = WONG
    victim, _ = await signed_in(client)
    for fields in ({"id_token_hint": hint}, {"csrf": csrf}, {"csrf": csrf, "id_token_hint": hint}):
        page = await victim.client.post(f"{ISSUER}/logout", data=fields)
        assert "Do you want to sign out?" in page.text
    await nothing_ended(provider, client, victim)


async def test_a_hint_of_the_same_person_from_another_browser_ends_nothing_here(
    provider: Provider, client: Client
) -> None:
    _, hint_elsewhere = await signed_in(client)
    browser, _ = await signed_in(client)
    page = await browser.client.get(f"{ISSUER}/logout", params={"id_token_hint": hint_elsewhere})
    assert "Do you want to sign out?" in page.text
    await nothing_ended(provider, client, browser)


async def test_a_hint_of_one_portal_for_another_is_nobodys(provider: Provider, client: Client) -> None:
    other = Client(
        client_id="other",
        redirect_uri="https://other.test/cb",
        extra={"post_logout_redirect_uris": ["https://other.test/bye"]},
    )
    await provider.register(other)
    browser, hint = await signed_in(client)
    fields = {"id_token_hint": hint, "client_id": "other", "post_logout_redirect_uri": "https://other.test/bye"}
    page = await browser.client.get(f"{ISSUER}/logout", params=fields)
    assert "Do you want to sign out?" in page.text
    assert "other.test" not in page.text.partition("<main")[2]
    await nothing_ended(provider, client, browser)


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.test/", f"{BACK}/", f"{BACK}?x=1", f"{BACK}#x", BACK.upper(), "https://portal.test.evil.test/bye",
        "https://portal.test@evil.test/bye", "//evil.test/bye", "javascript:alert(1)", "https://portal.test/callback",
        "https://portal.test/%62ye", " https://portal.test/bye", "https://portal.test:443/bye",
    ],
)  # fmt: skip
async def test_no_open_redirect(provider: Provider, client: Client, uri: str) -> None:
    browser, hint = await signed_in(client)
    for fields in ({"id_token_hint": hint}, {"client_id": client.client_id}):
        page = await browser.client.get(f"{ISSUER}/logout", params={**fields, "post_logout_redirect_uri": uri})
        assert "location" not in page.headers
        assert "evil" not in page.text.partition("<main")[2]
        assert "evil" not in page.headers["content-security-policy"]


async def test_two_ways_back_are_none(client: Client) -> None:
    browser, hint = await signed_in(client)
    query = f"id_token_hint={hint}&post_logout_redirect_uri={BACK}&post_logout_redirect_uri=https://evil.test/"
    page = await browser.get(f"{ISSUER}/logout?{query}")
    assert "location" not in page.headers


@pytest.mark.parametrize("state", ["a\r\nSet-Cookie: x=y", "x" * 600, "\x00", "\u202e"])
async def test_state_breaks_out_of_nothing(client: Client, state: str) -> None:
    browser, hint = await signed_in(client)
    params = {"id_token_hint": hint, "post_logout_redirect_uri": BACK, "state": state}
    response = await browser.client.get(f"{ISSUER}/logout", params=params)
    assert response.headers["location"] == BACK


async def test_a_frame_cannot_write_the_policy_or_the_page(provider: Provider) -> None:
    """A registered address with punctuation of a policy ends no directive."""
    client = Client(
        redirect_uri="https://x.test;sandbox/cb",
        extra={"frontchannel_logout_uri": "https://x.test;sandbox/out?\"'", "sector_identifier_uri": "https://x.test/"},
    )
    from idp.errors import IdpRefused

    try:
        await provider.register(client)
    except IdpRefused:
        return  # refused at the door: as good
    browser, hint = await signed_in_at(client)
    page = await browser.client.get(f"{ISSUER}/logout", params={"id_token_hint": hint})
    directives = [directive.split(" ")[0] for directive in page.headers["content-security-policy"].split("; ")]
    assert not any("sandbox" in directive for directive in page.headers["content-security-policy"].split(";"))
    assert len(directives) == len(set(directives))


async def signed_in_at(client: Client):
    browser = client.provider.browser()
    page = await browser.follow(await browser.get(client.url()), until=client.redirect_uri)
    response = await browser.agree(page)
    code = re.search(r"code=([^&]+)", response.headers["location"])[1]
    return browser, (await client.redeem(code)).json()["id_token"]

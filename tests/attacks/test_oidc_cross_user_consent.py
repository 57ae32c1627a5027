"""Cross-user consent: what one person agreed to never serves another, in one browser or in two."""

import pytest

from tests.idp.conformance.flow import redirected_error, shown_error
from tests.support.idp import Client, Provider, answer
from tests.support.oauth_peer import CHAN, WONG
from tests.support.verified_tokens import id_token_claims


async def test_cross_user_consent_another_browser_cannot_agree(provider: Provider, client: Client) -> None:
    victim, attacker = provider.browser(), provider.browser()
    page = await victim.open(client.url(scope="openid profile"))
    await attacker.open(client.url(scope="openid profile"))
    response = await attacker.agree(page)
    assert response.status_code == 400
    assert "form_refused" in response.text
    assert "consent.given" not in provider.trail.names()


async def test_cross_user_consent_of_one_person_never_serves_another(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    await client.login(browser, scope="openid profile")
    provider.peer.person = WONG
    page = await browser.open(client.url(scope="openid profile", prompt="login"))
    assert "/login/consent" in page.text


async def test_consent_shown_for_one_portal_is_not_taken_for_another(provider: Provider, client: Client) -> None:
    """Two tabs: the form of the first must not agree to what the second portal asks."""
    other = await provider.register(Client("mo-notary", "https://portal.test/notary", region="mo"))
    browser = provider.browser()
    first = await browser.open(client.url(scope="openid"))
    await browser.open(other.url(scope="openid profile"))
    response = await browser.agree(first)
    assert response.status_code == 400
    assert "form_refused" in response.text


async def test_consent_before_the_person_changed_is_asked_again(provider: Provider, client: Client) -> None:
    """The consent page of one login is open; in the same login somebody else signs in; the old page's form agrees to nothing."""
    browser = provider.browser()
    page = await browser.open(client.url(scope="openid profile"))
    assert "/login/consent" in page.text
    provider.peer.person = WONG
    again = await browser.open(client.url(scope="openid profile", prompt="login"))
    stale = await browser.agree(page)
    shown_error(stale, "form_refused")
    parameters = answer(await browser.agree(again))
    response = await client.redeem(parameters["code"])
    claims = await id_token_claims(client, response.json())
    told = (await client.userinfo(response.json()["access_token"])).json()
    assert (told["sub"], told["name"]) == (claims["sub"], WONG.name_latin)


async def test_silently_there_is_no_code_by_somebody_elses_consent(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    await client.login(browser, scope="openid profile")
    provider.peer.person = WONG
    page = await browser.open(client.url(scope="openid", prompt="login"))
    await browser.agree(page)
    redirected_error(await browser.open(client.url(scope="openid profile", prompt="none")), "consent_required")
    provider.peer.person = CHAN
    parameters = answer(await browser.open(client.url(scope="openid profile", prompt="login")))
    assert "code" in parameters, "her own consent still stands for her"


async def test_consent_is_for_one_portal(provider: Provider, client: Client) -> None:
    twin = await provider.register(Client("twin"))
    browser = provider.browser()
    await client.login(browser, scope="openid profile")
    redirected_error(await browser.open(twin.url(scope="openid profile", prompt="none")), "consent_required")


@pytest.mark.parametrize("field", ["item_gender", "item_signing", "item_permit", "item_offline", "item_document"])
async def test_a_form_cannot_agree_to_more_than_was_asked(provider: Provider, client: Client, field: str) -> None:
    browser = provider.browser()
    page = await browser.open(client.url(claims='{"userinfo":{"name":null}}'))
    fields = {"decision": "agree", "item_name": "yes", field: "yes"}
    response = await browser.submit(page, "/login/consent", fields)
    tokens = (await client.redeem(answer(response)["code"])).json()
    assert tokens["scope"] == "openid"
    assert {name.partition("#")[0] for name in (await client.userinfo(tokens["access_token"])).json()} == {
        "sub",
        "name",
    }


async def test_a_declined_item_stays_declined_for_this_consent(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    page = await browser.open(client.url(scope="openid profile"))
    await browser.agree(page, items=["birthdate"])
    parameters = answer(await browser.open(client.url(scope="openid profile", prompt="none")))
    token = (await client.redeem(parameters["code"])).json()["access_token"]
    assert set((await client.userinfo(token)).json()) == {"sub", "birthdate"}

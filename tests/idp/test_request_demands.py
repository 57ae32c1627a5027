"""What a portal demands of the person and the sign-in is held: a `sub`, an age, a level; what is only a wish never is an error."""

import json

import pytest

from tests.idp.conformance.flow import complete, finish, redirected_error, refused
from tests.support.fapi_client import FapiClient
from tests.support.idp import Client, Provider, answer
from tests.support.oauth_peer import CHAN, WONG, another

LOW, SUBSTANTIAL, HIGH = (f"urn:gba-trust:acr:{level}" for level in ("low", "substantial", "high"))


def sub(value: object) -> str:
    return json.dumps({"id_token": {"sub": {"value": value}}})


async def test_the_asked_sub_must_be_who_is_signed_in(provider: Provider, client: Client) -> None:
    """OpenID Connect Core cl. 5.5.1, 3.1.2.2: a positive answer only for that person."""
    mine, theirs = provider.browser(), provider.browser()
    done = await complete(client, mine)
    provider.peer.person = WONG
    other = await complete(client, theirs)
    assert done.claims["sub"] != other.claims["sub"]
    again = answer(await mine.open(client.url(prompt="none", claims=sub(done.claims["sub"]))))
    assert "code" in again
    for value in (other.claims["sub"], "nobody"):
        redirected_error(await mine.open(client.url(prompt="none", claims=sub(value))), "login_required")
    # with a person there: whoever else signs in is sent back to the choice, until it is the one who was asked for
    provider.peer.person = CHAN
    page = await mine.open(client.url(claims=sub(other.claims["sub"])))
    assert (page.status_code, "/login/with/iam_smart" in page.text) == (200, True)
    assert "This request is meant for somebody else" in page.text
    provider.peer.person = WONG
    right = await finish(client, answer(await mine.choose(page)))
    assert right.claims["sub"] == other.claims["sub"]


async def test_a_hint_of_somebody_else_with_a_chosen_connector_does_not_go_round(
    provider: Provider, client: Client
) -> None:
    """The portal names provider and person, somebody else signs in there: they are told, not sent there again and again."""
    hint = (await complete(client)).tokens["id_token"]
    provider.peer.person = WONG
    page = await provider.browser().open(client.url(id_token_hint=hint))
    assert "This request is meant for somebody else" in page.text
    assert provider.peer.logins == 2


async def test_hint_and_asked_sub_must_agree(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    done = await complete(client, browser)
    hint, subject = done.tokens["id_token"], done.claims["sub"]
    both = client.url(prompt="none", id_token_hint=hint, claims=sub(subject))
    assert "code" in answer(await browser.open(both))
    redirected_error(await browser.open(client.url(id_token_hint=hint, claims=sub("another"))), "invalid_request")


@pytest.mark.parametrize("value", ["", "x" * 256, 5, None, ["a"], {"a": 1}])
async def test_a_sub_that_is_none_is_refused(provider: Provider, client: Client, value: object) -> None:
    redirected_error(await provider.browser().get(client.url(claims=sub(value))), "invalid_request")
    rp = await provider.register(FapiClient())
    refused(await rp.push(claims=sub(value)), "invalid_request")


async def test_max_age_0_signs_in_anew_even_within_the_second(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    await complete(client, browser)
    redirected_error(await browser.open(client.url(prompt="none", max_age="0")), "login_required")
    await complete(client, browser, max_age="0")
    assert provider.peer.logins == 2


async def test_registered_defaults_hold_and_the_request_goes_before_them(provider: Provider) -> None:
    rp = await provider.register(
        Client("strict", extra={"default_max_age": 60, "default_acr_values": [HIGH], "require_auth_time": True})
    )
    redirected_error(await provider.browser().open(rp.url()), "unmet_authentication_requirements")
    browser = provider.browser()
    done = await complete(rp, browser, acr_values=SUBSTANTIAL)
    assert done.claims["auth_time"]
    provider.later(seconds=61)
    silent = {"prompt": "none", "acr_values": SUBSTANTIAL}
    redirected_error(await browser.open(rp.url(**silent)), "login_required")
    assert "code" in answer(await browser.open(rp.url(**silent, max_age="100")))


async def test_acr_values_are_held_in_the_portals_order(provider: Provider, client: Client) -> None:
    """Any of the levels will do; what is told is what was reached."""
    assert (await complete(client, acr_values=f"{HIGH} {LOW}")).claims["acr"] in {SUBSTANTIAL, HIGH}
    provider.peer.person = another(CHAN, method="sms")
    assert (await complete(client, acr_values=LOW)).claims["acr"] == LOW
    refusal = await provider.browser().open(client.url(acr_values=SUBSTANTIAL))
    redirected_error(refusal, "unmet_authentication_requirements")


async def test_an_essential_acr_is_told_by_the_name_that_was_asked(provider: Provider, client: Client) -> None:
    def acr(**member: object) -> str:
        return json.dumps({"id_token": {"acr": member}})

    assert (await complete(client, claims=acr(essential=True, values=[LOW, HIGH]))).claims["acr"] == LOW
    assert (await complete(client, claims=acr(essential=True))).claims["acr"] == SUBSTANTIAL
    assert (await complete(client, claims=acr(value=LOW))).claims["acr"] == SUBSTANTIAL, "a wish; more is more"


@pytest.mark.parametrize(
    "wish",
    [
        {"display": "touch"}, {"display": "hologram"}, {"claims_locales": "se !!"}, {"ui_locales": "x" * 500}, {"login_hint": "sub:1"},
        {"extra": "1"}, {"ui_locales": ""}, {"acr_values": ""}, {"claims": "{}"}, {"claims": '{"userinfo":null}'},
        {"claims": '{"userinfo":{"email":{"essential":true},"name":null},"id_token":{"auth_time":{"essential":true}},"x":1}'},
        {"vtr": "[]"}, {"request_context": "x"}, {"scope": "openid unknown https://x.test/scope"},
    ],
)  # fmt: skip
async def test_a_wish_that_we_cannot_follow_is_no_error(client: Client, wish: dict[str, str]) -> None:
    done = await complete(client, **wish)
    assert "email" not in done.userinfo
    assert done.claims["auth_time"]


async def test_post_takes_the_same_demands(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    await complete(client, browser)
    for demands, error in (
        ({"prompt": "none", "max_age": "0"}, "login_required"),
        ({"prompt": "none", "claims": sub("nobody")}, "login_required"),
        ({"claims": "x"}, "invalid_request"),
    ):
        response = await browser.client.post(f"{provider.issuer}/authorize", data=client.query(**demands))
        redirected_error(await browser.follow(response), error)

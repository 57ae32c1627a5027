"""Mix-up: a portal that uses several providers must see from every answer which of them it comes from (RFC 9207)."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.support.fapi_client import VARIANTS, FapiClient
from tests.support.idp import ISSUER, Client, Provider, answer

WAYS = {
    "success": ({}, None),
    "refused by a check": ({"response_type": "token"}, "unsupported_response_type"),
    "refused by PKCE": ({"code_challenge_method": "plain"}, "invalid_request"),
    "refused for its scope": ({"scope": "profile"}, "invalid_scope"),
    "refused request object": ({"request": "eyJhbGciOiJub25lIn0.e30."}, "invalid_request_object"),
    "refused request_uri": ({"request_uri": "https://evil.test/r"}, "request_uri_not_supported"),
    "refused silently": ({"prompt": "none"}, "login_required"),
    "refused for its level": ({"acr_values": "urn:gba-trust:acr:high"}, "unmet_authentication_requirements"),
}


def issuers(location: str) -> list[str]:
    return [value for name, value in parse_qsl(urlsplit(location).query) if name == "iss"]


@pytest.mark.parametrize("way", WAYS)
async def test_every_answer_names_its_issuer_once(provider: Provider, client: Client, way: str) -> None:
    changes, error = WAYS[way]
    browser = provider.browser()
    response = await browser.open(client.url(**changes))
    if error is None:
        response = await browser.agree(response)
    assert answer(response).get("error") == error
    assert issuers(response.headers["location"]) == [ISSUER]
    async with provider.back_channel() as http:
        document = (await http.get("/.well-known/openid-configuration")).json()
    assert (document["issuer"], document["authorization_response_iss_parameter_supported"]) == (ISSUER, True)


async def test_the_persons_no_and_their_giving_up_name_it_too(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    declined = await browser.agree(await browser.open(client.url(scope="openid profile")), decision="decline")
    assert (answer(declined)["error"], issuers(declined.headers["location"])) == ("access_denied", [ISSUER])
    await browser.open(client.url(connector=None, prompt="login"))
    given_up = await browser.get(f"{ISSUER}/login/cancel")
    assert (answer(given_up)["error"], issuers(given_up.headers["location"])) == ("access_denied", [ISSUER])


@pytest.mark.parametrize("name", ["iss", "issuer"])
async def test_the_request_cannot_choose_it(provider: Provider, client: Client, name: str) -> None:
    """Neither a parameter of that name, nor a state that looks like one, nor the Host header."""
    evil = "https://evil.test"
    browser = provider.browser()
    response = await browser.get(client.url(prompt="none", state=f"s&{name}={evil}", **{name: evil}))
    assert issuers(response.headers["location"]) == [ISSUER]
    response = await browser.client.get(
        client.url(prompt="none"), headers={"Host": "evil.test", "X-Forwarded-Host": "evil.test"}
    )
    assert issuers(response.headers["location"]) == [ISSUER]
    rp = await provider.register(FapiClient(variant=VARIANTS["message signing"]))
    said = await rp.login(provider.browser(), **{name: evil})
    assert said["iss"] == ISSUER


async def test_a_signed_answer_has_its_issuer_inside_and_none_beside(provider: Provider) -> None:
    """JARM cl. 2.1: read_jarm holds iss, aud, exp; another client's answer does not pass for one's own."""
    rp = await provider.register(FapiClient("first", variant=VARIANTS["message signing"]))
    other = await provider.register(FapiClient("second", variant=VARIANTS["message signing"]))
    response = await provider.browser().open(await rp.pushed_url(prompt="none"))
    assert set(answer(response)) == {"response"}
    assert rp.answer(response)["error"] == "login_required"
    with pytest.raises(AssertionError):
        other.answer(response)


async def test_a_code_carried_to_the_wrong_provider_is_safe_with_its_client(provider: Provider, client: Client) -> None:
    """The attack's end: an attacker's server got the code. It has neither the verifier nor the client's key."""
    code = (await client.login(provider.browser()))["code"]
    attacker = await provider.register(Client("attacker"))
    for form in (
        attacker.token_form(code),
        attacker.token_form(code, code_verifier=None),
        {**attacker.token_form(code), "client_assertion": client.assertion(aud="https://evil.test")},
    ):
        async with provider.back_channel() as http:
            response = await http.post("/token", data=form)
        assert response.json()["error"] in {"invalid_grant", "invalid_client"}
    assert (await client.redeem(code)).status_code == 200

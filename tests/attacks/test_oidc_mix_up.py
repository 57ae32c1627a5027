"""Mix-up: an answer of another provider, or an answer that went to another one, is told apart by `iss` (RFC 9207; RFC 9700 cl. 4.4)."""

import pytest

from tests.support.idp import ISSUER, Client, Provider, answer


async def test_success_names_its_issuer(provider: Provider, client: Client) -> None:
    assert (await client.login(provider.browser()))["iss"] == ISSUER


@pytest.mark.parametrize(
    "changes",
    [{"prompt": "none"}, {"response_type": "token"}, {"scope": "openid admin signing permit profile", "claims": "{"}],
)
async def test_every_refusal_names_its_issuer(provider: Provider, client: Client, changes: dict[str, str]) -> None:
    refusal = answer(await provider.browser().get(client.url(**changes)))
    assert refusal["iss"] == ISSUER
    assert "error" in refusal


async def test_discovery_promises_it(provider: Provider) -> None:
    async with provider.back_channel() as http:
        document = (await http.get("/.well-known/openid-configuration")).json()
    assert document["issuer"] == ISSUER
    assert document["authorization_response_iss_parameter_supported"] is True


async def test_an_assertion_for_another_provider_is_none_for_us(provider: Provider, client: Client) -> None:
    """The attacker's provider passes on what the portal signed for it: its audience is the other issuer."""
    code = (await client.login(provider.browser()))["code"]
    form = client.token_form(code, client_assertion=client.assertion(aud="https://attacker.test"))
    async with provider.back_channel() as http:
        response = await http.post("/token", data=form)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert (await client.redeem(code)).status_code == 200, "and it cost nothing"

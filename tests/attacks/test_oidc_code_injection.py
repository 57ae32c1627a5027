"""Code injection: a code that another browser, client or request brought home is worth nothing here."""

import asyncio

import pytest

from tests.idp.conformance.flow import refused
from tests.support.fapi_client import VARIANTS, FapiClient
from tests.support.idp import Client, Provider
from tests.support.oauth_peer import WONG
from tests.support.verified_tokens import id_token_claims


async def test_code_injection_another_relying_party_cannot_redeem_or_burn_it(
    provider: Provider, client: Client
) -> None:
    thief = await provider.register(Client("thief"))
    code = await fresh_code(client)
    thief.verifier = client.verifier
    refused(await thief.redeem(code), "invalid_grant")
    assert (await client.redeem(code)).status_code == 200


async def fresh_code(client: Client, **changes: str) -> str:
    return (await client.login(client.provider.browser(), **changes))["code"]


def another_session(client: Client) -> Client:
    """The same relying party in another browser session: its own verifier, the same registration."""
    other = Client(client.client_id, client.redirect_uri, key=client.key)
    other.provider = client.provider
    return other


async def test_stolen_code_in_the_thiefs_own_session_fails_by_pkce(provider: Provider, client: Client) -> None:
    """The classic injection: the portal redeems the victim's code with the verifier of the attacker's session."""
    stolen = await fresh_code(client)
    attackers = another_session(client)
    await attackers.login(provider.browser())
    refused(await attackers.redeem(stolen), "invalid_grant")
    refused(await client.redeem(stolen), "invalid_grant")  # and the try is an alarm: the victim's grant is gone, too
    assert provider.trail.last("token.refused").outcome == "code_reused"


async def test_a_code_brings_the_nonce_of_its_own_request(provider: Provider, client: Client) -> None:
    provider.peer.person = WONG
    code = await fresh_code(client, nonce="of-the-attacker")
    claims = await id_token_claims(client, (await client.redeem(code)).json(), nonce="of-the-attacker")
    assert claims["nonce"] != "nonce-1", "a portal that compares it sees that the answer is not its own"


async def test_code_of_one_return_address_at_another(provider: Provider) -> None:
    uris = ["https://portal.test/callback", "https://portal.test/other"]
    client = await provider.register(Client(extra={"redirect_uris": uris}))
    for changes in ({"redirect_uri": uris[1]}, {"redirect_uri": f"{uris[0]}?x"}, {"redirect_uri": None}):
        refused(await client.redeem(await fresh_code(client), **changes), "invalid_grant")


async def test_code_of_another_client_of_the_same_portal(provider: Provider, client: Client) -> None:
    """Same return address, same sector, same key: it is the client_id that the code belongs to."""
    twin = await provider.register(Client("gd-bank-app", key=client.key))
    twin.verifier = client.verifier
    code = await fresh_code(client)
    refused(await twin.redeem(code), "invalid_grant")
    mixed = {"client_assertion": twin.assertion(), "client_id": client.client_id}
    refused(await client.redeem(code, **mixed), "invalid_client", 401)
    assert (await client.redeem(code)).status_code == 200


@pytest.mark.parametrize("variant", ["private_key_jwt+dpop", "message signing"])
async def test_a_code_bound_to_a_key_is_no_use_to_whoever_took_it_with_the_verifier(
    provider: Provider, variant: str
) -> None:
    rp = await provider.register(FapiClient(variant=VARIANTS[variant]))
    code = (await rp.login(provider.browser(), dpop_jkt=rp.dpop.jkt))["code"]
    thief = FapiClient(rp.client_id, key=rp.key, verifier=rp.verifier, provider=provider, variant=rp.variant)
    refused(await thief.redeem(code), "invalid_grant")


async def test_taken_apart_and_put_together(provider: Provider, client: Client) -> None:
    """A code is a row's name and a secret: neither half of one goes with a half of another."""
    first, second = await fresh_code(client), await fresh_code(client)
    (name, secret), (other_name, other_secret) = first.split("."), second.split(".")
    for forged in (
        f"{name}.{other_secret}",
        f"{other_name}.{secret}",
        f"{name}.",
        f".{secret}",
        name,
        f"{name}.{secret}x",
        f"{name}.{'A' * 32}",
    ):
        response = await client.redeem(forged)
        assert response.json()["error"] == "invalid_grant", forged
    for code in (first, second):
        assert (await client.redeem(code)).status_code == 200, "guessing has cost nobody anything"


async def test_thief_and_owner_at_the_same_instant(provider: Provider, client: Client) -> None:
    """Whoever comes first, the code is redeemed at most once, and a thief without the verifier gets nothing."""
    for _ in range(4):
        code, thief = await fresh_code(client), another_session(client)
        mine, theirs = await asyncio.gather(client.redeem(code), thief.redeem(code))
        refused(theirs, "invalid_grant")
        if mine.status_code == 200:  # came first; the thief's try then revoked it
            assert (await client.userinfo(mine.json()["access_token"])).status_code == 401

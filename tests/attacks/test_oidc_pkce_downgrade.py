"""PKCE downgrade: no way to a code, or from it to tokens, without the S256 verifier; rows of single requests
are in `test_oidc_authorize`.
"""

import base64
import hashlib
import secrets

import pytest

from tests.idp.conformance.flow import redirected_error, refused
from tests.support.fapi_client import VARIANTS, FapiClient
from tests.support.idp import Client, Provider, challenge

GOOD = "v" * 43


async def fresh_code(client: Client, **changes: str) -> str:
    return (await client.login(client.provider.browser(), **changes))["code"]


async def test_pkce_challenge_itself_is_not_a_verifier(provider: Provider, client: Client) -> None:
    """The downgrade to `plain` at the token endpoint: the challenge travelled in the open."""
    from tests.support.idp import challenge

    refused(await client.redeem(await fresh_code(client), code_verifier=challenge(client.verifier)), "invalid_grant")


async def test_wrong_verifier_costs_the_code(provider: Provider, client: Client) -> None:
    code = await fresh_code(client)
    refused(await client.redeem(code, code_verifier=secrets.token_urlsafe(48)), "invalid_grant")
    refused(await client.redeem(code), "invalid_grant")


async def test_native_app_without_secret_needs_pkce(provider: Provider) -> None:
    app = await provider.register(Client("app", auth="none", native=True, scope="openid"))
    code = await fresh_code(app)
    refused(await app.redeem(code, code_verifier=None), "invalid_grant")
    assert (await app.redeem(await fresh_code(app))).status_code == 200


DOWNGRADES = {
    "none at all": {"code_challenge": None, "code_challenge_method": None},
    "the method alone": {"code_challenge": None},
    "plain": {"code_challenge": GOOD, "code_challenge_method": "plain"},
    "plain by default": {"code_challenge": GOOD, "code_challenge_method": None},
    "plain with the hash": {"code_challenge_method": "plain"},
    "another case": {"code_challenge_method": "s256"},
    "a stronger hash that does not exist": {"code_challenge_method": "S512"},
    "two methods": {"code_challenge_method": "plain S256"},
    "empty challenge": {"code_challenge": ""},
    "hash of nothing, padded": {"code_challenge": base64.urlsafe_b64encode(hashlib.sha256(b"").digest()).decode()},
    "hash in standard base64": {"code_challenge": "+" * 43},
    "hash in hexadecimal": {"code_challenge": hashlib.sha256(b"x").hexdigest()},
    "longer": {"code_challenge": "A" * 44},
    "with a line break": {"code_challenge": "A" * 43 + "\n"},
}


@pytest.mark.parametrize("name", DOWNGRADES)
async def test_at_every_door_of_requests(provider: Provider, client: Client, name: str) -> None:
    changes = DOWNGRADES[name]
    redirected_error(await provider.browser().get(client.url(**changes)), "invalid_request")
    for party, variant in (("pusher", "private_key_jwt+dpop"), ("signer", "message signing")):
        rp = await provider.register(FapiClient(party, variant=VARIANTS[variant]))
        refused(await rp.push(**changes), "invalid_request")


async def test_challenge_beside_a_signed_request_does_not_count(provider: Provider) -> None:
    """An attacker in front cannot swap the challenge: what is signed or pushed is the request."""
    rp = await provider.register(FapiClient(variant=VARIANTS["message signing"]))
    attackers = challenge("attackers-verifier-attackers-verifier-attackers")
    response = await rp.push(form={"code_challenge": attackers})
    url = rp.front_url(response.json()["request_uri"], code_challenge=attackers, code_challenge_method="plain")
    code = (await rp.walk(provider.browser(), url))["code"]
    refused(await rp.redeem(code, code_verifier="attackers-verifier-attackers-verifier-attackers"), "invalid_grant")
    url = rp.front_url((await rp.push()).json()["request_uri"], code_challenge=attackers)
    code = (await rp.walk(provider.browser(), url))["code"]
    assert (await rp.redeem(code)).status_code == 200


VERIFIERS = {
    "missing": (None, "invalid_grant"), "empty": ("", "invalid_grant"), "short": ("a" * 42, "invalid_request"),
    "long": ("a" * 129, "invalid_request"), "other characters": ("a" * 42 + "+", "invalid_request"),
    "another one": ("a" * 43, "invalid_grant"), "with a space": (" " + "a" * 43, "invalid_request"),
}  # fmt: skip


@pytest.mark.parametrize("name", VERIFIERS)
async def test_at_the_token_endpoint(provider: Provider, client: Client, name: str) -> None:
    verifier, code = VERIFIERS[name]
    refused(await client.redeem(await fresh_code(client), code_verifier=verifier), code)


async def test_verifier_of_an_earlier_login(provider: Provider, client: Client) -> None:
    earlier = client.verifier
    await fresh_code(client)
    client.verifier = earlier[::-1]
    refused(await client.redeem(await fresh_code(client), code_verifier=earlier), "invalid_grant")

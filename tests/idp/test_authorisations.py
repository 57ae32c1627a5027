"""What the signing API learns of a portal and of a citizen."""

import pytest
from starlette.requests import Request

from idp.authorisations import IdpAuthorisations
from signing.errors import AccessRefused
from tests.support.idp import Client, Provider
from tests.support.oauth_peer import WONG


def request_of(cookies: str = "", authorization: str | None = None) -> Request:
    headers = [(b"cookie", cookies.encode())]
    if authorization is not None:
        headers.append((b"authorization", authorization.encode()))
    path = "/api/v1/signing/transactions"
    return Request({"type": "http", "headers": headers, "query_string": b"", "method": "POST", "path": path})


async def access_token(client: Client, browser, scope: str) -> str:
    parameters = await client.login(browser, scope=scope)
    return (await client.redeem(parameters["code"])).json()["access_token"]


async def test_portal_and_citizen_are_the_same_person(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    token = await access_token(client, browser, "openid signing")
    authorisations = IdpAuthorisations(provider.deps)
    access = await authorisations.portal_access(request_of(authorization=f"Bearer {token}"), scope="signing")
    assert (access.client_id, access.client_name, access.region) == ("gd-bank", "Guangdong Sample Bank", "gd")
    cookie = browser.client.cookies[provider.config.session_cookie]
    citizen = await authorisations.citizen(request_of(f"{provider.config.session_cookie}={cookie}"))
    assert citizen.citizen == access.citizen
    assert citizen.connector == "iam_smart"
    assert citizen.signer.startswith("iam_smart:")


async def test_refusals(provider: Provider, client: Client) -> None:
    authorisations = IdpAuthorisations(provider.deps)
    unscoped = await access_token(client, provider.browser(), "openid")
    scoped = await access_token(client, provider.browser(), "openid signing")
    cases = {
        None: "invalid_token",
        "": "invalid_token",
        "Basic x": "invalid_token",
        "Bearer": "invalid_token",
        "Bearer x": "invalid_token",
        f"DPoP {scoped}": "invalid_token",
        f"Bearer {unscoped}": "insufficient_scope",
    }
    for header, code in cases.items():
        with pytest.raises(AccessRefused) as refusal:
            await authorisations.portal_access(request_of(authorization=header), scope="signing")
        assert refusal.value.code == code
    await provider.store.remove_client("gd-bank")
    with pytest.raises(AccessRefused):
        await authorisations.portal_access(request_of(authorization=f"Bearer {scoped}"), scope="signing")


async def test_nobody_without_a_live_session_that_can_sign(provider: Provider, client: Client) -> None:
    authorisations = IdpAuthorisations(provider.deps)
    name = provider.config.session_cookie
    assert await authorisations.citizen(request_of()) is None
    assert await authorisations.citizen(request_of(f"{name}=guess")) is None
    provider.peer.person = WONG
    browser = provider.browser()
    await client.login(browser)
    cookie = browser.client.cookies[name]
    assert await authorisations.citizen(request_of(f"{name}={cookie}")) is None
    provider.later(hours=9)
    assert await authorisations.citizen(request_of(f"{name}={cookie}")) is None

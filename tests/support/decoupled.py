"""Relying parties whose people are at another device: what the tests of the device grant and of CIBA share."""

from typing import Any

import httpx

from idp.protocol import GrantType
from tests.support.idp import ISSUER, Browser, Client, Provider

EVERY_GRANT = [
    GrantType.AUTHORIZATION_CODE.value,
    GrantType.REFRESH_TOKEN.value,
    GrantType.DEVICE_CODE.value,
    GrantType.CIBA.value,
]


def kiosk(**changes: Any) -> Client:
    extra = {"grant_types": EVERY_GRANT, **changes.pop("extra", {})}
    return Client(scope="openid profile permit signing offline_access", extra=extra, **changes)


async def ask_device(client: Client, **form: str) -> dict[str, Any]:
    answer = await client.call("/device_authorization", **{"scope": "openid profile", **form})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def poll_device(client: Client, asked: dict[str, Any]) -> httpx.Response:
    return await client.call("/token", grant_type=GrantType.DEVICE_CODE.value, device_code=asked["device_code"])


async def ask_person(client: Client, **form: str) -> httpx.Response:
    return await client.call("/backchannel_authentication", **{"scope": "openid", **form})


async def poll_person(client: Client, auth_req_id: str) -> httpx.Response:
    return await client.call("/token", grant_type=GrantType.CIBA.value, auth_req_id=auth_req_id)


async def to_consent(browser: Browser, response: httpx.Response) -> httpx.Response:
    """From a page of the login choice, or a redirect to it, to the consent page."""
    page = await browser.follow(response)
    if "/login/with/iam_smart" in page.text:
        page = await browser.choose(page)
    return page


async def enter_code(browser: Browser, user_code: str) -> httpx.Response:
    """Type a user code; return the consent page, or the page that refuses the code."""
    answer = await browser.client.post(f"{ISSUER}/device", data={"user_code": user_code})
    return await to_consent(browser, answer)


async def decide(browser: Browser, page: httpx.Response, decision: str = "agree") -> httpx.Response:
    return await browser.follow(await browser.agree(page, decision=decision))


async def known_person(provider: Provider, client: Client) -> tuple[Browser, str]:
    """Let the person sign in at this portal once; return their browser, and the subject by which the portal knows them."""
    browser = provider.browser()
    parameters = await client.login(browser)
    tokens = (await client.redeem(parameters["code"])).json()
    return browser, claims_of(tokens["id_token"])["sub"]


def claims_of(token: str) -> dict[str, Any]:
    """Read a JWT's claims without any verification: for what was just received from the provider itself."""
    import base64
    import json

    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))

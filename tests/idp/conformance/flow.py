"""The happy flow that nearly every module of the OpenID Connect plans begins with, checked at each step."""

from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.idp import ISSUER, Client, Provider, answer
from tests.support.verified_tokens import id_token_claims

SECRET = "a secret of 256 bits, shown once"


@dataclass
class Done:
    """What one flow gave."""

    parameters: dict[str, str]
    tokens: dict[str, Any]
    claims: dict[str, Any]
    userinfo: dict[str, Any]


def basic_client(client_id: str = "suite-1", auth: str = "client_secret_basic", **extra: Any) -> Client:
    """The static client that the suite is configured with: by secret, with RS256 ID tokens (Core cl. 15.1)."""
    members = {
        "grant_types": ["authorization_code", "refresh_token"],
        "id_token_signed_response_alg": "RS256",
        "post_logout_redirect_uris": ["https://portal.test/bye"],
        **extra,
    }
    return Client(client_id, auth=auth, secret=SECRET, scope="openid profile permit signing", extra=members)


async def complete(rp: Client, browser: Any = None, **changes: str | None) -> Done:
    """Walk a whole login in a browser (a fresh one unless given), redeem, verify, and read userinfo."""
    return await finish(rp, await rp.login(browser or rp.provider.browser(), **changes), **changes)


async def finish(rp: Client, parameters: dict[str, str], **changes: str | None) -> Done:
    """Redeem what an authorization response brought, and check everything that comes of it."""
    asked = rp.query(**changes)
    assert set(parameters) == {"code", "iss"} | ({"state"} & set(asked)), parameters
    assert parameters["iss"] == ISSUER
    assert parameters.get("state") == asked.get("state")
    response = await rp.redeem(parameters["code"])
    assert response.status_code == 200, response.text
    assert (response.headers["cache-control"], response.headers["pragma"]) == ("no-store", "no-cache")
    tokens = response.json()
    assert tokens["token_type"] == "Bearer"
    assert 0 < tokens["expires_in"] <= 3600
    claims = await id_token_claims(rp, tokens, nonce=asked.get("nonce"), algorithm=algorithm_of(rp))
    info = await rp.userinfo(tokens["access_token"])
    assert (info.status_code, info.headers["content-type"]) == (200, "application/json")
    assert info.json()["sub"] == claims["sub"]  # Core cl. 5.3.4
    return Done(parameters, tokens, claims, info.json())


def algorithm_of(rp: Client) -> str:
    return rp.extra.get("id_token_signed_response_alg", "ES256")


def refused(response: httpx.Response, code: str, status: int = 400) -> None:
    """An error of a back-channel door (RFC 6749 cl. 5.2)."""
    assert response.status_code == status, response.text
    assert response.json()["error"] == code, response.json()
    assert set(response.json()) <= {"error", "error_description"}
    assert response.headers["cache-control"] == "no-store"


def redirected_error(response: httpx.Response, code: str, *, state: str | None = "state-1") -> dict[str, str]:
    """An error that went to the verified redirect URI, with `state` and `iss`."""
    assert response.headers["location"].startswith("https://portal.test/callback?")
    parameters = answer(response)
    assert parameters["error"] == code, parameters
    assert parameters["iss"] == ISSUER
    assert parameters.get("state") == state
    assert "code" not in parameters
    return parameters


def shown_error(response: httpx.Response, code: str, status: int = 400) -> None:
    """An error that was shown to the person, and sent nowhere."""
    assert (response.status_code, "location" in response.headers) == (status, False), response.headers
    assert response.headers["content-type"].startswith("text/html")
    assert code in response.text


async def still_signed_in(provider: Provider, browser: Any, rp: Client) -> bool:
    """Whether `prompt=none` gives a code; if not, it must be `login_required`."""
    parameters = answer(await browser.open(rp.url(prompt="none")))
    if "code" not in parameters:
        assert parameters["error"] == "login_required"
        assert parameters["iss"] == provider.issuer
    return "code" in parameters

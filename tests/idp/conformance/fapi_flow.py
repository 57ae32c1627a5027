"""The happy flow of the FAPI 2.0 plans, checked at each step, and where their refusals go."""

import base64
import hashlib
from typing import Any

import httpx
from cryptography.hazmat.primitives.serialization import Encoding

from tests.idp.conformance.flow import Done, refused
from tests.support.dpop import segment
from tests.support.fapi_client import FapiClient
from tests.support.idp import ISSUER
from tests.support.verified_tokens import id_token_claims, verified_claims_of

PREFIX = "fapi2-security-profile-final-"


async def complete(rp: FapiClient, browser: Any = None, **changes: Any) -> Done:
    """Push, log in, redeem, verify, read userinfo."""
    parameters = await rp.login(browser or rp.provider.browser(), **changes)
    return await finish(rp, parameters, **changes)


async def finish(rp: FapiClient, parameters: dict[str, str], **changes: Any) -> Done:
    asked = rp.query(**changes)
    assert set(parameters) == {"code", "iss"} | ({"state"} & set(asked)), parameters
    assert parameters["iss"] == ISSUER  # cl. 5.3.2.2 (7), RFC 9207
    assert parameters.get("state") == asked.get("state")
    response = await rp.redeem(parameters["code"])
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    tokens = response.json()
    claims = await id_token_claims(rp, tokens, nonce=asked.get("nonce"))
    await bound(rp, tokens)
    info = await rp.userinfo(tokens["access_token"])
    assert info.status_code == 200, info.text
    assert info.json()["sub"] == claims["sub"]
    return Done(parameters, tokens, claims, info.json())


async def bound(rp: FapiClient, tokens: dict[str, Any]) -> None:
    """The access token is bound to the key or the certificate that this client proved, and to nothing else."""
    claims = await verified_claims_of(rp, tokens["access_token"], algorithm="ES256", typ="at+jwt")
    if rp.variant.bound == "dpop":
        assert (tokens["token_type"], claims["cnf"]) == ("DPoP", {"jkt": rp.dpop.jkt})
    else:
        assert (tokens["token_type"], claims["cnf"]) == ("Bearer", {"x5t#S256": thumbprint(rp)})


def thumbprint(rp: FapiClient) -> str:
    digest = hashlib.sha256(rp.certificate.public_bytes(Encoding.DER)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def not_pushed(response: httpx.Response, code: str, status: int = 400) -> None:
    """Refused at `/par`: an OAuth error, no request_uri, and nobody is redirected."""
    refused(response, code, status)
    assert "location" not in response.headers


def sent_back(rp: FapiClient, response: httpx.Response, code: str, *, state: str | None = "state-1") -> None:
    """Refused through the browser: to the verified redirect URI, with `state` and `iss`, signed where that was asked."""
    assert response.headers["location"].startswith(f"{rp.redirect_uri}?"), response.headers
    said = rp.answer(response)
    assert (said["error"], said["iss"], said.get("state")) == (code, ISSUER, state)
    assert "code" not in said


def tampered(token: str) -> str:
    """Change one bit in the middle of the signature."""
    head, body, signature = token.split(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[20] ^= 1
    return f"{head}.{body}.{segment(bytes(raw))}"

"""SSRF by request_uri and its relatives: whatever address a caller writes, the provider connects to nobody."""

import httpx
import pytest

from idp.errors import InvalidClientMetadata
from tests.idp.conformance.flow import redirected_error, refused, shown_error
from tests.support.fapi_client import VARIANTS, FapiClient
from tests.support.idp import ISSUER, Client, Provider

TARGETS = (
    "http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:8000/admin", "http://[::1]/", "http://[::ffff:10.0.0.1]/",
    "http://0x7f000001/", "http://2130706433/", "https://portal.test/request.jwt", "https://login.test/jwks", "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_x", "data:application/jwt,x", "//evil.test/x", "https://user@127.0.0.1/",
    "urn:ietf:params:oauth:request_uri", "urn:ietf:params:oauth:request_uri_:x", "URN:IETF:PARAMS:OAUTH:REQUEST_URI:x", "urn:example:x", " https://portal.test/x",
)  # fmt: skip


@pytest.fixture(autouse=True)
def nobody_is_called(provider: Provider, monkeypatch: pytest.MonkeyPatch):
    """A resolver or an outbound transport that is asked for anything fails the test."""
    asked: list[str] = []

    async def look_up(_loop: object, host: str, *_: object, **__: object) -> None:
        asked.append(host)
        raise OSError

    monkeypatch.setattr("asyncio.base_events.BaseEventLoop.getaddrinfo", look_up)
    yield
    assert asked == []
    assert provider.outbound.received == []


@pytest.mark.parametrize("target", TARGETS)
async def test_request_uri_at_every_door(provider: Provider, client: Client, target: str) -> None:
    browser = provider.browser()
    redirected_error(await browser.get(client.url(request_uri=target)), "request_uri_not_supported")
    bare = f"{ISSUER}/authorize?{httpx.QueryParams(client_id=client.client_id, request_uri=target)}"
    shown_error(await browser.get(bare), "malformed_request")
    refused(await client.post("/par", {**client.query(), "request_uri": target}), "invalid_request")
    signer = await provider.register(FapiClient(variant=VARIANTS["message signing"]))
    refused(await signer.push(request_uri=target), "invalid_request_object")
    for path in ("/device_authorization", "/backchannel_authentication"):
        response = await client.post(path, {"scope": "openid", "login_hint": "x", "request_uri": target})
        assert response.status_code == 400


@pytest.mark.parametrize("target", TARGETS[:4])
async def test_other_members_that_name_an_address(provider: Provider, client: Client, target: str) -> None:
    """Keys, sectors, logos, statements: nothing of a registration is fetched; headers that point to keys are refused."""
    for member in ("jwks_uri", "request_uris"):
        with pytest.raises(InvalidClientMetadata):
            await provider.register(Client("fetched", extra={member: target if member == "jwks_uri" else [target]}))
    code = (await client.login(provider.browser()))["code"]
    for pointer in ("jku", "x5u"):
        refused(
            await client.redeem(code, client_assertion=client.assertion(header={pointer: target})),
            "invalid_client",
            401,
        )
        signer = await provider.register(FapiClient(variant=VARIANTS["message signing"]))
        request = signer.request_object(header={pointer: target})
        refused(
            await signer.post("/par", {"client_id": signer.client_id, "request": request}), "invalid_request_object"
        )
    good = {
        "sector_identifier_uri": "https://sector.test/s",
        "logo_uri": "https://logo.test/l",
        "client_uri": "https://c.test/",
    }
    rp = await provider.register(Client("linked", extra=good))
    assert (await rp.redeem((await rp.login(provider.browser()))["code"])).status_code == 200


@pytest.mark.parametrize("guess", ["", "x", "a" * 43, "../x", "' OR 1=1--", "\x00", "x" * 7000])
async def test_ours_by_guessing(provider: Provider, client: Client, guess: str) -> None:
    await client.post("/par", client.query())
    uri = f"urn:ietf:params:oauth:request_uri:{guess}"
    response = await provider.browser().get(client.url(request_uri=uri))
    shown_error(response, "invalid_request_uri")

"""Rate limits over HTTP: honest times, in the shape that each door speaks."""

from pathlib import Path

from idp.config import RateLimit
from tests.support.idp import Client, provider_in


async def test_browser_doors_by_address(tmp_path: Path) -> None:
    async with provider_in(tmp_path, address_limit=RateLimit(burst=2, per_second=0.1)) as provider:
        client = await provider.register(Client())
        browser = provider.browser()
        for _ in range(2):
            assert (await browser.get(client.url(connector=None))).status_code == 200
        refused = await browser.get(client.url(connector=None))
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
        assert "Too many requests" in refused.text
        provider.later(seconds=10)
        assert (await browser.get(client.url(connector=None))).status_code == 200


async def test_back_channel_by_relying_party(tmp_path: Path) -> None:
    async with provider_in(tmp_path, client_limit=RateLimit(burst=1, per_second=0.5)) as provider:
        client = await provider.register(Client())
        other = await provider.register(Client("other"))
        assert (await client.redeem("x")).status_code == 400
        refused = await client.redeem("x")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
        assert refused.json()["error"] == "temporarily_unavailable"
        assert (await other.redeem("x")).status_code == 400, "one relying party's limit is not another's"


async def test_http_on_loopback_uses_plain_cookie_names(tmp_path: Path) -> None:
    async with provider_in(tmp_path, loopback=True) as provider:
        client = await provider.register(Client())
        response = await provider.browser().get(client.url())
        cookie = response.headers["set-cookie"]
        assert cookie.startswith("gba-login=")
        assert "Secure" not in cookie
        assert "HttpOnly" in cookie

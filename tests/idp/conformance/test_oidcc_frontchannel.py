"""OP, front-channel logout (`oidcc-frontchannel-rp-initiated-logout-certification-test-plan`)."""

import html
import re
from urllib.parse import parse_qs, urlsplit

from tests.idp.conformance.flow import basic_client, complete, still_signed_in
from tests.support.idp import ISSUER, PORTAL, Provider

OUT, BYE = f"{PORTAL}/out?from=gba", f"{PORTAL}/bye"


async def test_oidcc_frontchannel_logout_discovery_endpoint_verification(provider: Provider) -> None:
    async with provider.back_channel() as http:
        document = (await http.get("/.well-known/openid-configuration")).json()
    assert document["frontchannel_logout_supported"] is True
    assert document["frontchannel_logout_session_supported"] is True
    assert document["end_session_endpoint"] == f"{ISSUER}/logout"


async def test_oidcc_frontchannel_rp_initiated_logout(provider: Provider) -> None:
    rp = await provider.register(basic_client(frontchannel_logout_uri=OUT, frontchannel_logout_session_required=True))
    browser = provider.browser()
    done = await complete(rp, browser)
    page = await browser.client.get(
        f"{ISSUER}/logout",
        params={"id_token_hint": done.tokens["id_token"], "post_logout_redirect_uri": BYE, "state": "s"},
    )
    assert page.status_code == 200
    # cl. 2: the registered URI, its own query kept, with issuer and session
    (frame,) = re.findall(r'<iframe[^>]* src="([^"]+)"', page.text)
    location = urlsplit(html.unescape(frame))
    assert f"{location.scheme}://{location.netloc}{location.path}" == f"{PORTAL}/out"
    assert parse_qs(location.query) == {"from": ["gba"], "iss": [ISSUER], "sid": [done.claims["sid"]]}
    assert f"frame-src {PORTAL}" in page.headers["content-security-policy"]
    # and on to where the portal wants the person, by itself and by a link
    assert re.search(rf'http-equiv="refresh" content="\d+;\s*url={re.escape(BYE)}\?state=s"', html.unescape(page.text))
    assert f'href="{BYE}?state=s"' in html.unescape(page.text)
    assert not await still_signed_in(provider, browser, rp)


async def test_a_client_that_needs_no_session_gets_its_plain_uri(provider: Provider) -> None:
    rp = await provider.register(basic_client(frontchannel_logout_uri=OUT))
    browser = provider.browser()
    hint = (await complete(rp, browser)).tokens["id_token"]
    page = await browser.client.get(f"{ISSUER}/logout", params={"id_token_hint": hint})
    assert [html.unescape(src) for src in re.findall(r'<iframe[^>]* src="([^"]+)"', page.text)] == [OUT]

"""OP, Basic (`oidcc-basic-certification-test-plan`): the modules of the authorization request; the rest is in `test_oidcc_basic`."""

import re

import pytest

from tests.idp.conformance.flow import basic_client, complete, finish, redirected_error, shown_error
from tests.support.dpop import segment
from tests.support.idp import ISSUER, PORTAL, Client, Provider, answer

OTHER = f"{PORTAL}/other"


@pytest.fixture
async def rp(provider: Provider) -> Client:
    return await provider.register(basic_client(redirect_uris=[f"{PORTAL}/callback", OTHER]))


async def test_oidcc_response_type_missing(provider: Provider, rp: Client) -> None:
    redirected_error(await provider.browser().get(rp.url(response_type=None)), "invalid_request")


async def test_oidcc_alternate_happy_flow(provider: Provider, rp: Client) -> None:
    """Scope reversed, parameters in another order."""
    browser = provider.browser()
    query = "&".join(reversed(rp.url(scope="profile openid").partition("?")[2].split("&")))
    page = await browser.open(f"{ISSUER}/authorize?{query}")
    done = await finish(rp, answer(await browser.agree(page)))
    assert done.userinfo["name"] == "CHAN, Ka Yan"


async def login_page(rp: Client, **changes: str) -> str:
    """The page of a fresh browser, from which the login goes on to its end."""
    browser = rp.provider.browser()
    page = await browser.open(rp.url(connector=None, **changes))
    assert (page.status_code, "/login/with/iam_smart" in page.text) == (200, True)
    response = await browser.choose(page)
    if not response.is_redirect:  # the first login of this person here
        response = await browser.agree(response)
    await finish(rp, answer(response))
    return page.text


async def test_oidcc_display_page(rp: Client) -> None:
    assert "Guangdong Sample Bank" in await login_page(rp, display="page")


async def test_oidcc_display_popup(rp: Client) -> None:
    assert "Guangdong Sample Bank" in await login_page(rp, display="popup")


async def test_oidcc_ensure_request_with_unknown_parameter_succeeds(rp: Client) -> None:
    await complete(rp, extra="foobar")


async def test_oidcc_login_hint(rp: Client) -> None:
    page = await login_page(rp, login_hint="buffy@example.test")
    links = re.compile(r'<a href="[^"]*" lang="')  # the language links repeat the page's own address
    assert "buffy" not in links.sub("", page), "a hint is for the upstream; it is no text of ours"


async def test_oidcc_ui_locales(provider: Provider, rp: Client) -> None:
    """The first language that we speak; what we do not speak is no error."""
    for asked, shown in (("se pt", "pt"), ("zh-HK", "zh-Hant"), ("zh-CN en", "zh-Hans"), ("se", "en"), ("!!", "en")):
        page = await login_page(rp, ui_locales=asked)
        assert re.search(r'<html lang="([^"]+)"', page)[1] == shown, asked


async def test_oidcc_claims_locales(rp: Client) -> None:
    done = await complete(rp, scope="openid profile", claims_locales="se")
    assert done.userinfo["name"] == "CHAN, Ka Yan"


async def test_oidcc_ensure_registered_redirect_uri(provider: Provider, rp: Client) -> None:
    shown_error(
        await provider.browser().get(rp.url(redirect_uri=f"{PORTAL}/unregistered")), "unregistered_redirect_uri"
    )


async def test_oidcc_ensure_post_request_succeeds(provider: Provider, rp: Client) -> None:
    browser = provider.browser()
    response = await browser.client.post(f"{ISSUER}/authorize", data=rp.query())
    page = await browser.follow(response)
    await finish(rp, answer(await browser.agree(page)))
    refusal = await browser.client.post(f"{ISSUER}/authorize", data=rp.query(response_type="token"))
    redirected_error(refusal, "unsupported_response_type")
    # and with a session: POST goes on at a GET of ours, because the cookie does not travel with a foreign form
    response = await browser.follow(await browser.client.post(f"{ISSUER}/authorize", data=rp.query(prompt="none")))
    await finish(rp, answer(response))


async def test_oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported(
    provider: Provider, rp: Client
) -> None:
    """Nothing is ever fetched for a request (docs/divergences.md)."""
    response = await provider.browser().get(rp.url(request_uri="https://portal.test/request.jwt"))
    redirected_error(response, "request_uri_not_supported")
    assert provider.outbound.received == []


async def test_oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(
    provider: Provider, rp: Client
) -> None:
    """Request objects are signed or refused; an unsigned one is never ignored (docs/divergences.md)."""
    import json

    body = segment(json.dumps({**rp.query(state="inner"), "iss": rp.client_id, "aud": ISSUER}).encode())
    for header in ({"alg": "none"}, {"alg": "none", "typ": "JWT"}):
        unsigned = f"{segment(json.dumps(header).encode())}.{body}."
        redirected_error(await provider.browser().get(rp.url(request=unsigned)), "invalid_request_object")


async def test_oidcc_ensure_request_object_with_redirect_uri(provider: Provider) -> None:
    """The redirect URI inside the (signed) request object is the one that counts; an unregistered one is shown."""
    from tests.support.fapi_client import FapiClient

    signer = FapiClient("signer")
    rp = await provider.register(
        basic_client(
            "signer", redirect_uris=[f"{PORTAL}/callback", OTHER], jwks={"keys": [signer.key.as_dict(private=False)]}
        )
    )
    signer.provider, signer.verifier = provider, rp.verifier
    inner = signer.request_object(redirect_uri=OTHER, state="inner")
    browser = provider.browser()
    response = await browser.agree(await browser.open(rp.url(request=inner, state="outer")))
    assert response.headers["location"].startswith(f"{OTHER}?")
    assert answer(response)["state"] == "inner"
    assert (await rp.redeem(answer(response)["code"], redirect_uri=OTHER)).status_code == 200
    unregistered = signer.request_object(redirect_uri=f"{PORTAL}/unregistered")
    shown_error(await browser.get(rp.url(request=unregistered)), "unregistered_redirect_uri")

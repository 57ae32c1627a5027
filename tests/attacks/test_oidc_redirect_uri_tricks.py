"""Redirect URI tricks: case, port, path, user, fragment, IDN; what is not the registered string is never followed, by whichever door."""

from urllib.parse import urlencode

import pytest

from tests.idp.conformance.flow import refused, shown_error
from tests.support.fapi_client import VARIANTS, FapiClient
from tests.support.idp import ISSUER, PORTAL, REDIRECT_URI, Client, Provider, answer


@pytest.mark.parametrize(
    "uri",
    [
        "https://portal.test/Callback",
        "https://PORTAL.test/callback",
        "HTTPS://portal.test/callback",
        "https://portal.test:443/callback",
        "https://portal.test:8443/callback",
        "https://portal.test/callback/",
        "https://portal.test/callback/../callback",
        "https://portal.test/callback?x=1",
        "https://portal.test/callback#",
        "https://portal.test/callback#fragment",
        "https://portal.test/callback%20",
        "https://portal.test/callback%0d%0aSet-Cookie:x=1",
        "https://portal.test@evil.test/callback",
        "https://user@portal.test/callback",
        "https://portal.test.evil.test/callback",
        "https://evil.test/https://portal.test/callback",
        "https://portaI.test/callback",
        "https://pоrtal.test/callback",
        "https://xn--prtal-jye.test/callback",
        "https://portal.test\\@evil.test/callback",
        "//portal.test/callback",
        "/callback",
        "javascript:alert(1)//https://portal.test/callback",
        "http://portal.test/callback",
        "https://portal.test./callback",
        " https://portal.test/callback",
        "https://portal.test/callback\n",
    ],
)
async def test_redirect_uri_tricks_are_shown_and_never_followed(provider: Provider, client: Client, uri: str) -> None:
    for changes in ({}, {"response_type": "token"}, {"prompt": "none"}):
        response = await provider.browser().get(client.url(redirect_uri=uri, **changes))
        assert response.status_code == 400
        assert "location" not in response.headers
        assert "unregistered_redirect_uri" in response.text


async def test_repeated_redirect_uri_is_shown(provider: Provider, client: Client) -> None:
    url = client.url() + "&" + urlencode({"redirect_uri": "https://evil.test/"})
    response = await provider.browser().get(url)
    assert (response.status_code, "malformed_request" in response.text) == (400, True)
    first_evil = f"{ISSUER}/authorize?redirect_uri=https%3A%2F%2Fevil.test&" + client.url().partition("?")[2]
    assert (await provider.browser().get(first_evil)).status_code == 400


async def test_missing_redirect_uri_is_shown_though_only_one_is_registered(provider: Provider, client: Client) -> None:
    response = await provider.browser().get(client.url(redirect_uri=None))
    assert response.status_code == 400


async def test_open_redirect_there_is_none(provider: Provider, client: Client) -> None:
    """No parameter of any door sends a browser to an unregistered place."""
    browser = provider.browser()
    await browser.open(client.url())
    evil = urlencode(
        {name: "https://evil.test/" for name in ("redirect_uri", "return_uri", "next", "url", "target_link_uri")}
    )
    for door in ("/login", "/login/cancel", "/callback/permit", "/callback/iam_smart", "/logout", "/authorize"):
        response = await browser.get(f"{ISSUER}{door}?{evil}")
        assert "evil.test" not in response.headers.get("location", "")
    response = await browser.get(f"{ISSUER}/logout?post_logout_redirect_uri=https://evil.test/&client_id=gd-bank")
    assert "location" not in response.headers


async def test_native_loopback_port_may_differ_and_nothing_else(provider: Provider) -> None:
    app = await provider.register(Client("app", "http://127.0.0.1/cb", auth="none", native=True, scope="openid"))
    browser = provider.browser()
    page = await browser.follow(await browser.get(app.url(redirect_uri="http://127.0.0.1:51004/cb")))
    assert "/login/consent" in page.text
    for uri in (
        "http://localhost:51004/cb",
        "http://127.0.0.1:51004/other",
        "http://127.0.0.1:0/cb",
        "http://127.0.0.2/cb",
    ):
        assert (await browser.get(app.url(redirect_uri=uri))).status_code == 400


async def test_portal_is_never_reached_before_the_person_decided(provider: Provider, client: Client) -> None:
    page = await provider.browser().open(client.url(scope="openid profile"))
    assert not str(page.url).startswith(PORTAL)


TRICKS = (
    "https://portal.test/callback/..;/evil", "https://portal.test/callback/%2e%2e/evil", "https://portal.test/callback%2f",
    "https://portal.test%2f.evil.test/callback", "https://evil.test#@portal.test/callback", "https://portal.test:443@evil.test/callback",
    "https://evil.test\\\\portal.test/callback", "https://portal.test\u3002evil.test/callback", "https://portal.test/callback\t",
    "https://portal.test/callback?", "https://portal.test/callback;x", "https:/portal.test/callback", "https:portal.test/callback",
    "data:text/html,x", "blob:https://portal.test/x", "https://[::1]/callback", "https://portal.test/callback" + "/" * 1900,
)  # fmt: skip


@pytest.mark.parametrize("uri", TRICKS)
async def test_more_tricks_at_every_door(provider: Provider, client: Client, uri: str) -> None:
    """By GET, by POST, pushed, and inside a signed request: the same string comparison each time."""
    browser = provider.browser()
    shown_error(await browser.get(client.url(redirect_uri=uri)), "unregistered_redirect_uri")
    posted = await browser.client.post(f"{ISSUER}/authorize", data=client.query(redirect_uri=uri))
    shown_error(posted, "unregistered_redirect_uri")
    for name, variant in (("pusher", "private_key_jwt+dpop"), ("signer", "message signing")):
        rp = await provider.register(FapiClient(name, variant=VARIANTS[variant]))
        refused(await rp.push(redirect_uri=uri), "invalid_request")
    signer = FapiClient("by-value", provider=provider)
    by_value = await provider.register(
        Client("by-value", extra={"jwks": {"keys": [signer.key.as_dict(private=False)]}}, key=signer.key)
    )
    inside = signer.request_object(redirect_uri=uri)
    shown_error(await browser.get(by_value.url(request=inside)), "unregistered_redirect_uri")


async def test_refused_object_goes_to_a_registered_place_or_nowhere(provider: Provider, client: Client) -> None:
    """The redirect URI beside a request object that does not verify counts only if it is registered."""
    browser, garbage = provider.browser(), "eyJhbGciOiJFUzI1NiJ9.e30.AAAA"
    assert answer(await browser.get(client.url(request=garbage)))["error"] == "invalid_request_object"
    shown_error(
        await browser.get(client.url(request=garbage, redirect_uri="https://evil.test/")), "invalid_request_object"
    )
    shown_error(await browser.get(client.url(request=garbage, redirect_uri=None)), "invalid_request_object")


async def test_another_clients_registered_uri_is_no_uri_of_this_one(provider: Provider, client: Client) -> None:
    await provider.register(Client("evil", "https://evil.test/callback"))
    shown_error(
        await provider.browser().get(client.url(redirect_uri="https://evil.test/callback")), "unregistered_redirect_uri"
    )


async def test_registered_uri_with_a_query_keeps_it_and_takes_no_other(provider: Provider) -> None:
    uri = "https://portal.test/callback?tenant=1"
    rp = await provider.register(Client("tenant", uri))
    response = await provider.browser().get(rp.url(prompt="none"))
    assert response.headers["location"].startswith(f"{uri}&error=login_required&")
    for other in (
        "https://portal.test/callback?tenant=2",
        f"{uri}&error=x",
        f"{uri}#x",
        REDIRECT_URI,
        f"{PORTAL}/callback?",
    ):
        shown_error(await provider.browser().get(rp.url(redirect_uri=other)), "unregistered_redirect_uri")

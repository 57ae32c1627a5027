"""OP, back-channel logout (`oidcc-backchannel-rp-initiated-logout-certification-test-plan`)."""

from urllib.parse import parse_qs

from idp.logout_delivery import deliver_due
from tests.idp.conformance.flow import basic_client, complete, still_signed_in
from tests.support.idp import ISSUER, Provider
from tests.support.verified_tokens import verified_claims_of

HEAR, BYE = "https://93.184.216.34/logout", "https://portal.test/bye"
"""A public address, so that no name need be resolved; what is sent there arrives in the test's own transport."""
EVENT = "http://schemas.openid.net/event/backchannel-logout"


async def test_oidcc_backchannel_logout_discovery_endpoint_verification(provider: Provider) -> None:
    async with provider.back_channel() as http:
        document = (await http.get("/.well-known/openid-configuration")).json()
    assert document["backchannel_logout_supported"] is True
    assert document["backchannel_logout_session_supported"] is True
    assert document["end_session_endpoint"] == f"{ISSUER}/logout"


async def test_oidcc_backchannel_rp_initiated_logout(provider: Provider) -> None:
    rp = await provider.register(basic_client(backchannel_logout_uri=HEAR, backchannel_logout_session_required=True))
    browser = provider.browser()
    done = await complete(rp, browser)
    response = await browser.client.get(
        f"{ISSUER}/logout",
        params={"id_token_hint": done.tokens["id_token"], "post_logout_redirect_uri": BYE, "state": "s"},
    )
    assert response.headers["location"] == f"{BYE}?state=s"
    assert not await still_signed_in(provider, browser, rp)
    # cl. 2.5: one POST with the logout token in the form
    assert await deliver_due(provider.deps) == 1
    (request,) = provider.outbound.received
    assert (request.method, str(request.url)) == ("POST", HEAR)
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    form = parse_qs(request.content.decode())
    assert set(form) == {"logout_token"}
    # cl. 2.4, 2.6: signed as the ID tokens are, told apart by its type, names session and person as this client knows them
    claims = await verified_claims_of(rp, form["logout_token"][0], algorithm="RS256", typ="logout+jwt")
    now = int(provider.now.timestamp())
    assert set(claims) == {"iss", "aud", "sub", "sid", "iat", "exp", "jti", "events"}
    assert (claims["iss"], claims["aud"]) == (ISSUER, rp.client_id)
    assert (claims["sub"], claims["sid"]) == (done.claims["sub"], done.claims["sid"])
    assert claims["events"] == {EVENT: {}}
    assert (claims["iat"], claims["exp"]) == (now, now + 120)
    # heard once: nothing is left to tell
    provider.later(minutes=5)
    assert await deliver_due(provider.deps) == 0

"""FAPI 2.0 Security Profile (`fapi2-security-profile-final-test-plan`): pushed requests, PKCE, and the assertions at `/par`."""

import pytest

from tests.idp.conformance.fapi_flow import complete, finish, not_pushed
from tests.idp.conformance.flow import refused, shown_error
from tests.support.fapi_client import FapiClient
from tests.support.idp import ISSUER, Provider


async def test_fapi2_security_profile_final_par_ensure_reused_request_uri_prior_to_auth_completion_succeeds(
    provider: Provider, rp: FapiClient
) -> None:
    browser, url = provider.browser(), await rp.pushed_url(connector=None)
    page = await browser.open(url)
    assert "/login/with/iam_smart" in page.text
    page = await browser.choose(await browser.open(url))
    await finish(rp, rp.answer(await browser.agree(page)))


async def test_fapi2_security_profile_final_par_attempt_reuse_request_uri(provider: Provider, rp: FapiClient) -> None:
    browser, url = provider.browser(), await rp.pushed_url()
    await finish(rp, await rp.walk(browser, url))
    shown_error(await browser.get(url), "invalid_request_uri")
    shown_error(await provider.browser().get(url), "invalid_request_uri")


async def test_fapi2_security_profile_final_par_attempt_to_use_expired_request_uri(
    provider: Provider, rp: FapiClient
) -> None:
    response = await rp.push()
    url, lifetime = rp.front_url(response.json()["request_uri"]), response.json()["expires_in"]
    provider.later(seconds=lifetime - 1)
    assert (await provider.browser().get(url)).is_redirect, "a second before its end it is still good"
    provider.later(seconds=1)
    shown_error(await provider.browser().get(url), "invalid_request_uri")


async def test_fapi2_security_profile_final_par_ensure_jwt_client_assertions_nbf_8_seconds_in_the_future_is_accepted(
    provider: Provider, asserting: FapiClient
) -> None:
    ahead = int(provider.now.timestamp()) + 8
    form = {"client_assertion": asserting.assertion(nbf=ahead, iat=ahead, exp=ahead + 60)}
    assert (await asserting.push(form=form)).status_code == 201


async def test_fapi2_security_profile_final_par_ensure_jwt_client_assertions_nbf_over_60_seconds_in_the_future_fails(
    provider: Provider, asserting: FapiClient
) -> None:
    ahead = int(provider.now.timestamp()) + 61
    for claims in ({"nbf": ahead}, {"iat": ahead}, {"nbf": ahead, "iat": ahead}):
        form = {"client_assertion": asserting.assertion(exp=ahead + 60, **claims)}
        not_pushed(await asserting.push(form=form), "invalid_client", 401)


async def test_fapi2_security_profile_final_par_attempt_to_use_request_uri_for_different_client(
    provider: Provider, rp: FapiClient
) -> None:
    other = await provider.register(FapiClient("other-bank"))
    url = await rp.pushed_url()
    request_uri = (await rp.push()).json()["request_uri"]
    shown_error(await provider.browser().get(other.front_url(request_uri)), "invalid_request_uri")
    assert (await provider.browser().get(url)).is_redirect, "and its own client still has it"


async def test_fapi2_security_profile_final_par_authorization_request_containing_request_uri_form_param(
    rp: FapiClient,
) -> None:
    for uri in ("urn:ietf:params:oauth:request_uri:random", "https://portal.test/request.jwt"):
        not_pushed(await rp.push(form={"request_uri": uri}), "invalid_request")
    own = (await rp.push()).json()["request_uri"]
    not_pushed(await rp.push(form={"request_uri": own}), "invalid_request")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
async def test_fapi2_security_profile_final_par_attempt_invalid_http_method(
    provider: Provider, rp: FapiClient, method: str
) -> None:
    form = rp.authenticated(rp.push_form())
    async with provider.back_channel() as http:
        response = await http.request(method, "/par", data=form)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert "request_uri" not in response.text


async def test_fapi2_security_profile_final_par_ensure_pkce_required(rp: FapiClient) -> None:
    not_pushed(await rp.push(code_challenge=None, code_challenge_method=None), "invalid_request")
    not_pushed(await rp.push(code_challenge=None), "invalid_request")


async def test_fapi2_security_profile_final_ensure_pkce_code_verifier_required(
    provider: Provider, rp: FapiClient
) -> None:
    code = (await rp.login(provider.browser()))["code"]
    refused(await rp.redeem(code, code_verifier=None), "invalid_grant")


async def test_fapi2_security_profile_final_incorrect_pkce_code_verifier_rejected(
    provider: Provider, rp: FapiClient
) -> None:
    code = (await rp.login(provider.browser()))["code"]
    refused(await rp.redeem(code, code_verifier=rp.verifier[::-1]), "invalid_grant")
    refused(await rp.redeem(code), "invalid_grant")  # whoever guesses has one try


async def test_fapi2_security_profile_final_par_plain_pkce_rejected(rp: FapiClient) -> None:
    not_pushed(await rp.push(code_challenge=rp.verifier, code_challenge_method="plain"), "invalid_request")
    not_pushed(await rp.push(code_challenge=rp.verifier, code_challenge_method=None), "invalid_request")


async def test_fapi2_security_profile_final_par_without_duplicate_parameters(
    provider: Provider, rp: FapiClient
) -> None:
    """Only client_id and request_uri go through the browser, and that is enough; what else stands there is ignored."""
    url = await rp.pushed_url()
    assert url.partition("?")[2].count("=") == 2
    await finish(rp, await rp.walk(provider.browser(), url))
    more = rp.front_url(
        (await rp.push()).json()["request_uri"], scope="openid signing", redirect_uri="https://evil.test/"
    )
    done = await finish(rp, await rp.walk(provider.browser(), more))
    assert done.tokens["scope"] == "openid"


async def bad_audience(asserting: FapiClient, audience: object) -> None:
    """FAPI 2.0 cl. 5.3.2.1 (8): the issuer, as a string, and nothing else; the same holds at /token."""
    form = {"client_assertion": asserting.assertion(aud=audience)}
    not_pushed(await asserting.push(form=form), "invalid_client", 401)
    code = (await asserting.login(asserting.provider.browser()))["code"]
    refused(await asserting.redeem(code, client_assertion=asserting.assertion(aud=audience)), "invalid_client", 401)
    assert (await asserting.redeem(code)).status_code == 200


async def test_fapi2_security_profile_final_par_test_array_as_audience_fails(asserting: FapiClient) -> None:
    await bad_audience(asserting, [ISSUER])
    await bad_audience(asserting, [ISSUER, f"{ISSUER}/token"])


async def test_fapi2_security_profile_final_par_test_par_endpoint_url_as_audience_fails(asserting: FapiClient) -> None:
    await bad_audience(asserting, f"{ISSUER}/par")


async def test_fapi2_security_profile_final_par_test_token_endpoint_url_as_audience_fails(
    asserting: FapiClient,
) -> None:
    await bad_audience(asserting, f"{ISSUER}/token")


async def test_a_pushed_request_is_spent_by_a_refusal_too(provider: Provider, rp: FapiClient) -> None:
    browser, url = provider.browser(), await rp.pushed_url()
    await browser.agree(await browser.open(url), decision="decline")
    shown_error(await browser.get(url), "invalid_request_uri")


async def test_everything_at_once(rp: FapiClient) -> None:
    done = await complete(rp, scope="openid profile", max_age="60", prompt="login")
    assert done.claims["auth_time"] == done.claims["iat"]

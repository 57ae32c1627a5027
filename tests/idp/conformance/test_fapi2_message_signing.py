"""FAPI 2.0 Message Signing (`fapi2-message-signing-final-test-plan`): the 16 modules beyond the security profile.

The other 59 run in `test_fapi2_security_profile*` in the variant `message signing`: request objects, and signed responses asked for.
"""

import json
from typing import Any

from joserfc.jwk import ECKey, RSAKey

from tests.idp.conformance.fapi_flow import finish, not_pushed, sent_back, tampered
from tests.support.dpop import segment
from tests.support.fapi_client import VARIANTS, FapiClient
from tests.support.idp import ISSUER, Provider, answer
from tests.support.verified_tokens import verified_claims_of

SIGNS = VARIANTS["message signing"]


def now(rp: FapiClient) -> int:
    return int(rp.provider.now.timestamp())


async def accepted(rp: FapiClient, **about: Any) -> None:
    """The request object is taken, and the login goes to its end."""
    form = {"client_id": rp.client_id, "request": rp.request_object(about=about)}
    response = await rp.post("/par", form, headers={})
    assert response.status_code == 201, response.text
    await finish(rp, await rp.walk(rp.provider.browser(), rp.front_url(response.json()["request_uri"])))


async def refused_object(rp: FapiClient, request: str, code: str = "invalid_request_object") -> None:
    not_pushed(await rp.post("/par", {"client_id": rp.client_id, "request": request}, headers={}), code)


async def test_fapi2_security_profile_final_ensure_request_object_with_multiple_aud_succeeds(
    signing: FapiClient,
) -> None:
    await accepted(signing, aud=["https://elsewhere.test", ISSUER])


async def test_fapi2_security_profile_final_ensure_request_object_with_nbf_8_seconds_in_the_future_is_accepted(
    signing: FapiClient,
) -> None:
    await accepted(signing, nbf=now(signing) + 8, iat=now(signing) + 8)


async def test_fapi2_security_profile_final_ensure_request_object_without_exp_fails(signing: FapiClient) -> None:
    await refused_object(signing, signing.request_object(about={"exp": None}))


async def test_fapi2_security_profile_final_ensure_request_object_without_nbf_fails(signing: FapiClient) -> None:
    await refused_object(signing, signing.request_object(about={"nbf": None}))


async def test_fapi2_security_profile_final_ensure_expired_request_object_fails(signing: FapiClient) -> None:
    for exp in (now(signing) - 300, now(signing)):
        await refused_object(signing, signing.request_object(about={"exp": exp}))


async def test_fapi2_security_profile_final_ensure_request_object_with_bad_aud_fails(signing: FapiClient) -> None:
    for aud in ("https://elsewhere.test", ["https://elsewhere.test"], [], None, f"{ISSUER}/"):
        await refused_object(signing, signing.request_object(about={"aud": aud}))


async def test_fapi2_security_profile_final_ensure_request_object_with_exp_over_60_fails(signing: FapiClient) -> None:
    await refused_object(signing, signing.request_object(about={"exp": now(signing) + 70 * 60}))


async def test_fapi2_security_profile_final_australia_connectid_ensure_request_object_with_exp_over_10_fails(
    signing: FapiClient,
) -> None:
    """ConnectID's limit is 10 minutes, FAPI's 60: under the general rule 15 minutes are good."""
    await accepted(signing, exp=now(signing) + 15 * 60)


async def test_fapi2_security_profile_final_ensure_request_object_with_nbf_over_60_fails(signing: FapiClient) -> None:
    await refused_object(signing, signing.request_object(about={"nbf": now(signing) - 70 * 60}))


async def test_fapi2_security_profile_final_australia_connectid_ensure_request_object_with_nbf_over_15_fails(
    signing: FapiClient,
) -> None:
    """ConnectID's own limit again; the general one is 60 minutes."""
    await accepted(signing, nbf=now(signing) - 15 * 60)


async def test_fapi2_security_profile_final_ensure_signed_request_object_with_RS256_fails(provider: Provider) -> None:
    key = RSAKey.generate_key(2048, {"kid": "rp-1", "use": "sig"})
    rp = await provider.register(FapiClient("rsa-bank", key=key, algorithm="PS256", variant=SIGNS))
    await accepted(rp)
    await refused_object(rp, rp.request_object(header={"alg": "RS256"}))


async def test_fapi2_security_profile_final_ensure_request_object_signature_algorithm_is_not_none(
    signing: FapiClient,
) -> None:
    _, body, signature = signing.request_object().split(".")
    for alg in ("none", "None", ""):
        head = segment(json.dumps({"alg": alg, "kid": "rp-1"}).encode())
        await refused_object(signing, f"{head}.{body}.")
        await refused_object(signing, f"{head}.{body}.{signature}")


async def test_fapi2_security_profile_final_ensure_request_object_with_invalid_signature_fails(
    signing: FapiClient,
) -> None:
    await refused_object(signing, tampered(signing.request_object()))
    stranger = ECKey.generate_key("P-256", {"kid": "rp-1"})
    await refused_object(signing, signing.request_object(key=stranger))


async def test_fapi2_security_profile_final_ensure_matching_key_in_authorization_request(
    provider: Provider, signing: FapiClient
) -> None:
    """Client 1's request signed by client 2: neither gets it in."""
    second = await provider.register(FapiClient("second-bank", variant=SIGNS))
    await refused_object(signing, signing.request_object(key=second.key))
    await refused_object(second, signing.request_object(key=second.key))
    await refused_object(second, signing.request_object())


async def test_fapi2_security_profile_final_ensure_unsigned_request_at_par_endpoint_fails(signing: FapiClient) -> None:
    not_pushed(await signing.post("/par", signing.query(), headers={}), "invalid_request")


async def test_fapi2_security_profile_final_par_authorization_request_containing_request_uri(
    signing: FapiClient,
) -> None:
    for uri in ("urn:ietf:params:oauth:request_uri:random", "https://portal.test/request.jwt"):
        await refused_object(signing, signing.request_object(request_uri=uri))


# --- the signed response (cl. 5.4), for which the plan has no module of its own --------------------------------------------


async def test_response_is_signed_for_this_client_and_errors_are_too(provider: Provider, signing: FapiClient) -> None:
    response = await provider.browser().open(await signing.pushed_url(prompt="none"))
    sent_back(signing, response, "login_required")
    raw = await verified_claims_of(signing, answer(response)["response"], algorithm="ES256")
    assert set(raw) == {"iss", "aud", "exp", "error", "error_description", "state"}


async def test_a_request_object_that_is_an_assertion_is_refused_and_the_other_way_round(signing: FapiClient) -> None:
    await refused_object(signing, signing.assertion())
    await refused_object(signing, signing.request_object(about={"sub": signing.client_id}))
    form = {"client_assertion": signing.request_object(about={"jti": "j", "sub": signing.client_id})}
    not_pushed(await signing.push(form=form), "invalid_client", 401)

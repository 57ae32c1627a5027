"""FAPI 2.0 Security Profile (`fapi2-security-profile-final-test-plan`): the authorization request.

The plan's other modules are in `test_fapi2_security_profile_par`, `…_dpop` and `…_token`. One function for each module, under its name;
every module runs in each variant of client authentication and binding that it depends on.
"""

import json

from tests.idp.conformance.fapi_flow import complete, finish, not_pushed, sent_back, tampered
from tests.support.fapi_client import FapiClient
from tests.support.idp import ISSUER, Provider

IDENTITY = {
    "name": "CHAN, Ka Yan", "given_name": "Ka Yan", "family_name": "CHAN", "birthdate": "1990-01-15", "gender": "female",
}  # fmt: skip
SUBSTANTIAL, HIGH = "urn:gba-trust:acr:substantial", "urn:gba-trust:acr:high"


async def test_fapi2_security_profile_final_discovery_end_point_verification(provider: Provider) -> None:
    async with provider.back_channel() as http:
        document = (await http.get("/.well-known/openid-configuration")).json()
    assert document["pushed_authorization_request_endpoint"] == f"{ISSUER}/par"
    assert document["authorization_response_iss_parameter_supported"] is True
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert {"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"} <= set(
        document["token_endpoint_auth_methods_supported"]
    )
    assert document["tls_client_certificate_bound_access_tokens"] is True
    signing = {"ES256", "PS256", "EdDSA"}
    assert signing <= set(document["dpop_signing_alg_values_supported"])
    assert signing <= set(document["token_endpoint_auth_signing_alg_values_supported"])
    assert "RS256" not in document["token_endpoint_auth_signing_alg_values_supported"]
    assert signing <= set(document["request_object_signing_alg_values_supported"])
    assert signing <= set(document["authorization_signing_alg_values_supported"])
    assert {"jwt", "query.jwt"} <= set(document["response_modes_supported"])
    assert {"authorization_code", "refresh_token"} <= set(document["grant_types_supported"])
    assert "implicit" not in document["grant_types_supported"]
    assert document["claims_parameter_supported"] is True


async def test_fapi2_security_profile_final_user_rejects_authentication(provider: Provider, rp: FapiClient) -> None:
    browser = provider.browser()
    page = await browser.open(await rp.pushed_url())
    sent_back(rp, await browser.agree(page, decision="decline"), "access_denied")
    await browser.open(await rp.pushed_url(connector=None, state="second"))
    sent_back(rp, await browser.get(f"{ISSUER}/login/cancel"), "access_denied", state="second")


async def test_fapi2_security_profile_final_ensure_authorization_request_without_state_success(rp: FapiClient) -> None:
    done = await complete(rp, state=None)
    assert "state" not in done.parameters
    assert "s_hash" not in done.claims


async def test_fapi2_security_profile_final_ensure_authorization_request_without_nonce_success(rp: FapiClient) -> None:
    assert "nonce" not in (await complete(rp, nonce=None)).claims


async def test_fapi2_security_profile_final_ensure_authorization_request_with_64_char_nonce_success(
    rp: FapiClient,
) -> None:
    assert (await complete(rp, nonce="n" * 64)).claims["nonce"] == "n" * 64


async def test_fapi2_security_profile_final_ensure_other_scope_order_succeeds(rp: FapiClient) -> None:
    assert (await complete(rp, scope="profile openid")).userinfo["name"] == IDENTITY["name"]


async def test_fapi2_security_profile_final_test_claims_parameter_identity_claims(
    provider: Provider, rp: FapiClient
) -> None:
    async with provider.back_channel() as http:
        supported = (await http.get("/.well-known/openid-configuration")).json()["claims_supported"]
    asked = dict.fromkeys([*supported, "unknown_claim", "https://elsewhere.test/claim"])
    done = await complete(rp, claims=json.dumps({"id_token": asked, "userinfo": asked}))
    for place in (done.claims, done.userinfo):
        assert {name: place[name] for name in IDENTITY} == IDENTITY
        assert not {"unknown_claim", "https://elsewhere.test/claim"} & place.keys()
        assert "exit_entry_permit_holder" not in place, "no permit was checked, so none is told"


async def test_fapi2_security_profile_final_australia_connectid_test_claims_parameter_idtoken_identity_claims(
    rp: FapiClient,
) -> None:
    """ConnectID's profile asks them in the ID token; the general rule gives them there."""
    done = await complete(rp, claims=json.dumps({"id_token": {name: {"essential": True} for name in IDENTITY}}))
    assert {name: done.claims[name] for name in IDENTITY} == IDENTITY
    assert not IDENTITY.keys() & done.userinfo.keys()


async def inside_wins(provider: Provider, signing: FapiClient, name: str) -> None:
    """What stands beside a request object does not count, neither at /par nor at /authorize (RFC 9101 cl. 6.3)."""
    response = await signing.push(form={name: "outside-at-par"}, **{name: "inside"})
    assert response.status_code == 201, response.text
    url = signing.front_url(response.json()["request_uri"], **{name: "outside-in-front"})
    await finish(signing, await signing.walk(provider.browser(), url), **{name: "inside"})


async def test_fapi2_security_profile_final_ensure_different_nonce_inside_and_outside_request_object(
    provider: Provider, signing: FapiClient
) -> None:
    await inside_wins(provider, signing, "nonce")


async def test_fapi2_security_profile_final_ensure_different_state_inside_and_outside_request_object(
    provider: Provider, signing: FapiClient
) -> None:
    await inside_wins(provider, signing, "state")


async def test_fapi2_security_profile_final_ensure_authorization_request_with_long_nonce(rp: FapiClient) -> None:
    assert (await complete(rp, nonce="n" * 384)).claims["nonce"] == "n" * 384
    not_pushed(await rp.push(nonce="n" * 1000), "invalid_request")


async def test_fapi2_security_profile_final_ensure_authorization_request_with_long_state(rp: FapiClient) -> None:
    assert (await complete(rp, state="s" * 384)).parameters["state"] == "s" * 384
    not_pushed(await rp.push(state="s" * 1000), "invalid_request")


async def test_fapi2_security_profile_final_state_only_outside_request_object_not_used(
    provider: Provider, signing: FapiClient
) -> None:
    response = await signing.push(form={"state": "outside"}, state=None)
    url = signing.front_url(response.json()["request_uri"], state="outside")
    done = await finish(signing, await signing.walk(provider.browser(), url), state=None)
    assert "state" not in done.parameters
    assert "s_hash" not in done.claims


async def test_fapi2_security_profile_final_ensure_request_object_without_redirect_uri_fails(
    signing: FapiClient,
) -> None:
    outside = {"redirect_uri": signing.redirect_uri}
    not_pushed(await signing.push(form=outside, redirect_uri=None), "invalid_request")


async def test_fapi2_security_profile_final_ensure_registered_redirect_uri(rp: FapiClient) -> None:
    for uri in (f"{rp.redirect_uri}/other", f"{rp.redirect_uri}?x=1", "https://evil.test/callback"):
        not_pushed(await rp.push(redirect_uri=uri), "invalid_request")


async def test_fapi2_security_profile_final_plain_fapi_tolerate_unregistered_redirect_uri(rp: FapiClient) -> None:
    """RFC 9126 cl. 2.4 would let an authenticated client name a new one; we do not (docs/divergences.md)."""
    not_pushed(await rp.push(redirect_uri="https://portal.test/new"), "invalid_request")


async def test_fapi2_security_profile_final_ensure_unsigned_authorization_request_without_using_par_fails(
    provider: Provider, rp: FapiClient
) -> None:
    sent_back(rp, await provider.browser().get(rp.url()), "invalid_request")


async def test_fapi2_security_profile_final_ensure_redirect_uri_in_authorization_request(rp: FapiClient) -> None:
    not_pushed(await rp.push(redirect_uri=None), "invalid_request")


async def test_fapi2_security_profile_final_ensure_response_type_code_idtoken_fails(rp: FapiClient) -> None:
    not_pushed(await rp.push(response_type="code id_token"), "unsupported_response_type")


async def test_fapi2_security_profile_final_ensure_response_type_token_fails(rp: FapiClient) -> None:
    not_pushed(await rp.push(response_type="token"), "unsupported_response_type")


async def test_fapi2_security_profile_final_australia_connectid_ensure_invalid_purpose_fails(
    provider: Provider, rp: FapiClient
) -> None:
    """`purpose` is ConnectID's own parameter: unknown here, never shown; beyond any parameter's size it is refused."""
    page = await provider.browser().open(await rp.pushed_url(purpose="To test the purpose " * 16))
    assert "/login/consent" in page.text
    assert "To test the purpose" not in page.text
    response = await rp.push(purpose="p" * 9_000)
    assert response.json()["error"] in {"invalid_request", "invalid_request_object"}
    assert response.status_code == 400


async def test_fapi2_security_profile_final_ensure_server_handles_non_matching_intent_id(
    provider: Provider, rp: FapiClient
) -> None:
    """Our intents are `authorization_details` and hints: another client's are refused."""
    document = {"type": "sign_document", "label": "Contract", "digest": "A" * 43}
    refusal = await rp.push(scope="openid signing", authorization_details=json.dumps([document]))
    not_pushed(refusal, "invalid_authorization_details")
    other = await provider.register(FapiClient("other-bank"))
    hint = (await complete(other)).tokens["id_token"]
    not_pushed(await rp.push(id_token_hint=hint), "invalid_request")


async def test_fapi2_security_profile_final_test_essential_acr_sca_claim(provider: Provider, rp: FapiClient) -> None:
    """The essential level is reached and told by that name, or the portal hears that it is not."""

    def acr(*values: str) -> str:
        return json.dumps({"id_token": {"acr": {"essential": True, "values": list(values)}}})

    assert (await complete(rp, claims=acr(SUBSTANTIAL))).claims["acr"] == SUBSTANTIAL
    assert (await complete(rp, claims=acr("urn:gba-trust:acr:low"))).claims["acr"] == "urn:gba-trust:acr:low"
    response = await provider.browser().open(await rp.pushed_url(claims=acr(HIGH)))
    sent_back(rp, response, "unmet_authentication_requirements")
    # `acr_values` is a wish; it does not soften what is essential (Core cl. 5.5.1.1)
    response = await provider.browser().open(await rp.pushed_url(claims=acr(HIGH), acr_values=SUBSTANTIAL))
    sent_back(rp, response, "unmet_authentication_requirements")
    not_pushed(await rp.push(claims=acr("urn:elsewhere:sca")), "unmet_authentication_requirements")


async def test_fapi2_security_profile_final_brazil_ensure_bad_payment_signature_fails(
    rp: FapiClient, signing: FapiClient
) -> None:
    """Brazil's payment consents do not exist here; what a client signs for us is its request, and that fails alike."""
    not_pushed(await rp.push(authorization_details="eyJhbGciOiJQUzI1NiJ9.e30.AAAA"), "invalid_authorization_details")
    form = {"client_id": signing.client_id, "request": tampered(signing.request_object())}
    not_pushed(await signing.post("/par", form), "invalid_request_object")

"""OP, Config (`oidcc-config-certification-test-plan`): the discovery document, value by value."""

from authlib.oidc.discovery import OpenIDProviderMetadata

from tests.support.idp import ISSUER, Provider
from tests.support.verified_tokens import published_keys


async def test_oidcc_discovery_endpoint_verification(provider: Provider) -> None:
    async with provider.back_channel() as http:
        response = await http.get("/.well-known/openid-configuration")
        authorization_server = await http.get("/.well-known/oauth-authorization-server")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    document = response.json()
    assert authorization_server.json() == document, "RFC 8414: the same provider, the same words"
    OpenIDProviderMetadata(document).validate()
    # Discovery cl. 3: what is required
    assert document["issuer"] == ISSUER
    for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "registration_endpoint"):
        assert document[name].startswith(f"{ISSUER}/"), name
    assert document["response_types_supported"] == ["code"]
    assert document["subject_types_supported"] == ["pairwise"]
    assert {"RS256", "ES256"} <= set(document["id_token_signing_alg_values_supported"])
    # what is recommended, and the defaults that would be wrong for us if they were left out
    assert "openid" in document["scopes_supported"]
    assert {"authorization_code", "refresh_token"} <= set(document["grant_types_supported"])
    assert "implicit" not in document["grant_types_supported"]
    assert document["response_modes_supported"] == ["query", "jwt", "query.jwt"]
    assert {"sub", "iss", "auth_time", "acr", "name"} <= set(document["claims_supported"])
    assert document["claims_parameter_supported"] is True
    assert document["request_parameter_supported"] is True
    assert document["request_uri_parameter_supported"] is False  # its default is true
    # no algorithm that protects nothing, anywhere
    algorithms = {name: value for name, value in document.items() if "_alg_" in name}
    assert len(algorithms) >= 12
    assert not [name for name, value in algorithms.items() if {"none", "HS256", "RSA1_5", "RSA-OAEP"} & set(value)]
    # every key is published with its use and algorithm, each kid once (Discovery cl. 3, RFC 7517 cl. 4)
    keys = (await published_keys(provider))["keys"]
    assert len({key["kid"] for key in keys}) == len(keys)
    assert {key["alg"] for key in keys} == set(document["id_token_signing_alg_values_supported"])

"""npm `openid-client` (certified) is the relying party, feature by feature, over TLS; its own checks of our answers are all on."""

import base64
import json
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from idp.hashes import hash_token
from idp.model import InitialAccessToken
from idp.protocol import GrantType
from tests.idp.foreign.node_party import Refused, needs, run
from tests.support.idp import REDIRECT_URI, Client
from tests.support.served_provider import ServedProvider, served_in
from trust_lists.clock import utc_now

pytestmark = needs("openid-client")
CODE, REFRESH = GrantType.AUTHORIZATION_CODE.value, GrantType.REFRESH_TOKEN.value
OFFLINE = "openid profile offline_access"
FAPI2 = {"gba_profile": "fapi2", "dpop_bound_access_tokens": True}


def registered(served: ServedProvider, **changes: Any) -> Client:
    """A relying party of this test's own; what is no field of `Client` is a member of its registration."""
    fields = {name: changes.pop(name) for name in tuple(changes) if name in Client.__dataclass_fields__}
    made = Client(client_id=f"rp-{secrets.token_hex(6)}", extra=changes, **fields)
    return served.register(made)


def with_secret(served: ServedProvider, method: str = "client_secret_basic", **changes: Any) -> Client:
    return registered(served, auth=method, secret=secrets.token_urlsafe(32), **changes)


def header(token: str) -> dict[str, Any]:
    segment = token.partition(".")[0]
    return json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))


# --- the authorization code grant -------------------------------------------------------------------------------------


def test_code_with_private_key_jwt(served: ServedProvider) -> None:
    client = registered(served)
    result = run("code", served, client)
    assert result["claims"]["iss"] == served.issuer == result["metadata"]["issuer"]
    assert result["claims"]["aud"] == client.client_id
    assert header(result["tokens"]["id_token"])["alg"] == "ES256"
    assert result["tokens"]["token_type"] == "bearer"  # the library writes it small
    assert result["userinfo"]["sub"] == result["claims"]["sub"]
    assert result["userinfo"]["name"] == "CHAN, Ka Yan"
    assert f"iss={served.issuer.replace(':', '%3A').replace('/', '%2F')}" in result["location"]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_code_with_a_secret(served: ServedProvider, method: str) -> None:
    client = with_secret(served, method)
    assert run("code", served, client)["claims"]["aud"] == client.client_id


def test_code_with_a_wrong_secret_is_refused(served: ServedProvider) -> None:
    client = with_secret(served)
    with pytest.raises(Refused, match="OAUTH_WWW_AUTHENTICATE_CHALLENGE"):  # 401 with a challenge (RFC 6749 cl. 5.2)
        run("code", served, client, secret="guessed")


def test_code_of_a_native_app(served: ServedProvider) -> None:
    client = registered(served, auth="none", native=True, redirect_uri="http://127.0.0.1/callback")
    client.redirect_uri = "http://127.0.0.1:49152/callback"  # RFC 8252 cl. 7.3: the port of the moment
    assert run("code", served, client)["location"].startswith("http://127.0.0.1:49152/callback?")


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "EdDSA"])
def test_id_token_in_the_registered_algorithm(served: ServedProvider, algorithm: str) -> None:
    client = registered(served, id_token_signed_response_alg=algorithm)
    metadata = {"id_token_signed_response_alg": algorithm}
    result = run("code", served, client, metadata=metadata)
    assert header(result["tokens"]["id_token"])["alg"] == algorithm


def test_code_used_twice(served: ServedProvider) -> None:
    result = run("code_twice", served, registered(served))
    assert result["refused"]["error"] == "invalid_grant"
    assert result["afterwards"]["active"] is False  # what the first use gave is revoked


def test_refusal_reaches_the_portal(served: ServedProvider) -> None:
    result = run("denied", served, registered(served), served.person(agrees=False))
    assert result["refused"]["error"] == "access_denied"


def test_step_up_by_max_age(served: ServedProvider) -> None:
    result = run("step_up", served, registered(served))
    assert result["claims"]["sub"] == result["first"]["sub"]
    assert result["claims"]["auth_time"] >= result["first"]["auth_time"]
    assert served.provider.peer.logins >= 2


@pytest.mark.parametrize("algorithm", ["PS256", "EdDSA"])
def test_client_assertion_in_other_algorithms(served: ServedProvider, algorithm: str) -> None:
    members = {"kid": "rp-1", "use": "sig"}
    key = RSAKey.generate_key(2048, members) if algorithm == "PS256" else OKPKey.generate_key("Ed25519", members)
    client = registered(served, key=key, algorithm=algorithm)
    assert run("code", served, client)["claims"]["aud"] == client.client_id


def test_oauth_metadata(served: ServedProvider) -> None:
    """RFC 8414 cl. 3: the other well-known place says the same."""
    metadata = run("oauth_metadata", served, registered(served))["metadata"]
    assert metadata["issuer"] == served.issuer
    assert metadata["authorization_response_iss_parameter_supported"] is True


def test_claims_parameter(served: ServedProvider) -> None:
    asked = {"id_token": {"name": {"essential": True}}, "userinfo": {"birthdate": None}}
    client = registered(served)
    result = run("code", served, client, scope="openid", parameters={"claims": json.dumps(asked)})
    assert result["claims"]["name"] == "CHAN, Ka Yan"
    assert result["userinfo"]["birthdate"] == "1990-01-15"
    assert "name" not in result["userinfo"]


def test_rich_authorization_request(served: ServedProvider) -> None:
    digest = base64.urlsafe_b64encode(bytes(32)).rstrip(b"=").decode()
    document = {
        "type": "sign_document",
        "label": "Mortgage application",
        "digest": digest,
        "digest_algorithm": "SHA-256",
    }
    client = registered(served, authorization_details_types=["sign_document"])
    parameters = {"authorization_details": json.dumps([document]), "resource": f"{served.issuer}/api/v1/signing"}
    result = run("introspection", served, client, scope="openid signing", parameters=parameters)
    assert result["active"]["authorization_details"] == [document]
    assert result["active"]["aud"] == f"{served.issuer}/api/v1/signing"


# --- requests and responses that are protected -------------------------------------------------------------------------


def test_pushed_request(served: ServedProvider) -> None:
    result = run("par", served, registered(served, require_pushed_authorization_requests=True))
    assert "request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A" in result["url"]
    assert "redirect_uri" not in result["url"]


def test_dpop_bound_tokens(served: ServedProvider) -> None:
    client = registered(served, dpop_bound_access_tokens=True, grant_types=[CODE, REFRESH])
    result = run("dpop", served, client, scope=OFFLINE)
    assert result["token_type"] == "dpop"
    assert result["userinfo"]["sub"] == result["again"]["sub"] == result["claims"]["sub"]
    assert result["bearer"] == 401
    assert result["stranger"]["status"] == 401


def test_dpop_with_nonces_of_the_server(tmp_path: Path) -> None:
    with served_in(tmp_path, dpop_nonces=True) as served:
        client = registered(served, **FAPI2)
        result = run("fapi2", served, client)
    assert result["userinfo"]["sub"] == result["claims"]["sub"]


def test_signed_request_object(served: ServedProvider) -> None:
    client = registered(served, require_signed_request_object=True, request_object_signing_alg="ES256")
    result = run("jar", served, client)
    assert "request=ey" in result["url"]
    assert result["claims"]["aud"] == client.client_id


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_signed_authorization_response(served: ServedProvider, algorithm: str) -> None:
    client = registered(served, authorization_signed_response_alg=algorithm)
    result = run("jarm", served, client, metadata={"authorization_signed_response_alg": algorithm})
    response = result["location"].partition("?response=")[2]
    assert header(response)["alg"] == algorithm
    assert "code=" not in result["location"]


def test_fapi2_security_profile(served: ServedProvider) -> None:
    result = run("fapi2", served, registered(served, **FAPI2))
    assert result["tokens"]["token_type"] == "dpop"
    assert result["userinfo"]["sub"] == result["claims"]["sub"]
    assert result["unpushed"].startswith(f"{REDIRECT_URI}?error=invalid_request&")


def test_fapi2_message_signing(served: ServedProvider) -> None:
    client = registered(
        served, **FAPI2, require_signed_request_object=True, introspection_signed_response_alg="ES256"
    )  # fmt: skip
    result = run("fapi2_message_signing", served, client, metadata={"introspection_signed_response_alg": "ES256"})
    assert result["location"].startswith(f"{REDIRECT_URI}?response=ey")
    assert result["introspection"]["active"] is True
    assert result["unsigned"]["error"] in {"invalid_request", "invalid_request_object"}


# --- other grants ------------------------------------------------------------------------------------------------------


def test_refresh_rotates_and_reuse_ends_the_family(served: ServedProvider) -> None:
    result = run("refresh", served, registered(served, grant_types=[CODE, REFRESH]), scope=OFFLINE)
    assert result["refreshed"]["refresh_token"] != result["tokens"]["refresh_token"]
    assert result["again"]["sub"] == result["claims"]["sub"] == result["userinfo"]["sub"]
    assert result["reused"]["error"] == "invalid_grant"
    assert result["family"]["error"] == "invalid_grant"


def test_client_credentials(served: ServedProvider) -> None:
    client = with_secret(served, grant_types=["client_credentials"], redirect_uris=[], scope="signing")
    result = run("client_credentials", served, client, parameters={"scope": "signing"})
    assert result["introspection"]["active"] is True
    assert result["introspection"]["sub"] == client.client_id
    assert "refresh_token" not in result["tokens"]


def test_device_grant(served: ServedProvider) -> None:
    client = registered(served, grant_types=[CODE, GrantType.DEVICE_CODE.value])
    result = run("device", served, client)
    assert result["opened"]["verification_uri_complete"].endswith(result["opened"]["user_code"])
    assert result["userinfo"]["sub"] == result["claims"]["sub"]


def test_ciba_poll(served: ServedProvider) -> None:
    client = registered(served, grant_types=[CODE, GrantType.CIBA.value])
    result = run("ciba", served, client)
    assert result["claims"]["sub"] == result["sub"]
    assert result["opened"]["interval"] == 1


def test_token_exchange(served: ServedProvider) -> None:
    client = registered(served, grant_types=[CODE, GrantType.TOKEN_EXCHANGE.value])
    result = run("token_exchange", served, client, scope="openid signing")
    assert result["exchanged"]["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert result["introspection"]["act"] == {"sub": client.client_id}
    assert result["introspection"]["scope"] == "signing"


# --- what becomes of tokens, and the session ----------------------------------------------------------------------------


def test_introspection(served: ServedProvider) -> None:
    result = run("introspection", served, with_secret(served))
    assert result["active"]["active"] is True
    assert result["active"]["sub"] == result["claims"]["sub"]
    assert result["unknown"] == {"active": False}


def test_signed_introspection(served: ServedProvider) -> None:
    client = with_secret(served, introspection_signed_response_alg="PS256")
    result = run("introspection", served, client, metadata={"introspection_signed_response_alg": "PS256"})
    assert result["active"]["active"] is True
    assert result["unknown"] == {"active": False}


def test_revocation(served: ServedProvider) -> None:
    result = run("revocation", served, with_secret(served))
    assert result["refused"]["status"] == 401
    assert result["introspection"] == {"active": False}


def test_signed_userinfo(served: ServedProvider) -> None:
    client = registered(served, userinfo_signed_response_alg="ES256")
    result = run("code", served, client, metadata={"userinfo_signed_response_alg": "ES256"})
    assert result["userinfo"]["aud"] == client.client_id
    assert result["userinfo"]["iss"] == served.issuer


def test_userinfo_of_somebody_else_is_noticed(served: ServedProvider) -> None:
    assert (
        run("wrong_subject", served, registered(served))["refused"]["code"] == "OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED"
    )


def test_logout(served: ServedProvider) -> None:
    bye = "https://portal.test/bye"
    client = registered(served, post_logout_redirect_uris=[bye])
    result = run("logout", served, client, post_logout_redirect_uri=bye)
    assert result["location"] == f"{bye}?state=bye-1"
    assert result["silent"]["error"] == "login_required"


@pytest.mark.parametrize("enc", ["A128CBC-HS256", "A128GCM", "A256GCM"])
@pytest.mark.parametrize("alg", ["ECDH-ES", "ECDH-ES+A256KW"])
def test_encrypted_id_token_and_userinfo(served: ServedProvider, alg: str, enc: str) -> None:
    key = ECKey.generate_key("P-256", {"kid": "enc-1", "use": "enc"})
    wanted = {
        "id_token_encrypted_response_alg": alg,
        "id_token_encrypted_response_enc": enc,
        "userinfo_signed_response_alg": "ES256",
        "userinfo_encrypted_response_alg": alg,
        "userinfo_encrypted_response_enc": enc,
    }
    client = with_secret(served, jwks={"keys": [key.as_dict(private=False)]}, **wanted)
    metadata = {"userinfo_signed_response_alg": "ES256"}
    result = run("encrypted", served, client, metadata=metadata, enc=enc, decryption_key=key.as_dict(private=True))
    outside = header(result["tokens"]["id_token"])
    assert (outside["alg"], outside["enc"]) == (alg, enc)
    assert header(result["signed"]["id_token"]["token_endpoint"])["alg"] == "ES256"
    assert result["userinfo"]["name"] == "CHAN, Ka Yan"


def test_encrypted_authorization_response(served: ServedProvider) -> None:
    key = ECKey.generate_key("P-256", {"kid": "enc-1", "use": "enc"})
    wanted = {"authorization_encrypted_response_alg": "ECDH-ES", "authorization_encrypted_response_enc": "A256GCM"}
    client = with_secret(served, jwks={"keys": [key.as_dict(private=False)]}, **wanted)
    given = {"enc": "A256GCM", "decryption_key": key.as_dict(private=True), "jarm": True}
    result = run("encrypted", served, client, **given)
    assert header(result["location"].partition("?response=")[2])["enc"] == "A256GCM"
    assert header(result["signed"]["authorization_response"])["alg"] == "ES256"


# --- dynamic registration ------------------------------------------------------------------------------------------------


def initial_token(served: ServedProvider) -> str:
    token = secrets.token_urlsafe(32)
    kept = InitialAccessToken(f"iat-{secrets.token_hex(4)}", "", 1, utc_now() + timedelta(hours=1))
    served.call(served.provider.store.save_initial_token(kept, token_hash=hash_token(token)))
    return token


def a_newcomer(**changes: str) -> tuple[Client, dict[str, object]]:
    """A portal of a sector of its own: another's is joined by an operator only."""
    client = Client(redirect_uri=f"https://newcomer-{secrets.token_hex(4)}.test/callback", **changes)
    registration = {
        "client_name": "Registered by itself",
        "redirect_uris": [client.redirect_uri],
        "scope": "openid profile",
        "gba_region": "hk",
    }
    return client, registration


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_dynamic_registration(served: ServedProvider, method: str) -> None:
    token, (client, registration) = initial_token(served), a_newcomer(auth=method)
    wanted = {**registration, "token_endpoint_auth_method": method}
    result = run("registration", served, client, registration=wanted, initial_access_token=token)
    assert result["claims"]["aud"] == result["registered"]["client_id"]
    assert result["registered"]["token_endpoint_auth_method"] == method


def test_an_initial_access_token_serves_once(served: ServedProvider) -> None:
    token = initial_token(served)
    client, registration = a_newcomer()
    run("registration", served, client, registration=registration, initial_access_token=token)
    again, registration = a_newcomer()
    with pytest.raises(Refused, match="invalid_token"):
        run("registration", served, again, registration=registration, initial_access_token=token)

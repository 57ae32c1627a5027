"""Each method of client authentication, read and verified, and the registered one only."""

import base64
from datetime import timedelta
from types import MappingProxyType
from urllib.parse import quote

import pytest
from joserfc.jwk import ECKey, OKPKey

from idp.config import IdpConfig
from idp.errors import InvalidClient, InvalidRequest
from idp.jose.compact import sign_compact
from idp.parameters import Parameters
from idp.proof.client_authentication import read_presented_client, verify_client
from idp.proof.mutual_tls import read_client_certificate
from idp.proof.replay import ReplayUse
from idp.protocol import CLIENT_ASSERTION_TYPE, ClientAuthMethod
from idp.relying_parties import RelyingParty, hash_secret, parse_registration
from tests.support.client_certificates import PROXY, ClientAuthority, config, reported, self_signed
from tests.support.idp import AT, ISSUER

CONFIG = IdpConfig(issuer=ISSUER)
KEY = ECKey.generate_key("P-256", {"kid": "k", "use": "sig"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed", "use": "sig"})
CA = ClientAuthority(AT)
NOW = int(AT.timestamp())
CLAIMS = {"iss": "bank", "sub": "bank", "aud": ISSUER, "jti": "j", "iat": NOW, "exp": NOW + 60}


def form(**values: str) -> Parameters:
    return Parameters(MappingProxyType(values), frozenset(), tuple(values.items()))


def party(method: str, secret: str | None = None, **members: object) -> RelyingParty:
    document = {
        "client_name": "Bank", "redirect_uris": ["https://bank.test/cb"], "gba_region": "gd", "token_endpoint_auth_method": method,
        "jwks": {"keys": [key.as_dict(private=False) for key in (KEY, ED)]}, **members,
    }  # fmt: skip
    return parse_registration(document, client_id="bank", secret_hash=secret and hash_secret(secret))


def assertion(algorithm: str = "ES256", **changes: object) -> dict[str, str]:
    key = KEY if algorithm == "ES256" else ED
    signed = sign_compact(key, algorithm, "JWT", {**CLAIMS, **changes})
    return {"client_assertion_type": CLIENT_ASSERTION_TYPE, "client_assertion": signed}


def authenticate(registered: RelyingParty | None, values: dict, authorization: str | None = None, **more: object):
    presented = read_presented_client(form(**values), authorization, more.get("certificate"))
    return verify_client(presented, registered, CONFIG, at=AT, **more)


def basic(name: str, secret: str) -> str:
    pair = f"{quote(name, safe='')}:{quote(secret, safe='')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def certificate_of(certificate):
    return read_client_certificate(reported(certificate), PROXY, config())


def test_assertion_gives_what_must_be_remembered() -> None:
    use = authenticate(party("private_key_jwt"), assertion())
    assert use == ReplayUse("bank", "j", AT + timedelta(seconds=60))


def test_registered_algorithm_is_the_only_one() -> None:
    pinned = party("private_key_jwt", token_endpoint_auth_signing_alg="EdDSA")
    for name in ("EdDSA", "Ed25519"):
        assert authenticate(pinned, assertion(name))
    with pytest.raises(InvalidClient):
        authenticate(pinned, assertion("ES256"))
    with pytest.raises(InvalidClient):
        authenticate(party("private_key_jwt", token_endpoint_auth_signing_alg="PS256"), assertion("ES256"))


@pytest.mark.parametrize("ahead", [0, 8, 10])
def test_clocks_may_differ_a_little(ahead: int) -> None:
    assert authenticate(party("private_key_jwt"), assertion(nbf=NOW + ahead, iat=NOW + ahead))


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_assertion_from_the_future(claim: str) -> None:
    for ahead in (11, 61):
        with pytest.raises(InvalidClient):
            authenticate(party("private_key_jwt"), assertion(**{claim: NOW + ahead}))


@pytest.mark.parametrize(("method", "other"), [("client_secret_basic", "post"), ("client_secret_post", "basic")])
def test_secret_travels_only_as_registered(method: str, other: str) -> None:
    registered = party(method, "s3cret: +%é")
    in_header = ({}, basic("bank", "s3cret: +%é"))
    in_body = ({"client_id": "bank", "client_secret": "s3cret: +%é"}, None)
    good, bad = (in_header, in_body) if other == "post" else (in_body, in_header)
    assert authenticate(registered, *good) is None
    with pytest.raises(InvalidClient):
        authenticate(registered, *bad)


def test_wrong_secrets() -> None:
    registered = party("client_secret_post", "right")
    for secret in ("wrong", "RIGHT", "right ", "r"):
        with pytest.raises(InvalidClient):
            authenticate(registered, {"client_id": "bank", "client_secret": secret})
    with pytest.raises(InvalidClient):  # an empty one counts as none, and none is not what was registered
        authenticate(registered, {"client_id": "bank"})
    with pytest.raises(InvalidClient):  # without a hash nothing is right
        authenticate(party("client_secret_post"), {"client_id": "bank", "client_secret": "right"})


def test_certificate_of_a_ca() -> None:
    registered = party("tls_client_auth", tls_client_auth_subject_dn="CN=bank")
    mine, other = certificate_of(CA.issue("CN=bank")), certificate_of(CA.issue("CN=other"))
    values = {"client_id": "bank"}
    assert authenticate(registered, values, certificate=mine, anchors=CA.pem) is None
    for more in ({"certificate": other, "anchors": CA.pem}, {"certificate": mine}, {"anchors": CA.pem}, {}):
        with pytest.raises(InvalidClient):
            authenticate(registered, values, **more)
    with pytest.raises(InvalidClient):  # nobody said who it is
        authenticate(registered, {}, certificate=mine, anchors=CA.pem)


def test_certificate_of_its_own() -> None:
    registered = party("self_signed_tls_client_auth")
    own = certificate_of(self_signed(KEY.private_key, at=AT))
    assert authenticate(registered, {"client_id": "bank"}, certificate=own) is None
    with pytest.raises(InvalidClient):
        authenticate(registered, {"client_id": "bank"})


def test_certificate_does_not_stand_in_for_another_method() -> None:
    own = certificate_of(self_signed(KEY.private_key, at=AT))
    for method in ("private_key_jwt", "client_secret_basic", "client_secret_post"):
        with pytest.raises(InvalidClient):
            authenticate(party(method, "s"), {"client_id": "bank"}, certificate=own)
    # a certificate may come along with another method: tokens can be bound to it
    assert authenticate(party("private_key_jwt"), assertion(), certificate=own)
    with pytest.raises(InvalidClient):
        authenticate(party("self_signed_tls_client_auth"), assertion(), certificate=own)


def test_native_app_without_credential() -> None:
    app = party("none", application_type="native")
    assert authenticate(app, {"client_id": "bank"}) is None
    assert authenticate(app, {"client_id": "bank"}, certificate=certificate_of(CA.issue("CN=x"))) is None
    for values in ({}, {"client_id": "bank", "client_secret": "x"}):
        with pytest.raises(InvalidClient):
            authenticate(app, values)


def test_unknown_relying_party() -> None:
    for values in (assertion(), {"client_id": "bank"}, {"client_id": "bank", "client_secret": "x"}):
        with pytest.raises(InvalidClient):
            authenticate(None, values)


def test_two_methods_at_once_are_refused() -> None:
    secret = {"client_id": "bank", "client_secret": "x"}
    for values, header in (
        (secret, basic("bank", "x")),
        (assertion(), basic("bank", "x")),
        ({**assertion(), **secret}, None),
    ):
        with pytest.raises(InvalidRequest):
            read_presented_client(form(**values), header)
    with pytest.raises(InvalidClient):
        read_presented_client(form(client_id="other"), basic("bank", "x"))
    for name in ("client_id", "client_assertion", "client_assertion_type", "client_secret"):
        with pytest.raises(InvalidRequest):
            read_presented_client(Parameters({name: "x"}, frozenset({name})), None)


def test_every_method_is_tried_here() -> None:
    assert {method.value for method in ClientAuthMethod} == {
        "private_key_jwt", "client_secret_basic", "client_secret_post", "tls_client_auth", "self_signed_tls_client_auth", "none",
    }  # fmt: skip

"""Signed authorization responses: for one relying party, for a few minutes, encrypted when registered so."""

import json
from datetime import timedelta

import jose.jwt
import pytest
from joserfc import jwe
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey

from idp.config import IdpConfig
from idp.jose.compact import verify_compact
from idp.relying_parties import RelyingParty, parse_registration
from idp.response_modes import ResponseMode, jarm_response
from tests.support.idp import AT, ISSUER

CONFIG = IdpConfig(issuer=ISSUER)
SIGNING = ECKey.generate_key("P-256", {"kid": "rp", "use": "sig"})
ENCRYPTION = OKPKey.generate_key("X25519", {"kid": "rp-enc", "use": "enc"})
PARAMETERS = {"code": "c0de", "state": "s"}


KEYS = {
    "ES256": ECKey.generate_key("P-256", {"kid": "es"}),
    "RS256": RSAKey.generate_key(2048, {"kid": "rs"}),
    "PS256": RSAKey.generate_key(2048, {"kid": "ps"}),
    "EdDSA": OKPKey.generate_key("Ed25519", {"kid": "ed"}),
}


class Ring:
    def current(self, algorithm: str = "ES256") -> Key:
        return KEYS[algorithm]

    def published(self) -> KeySet:
        return KeySet([type(key).import_key(key.as_dict(private=False)) for key in KEYS.values()])


RING = Ring()


def party(**members: object) -> RelyingParty:
    document = {
        "client_name": "Bank", "redirect_uris": ["https://bank.test/cb"], "gba_region": "gd",
        "jwks": {"keys": [key.as_dict(private=False) for key in (SIGNING, ENCRYPTION)]}, **members,
    }  # fmt: skip
    return parse_registration(document, client_id="bank")


@pytest.mark.parametrize("algorithm", KEYS)
def test_signed_as_registered(algorithm: str) -> None:
    text = jarm_response(PARAMETERS, party(authorization_signed_response_alg=algorithm), RING, CONFIG, at=AT)
    claims = verify_compact(text, RING.published(), [algorithm], types={"JWT"}).claims
    exp = int((AT + CONFIG.authorization_response_lifetime).timestamp())
    assert claims == {**PARAMETERS, "iss": ISSUER, "aud": "bank", "exp": exp}
    assert CONFIG.authorization_response_lifetime <= timedelta(minutes=10)


def test_python_jose_reads_it() -> None:
    text = jarm_response({"error": "access_denied"}, party(), RING, CONFIG, at=AT)
    claims = jose.jwt.decode(
        text, KEYS["ES256"].as_dict(private=False), algorithms=["ES256"], audience="bank", issuer=ISSUER,
        options={"verify_exp": False},
    )  # fmt: skip
    assert claims["error"] == "access_denied"


def test_parameters_cannot_take_the_place_of_ours() -> None:
    text = jarm_response(
        {"iss": "https://evil.test", "aud": "x", "exp": "0", "code": "c"}, party(), RING, CONFIG, at=AT
    )
    claims = verify_compact(text, RING.published(), ["ES256"], types={"JWT"}).claims
    assert (claims["iss"], claims["aud"]) == (ISSUER, "bank")


def test_encrypted_as_registered() -> None:
    registered = party(authorization_encrypted_response_alg="ECDH-ES", authorization_encrypted_response_enc="A256GCM")
    text = jarm_response(PARAMETERS, registered, RING, CONFIG, at=AT)
    opened = jwe.decrypt_compact(text, ENCRYPTION, algorithms=["ECDH-ES", "A256GCM"])
    assert opened.headers()["cty"] == "JWT"
    claims = verify_compact(opened.plaintext.decode(), RING.published(), ["ES256"], types={"JWT"}).claims
    assert json.loads(json.dumps(claims))["code"] == "c0de"


def test_modes() -> None:
    assert [mode.value for mode in ResponseMode if mode.signed] == ["query.jwt", "jwt"]


def test_a_long_life_stops_the_start() -> None:
    with pytest.raises(ValueError, match="ten minutes"):
        IdpConfig(issuer=ISSUER, authorization_response_lifetime=timedelta(minutes=11))

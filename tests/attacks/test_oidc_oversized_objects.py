"""Oversized everything: what a caller signs, nests, repeats or names is bounded before it costs anything."""

import base64
import json

import pytest
from joserfc.jwk import RSAKey
from starlette.datastructures import Headers

from idp.errors import InvalidClient, InvalidClientMetadata, InvalidDpopProof, InvalidRequestObject
from idp.jose.public_keys import parse_public_key
from idp.proof.mutual_tls import read_client_certificate
from idp.relying_parties import parse_registration
from tests.support.client_certificates import PROXY, config
from tests.support.dpop import segment, signed
from tests.support.signed_objects import DOORS, EC, PROOF, REQUEST_OBJECT, Door

doors = pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)


@doors
@pytest.mark.parametrize("size", [9_000, 100_000, 2_000_000])
def test_long_objects(door: Door, size: int) -> None:
    for text in (
        signed(EC, door.header, {**door.claims, "pad": "x" * size}),
        signed(EC, {**door.header, "pad": "x" * size}, door.claims),
        door.good() + "A" * size,
        "A" * size,
        "." * size,
    ):
        with pytest.raises(door.refusal):
            door.enter(text)


NESTS = (
    '{"a":' * 33 + "1" + "}" * 33,
    '{"a":' + "[" * 40 + "]" * 40 + "}",
    '{"a":' * 700 + "1" + "}" * 700,
    '{"a":' + "[" * 2_900 + "]" * 2_900 + "}",
    '{"a":' * 990,
)


@doors
def test_deep_objects(door: Door) -> None:
    for nest in (
        '{"a":' * 33 + "1" + "}" * 33,
        '{"a":' + "[" * 40 + "]" * 40 + "}",
        '{"a":' * 700 + "1" + "}" * 700,
        '{"a":' + "[" * 2_900 + "]" * 2_900 + "}",
        '{"a":' * 990,
    ):
        for text in (
            f"{segment(json.dumps(door.header).encode())}.{segment(nest.encode())}.{segment(b'x' * 64)}",
            f"{segment(nest.encode())}.{segment(json.dumps(door.claims).encode())}.{segment(b'x' * 64)}",
        ):
            with pytest.raises(door.refusal):
                door.enter(text)


@doors
@pytest.mark.parametrize("number", ["9" * 4_400, "1e400", "-1e400", "1" + "0" * 5_000])
def test_endless_numbers(door: Door, number: str) -> None:
    claims = json.dumps(door.claims)[:-1] + f', "exp": {number}, "iat": {number}}}'
    with pytest.raises(door.refusal):
        door.enter(f"{segment(json.dumps(door.header).encode())}.{segment(claims.encode())}.{segment(b'x' * 64)}")


@pytest.mark.parametrize(
    "changes", [{f"p{i}": "x" for i in range(65)}, {"resource": [f"https://{i}.test" for i in range(80)]}]
)
def test_many_parameters_in_a_request_object(changes: dict) -> None:
    with pytest.raises(InvalidRequestObject):
        REQUEST_OBJECT.enter(signed(EC, REQUEST_OBJECT.header, {**REQUEST_OBJECT.claims, **changes}))


@pytest.mark.parametrize("bits", [1_024, 16_384])
def test_rsa_keys_that_are_too_small_or_too_dear(bits: int) -> None:
    """A verification under 16384 bits costs some thirty times one under 2048; the number need not even be a key."""
    modulus = segment(((1 << bits) - 159).to_bytes(bits // 8, "big"))
    jwk = {"kty": "RSA", "n": modulus, "e": "AQAB"}
    with pytest.raises(InvalidDpopProof):
        PROOF.enter(signed(EC, {**PROOF.header, "alg": "PS256", "jwk": jwk}, PROOF.claims))
    with pytest.raises(InvalidClientMetadata):
        registration(jwks={"keys": [jwk]})


def test_endless_exponent() -> None:
    key = RSAKey.generate_key(2048).as_dict(private=False)
    with pytest.raises(InvalidClientMetadata):
        registration(jwks={"keys": [{**key, "e": "A" * 1_401}]})


@pytest.mark.parametrize("size", [16_385, 1_000_000])
def test_long_certificate_headers(size: int) -> None:
    for header, value in (("client-cert", f":{'A' * size}:"), ("x-ssl-client-cert", "%2D" * size)):
        with pytest.raises(InvalidClient):
            read_client_certificate(Headers({header: value}), PROXY, config(header))


def registration(**members: object):
    document = {"client_name": "Bank", "redirect_uris": ["https://bank.test/cb"], "gba_region": "gd", **members}
    return parse_registration({"token_endpoint_auth_method": "client_secret_basic", **document}, client_id="bank")


@pytest.mark.parametrize(
    "members",
    [
        {"client_name": "x" * 121}, {"redirect_uris": [f"https://bank.test/{i}" for i in range(21)]}, {"scope": "openid " * 40},
        {"contacts": ["a"] * 21}, {"gba_delegates": [f"rp-{i}" for i in range(21)]}, {"policy_uri": "https://bank.test/" + "x" * 500},
        {"jwks": {"keys": [EC.as_dict(private=False)] * 11}}, {"jwks": {"keys": [{**EC.as_dict(private=False), "pad": "x" * 40_000}]}},
        {f"client_name#a{i:02}": "x" for i in range(21)}, {"gba_purpose": "x" * 301}, {"software_id": "x" * 101},
        {"tls_client_auth_subject_dn": "CN=" + "x" * 500},
    ],
)  # fmt: skip
def test_long_registrations(members: dict) -> None:
    with pytest.raises(InvalidClientMetadata):
        registration(**members)


def test_the_bounds_leave_room_for_honest_keys() -> None:
    key = RSAKey.generate_key(4096).as_dict(private=False)
    assert parse_public_key(key).key_type == "RSA"
    assert len(base64.urlsafe_b64decode(key["n"] + "==")) == 512

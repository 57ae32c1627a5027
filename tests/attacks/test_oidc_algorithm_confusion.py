"""Algorithm confusion: a public key used as an HMAC secret, `none`, and an algorithm that does not fit the key; at every door."""

import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.dpop import signed
from tests.support.signed_objects import (
    ASSERTION,
    DOORS,
    EC,
    ED,
    PROOF,
    RSA,
    STATEMENT,
    Door,
    hmac_signed,
    signature_of,
    unsigned,
)

doors = pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)


def public_forms(key) -> list[bytes]:
    forms = [
        key.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).strip(),
        json.dumps(key.as_dict(private=False)).encode(),
        json.dumps(key.as_dict(private=False), separators=(",", ":"), sort_keys=True).encode(),
        b"",
    ]
    if key is RSA:
        forms += [
            key.public_key.public_bytes(encoding, PublicFormat.PKCS1) for encoding in (Encoding.DER, Encoding.PEM)
        ]
    else:
        raw = PublicFormat.Raw if key is ED else PublicFormat.UncompressedPoint
        forms.append(key.public_key.public_bytes(Encoding.Raw if key is ED else Encoding.X962, raw))
    return forms


@doors
def test_the_door_is_open_for_the_good_object(door: Door) -> None:
    assert door.enter(door.good())


@doors
@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_hmac_under_a_public_key(door: Door, algorithm: str) -> None:
    for key in (EC, RSA, ED):
        for secret in public_forms(key):
            header = {**door.header, "alg": algorithm, "kid": key.kid}
            with pytest.raises(door.refusal):
                door.enter(hmac_signed(header, door.claims, secret))


@doors
@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "nOnE", "", " none", None, 0, False, ["none"], {"alg": "none"}]
)
def test_none(door: Door, algorithm: object) -> None:
    header = {**door.header, "alg": algorithm}
    for signature in (b"", b"x" * 64, signature_of(door.good())):
        with pytest.raises(door.refusal):
            door.enter(unsigned(header, door.claims, signature))


@doors
def test_signature_cut_off(door: Door) -> None:
    head, body, _ = door.good().split(".")
    for text in (f"{head}.{body}.", f"{head}.{body}", f"{head}..", f".{body}."):
        with pytest.raises(door.refusal):
            door.enter(text)


@doors
@pytest.mark.parametrize(
    ("algorithm", "key"), [("PS256", EC), ("EdDSA", EC), ("ES256", ED), ("ES256", RSA), ("EdDSA", RSA), ("PS256", ED)]
)
def test_algorithm_of_another_kind_of_key(door: Door, algorithm: str, key) -> None:
    signer = {"PS256": RSA, "EdDSA": ED, "ES256": EC}[algorithm]
    header = {**door.header, "alg": algorithm, "kid": key.kid}
    if "jwk" in header:
        header["jwk"] = key.as_dict(private=False)
    with pytest.raises(door.refusal):
        door.enter(signed(signer, header, door.claims, algorithm))


@doors
@pytest.mark.parametrize(
    "algorithm", ["RS384", "RS512", "PS384", "PS512", "ES384", "ES512", "ES256K", "Ed448", "RSA1_5", "dir"]
)
def test_algorithms_that_are_not_offered(door: Door, algorithm: str) -> None:
    with pytest.raises(door.refusal):
        door.enter(signed(EC, {**door.header, "alg": algorithm}, door.claims))


@pytest.mark.parametrize("door", (ASSERTION, PROOF, STATEMENT), ids=lambda door: door.name)
def test_rs256_where_it_is_not_offered(door: Door) -> None:
    """The basic profile takes RS256 request objects; `fapi2` does not: tests/idp/proof/test_request_objects.py."""
    header = {**door.header, "alg": "RS256", "kid": "rsa"}
    if "jwk" in header:
        header["jwk"] = RSA.as_dict(private=False)
    with pytest.raises(door.refusal):
        door.enter(signed(RSA, header, door.claims, "RS256"))


@doors
def test_ecdsa_signatures_without_content(door: Door) -> None:
    """R = S = 0, the psychic signature (CVE-2022-21449), and its neighbours."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    numbers = [value.to_bytes(32, "big") for value in (0, 1, order, order - 1)]
    for r in numbers:
        for s in numbers:
            with pytest.raises(door.refusal):
                door.enter(unsigned(door.header, door.claims, r + s))


@doors
def test_ecdsa_signature_in_der(door: Door) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    message = unsigned(door.header, door.claims).rpartition(".")[0]
    der = EC.private_key.sign(message.encode(), ec.ECDSA(hashes.SHA256()))
    with pytest.raises(door.refusal):
        door.enter(unsigned(door.header, door.claims, der))

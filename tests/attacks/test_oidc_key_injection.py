"""Key injection: the object brings, names or points to the key that shall verify it."""

import base64
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey

from tests.support.client_certificates import self_signed
from tests.support.dpop import signed
from tests.support.idp import AT
from tests.support.signed_objects import ASSERTION, DOORS, EC, PROOF, REQUEST_OBJECT, STATEMENT, Door

REGISTERED = (ASSERTION, REQUEST_OBJECT, STATEMENT)
EVIL = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"})
X5C = base64.b64encode(self_signed(EVIL.private_key, at=AT).public_bytes(Encoding.DER)).decode()
doors = pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
registered_doors = pytest.mark.parametrize("door", REGISTERED, ids=lambda door: door.name)


@registered_doors
@pytest.mark.parametrize(
    "members",
    [
        {"jwk": EVIL.as_dict(private=False)}, {"jku": "https://evil.test/jwks"}, {"x5u": "https://evil.test/cert"}, {"x5c": [X5C]},
        {"jwk": EVIL.as_dict(private=False), "kid": None}, {"jku": "http://127.0.0.1/jwks", "kid": "evil"}, {"jku": "file:///etc/passwd"},
    ],
)  # fmt: skip
def test_header_brings_its_key(door: Door, members: dict) -> None:
    with pytest.raises(door.refusal):
        door.enter(signed(EVIL, {**door.header, **members}, door.claims))


@registered_doors
@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c"])
def test_header_that_points_is_refused_even_under_the_good_key(door: Door, member: str) -> None:
    value = {"jwk": EC.as_dict(private=False), "x5c": [X5C]}.get(member, "https://bank.test/jwks")
    with pytest.raises(door.refusal):
        door.enter(signed(EC, {**door.header, member: value}, door.claims))


@doors
@pytest.mark.parametrize(
    "members", [{"crit": ["exp"]}, {"crit": []}, {"crit": ["b64"], "b64": False}, {"b64": False}, {"crit": "x"}]
)
def test_header_that_changes_the_processing(door: Door, members: dict) -> None:
    with pytest.raises(door.refusal):
        door.enter(signed(EC, {**door.header, **members}, door.claims))


@registered_doors
@pytest.mark.parametrize(
    "kid",
    [
        "../../etc/passwd", "/dev/null", "ec\x00", "' OR 1=1--", "ec' UNION SELECT 'x", "|id", "http://evil.test/key", "EC", " ec", "",
        7, True, {"a": 1}, ["ec"], "x" * 201,
    ],
)  # fmt: skip
def test_kid_injection(door: Door, kid: object) -> None:
    for key in (EVIL, EC):
        with pytest.raises(door.refusal):
            door.enter(signed(key, {**door.header, "kid": kid}, door.claims))


@registered_doors
def test_key_of_somebody_else_under_a_known_kid(door: Door) -> None:
    for header in (door.header, {**door.header, "kid": None}):
        with pytest.raises(door.refusal):
            door.enter(signed(EVIL, header, door.claims))


def test_proof_must_be_signed_by_the_key_that_it_shows() -> None:
    with pytest.raises(PROOF.refusal):
        PROOF.enter(signed(EVIL, PROOF.header, PROOF.claims))


def test_proof_with_two_keys() -> None:
    for members in ({"x5c": [X5C]}, {"jku": "https://evil.test/jwks"}, {"x5u": "https://evil.test/"}):
        with pytest.raises(PROOF.refusal):
            PROOF.enter(signed(EC, {**PROOF.header, **members}, PROOF.claims))


def test_certificate_in_a_proofs_key_gives_no_authority() -> None:
    """An `x5c` inside the embedded key means nothing: the binding is to the key's thumbprint."""
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "gba-trust")])
    builder = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(EVIL.public_key).serial_number(1)
    )
    forged = (
        builder.not_valid_before(AT).not_valid_after(AT + timedelta(days=1)).sign(EVIL.private_key, hashes.SHA256())
    )
    jwk = {**EVIL.as_dict(private=False), "x5c": [base64.b64encode(forged.public_bytes(Encoding.DER)).decode()]}
    assert PROOF.enter(signed(EVIL, {**PROOF.header, "jwk": jwk}, PROOF.claims)).jkt == EVIL.thumbprint()

"""The few facts of a certificate, and the walk to its key."""

import pytest
from asn1crypto import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.trust_lists import HK_POLICY, authority, person, refusal
from trust_lists.certificates import certificate_key_hash, key_hash, parse_certificate, public_key_info
from trust_lists.errors import CertificateMalformed

CAS = [authority("HK CA", "rsa"), authority("MO CA"), authority("GD SM2 CA", "sm2")]
CERTIFICATE = person(CAS[0], HK_POLICY)


@pytest.mark.parametrize("ca", CAS, ids=lambda ca: ca.name)
def test_the_walk_finds_the_key_that_asn1crypto_finds(ca: object) -> None:
    expected = x509.Certificate.load(ca.certificate).public_key.dump()
    assert public_key_info(ca.certificate) == expected
    assert certificate_key_hash(ca.certificate) == key_hash(expected)
    assert parse_certificate(ca.certificate).spki == expected


def test_facts() -> None:
    facts = parse_certificate(CERTIFICATE)
    assert facts.policies == (HK_POLICY,)
    assert facts.key_usage == {"digital_signature", "non_repudiation"}
    assert not facts.is_ca
    assert facts.digest == "sha256"
    assert parse_certificate(CAS[2].certificate).digest == "sm3"
    assert parse_certificate(CAS[0].certificate).is_ca


@pytest.mark.parametrize(
    "data", [b"", b"\x30\x00", b"\x30\x03\x02\x01\x01", CERTIFICATE + b"\x00", CERTIFICATE[:-5], bytes(20_000)]
)
def test_what_is_not_one_certificate(data: bytes) -> None:
    assert refusal(public_key_info, data) == "certificate_malformed"
    assert refusal(parse_certificate, data) == "certificate_malformed"


def test_inner_and_outer_algorithm_must_agree() -> None:
    certificate = x509.Certificate.load(CERTIFICATE)
    certificate["signature_algorithm"] = {"algorithm": "sha512_rsa"}
    assert refusal(parse_certificate, certificate.dump(force=True)) == "certificate_malformed"


@settings(max_examples=150, deadline=None)
@given(position=st.integers(0, len(CERTIFICATE) - 1), value=st.integers(0, 255), cut=st.integers(0, 40))
def test_nothing_but_our_error_comes_out_of_broken_bytes(position: int, value: int, cut: int) -> None:
    data = bytearray(CERTIFICATE)
    data[position] = value
    for read in (public_key_info, parse_certificate):
        try:
            read(bytes(data[: len(data) - cut]))
        except CertificateMalformed:
            pass

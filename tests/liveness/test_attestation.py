"""The attestation's gate: everything that is not exactly ours is refused."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from liveness.attestation import AttestedCheck, AttestedDocument, PermitAttestation, issue, verify
from liveness.errors import AttestationRefused
from liveness.model import DocumentType

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
KEY = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig"})
KEYS = KeySet([ECKey.import_key(KEY.as_dict(private=False))])
STATED = PermitAttestation(
    "jti-1", "http://issuer", "sub-1", "txn-1", AT, AT + timedelta(minutes=5),
    AttestedDocument(DocumentType.MAINLAND_TRAVEL_PERMIT, "CHN", "ref"),
    (AttestedCheck("liveness", "gba-trust", "t", "2026-11-24T09:00:00Z"),), "permit_authority", "embedded:0", {"min_parallax": 0.025},
)  # fmt: skip
BOUND = {"issuer": "http://issuer", "audience": "http://broker", "transaction": "txn-1", "subject": "sub-1", "at": AT}


def token(**changes: object) -> str:
    return issue(replace(STATED, **changes), audience="http://broker", key=KEY)


def remade(header: dict[str, object] | None = None, key: object = KEY, **claims: object) -> str:
    made = jwt.decode(token(), KEYS, algorithms=["ES256"])
    algorithm = (header or {}).get("alg", "ES256")
    return jwt.encode({**made.header, **(header or {})}, {**made.claims, **claims}, key, algorithms=[algorithm])


def test_round_trip() -> None:
    assert verify(token(), KEYS, **BOUND) == STATED


def test_it_carries_no_number_no_name_no_image() -> None:
    claims = jwt.decode(token(), KEYS, algorithms=["ES256"]).claims
    assert set(claims) == {
        "iss", "aud", "iat", "exp", "jti", "sub", "txn", "document", "checks", "portrait_source", "model_set", "thresholds",
        "decision",
    }  # fmt: skip


@pytest.mark.parametrize(
    "other", [{"issuer": "http://x"}, {"audience": "http://x"}, {"transaction": "txn-2"}, {"subject": "sub-2"}]
)
def test_bound_to_issuer_audience_transaction_and_subject(other: dict[str, str]) -> None:
    with pytest.raises(AttestationRefused) as refusal:
        verify(token(), KEYS, **{**BOUND, **other})
    assert refusal.value.code == "attestation_invalid"


@pytest.mark.parametrize("at", [AT + timedelta(minutes=5), AT - timedelta(minutes=1)])
def test_out_of_time(at: datetime) -> None:
    with pytest.raises(AttestationRefused) as refusal:
        verify(token(), KEYS, **{**BOUND, "at": at})
    assert refusal.value.code == "attestation_expired"


@pytest.mark.parametrize(
    "claims",
    [
        {"decision": "review"}, {"decision": None}, {"checks": []}, {"checks": [{}]}, {"document": {"type": "x"}},
        {"portrait_source": "friend"}, {"iat": "now"}, {"exp": True}, {"exp": 10**30}, {"aud": ["http://broker"]}, {"jti": ""},
        {"thresholds": []}, {"model_set": None},
    ],
)  # fmt: skip
def test_claims_of_another_form(claims: dict[str, object]) -> None:
    with pytest.raises(AttestationRefused):
        verify(remade(**claims), KEYS, **BOUND)


def test_another_type_of_token() -> None:
    for header in ({"typ": "JWT"}, {"typ": "at+jwt"}):
        with pytest.raises(AttestationRefused):
            verify(remade(header), KEYS, **BOUND)


def test_another_key() -> None:
    other = ECKey.generate_key("P-256", {"kid": "k1"})
    with pytest.raises(AttestationRefused):
        verify(remade(key=other), KEYS, **BOUND)


def test_an_unknown_key_id() -> None:
    with pytest.raises(AttestationRefused):
        verify(remade({"kid": "k9"}), KEYS, **BOUND)


def test_algorithm_none_and_the_public_key_as_a_secret() -> None:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    payload = token().split(".")[1]
    unsigned = f"{part({'alg': 'none', 'typ': 'permit-attestation+jwt', 'kid': 'k1'})}.{payload}."
    secret = OctKey.import_key(json.dumps(KEYS.as_dict()).encode())
    for forged in (unsigned, remade({"alg": "HS256"}, key=secret)):
        with pytest.raises(AttestationRefused):
            verify(forged, KEYS, **BOUND)


@pytest.mark.parametrize("text", ["", "a.b.c", "é", "x" * 10_000, "....", token()[:-4] + "AAAA"])
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(AttestationRefused):
        verify(text, KEYS, **BOUND)

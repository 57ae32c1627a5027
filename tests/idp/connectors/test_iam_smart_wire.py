"""Vectors of the wire, and both implementations against each other byte by byte."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from idp.connectors.iam_smart import wire
from idp.connectors.iam_smart.config import KekPadding
from idp.connectors.iam_smart.errors import EnvelopeMalformed
from idp.connectors.iam_smart.identification import hkic_hash, identification_code
from sandbox.iam_smart import wire as upstream
from sandbox.iam_smart.codes import CallRefused

KEY = bytes(range(32))
IV = bytes(range(12))
KEK = rsa.generate_private_key(public_exponent=65537, key_size=2048)
DECOY = b"\xff" * 32


def test_the_identification_code_of_the_fact_sheet():
    assert identification_code("test-hash", "test-open-id") == "1293"
    assert upstream.phone_code("test-hash", "test-open-id") == "1293"


def test_the_identity_card_hash_of_the_fact_sheet():
    assert hkic_hash("A123456") == "rDcExehSzsiEp2laLaJqrtaX2ua9sdaugwaY5ONmYwk="
    assert upstream.holder_hash("A123456") == hkic_hash("A123456")


def test_the_signature_is_over_the_fields_and_the_exact_body():
    headers = wire.sign_headers(
        "client", "secret", timestamp_ms=1_700_000_000_000, nonce="n-1", body=b'{"content":"AAAAD"}'
    )
    # HMAC-SHA256("secret", 'clientHmacSHA2561700000000000n-1{"content":"AAAAD"}') by openssl dgst, then Base64, then URL-encoded.
    assert headers["signature"] == EXPECTED_SIGNATURE
    assert headers["signatureMethod"] == "HmacSHA256"


EXPECTED_SIGNATURE = "kdaB7D%2FCQIuTwPtzEteN2oTh6c1pjFkQ5no%2BFD59ucs%3D"


@given(st.text(max_size=30), st.text(max_size=30))
def test_what_one_side_seals_the_other_opens(name, value):
    body = wire.seal_body(KEY, {name: value}, iv=IV)
    content = json.loads(body)["content"]
    assert content.startswith("AAAAD")
    assert json.loads(upstream.open_content(KEY, content)) == {name: value}
    assert wire.open_content(KEY, upstream.seal_content(KEY, json.dumps({name: value}).encode())) == {name: value}


@given(st.text("abc-123", min_size=1, max_size=36), st.binary(max_size=60))
def test_what_one_side_signs_the_other_verifies(nonce, body):
    headers = wire.sign_headers("client", "sécret", timestamp_ms=1_700_000_000_000, nonce=nonce, body=body)
    upstream.check_signature(upstream.read_headers(headers), body, "sécret")
    with pytest.raises(CallRefused, match="D20006"):
        upstream.check_signature(upstream.read_headers(headers), body + b" ", "sécret")


@pytest.mark.parametrize("padding", list(KekPadding))
@pytest.mark.parametrize("plain", [KEY, base64.b64encode(KEY)], ids=["raw", "base64"])
def test_a_content_key_unwraps_in_both_forms(padding, plain):
    wrapped = upstream.wrap_key(KEK.public_key(), plain, upstream.KekPadding(padding.value))
    assert wire.unwrap_key(KEK, wrapped, padding, decoy=DECOY) == KEY


@pytest.mark.parametrize("plain", [b"short", KEY + b"x", b"!" * 44, base64.b64encode(KEY + b"x")[:44]])
def test_a_key_of_another_length_gives_the_decoy(plain):
    wrapped = upstream.wrap_key(KEK.public_key(), plain, upstream.KekPadding.PKCS1V15)
    assert wire.unwrap_key(KEK, wrapped, KekPadding.PKCS1V15, decoy=DECOY) == DECOY


def test_a_key_under_another_padding_never_unwraps():
    wrapped = upstream.wrap_key(KEK.public_key(), KEY, upstream.KekPadding.OAEP_SHA256)
    assert wire.unwrap_key(KEK, wrapped, KekPadding.OAEP_SHA1, decoy=DECOY) == DECOY
    assert wire.unwrap_key(KEK, wrapped, KekPadding.PKCS1V15, decoy=DECOY) != KEY


@pytest.mark.parametrize("wrapped", ["", "not base64!", "AAAA", base64.b64encode(b"x" * 257).decode()])
def test_a_wrapped_key_of_another_size_is_refused(wrapped):
    with pytest.raises(EnvelopeMalformed):
        wire.unwrap_key(KEK, wrapped, KekPadding.PKCS1V15, decoy=DECOY)


def _content(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


GOOD = base64.b64decode(json.loads(wire.seal_body(KEY, {"a": 1}, iv=IV))["content"])


@pytest.mark.parametrize(
    "content",
    [
        None,
        7,
        "",
        "AAAAD",
        "not base64!",
        _content(GOOD[:31]),
        _content(b"\x00\x00\x00\x10" + GOOD[4:]),
        _content(b"\xff\xff\xff\xf4" + GOOD[4:]),
        _content(GOOD + b"\x00"),
        _content(GOOD).replace("A", "A\n", 1),
    ],
)
def test_a_content_of_another_shape_is_refused(content):
    with pytest.raises(EnvelopeMalformed):
        wire.open_content(KEY, content)


@pytest.mark.parametrize(
    "plaintext", [b"[]", b"1", b"", b"{", b'{"a":1,"a":2}', '{"a":"é"}'.encode("latin-1"), b"[" * 100_000]
)
def test_an_opened_content_that_is_no_object_is_refused(plaintext):
    with pytest.raises(EnvelopeMalformed):
        wire.open_content(KEY, upstream.seal_content(KEY, plaintext))


def test_an_envelope_is_read_with_message_or_msg():
    for word in ("message", "msg"):
        envelope = wire.parse_envelope(
            json.dumps({"txID": "T=1", "code": "D00000", word: "SUCCESS", "content": "x"}).encode()
        )
        assert (envelope.tx_id, envelope.code, envelope.content, envelope.secret_key) == ("T=1", "D00000", "x", None)


@pytest.mark.parametrize(
    "change",
    [
        {"txID": None},
        {"txID": "T" * 200},
        {"code": 0},
        {"code": "00000"},
        {"code": "X00000"},
        {"code": "D000000"},
        {"message": None},
        {"message": "x" * 2_000},
        {"secretKey": 5},
    ],
)
def test_an_envelope_of_another_shape_is_refused(change):
    with pytest.raises(EnvelopeMalformed):
        wire.parse_envelope(json.dumps({"txID": "T=1", "code": "D00000", "message": "SUCCESS", **change}).encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_an_envelope_or_refused(data):
    try:
        wire.parse_envelope(data)
    except EnvelopeMalformed:
        pass
    try:
        wire.open_content(KEY, base64.b64encode(data).decode())
    except EnvelopeMalformed:
        pass


def test_a_key_encryption_key_must_be_rsa_and_long():
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for pem in ("", "garbage", other.decode()):
        with pytest.raises(ValueError, match="key-encryption key"):
            wire.load_kek(pem)

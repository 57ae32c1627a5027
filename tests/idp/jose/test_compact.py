"""Signed objects: what we sign verifies elsewhere, what others sign verifies here, and everything else is refused."""

import base64
import json
import warnings

import jose.jws
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from idp.errors import JoseRefused
from idp.jose.algorithms import KEYS_OF_ENCRYPTION, SIGNATURES, names_of
from idp.jose.compact import check_header, parse_compact, sign_compact, verify_compact, verify_signature
from idp.jose.json_objects import parse_json_object
from idp.protocol import ASSERTION_ALGORITHMS, ENCRYPTION_ALGORITHMS, REQUEST_OBJECT_ALGORITHMS, SIGNING_ALGORITHMS

EC = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
KEYS = {"ES256": EC, "EdDSA": ED, "Ed25519": ED, "RS256": RSA, "PS256": RSA}
CLAIMS = {"iss": "a", "名": "陳大文", "n": [1, 2.5, None, True], "o": {"x": ""}}
TYPES = frozenset({"at+jwt"})


def public(key):
    return type(key).import_key(key.as_dict(private=False))


def signed(algorithm: str = "ES256", *, typ: str = "at+jwt", claims: dict = CLAIMS) -> str:
    return sign_compact(KEYS[algorithm], algorithm, typ, claims)


def segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def resigned(header: bytes, payload: bytes, key=EC, algorithm: str = "ES256") -> str:
    """Sign any bytes as header and payload, so that only the strictness of the reader is asked."""
    message = f"{segment(header)}.{segment(payload)}"
    return f"{message}.{segment(SIGNATURES[algorithm].sign(key.private_key, message.encode()))}"


HEAD = b'{"alg":"ES256","kid":"ec","typ":"at+jwt"}'


def accepted(token: str, keys=(EC,), algorithms=("ES256",), types=TYPES) -> dict:
    return verify_compact(token, [public(key) for key in keys], algorithms, types=types).claims


@pytest.mark.parametrize("algorithm", SIGNATURES)
def test_what_we_sign_we_read(algorithm: str) -> None:
    token = signed(algorithm)
    assert accepted(token, [KEYS[algorithm]], [algorithm]) == CLAIMS
    head = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert head == {"alg": algorithm, "kid": KEYS[algorithm].kid, "typ": "at+jwt"}


@pytest.mark.parametrize("algorithm", SIGNATURES)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_joserfc_reads_ours_and_we_read_its(algorithm: str) -> None:
    key = KEYS[algorithm]
    assert jwt.decode(signed(algorithm), public(key), algorithms=[algorithm]).claims == CLAIMS
    theirs = jwt.encode({"alg": algorithm, "kid": key.kid, "typ": "at+jwt"}, CLAIMS, key, algorithms=[algorithm])
    assert accepted(theirs, [key], [algorithm]) == CLAIMS


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_python_jose_reads_ours(algorithm: str) -> None:
    key = KEYS[algorithm].as_dict(private=False)
    assert json.loads(jose.jws.verify(signed(algorithm), key, algorithms=[algorithm])) == CLAIMS


def test_two_names_of_ed25519_are_one_algorithm() -> None:
    key = OKPKey.import_key({**ED.as_dict(private=False), "alg": "EdDSA"})
    for name in ("EdDSA", "Ed25519"):
        assert verify_compact(signed(name), [key], ["EdDSA", "Ed25519"], types=TYPES).claims == CLAIMS
    assert (names_of("EdDSA"), names_of("ES256")) == ({"EdDSA", "Ed25519"}, {"ES256"})


def test_words_of_the_protocol_all_exist() -> None:
    assert {*ASSERTION_ALGORITHMS, *REQUEST_OBJECT_ALGORITHMS, *SIGNING_ALGORITHMS} == set(SIGNATURES)
    assert set(ENCRYPTION_ALGORITHMS) == set(KEYS_OF_ENCRYPTION)


def test_types_are_media_types() -> None:
    for typ in ("AT+JWT", "application/at+jwt", "Application/AT+JWT"):
        assert accepted(signed(typ=typ)) == CLAIMS
    for typ in ("JWT", "at+jwt/x", "application/x/at+jwt", ""):
        with pytest.raises(JoseRefused):
            accepted(signed(typ=typ))
    without = resigned(b'{"alg":"ES256","kid":"ec"}', b"{}")
    assert accepted(without, types=frozenset({None})) == {}
    for types in (TYPES, frozenset({""})):
        with pytest.raises(JoseRefused):
            accepted(without, types=types)


def test_key_is_chosen_by_kid() -> None:
    other = ECKey.generate_key("P-256", {"kid": "other"})
    assert accepted(signed(), [other, EC]) == CLAIMS
    assert accepted(resigned(b'{"alg":"ES256","typ":"at+jwt"}', b"{}"), [other, EC]) == {}
    for keys in ([other], [], [RSA], [ED]):
        with pytest.raises(JoseRefused):
            accepted(signed(), keys)


@pytest.mark.parametrize(
    "members",
    [{"use": "enc"}, {"alg": "ES384"}, {"alg": "ECDH-ES"}, {"key_ops": ["sign"]}, {"use": "enc", "alg": "ES256"}],
)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_key_is_used_only_as_it_says(members: dict) -> None:
    document = {name: value for name, value in EC.as_dict(private=False).items() if name != "use"}
    key = ECKey.import_key({**document, **members})
    with pytest.raises(JoseRefused):
        verify_compact(signed(), [key], ["ES256"], types=TYPES)


@pytest.mark.parametrize(
    ("key", "algorithm"), [(EC, "EdDSA"), (ED, "ES256"), (RSA, "ES256"), (EC, "PS256"), (EC, "HS256"), (EC, "none")]
)
def test_signing_needs_a_key_that_fits(key, algorithm: str) -> None:
    with pytest.raises(JoseRefused):
        sign_compact(key, algorithm, "JWT", {})


def test_keys_may_be_a_set() -> None:
    assert verify_compact(signed(), KeySet([public(EC)]), ["ES256"], types=TYPES).header["kid"] == "ec"


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"ES256","kid":"ec","typ":"at+jwt","crit":["exp"],"exp":1}', b'{"alg":"ES256","typ":"at+jwt","b64":false}',
        b'{"alg":"ES256","typ":"at+jwt","crit":[]}', b'{"alg":"ES256","typ":"at+jwt","b64":true}',
        b'{"alg":"ES256","typ":"at+jwt","jwk":{}}', b'{"alg":"ES256","typ":"at+jwt","jku":"https://x.test/"}',
        b'{"alg":"ES256","typ":"at+jwt","x5u":""}', b'{"alg":"ES256","typ":"at+jwt","x5c":null}',
        b'{"alg":["ES256"],"typ":"at+jwt"}', b'{"alg":"es256","typ":"at+jwt"}', b'{"typ":"at+jwt"}',
        b'{"alg":"ES256","kid":5,"typ":"at+jwt"}', b'{"alg":"ES256","typ":["at+jwt"]}', b'{"alg":"ES256","typ":5}',
        b'{"alg":"ES256","alg":"ES256","typ":"at+jwt"}', b'{"alg":"ES256","typ":"at+jwt","x":{"a":1,"a":1}}',
        b'["ES256"]', b'"ES256"', b"null", b"", b"{", b"{}{}", b"\xff", b"\xef\xbb\xbf" + HEAD, HEAD.decode().encode("utf-16"),
        b'{"alg":"ES256","typ":"at+jwt","x":NaN}', b'{"alg":"ES256","typ":"at+jwt","x":-Infinity}',
        b'{"alg":"ES256","typ":"at+jwt","x":"\\ud800"}', b'{"alg":"ES256","typ":"at+jwt","kid":"' + b"k" * 201 + b'"}',
        b'{"alg":"ES256","typ":"at+jwt","x":' + b"[" * 2000 + b"]" * 2000 + b"}",
        b'{"alg":"ES256","typ":"at+jwt","x":' + b"9" * 4400 + b"}",
    ],
)  # fmt: skip
def test_headers_that_are_refused_under_a_good_signature(header: bytes) -> None:
    with pytest.raises(JoseRefused):
        accepted(resigned(header, b"{}"))


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"[]", b'"x"', b"1", b"null", b'{"a":1,"a":2}', b'{"a":{"b":1,"b":1}}', b'{"a":NaN}', b'{"a":"\\udc00"}', b"\xff{}",
        b'{"a":1}x', b"{'a':1}", b'{"\\ud83d":1}', b'{"a":' * 1200 + b"1" + b"}" * 1200,
    ],
)  # fmt: skip
def test_payloads_that_are_refused_under_a_good_signature(payload: bytes) -> None:
    with pytest.raises(JoseRefused):
        accepted(resigned(HEAD, payload))


def test_whole_surrogate_pairs_are_text() -> None:
    assert parse_json_object(b'{"a":"\\ud83d\\ude00"}') == {"a": "😀"}


def test_forms_that_are_not_canonical() -> None:
    head, body, signature = signed().split(".")
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    stray = signature[:-1] + last[last.index(signature[-1]) + 1]  # the same octets, other spare bits
    assert base64.urlsafe_b64decode(stray + "==") == base64.urlsafe_b64decode(signature + "==")
    for token in (
        f"{head}.{body}.{stray}", f"{head}.{body}.{signature}==", f"{head}.{body}", f"{head}.{body}.", f".{body}.{signature}",
        f"{head}..{signature}", f"{head}.{body}.{signature}.", f"{head}.{body}.{signature}.x", f" {head}.{body}.{signature}",
        f"{head}.{body}.{signature}\n", f"{head}.{body}.{signature[:-2]}", f"{head}.{body}.{signature}AA", "", ".", "..", "...",
        "é", f"{head}\x00.{body}.{signature}", f"{head}.{body}.{signature[:-1]}+", f"{head}.{body}.{signature[:-1]}/",
    ):  # fmt: skip
        with pytest.raises(JoseRefused):
            accepted(token)


def test_size_is_bounded() -> None:
    token = signed(claims={"pad": "x" * 8192})
    with pytest.raises(JoseRefused):
        accepted(token)
    assert verify_compact(token, [public(EC)], ["ES256"], types=TYPES, max_chars=20_000).claims["pad"]


def test_steps_one_by_one_let_a_reader_take_the_embedded_key() -> None:
    jwk = json.dumps(EC.as_dict(private=False))
    token = resigned(f'{{"alg":"ES256","typ":"dpop+jwt","jwk":{jwk}}}'.encode(), b"{}")
    unverified = parse_compact(token)
    with pytest.raises(JoseRefused):
        check_header(unverified.header, ["ES256"], types={"dpop+jwt"})
    algorithm = check_header(unverified.header, ["ES256"], types={"dpop+jwt"}, pointers=frozenset({"jwk"}))
    assert verify_signature(unverified, algorithm, public(EC)).claims == {}
    with pytest.raises(JoseRefused):
        verify_signature(unverified, algorithm, ECKey.generate_key("P-256"))


@settings(deadline=None)
@given(st.one_of(st.text(), st.binary().map(lambda data: data.decode("latin-1"))))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(JoseRefused):
        accepted(text, [EC, RSA, ED], tuple(SIGNATURES))


@settings(deadline=None)
@given(header=st.binary(max_size=80), payload=st.binary(max_size=80), signature=st.binary(max_size=80))
def test_any_segments_are_refused(header: bytes, payload: bytes, signature: bytes) -> None:
    with pytest.raises(JoseRefused):
        accepted(".".join(map(segment, (header, payload, signature))), [EC, RSA, ED], tuple(SIGNATURES))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(
    header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "b64", "x5c", "cty"]), json_values),
    algorithm=st.sampled_from([*SIGNATURES, "none", "HS256"]),
    signature=st.binary(max_size=300),
)
def test_any_header_is_refused_without_its_signature(header: dict, algorithm: str, signature: bytes) -> None:
    head = json.dumps({"alg": algorithm, "typ": "at+jwt", **header}).encode()
    token = f"{segment(head)}.{segment(b'{}')}.{segment(signature)}"
    with pytest.raises(JoseRefused):
        accepted(token, [EC, RSA, ED], tuple(SIGNATURES))


@settings(deadline=None)
@given(payload=st.dictionaries(st.text(max_size=8), json_values, max_size=5))
def test_any_claims_come_back_or_are_refused(payload: dict) -> None:
    text = json.dumps(payload).encode()
    try:
        claims = accepted(resigned(HEAD, text))
    except JoseRefused:
        return
    assert json.dumps(claims).encode() == text


def test_joserfc_agrees_that_a_header_segment_is_ours() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        token = jws.extract_compact(signed().encode())
    assert token.headers()["typ"] == "at+jwt"


@pytest.mark.parametrize("depth", [32, 33])
def test_depth_is_bounded_where_it_matters(depth: int) -> None:
    for text in ('{"a":' * depth + "1" + "}" * depth, '{"a":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"):
        if depth <= 32:
            assert parse_json_object(text.encode())
        else:
            with pytest.raises(JoseRefused):
                parse_json_object(text.encode())
    assert parse_json_object(b'{"a":[' + b",".join([b"[]"] * 500) + b"]}"), "many is not deep"

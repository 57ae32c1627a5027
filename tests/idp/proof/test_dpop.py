"""One proof against one request: every step of RFC 9449 cl. 4.3, nonces, and the binding of tokens."""

import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from idp.config import IdpConfig
from idp.errors import InvalidDpopProof, InvalidToken, UseDpopNonce
from idp.proof.binding import check_binding, confirmation
from idp.proof.dpop import DpopNonces, DpopProof, verify_proof
from idp.proof.mutual_tls import read_client_certificate
from idp.proof.replay import ReplayUse
from idp.proof.request_targets import normalise_target
from tests.support.client_certificates import PROXY, ClientAuthority, config, reported
from tests.support.dpop import DpopKey, segment, signed
from tests.support.idp import AT, ISSUER

CONFIG = IdpConfig(issuer=ISSUER)
URL = f"{ISSUER}/token"
NOW = int(AT.timestamp())
HOLDER = DpopKey()


def verify(*proofs: str, **changes: object) -> DpopProof:
    return verify_proof(proofs, **{"method": "POST", "url": URL, "at": AT, "config": CONFIG, **changes})


def proof(holder: DpopKey = HOLDER, **changes: object) -> str:
    return holder.proof("POST", URL, at=AT, **changes)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ECKey.generate_key("P-256"), "ES256"), (RSAKey.generate_key(2048), "PS256"), (OKPKey.generate_key("Ed25519"), "EdDSA"),
        (OKPKey.generate_key("Ed25519"), "Ed25519"),
    ],
)  # fmt: skip
def test_proof_of_every_algorithm(key, algorithm: str) -> None:
    holder = DpopKey(key, algorithm)
    verified = verify(proof(holder, jti="once"))
    assert verified.jkt == key.thumbprint()
    assert verified.use == ReplayUse(f"dpop:{verified.jkt}", "once", AT + CONFIG.dpop_window)


def test_proof_as_another_library_makes_it() -> None:
    key = ECKey.generate_key("P-256", {"kid": "app", "use": "sig"})
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
    claims = {"jti": "j", "htm": "POST", "htu": URL, "iat": NOW}
    made = jws.serialize_compact(header, json.dumps(claims), key, registry=jws.JWSRegistry(strict_check_header=False))
    assert verify(made).jkt == key.thumbprint()


def test_unknown_members_are_ignored() -> None:
    assert verify(proof(header={"extra": "x", "kid": "k"}, extra={"a": 1}, nonce="not asked"))


@pytest.mark.parametrize(
    "proofs", [(), (proof(), proof()), ("",), ("x",), ("..",), (f"{proof()}, {proof()}",), (proof() + " ",)]
)
def test_exactly_one_well_formed_proof(proofs: tuple[str, ...]) -> None:
    with pytest.raises(InvalidDpopProof):
        verify(*proofs)


PRIVATE = ECKey.generate_key("P-256")


@pytest.mark.parametrize(
    "header",
    [
        {"typ": None}, {"typ": "JWT"}, {"typ": "at+jwt"}, {"alg": None}, {"alg": "none"}, {"alg": "HS256"}, {"alg": "RS256"},
        {"alg": "ES384"}, {"jwk": None}, {"jwk": {}}, {"jwk": []}, {"jwk": "x"}, {"jwk": PRIVATE.as_dict(private=True)},
        {"jwk": OctKey.generate_key(256).as_dict(private=True)}, {"jwk": {"kty": "oct"}}, {"jwk": PRIVATE.as_dict(private=False)},
        {"jwk": {**HOLDER.key.as_dict(private=False), "use": "enc"}}, {"jwk": {**HOLDER.key.as_dict(private=False), "alg": "ES384"}},
        {"jwk": {**HOLDER.key.as_dict(private=False), "crv": "P-384"}}, {"jwk": {**HOLDER.key.as_dict(private=False), "x": "AA"}},
        {"jwk": {**HOLDER.key.as_dict(private=False), "d": "AA"}}, {"crit": ["exp"]}, {"b64": False}, {"x5c": []}, {"jku": "https://x.test"},
        {"jwk": {**HOLDER.key.as_dict(private=False), "y": {"a": 1}}}, {"jwk": {**HOLDER.key.as_dict(private=False), "x": None}},
    ],
)  # fmt: skip
def test_headers_that_are_refused(header: dict) -> None:
    with pytest.raises(InvalidDpopProof):
        verify(proof(header=header))


@pytest.mark.parametrize(
    "claims",
    [
        {"jti": None}, {"jti": ""}, {"jti": 5}, {"jti": "x" * 129}, {"htm": None}, {"htm": "GET"}, {"htm": "post"}, {"htm": ["POST"]},
        {"htu": None}, {"htu": 5}, {"htu": f"{ISSUER}/par"}, {"iat": None}, {"iat": str(NOW)}, {"iat": True}, {"iat": NOW - 3600},
        {"iat": NOW + 3600}, {"iat": NOW - 61}, {"iat": NOW + 16}, {"iat": -1}, {"iat": 1e300},
    ],
)  # fmt: skip
def test_claims_that_are_refused(claims: dict) -> None:
    with pytest.raises(InvalidDpopProof):
        verify(proof(**claims))


@pytest.mark.parametrize("shift", [-60, -10, 0, 10, 15])
def test_clocks_may_differ(shift: int) -> None:
    use = verify(proof(iat=NOW + shift)).use
    assert use.expires_at == AT + timedelta(seconds=60 + shift)


def test_proof_is_remembered_for_as_long_as_it_would_be_taken() -> None:
    made = proof(iat=NOW + 15)
    use = verify(made).use
    assert verify(made, at=use.expires_at)
    with pytest.raises(InvalidDpopProof):
        verify(made, at=use.expires_at + timedelta(microseconds=1))


def test_access_token_hash() -> None:
    assert verify(proof(access_token="token-1"), access_token="token-1")
    assert verify(proof(access_token="token-1"))
    for made in (proof(), proof(access_token="token-2"), proof(ath=5), proof(ath="é"), proof(access_token="TOKEN-1")):
        with pytest.raises(InvalidDpopProof):
            verify(made, access_token="token-1")


# --- the URI -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "htu",
    [
        "https://login.test/token", "HTTPS://LOGIN.test/token", "https://login.test:443/token", "https://login.test:/token",
        "https://login.test/%74oken", "https://login.test/token?x=1", "https://login.test/token#f", "https://login.test/token?#",
        "https://login.test/tok%65n?../x",
    ],
)  # fmt: skip
def test_spellings_of_one_uri(htu: str) -> None:
    assert verify(proof(htu=htu))
    assert verify(proof(), url=htu)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://login.test/a%2fb", "https://login.test/a%2Fb"), ("https://login.test", "https://login.test/"),
        ("https://login.test?q", "https://login.test/"), ("https://[2001:DB8::1]:443/", "https://[2001:db8::1]/"),
        ("http://127.0.0.1:80/x", "http://127.0.0.1/x"), ("https://login.test/%7Eme", "https://login.test/~me"),
    ],
)  # fmt: skip
def test_normal_forms_meet(one: str, other: str) -> None:
    assert normalise_target(one) == normalise_target(other)
    assert normalise_target(normalise_target(one)) == normalise_target(one)


# --- nonces --------------------------------------------------------------------------------------------------------------

NONCES = DpopNonces(b"k" * 32)


def test_nonce_is_asked_for_and_taken() -> None:
    with pytest.raises(UseDpopNonce) as asked:
        verify(proof(), nonces=NONCES)
    assert asked.value.code == "use_dpop_nonce"
    nonce = asked.value.nonce
    assert verify(proof(nonce=nonce), nonces=NONCES)
    later = AT + NONCES.step
    assert verify(HOLDER.proof("POST", URL, at=later, nonce=nonce), at=later, nonces=NONCES)
    too_late = AT + 2 * NONCES.step
    with pytest.raises(UseDpopNonce) as again:
        verify(HOLDER.proof("POST", URL, at=too_late, nonce=nonce), at=too_late, nonces=NONCES)
    assert again.value.nonce != nonce


@pytest.mark.parametrize("nonce", [None, "", "x", 5, "é", ["a"], DpopNonces(b"j" * 32).current(at=AT)])
def test_nonces_of_others(nonce: object) -> None:
    with pytest.raises(UseDpopNonce):
        verify(proof(nonce=nonce), nonces=NONCES)


def test_nonce_from_the_future_is_not_ours_yet() -> None:
    with pytest.raises(UseDpopNonce):
        verify(proof(nonce=NONCES.current(at=AT + NONCES.step)), nonces=NONCES)


def test_processes_with_one_key_accept_each_others_and_do_not_show_it() -> None:
    assert DpopNonces(b"k" * 32).accepts(NONCES.current(at=AT), at=AT)
    assert "kkk" not in repr(NONCES)
    for key, step in ((b"short", timedelta(minutes=5)), (b"k" * 32, timedelta(0))):
        with pytest.raises(ValueError, match="the key needs"):
            DpopNonces(key, step)


def test_a_broken_proof_is_not_told_a_nonce() -> None:
    with pytest.raises(InvalidDpopProof):
        verify(proof(htm="GET"), nonces=NONCES)


# --- binding -------------------------------------------------------------------------------------------------------------


def test_binding() -> None:
    ca = ClientAuthority(AT)
    mine, other = (
        read_client_certificate(reported(ca.issue(f"CN={name}")), PROXY, config()) for name in ("mine", "other")
    )
    held, stranger = verify(proof()).jkt, "x" * 43
    by_key, by_certificate = confirmation(jkt=held), confirmation(x5t=mine.thumbprint)
    assert (by_key, by_certificate, confirmation()) == ({"jkt": held}, {"x5t#S256": mine.thumbprint}, {})
    for cnf, jkt, certificate in (
        (None, None, None), ({}, None, None), ({}, None, mine), (by_key, held, None), (by_key, held, other),
        (by_certificate, None, mine), ({**by_key, **by_certificate}, held, mine),
    ):  # fmt: skip
        check_binding(cnf, jkt=jkt, x5t=certificate and certificate.thumbprint)
    for cnf, jkt, certificate in (
        (by_key, None, None), (by_key, stranger, None), (by_key, None, mine), (by_certificate, None, None),
        (by_certificate, None, other), (by_certificate, held, None), ({**by_key, **by_certificate}, held, None),
        ({"jwk": {}}, None, None), ({"jkt": 5}, held, None), ({"kid": "k"}, held, mine),
    ):  # fmt: skip
        with pytest.raises(InvalidToken):
            check_binding(cnf, jkt=jkt, x5t=certificate and certificate.thumbprint)


# --- anything at all -----------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.lists(st.one_of(st.text(), st.binary().map(lambda data: data.decode("latin-1"))), max_size=2))
def test_any_headers_are_refused(proofs: list[str]) -> None:
    with pytest.raises(InvalidDpopProof):
        verify(*proofs)


@settings(deadline=None)
@given(
    header=st.dictionaries(st.sampled_from(["typ", "alg", "jwk", "kid", "crit"]), json_values, min_size=1),
    members=st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "n", "e", "use", "alg", "x5c", "k"]), json_values, min_size=1
    ),
)
def test_any_key_and_header_are_taken_or_refused(header: dict, members: dict) -> None:
    for changed in (header, {"jwk": {**HOLDER.key.as_dict(private=False), **members}}):
        try:
            assert verify(proof(header=changed)).jkt == HOLDER.jkt
        except InvalidDpopProof as refusal:
            assert refusal.code == "invalid_dpop_proof"


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["jti", "htm", "htu", "iat", "ath", "nonce"]), json_values, min_size=1))
def test_any_claims_are_taken_or_refused(claims: dict) -> None:
    made = signed(HOLDER.key, {"typ": "dpop+jwt", "alg": "ES256", "jwk": HOLDER.key.as_dict(private=False)}, claims)
    with pytest.raises(InvalidDpopProof):
        verify(made, access_token="t")
    try:
        verify(proof(access_token="t", **claims), access_token="t", nonces=NONCES)
    except (InvalidDpopProof, UseDpopNonce) as refusal:
        assert refusal.description


@settings(deadline=None)
@given(st.text(alphabet=st.characters(max_codepoint=0x2FF), max_size=60))
def test_any_uri_is_normalised_or_refused(text: str) -> None:
    for uri in (text, f"https://{text}", f"https://login.test/{text}"):
        try:
            normal = normalise_target(uri)
        except InvalidDpopProof:
            continue
        assert normalise_target(normal) == normal
        assert normal.startswith(("https://", "http://"))


def test_segments_are_what_the_support_says() -> None:
    assert segment(b"\xff\xfe") == "__4"

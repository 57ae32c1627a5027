"""Keys are sealed at rest, one for each purpose and algorithm, and a ring that is not exactly one is refused."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jose import jwt as jose_jwt
from joserfc import jwt

from service.errors import DataFolderRefused, KeyRefused
from service.key_ring import KeyRing, load_key_encryption_key
from service.key_ring_file import StoredKey

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
KEK = b"\x07" * 32


def open_ring(folder: Path) -> KeyRing:
    return KeyRing.open(folder, KEK, at=AT)


def test_the_ring_survives_a_restart_and_holds_nothing_in_clear(tmp_path: Path) -> None:
    first = open_ring(tmp_path)
    again = open_ring(tmp_path)
    private = first.jwt_keys("token").current().as_dict(private=True)
    assert again.jwt_keys("token").current().as_dict(private=True) == private
    assert private["d"] not in (tmp_path / "ring.json").read_text()
    assert (tmp_path / "ring.json").stat().st_mode & 0o077 == 0


def test_another_key_encryption_key_is_refused(tmp_path: Path) -> None:
    open_ring(tmp_path)
    with pytest.raises(KeyRefused):
        KeyRing.open(tmp_path, b"\x08" * 32, at=AT)


def test_a_damaged_ring_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ring.json").write_text("{")
    with pytest.raises(DataFolderRefused):
        open_ring(tmp_path)


def test_a_key_moved_to_another_purpose_does_not_open(tmp_path: Path) -> None:
    open_ring(tmp_path)
    stored = json.loads((tmp_path / "ring.json").read_text())
    token = next(key for key in stored["keys"] if key["purpose"] == "token")
    attestation = next(key for key in stored["keys"] if key["purpose"] == "attestation")
    token["sealed"], attestation["sealed"] = attestation["sealed"], token["sealed"]
    (tmp_path / "ring.json").write_text(json.dumps(stored))
    with pytest.raises(KeyRefused):
        open_ring(tmp_path)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256", "EdDSA"])
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_tokens_have_a_key_of_their_own_for_each_algorithm(tmp_path: Path, algorithm: str) -> None:
    keys = open_ring(tmp_path).jwt_keys("token")
    key = keys.current(algorithm)
    assert key.kid == key.thumbprint()
    assert {key.as_dict(private=False)[name] for name in ("alg", "use")} == {algorithm, "sig"}
    token = jwt.encode({"alg": algorithm, "kid": key.kid}, {"a": 1}, key, algorithms=[algorithm])
    assert jwt.decode(token, keys.published(), algorithms=[algorithm]).claims == {"a": 1}
    (public,) = (each for each in keys.published().as_dict(private=False)["keys"] if each["kid"] == key.kid)
    assert (public["alg"], public["use"]) == (algorithm, "sig")
    assert not {"d", "p", "q", "dp", "dq", "qi"} & set(public)
    assert keys.current(algorithm) is key
    assert len({each.kid for each in keys.published()}) == 4


def test_the_rsa_keys_are_of_2048_bits_and_foreign_code_takes_them(tmp_path: Path) -> None:
    keys = open_ring(tmp_path).jwt_keys("token")
    for algorithm in ("RS256", "PS256"):
        key = keys.current(algorithm)
        assert key.public_key.key_size == 2048
        token = jose_jwt.encode({"a": 1}, key.as_pem(private=True).decode(), algorithm="RS256")
        assert jose_jwt.decode(token, key.as_pem(private=False).decode(), algorithms=["RS256"]) == {"a": 1}


def test_an_algorithm_without_a_key_is_refused(tmp_path: Path) -> None:
    ring = open_ring(tmp_path)
    for purpose, algorithm in (("token", "none"), ("token", "HS256"), ("attestation", "RS256")):
        with pytest.raises(KeyRefused, match="signs by"):
            ring.jwt_keys(purpose).current(algorithm)


def test_an_old_ring_gains_the_other_algorithms_and_loses_nothing(tmp_path: Path) -> None:
    old = make_old_ring(tmp_path)
    ring = open_ring(tmp_path)
    assert {key.kid for key in old} <= {key.kid for key in ring.keys}
    (token,) = (key for key in old if key.purpose == "token" and key.state == "current")
    assert ring.jwt_keys("token").current().kid == token.kid
    assert {each.alg for each in ring.jwt_keys("token").published()} == {"ES256", "RS256", "PS256", "EdDSA"}
    content = (tmp_path / "ring.json").read_bytes()
    open_ring(tmp_path)
    assert (tmp_path / "ring.json").read_bytes() == content


def make_old_ring(folder: Path) -> list[StoredKey]:
    """Write a ring as version 1 had it: ES256 alone, no version, no algorithm, no time of activation."""
    full = open_ring(folder)
    kept = [key for key in full.keys if key.algorithm in ("ES256", "AES-HMAC")]
    written = [{n: v for n, v in asdict(key).items() if n not in ("algorithm", "activated")} for key in kept]
    (folder / "ring.json").write_text(json.dumps({"keys": written}))
    return kept


def test_a_key_whose_algorithm_was_changed_in_the_file_does_not_open(tmp_path: Path) -> None:
    """The attack: let an RS256 key sign PS256, or the other way round."""
    open_ring(tmp_path)
    text = (tmp_path / "ring.json").read_text()
    swapped = text.replace('"RS256"', '"XX"').replace('"PS256"', '"RS256"').replace('"XX"', '"PS256"')
    (tmp_path / "ring.json").write_text(swapped)
    with pytest.raises(KeyRefused, match="another algorithm"):
        open_ring(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "null", '{"keys": 1}', '{"keys": [1]}', '{"keys": [{}]}', '{"keys": [], "version": "x"}', "[" * 100_000,
        '{"keys": [{"kid": "a", "purpose": "token", "state": "current", "created": "yesterday", "retired": null, "sealed": "x"}]}',
        '{"keys": [{"kid": "a", "purpose": "other", "state": "current", "created": "2026-01-01", "retired": null, "sealed": "x"}]}',
    ],
)  # fmt: skip
def test_what_is_not_exactly_a_ring_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "ring.json").write_text(content)
    with pytest.raises(DataFolderRefused):
        open_ring(tmp_path)
    assert (tmp_path / "ring.json").read_text() == content


def test_a_newer_ring_is_refused(tmp_path: Path) -> None:
    open_ring(tmp_path)
    path = tmp_path / "ring.json"
    path.write_text(path.read_text().replace('"version": 2', '"version": 3'))
    with pytest.raises(DataFolderRefused, match="newer"):
        open_ring(tmp_path)


def test_a_ring_that_lost_its_lookup_key_gets_no_other(tmp_path: Path) -> None:
    """A new one would silently change every pairwise subject."""
    open_ring(tmp_path)
    path = tmp_path / "ring.json"
    stored = json.loads(path.read_text())
    stored["keys"] = [key for key in stored["keys"] if key["purpose"] != "lookup"]
    path.write_text(json.dumps(stored))
    with pytest.raises(KeyRefused, match="look-up key"):
        open_ring(tmp_path)


def test_personal_data_opens_for_its_purpose_only_and_after_rotation(tmp_path: Path) -> None:
    ring = open_ring(tmp_path)
    sealed = ring.personal_data_cipher().seal("陳嘉欣".encode(), purpose="idp.person")
    (step,) = ring.rotate([("column", "AES-HMAC")], at=AT)
    assert step.action == "promote"
    cipher = ring.personal_data_cipher()
    assert cipher.open(sealed, purpose="idp.person").decode() == "陳嘉欣"
    with pytest.raises(ValueError, match="does not open"):
        cipher.open(sealed, purpose="liveness.document")
    for broken in (b"", sealed[:-1], b"\x03abc" + sealed, bytes([200]) + sealed[1:]):
        with pytest.raises(ValueError):
            cipher.open(broken, purpose="idp.person")


def test_lookup_is_stable_and_separated_by_purpose(tmp_path: Path) -> None:
    cipher = open_ring(tmp_path).personal_data_cipher()
    assert cipher.lookup("H12345678", purpose="a") == open_ring(tmp_path).personal_data_cipher().lookup(
        "H12345678", purpose="a"
    )
    assert cipher.lookup("H12345678", purpose="a") != cipher.lookup("H12345678", purpose="b")


def test_the_key_encryption_key_file_is_made_in_demo_only_and_must_be_private(tmp_path: Path) -> None:
    path = tmp_path / "kek.bin"
    with pytest.raises(KeyRefused):
        load_key_encryption_key(path, create=False)
    key = load_key_encryption_key(path, create=True)
    assert load_key_encryption_key(path, create=False) == key
    path.chmod(0o644)
    with pytest.raises(KeyRefused):
        load_key_encryption_key(path, create=False)

"""Keys are sealed at rest, rotate in stages, and refuse what would break a reader."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from joserfc import jwt

from service.errors import DataFolderRefused, KeyRefused
from service.key_ring import KeyRing, load_key_encryption_key

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


def test_rotation_publishes_before_it_signs_and_keeps_the_old_key(tmp_path: Path) -> None:
    ring = open_ring(tmp_path)
    old = ring.jwt_keys("token").current()
    token = jwt.encode({"alg": "ES256", "kid": old.kid}, {"a": 1}, old)
    ring.rotate("token", at=AT)
    staged = ring.jwt_keys("token")
    assert staged.current().kid == old.kid
    assert len(staged.published().keys) == 2
    ring.rotate("token", at=AT)
    rotated = ring.jwt_keys("token", at=AT)
    assert rotated.current().kid != old.kid
    assert jwt.decode(token, rotated.published()).claims == {"a": 1}


def test_a_retired_key_goes_only_after_its_overlap(tmp_path: Path) -> None:
    ring = open_ring(tmp_path)
    old = ring.jwt_keys("token").current().kid
    ring.rotate("token", at=AT)
    ring.rotate("token", at=AT)
    with pytest.raises(KeyRefused):
        ring.retire(str(old), at=AT + timedelta(hours=1))
    ring.retire(str(old), at=AT + timedelta(days=2))
    assert old not in {key.kid for key in ring.keys}


def test_the_key_in_use_cannot_be_retired(tmp_path: Path) -> None:
    ring = open_ring(tmp_path)
    with pytest.raises(KeyRefused):
        ring.retire(str(ring.jwt_keys("token").current().kid), at=AT)


def test_personal_data_opens_for_its_purpose_only_and_after_rotation(tmp_path: Path) -> None:
    ring = open_ring(tmp_path)
    sealed = ring.personal_data_cipher().seal("陳嘉欣".encode(), purpose="idp.person")
    ring.rotate("column", at=AT)
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

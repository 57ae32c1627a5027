"""Rotation: staged, live in a running service, safe when killed, repeated or done twice at once."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from service.errors import KeyRefused, ServiceError
from service.key_ring import SIGNING, KeyRing, RotationPolicy, Step
from service.key_rotation import find

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
KEK = b"\x07" * 32
MINUTE = timedelta(minutes=1)
ES256 = [("token", "ES256")]
ALGORITHMS = ["ES256", "RS256", "PS256", "EdDSA"]


class Now:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The views look at the file at every use, as if a second had passed."""
    monkeypatch.setattr("service.key_ring.LOOK_INTERVAL_S", 0.0)


def open_ring(folder: Path, now: Now | None = None, policy: RotationPolicy | None = None) -> KeyRing:
    return KeyRing.open(folder, KEK, at=START, clock=now or (lambda: START), policy=policy)


def kids(ring: KeyRing) -> set[str]:
    return {str(key.kid) for key in ring.jwt_keys("token").published()}


def test_a_next_key_is_published_and_signs_only_after_its_lead(tmp_path: Path) -> None:
    ring = open_ring(tmp_path)
    old = ring.jwt_keys("token").current().kid
    (published,) = ring.rotate(ES256, at=START)
    assert (published.action, ring.jwt_keys("token").current().kid) == ("publish", old)
    assert {old, published.kid} <= kids(ring)
    with pytest.raises(KeyRefused, match=r"may sign from 2026-11-24T09:10:00\+00:00"):
        ring.rotate(ES256, at=START + 9.9 * MINUTE)
    (promoted,) = ring.rotate(ES256, at=START + 10 * MINUTE)
    assert promoted == Step("promote", "token", "ES256", published.kid)
    assert ring.jwt_keys("token").current().kid == published.kid
    assert old in kids(ring)


def test_now_lets_a_key_sign_before_its_lead(tmp_path: Path) -> None:
    ring = open_ring(tmp_path)
    ring.rotate(ES256, at=START)
    (step,) = ring.rotate(ES256, at=START, hasten=True)
    assert step.action == "promote"


def test_one_refusal_refuses_all_steps_of_a_call(tmp_path: Path) -> None:
    ring = open_ring(tmp_path)
    ring.rotate(ES256, at=START)
    before = (tmp_path / "ring.json").read_bytes()
    with pytest.raises(KeyRefused):
        ring.rotate(ring.groups("token"), at=START + MINUTE)
    with pytest.raises(KeyRefused, match="look-up key"):
        ring.rotate([("column", "AES-HMAC"), ("lookup", "AES-HMAC")], at=START + MINUTE)
    assert (tmp_path / "ring.json").read_bytes() == before


def test_what_is_due_is_done_once_and_the_next_time_is_told(tmp_path: Path, looks_at_once: None, now: Now) -> None:
    ring = open_ring(tmp_path, now)
    lookup = find(ring.keys, ("lookup", "AES-HMAC"), "current")
    first = {group: find(ring.keys, group, "current") for group in ring.groups("token")}
    assert ring.rotate_due(at=START + timedelta(days=89)) == []
    assert ring.next_due() == START + timedelta(days=90)

    now.at = begun = START + timedelta(days=90)
    steps = ring.rotate_due(at=begun)
    assert {step.action for step in steps if step.purpose in SIGNING} == {"publish"}
    assert [step.action for step in steps if step.purpose == "column"] == ["promote"]
    assert len(steps) == 4 + 3 + 1
    assert ring.rotate_due(at=begun) == []
    assert ring.next_due() == begun + timedelta(minutes=10)

    now.at = promoted = begun + timedelta(minutes=10)
    assert {step.action for step in ring.rotate_due(at=promoted)} == {"promote"}
    assert ring.rotate_due(at=promoted) == []
    assert ring.next_due() == promoted + timedelta(days=1)

    now.at = deleted = promoted + timedelta(days=1)
    gone = ring.rotate_due(at=deleted)
    assert {(step.action, step.purpose) for step in gone} == {
        ("delete", purpose) for purpose in SIGNING if purpose != "audit"
    }
    assert {key.kid for key in first.values() if key} <= {step.kid for step in gone}
    assert ring.rotate_due(at=deleted) == []
    assert ring.next_due() == begun + timedelta(days=90), "the column key became current first"
    assert len(ring.jwt_keys("audit").published().keys) == 2, "what the audit key signed must verify for ever"
    assert find(ring.keys, ("lookup", "AES-HMAC"), "current") == lookup


def test_a_retired_key_goes_by_hand_only_after_its_overlap(tmp_path: Path) -> None:
    ring = open_ring(tmp_path)
    old = str(ring.jwt_keys("token").current().kid)
    with pytest.raises(KeyRefused, match="only a retired"):
        ring.retire(old, at=START + timedelta(days=400))
    ring.rotate(ES256, at=START)
    ring.rotate(ES256, at=START, hasten=True)
    with pytest.raises(KeyRefused, match="still be verified"):
        ring.retire(old, at=START + timedelta(hours=23))
    ring.retire(old, at=START + timedelta(days=1))
    assert old not in {key.kid for key in ring.keys}
    with pytest.raises(KeyRefused, match="no such key"):
        ring.retire(old, at=START + timedelta(days=1))


def test_a_retired_key_is_published_until_its_overlap_has_passed_though_nobody_deletes_it(
    tmp_path: Path, looks_at_once: None, now: Now
) -> None:
    ring = open_ring(tmp_path, now)
    old = str(ring.jwt_keys("token").current().kid)
    ring.rotate(ES256, at=START)
    ring.rotate(ES256, at=START, hasten=True)
    now.at = START + timedelta(days=1) - MINUTE
    assert old in kids(ring)
    now.at = START + timedelta(days=1)
    assert old not in kids(ring)
    assert kids(open_ring(tmp_path, now)) == kids(ring)


class CachingParty:
    """A relying party that fetches the key set every five minutes and never in between, not even for an unknown `kid`."""

    def __init__(self, service: KeyRing, first_fetch: datetime) -> None:
        self._service = service
        self._fetched = first_fetch - 5 * MINUTE
        self._keys = KeySet([])

    def verify(self, token: str, at: datetime) -> None:
        if at >= self._fetched + 5 * MINUTE:
            self._fetched = at
            served = json.dumps(self._service.jwt_keys("token").published().as_dict(private=False))
            self._keys = KeySet.import_key_set(json.loads(served))
        jwt.decode(token, self._keys, algorithms=ALGORITHMS)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_every_token_verifies_at_caching_parties_before_during_and_after_each_step(
    tmp_path: Path, looks_at_once: None, now: Now
) -> None:
    policy = RotationPolicy(period=timedelta(hours=1), lead=10 * MINUTE, overlap=15 * MINUTE)
    service, command = open_ring(tmp_path, now, policy), open_ring(tmp_path, now, policy)
    parties = [CachingParty(service, START + phase * MINUTE) for phase in range(-4, 1)]
    alive: list[tuple[datetime, str]] = []
    signed_by: set[str] = set()
    steps: list[Step] = []
    while now.at < START + timedelta(hours=3):
        if now.at.minute % 7 == 0:
            steps += command.rotate_due(at=now.at)
        for algorithm in ("ES256", "EdDSA"):
            key = service.jwt_keys("token").current(algorithm)
            signed_by.add(str(key.kid))
            header = {"alg": algorithm, "kid": key.kid}
            alive.append((now.at + 15 * MINUTE, jwt.encode(header, {"a": 1}, key, algorithms=[algorithm])))
        alive = [(end, token) for end, token in alive if end > now.at]
        for party in parties:
            for _, token in alive:
                party.verify(token, now.at)
        now.at += MINUTE
    assert len(signed_by) == 6, "two rotations of two algorithms"
    assert {step.action for step in steps} == {"publish", "promote", "delete"}


def test_without_the_lead_a_caching_party_would_fail(tmp_path: Path, looks_at_once: None, now: Now) -> None:
    """The test above can fail: this is what it protects from."""
    service = open_ring(tmp_path, now)
    party = CachingParty(service, START)
    old = service.jwt_keys("token").current()
    party.verify(jwt.encode({"alg": "ES256", "kid": old.kid}, {"a": 1}, old), START)
    service.rotate(ES256, at=START)
    service.rotate(ES256, at=START, hasten=True)
    new = service.jwt_keys("token").current()
    with pytest.raises((JoseError, ValueError)):
        party.verify(jwt.encode({"alg": "ES256", "kid": new.kid}, {"a": 1}, new), START + MINUTE)


def test_the_views_are_the_same_objects_until_the_ring_changes(tmp_path: Path, looks_at_once: None) -> None:
    service, command = open_ring(tmp_path), open_ring(tmp_path)
    keys = service.jwt_keys("token")
    published, current = keys.published(), keys.current()
    assert keys.published() is published
    os.utime(tmp_path / "ring.json")
    command.rotate(ES256, at=START)
    assert keys.published() is not published
    assert keys.published() is keys.published()
    assert keys.current().kid == current.kid


def test_the_file_is_looked_at_once_a_second_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [100.0]
    monkeypatch.setattr("service.key_ring.time.monotonic", lambda: seconds[0])
    service = open_ring(tmp_path)
    published = service.jwt_keys("token").published()
    open_ring(tmp_path).rotate(ES256, at=START)
    seconds[0] = 100.99
    assert service.jwt_keys("token").published() is published
    seconds[0] = 101.0
    assert len(service.jwt_keys("token").published().keys) == 5


def test_personal_data_sealed_by_a_new_column_key_opens_at_once_elsewhere(tmp_path: Path) -> None:
    service, command = open_ring(tmp_path), open_ring(tmp_path)
    cipher = service.personal_data_cipher()
    old = cipher.seal(b"old", purpose="p")
    command.rotate([("column", "AES-HMAC")], at=START)
    new = command.personal_data_cipher().seal(b"new", purpose="p")
    assert old[: 1 + old[0]] != new[: 1 + new[0]]
    assert (cipher.open(new, purpose="p"), cipher.open(old, purpose="p")) == (b"new", b"old")
    assert command.personal_data_cipher().open(old, purpose="p") == b"old"
    assert cipher.lookup("x", purpose="p") == command.personal_data_cipher().lookup("x", purpose="p")


@pytest.mark.parametrize(
    "damage", ["half", "empty", "gone", "other key-encryption key", "other look-up key", "no token key"]
)
def test_a_ring_that_is_damaged_while_the_service_runs_is_not_taken_over(
    tmp_path: Path, looks_at_once: None, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    service = open_ring(tmp_path)
    cipher, path = service.personal_data_cipher(), tmp_path / "ring.json"
    published, subject, good = service.jwt_keys("token").published(), cipher.lookup("x", purpose="p"), path.read_bytes()
    stored = json.loads(good)
    if damage == "gone":
        path.unlink()
    elif damage == "other look-up key":
        other = open_ring(tmp_path / "other")
        (theirs,) = (
            key
            for key in json.loads((tmp_path / "other" / "ring.json").read_text())["keys"]
            if key["purpose"] == "lookup"
        )
        assert other.keys
        stored["keys"] = [theirs if key["purpose"] == "lookup" else key for key in stored["keys"]]
        path.write_text(json.dumps(stored))
    elif damage == "other key-encryption key":
        KeyRing.open(tmp_path / "other", b"\x08" * 32, at=START)
        path.write_bytes((tmp_path / "other" / "ring.json").read_bytes())
    elif damage == "no token key":
        stored["keys"] = [key for key in stored["keys"] if key["purpose"] != "column"]
        path.write_text(json.dumps(stored))
    else:
        path.write_bytes(good[: len(good) // 2] if damage == "half" else b"")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert service.jwt_keys("token").published() is published
            assert cipher.lookup("x", purpose="p") == subject
    assert len([record for record in caplog.records if "last good ring stays" in record.message]) == 1
    path.write_bytes(good)
    assert kids(service) == {str(key.kid) for key in published}
    service.rotate(ES256, at=START)
    assert len(kids(service)) == 5


@pytest.mark.parametrize("point", ["fsync", "replace", "after"])
@pytest.mark.parametrize("step", ["publish", "promote"])
def test_a_rotation_that_was_killed_leaves_the_ring_before_it_or_after_it(
    tmp_path: Path, step: str, point: str
) -> None:
    ring = open_ring(tmp_path)
    old = str(ring.jwt_keys("token").current().kid)
    if step == "promote":
        ring.rotate(ES256, at=START)
    program = (
        "import os, pathlib, sys; from datetime import datetime; from service import key_ring_file; from service.key_ring import KeyRing\n"
        "folder, point, at = pathlib.Path(sys.argv[1]), sys.argv[2], datetime.fromisoformat(sys.argv[3])\n"
        "def kill(*_): os.kill(os.getpid(), 9)\n"
        "ring = KeyRing.open(folder, bytes([7]) * 32, at=at)\n"
        "if point == 'fsync': os.fsync = kill\n"
        "if point == 'replace': pathlib.Path.replace = kill\n"
        "ring.rotate([('token', 'ES256')], at=at, hasten=True)\n"
        "kill()"
    )
    killed = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), point, START.isoformat()], cwd=ROOT, check=False
    )
    assert killed.returncode == -9
    again = open_ring(tmp_path)
    assert old in kids(again)
    group = ("token", "ES256")
    current, waiting = find(again.keys, group, "current"), find(again.keys, group, "next")
    assert current is not None
    done = point == "after"
    assert (current.kid == old) == (step == "publish" or not done)
    assert (waiting is not None) == ((step == "publish") == done)
    again.rotate([group], at=START, hasten=True)
    assert len(kids(again)) >= 5


def both_at_once(first: KeyRing, second: KeyRing, *, due: bool) -> list[list[Step] | ServiceError]:
    told: list[list[Step] | ServiceError] = []
    start = threading.Barrier(2)

    def run(ring: KeyRing) -> None:
        start.wait()
        try:
            told.append(ring.rotate_due(at=START + timedelta(days=90)) if due else ring.rotate(ES256, at=START))
        except ServiceError as error:
            told.append(error)

    threads = [threading.Thread(target=run, args=(ring,)) for ring in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def test_of_two_rotations_at_once_one_publishes_and_the_other_is_refused(tmp_path: Path) -> None:
    told = both_at_once(open_ring(tmp_path), open_ring(tmp_path), due=False)
    assert sorted(type(each).__name__ for each in told) == ["KeyRefused", "list"]
    assert len(kids(open_ring(tmp_path))) == 5


def test_of_two_timers_at_once_one_does_what_is_due(tmp_path: Path) -> None:
    told = both_at_once(open_ring(tmp_path), open_ring(tmp_path), due=True)
    assert sorted(len(each) for each in told if isinstance(each, list)) == [0, 8]


@pytest.fixture
def command(tmp_path: Path) -> Iterator[list[str]]:
    config = tmp_path / "service.toml"
    config.write_text(f'GBA_TRUST_MODE = "demo"\nGBA_TRUST_DATA = "{tmp_path}"\n')
    yield [sys.executable, "-m", "service.cli", "keys", "rotate", "--config", str(config), "--json"]


def test_a_command_in_another_process_is_seen_by_the_running_service(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "kek.bin").write_bytes(KEK)
    (tmp_path / "keys" / "kek.bin").chmod(0o600)
    service = open_ring(tmp_path / "keys")
    before = kids(service)

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=False)

    published = json.loads(run("--purpose", "token", "--algorithm", "ES256").stdout)
    assert [step["action"] for step in published["steps"]] == ["publish"]
    waited = threading.Event()
    for _ in range(100):
        if kids(service) != before:
            break
        waited.wait(0.05)
    assert kids(service) == before | {published["steps"][0]["kid"]}
    refused = run("--purpose", "token", "--algorithm", "ES256")
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: key_refused: the next token key (ES256) may sign from ")
    assert (
        json.loads(run("--purpose", "token", "--algorithm", "ES256", "--now").stdout)["steps"][0]["action"] == "promote"
    )
    due = json.loads(run("--due").stdout)
    assert due["steps"] == []
    assert due["next_due"]
    assert run("--due", "--now").returncode == 1
    assert run("--purpose", "lookup").returncode == 1

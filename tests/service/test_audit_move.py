"""The audit log moves out of an older service file: whole, compared, and safely interrupted anywhere."""

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.audit_file import audit_version, check_audit_file, create_audit_file
from service.audit_log import EMPTY, Entry, Head, canonical, link, sign_checkpoint
from service.audit_move import holds_audit_log, move_audit_log
from service.audit_store import read_audit_file, stored_entries, verify_stored
from service.database import upgrade_schema
from service.errors import DataFolderRefused
from service.key_ring import KeyRing

ROOT = Path(__file__).resolve().parents[2]
AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
OLD_TABLES = (
    "CREATE TABLE audit_entries (seq INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, event TEXT NOT NULL, outcome TEXT NOT NULL,"
    " correlation TEXT NOT NULL, detail TEXT NOT NULL, prev TEXT NOT NULL UNIQUE, hash TEXT NOT NULL UNIQUE)",
    "CREATE INDEX audit_entries_correlation ON audit_entries (correlation)",
    "CREATE TABLE audit_checkpoints (seq INTEGER PRIMARY KEY, checkpoint TEXT NOT NULL)",
    "CREATE TRIGGER audit_entries_no_delete BEFORE DELETE ON audit_entries BEGIN SELECT RAISE(ABORT, 'append-only'); END",
)
"""As versions up to 0005 of the schema had them."""


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.open(tmp_path / "keys", b"k" * 32, at=AT)


def make_old_file(path: Path, ring: KeyRing, length: int) -> list[Entry]:
    upgrade_schema(path)
    entries, head = [], EMPTY
    old = sqlite3.connect(path)
    old.execute("PRAGMA journal_mode=WAL")
    for statement in OLD_TABLES:
        old.execute(statement)
    for number in range(length):
        detail = {"client": "銀行", "number": number}
        entry = link(head, at=AT, event="token.issued", outcome="ok", correlation=f"l{number % 7}", detail=detail)
        old.execute(
            "INSERT INTO audit_entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (entry.seq, entry.at_us, entry.event, entry.outcome, entry.correlation, canonical(detail).decode(), entry.prev, entry.hash),
        )  # fmt: skip
        entries.append(entry)
        head = Head(entry.seq, entry.hash)
    if entries:
        checkpoint = sign_checkpoint(head, ring.jwt_keys("audit").current(), at=AT)
        old.execute("INSERT INTO audit_checkpoints VALUES (?, ?)", (head.seq, checkpoint))
    old.commit()
    old.close()
    return entries


def moved_entries(path: Path) -> list[Entry]:
    return read_audit_file(path, lambda connection: list(stored_entries(connection)))


@pytest.mark.parametrize("length", [0, 1, 500])
def test_every_row_is_moved_as_it_was_and_still_verifies(tmp_path: Path, ring: KeyRing, length: int) -> None:
    service, audit = tmp_path / "service.db", tmp_path / "audit.db"
    entries = make_old_file(service, ring, length)
    assert move_audit_log(service, audit) == length
    assert moved_entries(audit) == entries
    keys = ring.jwt_keys("audit").published()
    verified = read_audit_file(audit, lambda connection: verify_stored(connection, keys))
    assert (verified.head.seq, verified.checkpoints) == (length, min(length, 1))
    assert not holds_audit_log(service)
    assert move_audit_log(service, audit) == 0
    assert moved_entries(audit) == entries


def test_a_broken_chain_is_moved_as_broken_as_it_is(tmp_path: Path, ring: KeyRing) -> None:
    service, audit = tmp_path / "service.db", tmp_path / "audit.db"
    make_old_file(service, ring, 5)
    with sqlite3.connect(service) as old:
        old.execute("UPDATE audit_entries SET outcome = 'changed' WHERE seq = 3")
    old.close()
    move_audit_log(service, audit)
    assert [entry.outcome for entry in moved_entries(audit)] == ["ok", "ok", "changed", "ok", "ok"]


def test_a_copy_that_differs_stops_the_move_and_changes_nothing(tmp_path: Path, ring: KeyRing) -> None:
    service, audit = tmp_path / "service.db", tmp_path / "audit.db"
    entries = make_old_file(service, ring, 5)
    create_audit_file(audit)
    with sqlite3.connect(audit) as other:
        other.execute("INSERT INTO audit_entries VALUES (1, 1, 'x', 'ok', 'c', '{}', 'p', 'h')")
    other.close()
    with pytest.raises(DataFolderRefused, match="differ"):
        move_audit_log(service, audit)
    assert moved_entries(service) == entries
    assert len(moved_entries(audit)) == 1


@pytest.mark.parametrize("step", ["BEGIN IMMEDIATE", "INSERT", "COMMIT", "wal_checkpoint", "DROP TABLE", "after"])
def test_a_move_that_was_killed_is_done_again(tmp_path: Path, ring: KeyRing, step: str) -> None:
    """The process ends by SIGKILL just before the statement, or after the last one but before it is committed."""
    service, audit = tmp_path / "service.db", tmp_path / "audit.db"
    entries = make_old_file(service, ring, 200)
    program = (
        "import os, signal, sys; from pathlib import Path; from service import audit_move\n"
        "service, audit, step = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]\n"
        "def kill(): os.kill(os.getpid(), signal.SIGKILL)\n"
        "opened, dropped = audit_move.open_for_writing, []\n"
        "class Watched:\n"
        "    def __init__(self, inner): self.inner = inner\n"
        "    def __getattr__(self, name): return getattr(self.inner, name)\n"
        "    def execute(self, statement, *values):\n"
        "        if step == 'after' and dropped and statement == 'COMMIT': kill()\n"
        "        if step in statement: kill()\n"
        "        dropped.extend(['x'] if 'DROP' in statement else [])\n"
        "        return self.inner.execute(statement, *values)\n"
        "audit_move.open_for_writing = lambda path: Watched(opened(path))\n"
        "audit_move.move_audit_log(service, audit)"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(service), str(audit), step], cwd=ROOT, check=False)
    assert killed.returncode == -9
    assert holds_audit_log(service)
    assert move_audit_log(service, audit) == 200
    assert moved_entries(audit) == entries
    assert not holds_audit_log(service)


def test_a_file_that_is_no_audit_log_is_refused_and_left_alone(tmp_path: Path) -> None:
    letter = tmp_path / "letter.db"
    letter.write_bytes(b"somebody's letter" * 500)
    foreign = tmp_path / "foreign.db"
    upgrade_schema(foreign)
    for path in (letter, foreign):
        before = path.read_bytes()
        for use in (check_audit_file, create_audit_file):
            with pytest.raises(DataFolderRefused):
                use(path)
        assert path.read_bytes() == before


def test_a_newer_audit_log_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    create_audit_file(path)
    assert audit_version(path) == 1
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version=2")
    other.close()
    with pytest.raises(DataFolderRefused, match="newer"):
        check_audit_file(path)


def test_a_missing_audit_log_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(DataFolderRefused, match="db upgrade"):
        check_audit_file(tmp_path / "audit.db")

"""The key ring's file, DATA/keys/ring.json: its form, its lock, its replacement in one step.

Owns:    `StoredKey` and what a ring file may look like. Leaves sealing to `key_material`, rotation to `key_rotation`.
Rules:   1 whoever changes the ring holds `ring.lock` and starts from what the file says then; readers need no lock
         2 a new ring is written beside the old one, brought to disk, and renamed over it: a reader sees the one or the other
         3 what is not exactly a ring is refused
"""

import fcntl
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from service.errors import DataFolderInUse, DataFolderRefused

Purpose = Literal["token", "attestation", "audit", "permit-request", "column", "lookup"]
State = Literal["next", "current", "retired"]
SIGNING: tuple[Purpose, ...] = ("token", "attestation", "audit", "permit-request")
SECRET: tuple[Purpose, ...] = ("column", "lookup")
ES256 = "ES256"
SYMMETRIC = "AES-HMAC"
"""The word for secrets, which have no JOSE algorithm."""

VERSION = 2
"""2 added algorithms; a ring of version 1 has ES256 alone."""
MAX_RING_BYTES = 1024 * 1024
LOCK_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One key of the ring; `sealed` is base64 of IV ‖ AES-GCM(private JWK or secret bytes)."""

    kid: str
    purpose: Purpose
    state: State
    created: str
    retired: str | None
    sealed: str
    algorithm: str = ES256
    activated: str | None = None
    """Since when it is or was current; None for one that is not yet, and for keys of version 1."""

    @property
    def group(self) -> tuple[Purpose, str]:
        """What it takes turns in: one current key at a time for a purpose and an algorithm."""
        return self.purpose, self.algorithm


Ring = tuple[StoredKey, ...]
Stamp = tuple[int, int, int]
"""Time of change, inode and size: what tells one ring file from the next."""


def read_ring(path: Path) -> Ring:
    """Return the keys of a ring file; none when there is no file.

    Raises:
        DataFolderRefused: damaged, or of a newer version.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise DataFolderRefused(f"the key ring file cannot be read: {error.strerror}") from error
    return parse_ring(content)


def parse_ring(content: bytes) -> Ring:
    """Return the keys that a ring file's bytes hold.

    Raises:
        DataFolderRefused: damaged, or of a newer version.
    """
    try:
        if len(content) > MAX_RING_BYTES:
            raise ValueError("too large")
        members = json.loads(content)
        if members.get("version", 1) not in range(1, VERSION + 1):
            raise DataFolderRefused("the key ring file is of a newer version than this program")
        ring = tuple(_parse_key(each) for each in members["keys"])
        turns = Counter((key.group, key.state) for key in ring if key.state != "retired")
        if any(count > 1 for count in turns.values()) or len({key.kid for key in ring}) != len(ring):
            raise ValueError("two keys in one place")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataFolderRefused("the key ring file is damaged: restore it from a backup") from error
    return ring


def write_ring(path: Path, ring: Ring) -> None:
    """Replace the ring file; the caller holds the lock.

    Raises:
        DataFolderRefused: the folder cannot be written; the old ring stands then.
    """
    temporary = path.with_suffix(".new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"version": VERSION, "keys": [asdict(key) for key in ring]}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise DataFolderRefused(f"the key ring file cannot be written: {error.strerror}") from error


@contextmanager
def ring_lock(path: Path) -> Iterator[None]:
    """Hold the ring's lock; the kernel releases it when the process ends, however it ends.

    Raises:
        DataFolderInUse: another process changes the ring for longer than anyone should.
        DataFolderRefused: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DataFolderRefused(f"the folder {path.parent} cannot be written: {error.strerror}") from error
    try:
        until = time.monotonic() + LOCK_PATIENCE_S
        while not _locked(descriptor):
            if time.monotonic() > until:
                raise DataFolderInUse("another process changes the key ring: try again")
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def stamp(path: Path) -> Stamp | None:
    """Return what tells this file from a later one, or None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def instant(text: str) -> datetime:
    """Return an instant of the ring, aware.

    Raises:
        ValueError: no instant, or without its zone.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("an instant without a zone")
    return at


def instant_text(at: datetime) -> str:
    """Return an instant as the ring keeps it."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _parse_key(members: dict[str, object]) -> StoredKey:
    key = StoredKey(**members)  # type: ignore[arg-type]  # each is checked below
    if key.purpose in SECRET and "algorithm" not in members:
        key = StoredKey(**{**members, "algorithm": SYMMETRIC})  # type: ignore[arg-type]  # as above
    texts = (key.kid, key.created, key.sealed, key.algorithm)
    if key.purpose not in get_args(Purpose) or key.state not in get_args(State):
        raise ValueError("unknown purpose or state")
    if not all(isinstance(text, str) and text for text in texts) or (key.state == "retired") != (
        key.retired is not None
    ):
        raise ValueError("members that do not fit")
    for text in (key.created, key.retired, key.activated):
        if text is not None:
            instant(text)
    return key

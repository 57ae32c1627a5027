"""The files of a sandbox PKI.

Owns:    names, modes and atomic writing. Leaves their meaning to `pki`.
Rules:   folder 0700, files 0600; a file is complete or absent; a serial's revocation is one file, written once.
"""

import json
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sandbox.pki.certificates import RevokedEntry
from sandbox.pki.keys import KeyKind, PrivateKey


class PkiFiles:
    """One authority's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for part in (folder, folder / "issued", folder / "revoked", folder / "holders"):
            part.mkdir(mode=0o700, parents=True, exist_ok=True)

    def save_pair(self, name: str, key: PrivateKey, certificate: bytes) -> tuple[PrivateKey, bytes]:
        """Store a key pair under a name, or return the pair that another process stored first."""
        record = {"kind": key.kind.value, "key": key.der.hex(), "certificate": certificate.hex()}
        path = self._folder / f"{name}.json"
        if not _write_once(path, json.dumps(record).encode()):
            loaded = self.load_pair(name)
            if loaded is not None:
                return loaded
        return key, certificate

    def load_pair(self, name: str) -> tuple[PrivateKey, bytes] | None:
        """Return the stored pair, or None."""
        path = self._folder / f"{name}.json"
        if not path.exists():
            return None
        record = json.loads(path.read_bytes())
        return PrivateKey(KeyKind(record["kind"]), bytes.fromhex(record["key"])), bytes.fromhex(record["certificate"])

    def replace_pair(self, name: str, key: PrivateKey, certificate: bytes) -> None:
        """Store a key pair in place of another."""
        record = {"kind": key.kind.value, "key": key.der.hex(), "certificate": certificate.hex()}
        _write(self._folder / f"{name}.json", json.dumps(record).encode())

    def save_issued(self, serial: int, certificate: bytes) -> None:
        """Keep an issued certificate."""
        _write(self._folder / "issued" / f"{serial:x}.der", certificate)

    def issued(self) -> Iterator[bytes]:
        """Yield every issued certificate."""
        for path in sorted((self._folder / "issued").glob("*.der")):
            yield path.read_bytes()

    def is_issued(self, serial: int) -> bool:
        """Tell whether this authority issued a serial."""
        return (self._folder / "issued" / f"{serial:x}.der").exists()

    def save_revoked(self, entry: RevokedEntry) -> None:
        """Record a revocation; the first one stands."""
        record = {"serial": f"{entry.serial:x}", "at_s": int(entry.at.timestamp()), "reason": entry.reason}
        _write_once(self._folder / "revoked" / f"{entry.serial:x}.json", json.dumps(record).encode())

    def revoked(self, serial: int) -> RevokedEntry | None:
        """Return the revocation of a serial, or None."""
        path = self._folder / "revoked" / f"{serial:x}.json"
        if not path.exists():
            return None
        record = json.loads(path.read_bytes())
        return RevokedEntry(int(record["serial"], 16), datetime.fromtimestamp(record["at_s"], UTC), record["reason"])

    def all_revoked(self) -> list[RevokedEntry]:
        """Return every revocation, by serial."""
        serials = sorted(int(path.stem, 16) for path in (self._folder / "revoked").glob("*.json"))
        return [entry for entry in map(self.revoked, serials) if entry is not None]


def _temporary(path: Path, content: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    return draft


def _write(path: Path, content: bytes) -> None:
    _temporary(path, content).replace(path)


def _write_once(path: Path, content: bytes) -> bool:
    draft = _temporary(path, content)
    try:
        os.link(draft, path)  # fails when another process was first; a rename would overwrite
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True

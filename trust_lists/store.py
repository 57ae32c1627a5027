"""The published list and its log on disk: read a version, publish a version so that readers see the old or the new one, never neither.

Owns:    the directory layout `metadata/`, `targets/`, `log/`; atomic writing; reading back. Leaves belief to `acceptance`.
Rules:   a file whose name carries its version or hash is written to a temporary name, synced and renamed; its content is never changed
         once a timestamp may point to it. `timestamp.json` comes last, by rename: that rename *is* the publication.
         Every step goes through `step`, so that a test can stop the process at each of them.
Spec:    TUF specification cl. 6.2 (consistent snapshots: timestamp is written last); rename(2), fsync(2).
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

from trust_lists.bundle import (
    TIMESTAMP_NAME,
    FileRequest,
    ListBundle,
    collect,
    metadata_name,
    parse_role_versions,
    parse_root_version,
    parse_snapshot_version,
    target_name,
)
from trust_lists.bundle import parse_document_hash as _hash_of
from trust_lists.bundle import role_of as _role_of
from trust_lists.checkpoint import MAX_NOTE_BYTES, parse_checkpoint, parse_note
from trust_lists.errors import ListLogInconsistent, ListMalformed, ListStorageFailed
from trust_lists.list_log import ListLog
from trust_lists.log_tiles import CHECKPOINT_NAME, MAX_ENTRIES_BYTES, entry_tile_names, parse_entry_tile
from trust_lists.transparency import proof_name

Step = Callable[[str], None]
_TEMPORARY_SUFFIX = ".part"


def no_step(name: str) -> None:
    """Between two steps of the disk nothing else happens."""


def read_file(directory: Path, request: FileRequest) -> bytes | None:
    """Return a file of the layout, None when it is not there.

    Raises:
        ListMalformed: longer than it may be.
        ListStorageFailed: the disk refused.
    """
    try:
        with (directory / request.name).open("rb") as file:
            data = file.read(request.max_bytes + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ListStorageFailed("a file of the list cannot be read") from error
    if len(data) > request.max_bytes:
        raise ListMalformed("a file of the list is too long")
    return data


def read_bundle(directory: Path, trusted_root: bytes, log_size: int = 0) -> ListBundle:
    """Return the version that the directory's timestamp points to, with the roots after the trusted one.

    Args:
        directory: a published directory, or a reader's copy of one.
        trusted_root: the root that the reader trusts.
        log_size: the size of the log when it was seen last; the tiles that show its growth are read too.

    Raises:
        ListMalformed: a file is missing or points nowhere.
        ListStorageFailed: the disk refused.
    """
    collection = collect(parse_root_version(trusted_root), log_size=log_size)
    answer: bytes | None = None
    try:
        request = next(collection)
        while True:
            answer = read_file(directory, request)
            request = collection.send(answer)
    except StopIteration as done:
        bundle: ListBundle = done.value
        return bundle


def read_log(directory: Path) -> tuple[ListLog, bytes]:
    """Return the whole log of a published directory, and its newest checkpoint's note; both empty where there is none.

    Raises:
        ListMalformed: a file is missing or not of the form.
        ListLogInconsistent: the entries are not those under the checkpoint.
    """
    note = read_file(directory, FileRequest(CHECKPOINT_NAME, MAX_NOTE_BYTES))
    if note is None:
        return ListLog(), b""
    checkpoint = parse_checkpoint(parse_note(note).text)
    entries: list[bytes] = []
    for name, width in entry_tile_names(checkpoint.size):
        tile = read_file(directory, FileRequest(name, MAX_ENTRIES_BYTES))
        if tile is None:
            raise ListMalformed("the entries of the log are missing")
        entries += parse_entry_tile(tile, width)
    log = ListLog(tuple(entries))
    if log.checkpoint(checkpoint.origin) != checkpoint:
        raise ListLogInconsistent("the entries of the log are not those under its checkpoint")
    return log, note


def is_published(directory: Path) -> bool:
    """Tell whether a version has been published here."""
    return (directory / TIMESTAMP_NAME).is_file()


def bundle_files(bundle: ListBundle) -> dict[str, bytes]:
    """Return the files of a version by their names, in the order in which they must be written: the timestamp last."""
    files = {}
    for path, document in bundle.documents.items():
        files[target_name(path, _hash_of(bundle.roles[_role_of(path)], path))] = document
    for role, version in parse_role_versions(bundle.snapshot).items():
        files[metadata_name(role, version)] = bundle.roles[role]
    version = parse_snapshot_version(bundle.timestamp)
    files[metadata_name("snapshot", version)] = bundle.snapshot
    if bundle.proof:
        files[proof_name(version)] = bundle.proof
    # A reader looks for the next root by its number, without the timestamp: so roots come after everything that they lead to.
    for root in bundle.roots:
        files[metadata_name("root", parse_root_version(root))] = root
    files[TIMESTAMP_NAME] = bundle.timestamp
    return files


def write_bundle(
    directory: Path, bundle: ListBundle, *, log_files: Mapping[str, bytes] = MappingProxyType({}), step: Step = no_step
) -> None:
    """Publish a version: durable when this returns, all or nothing for readers at every moment before.

    Args:
        directory: the published directory.
        bundle: the version.
        log_files: the log's own files, checkpoint last; a publisher writes them before what they prove.
        step: told before everything that is done to the disk.

    Raises:
        ListStorageFailed: the disk refused; the version published before still stands.
    """
    with _locked(directory):
        for name, data in {**log_files, **bundle_files(bundle)}.items():
            write_atomically(directory / name, data, step=step)


def write_atomically(path: Path, data: bytes, *, step: Step = no_step) -> None:
    """Write one file by temporary name, sync and rename; nothing happens when it has that content already.

    Raises:
        ListStorageFailed: the disk refused.
    """
    temporary = path.with_name(path.name + _TEMPORARY_SUFFIX)
    try:
        if path.is_file() and path.read_bytes() == data:
            return
        step(f"mkdir {path.parent.name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        step(f"create {path.name}")
        with temporary.open("wb") as file:
            step(f"write {path.name}")
            file.write(data[: len(data) // 2])
            file.flush()
            step(f"half written {path.name}")
            file.write(data[len(data) // 2 :])
            file.flush()
            step(f"fsync {path.name}")
            os.fsync(file.fileno())
        step(f"rename {path.name}")
        temporary.replace(path)
        step(f"fsync directory {path.name}")
        _sync_directory(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise ListStorageFailed("a file of the list cannot be written") from error


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Let one publisher work at a time; the lock ends with the process, however that ends."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ListStorageFailed("the directory of the list cannot be written") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def prune(directory: Path, bundle: ListBundle) -> None:
    """Forget files that this version does not need; for a reader's copy only, a publisher keeps everything.

    Roots stay: the chain from the reader's pinned root must remain walkable.
    """
    needed = set(bundle_files(bundle))
    for folder in ("metadata", "targets", "log"):
        for path in (directory / folder).rglob("*"):
            name = path.relative_to(directory).as_posix()
            if path.is_file() and name not in needed and not name.endswith(".root.json"):
                with suppress(OSError):
                    path.unlink()

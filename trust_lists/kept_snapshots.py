"""A version that was kept, to judge by it again years later.

Owns:    writing a whole version with its pinned root into a directory of its own, and reading it back as what it was.
Leaves:  belief to `acceptance`: it is verified in full, at the last moment at which it was valid.
Rules:   a kept version is never the present: whoever judges by it says so (`--snapshot`). A directory is never overwritten.
Spec:    OmniTrust #1978 (facts §3.2): an immutable, identified snapshot, pinnable for re-validation.
"""

import asyncio
from datetime import datetime
from pathlib import Path

from trust_lists.acceptance import accept_again
from trust_lists.bundle import ListBundle, collect, metadata_name, parse_root_version
from trust_lists.config import ReaderPolicy
from trust_lists.errors import DraftRefused, ListStorageFailed
from trust_lists.fetchers import Fetcher, fetcher_for
from trust_lists.snapshot import Snapshot
from trust_lists.store import read_bundle, write_atomically, write_bundle

ROOT_NAME = "pinned-root.json"


def keep_snapshot(source: str | Path, pinned_root: bytes, directory: Path) -> None:
    """Fetch the version that a source serves and keep it whole.

    Raises:
        DraftRefused: the directory is there already.
        TrustListError: the source, or the disk.
    """
    if directory.exists():
        raise DraftRefused(f"{directory} is there already; a kept snapshot is never overwritten")
    bundle = asyncio.run(_fetch(fetcher_for(source, ReaderPolicy()), pinned_root))
    write_bundle(directory, bundle)
    write_atomically(directory / ROOT_NAME, pinned_root)
    write_atomically(directory / metadata_name("root", parse_root_version(pinned_root)), pinned_root)


async def _fetch(fetcher: Fetcher, pinned_root: bytes) -> ListBundle:
    collection = collect(parse_root_version(pinned_root))
    try:
        request = next(collection)
        while True:
            request = collection.send(await fetcher.fetch(request))
    except StopIteration as done:
        bundle: ListBundle = done.value
        return bundle
    finally:
        await fetcher.aclose()


def load_snapshot(directory: Path, pinned_root: bytes | None, at: datetime) -> Snapshot:
    """Return a kept version as it was accepted, also when it has expired since.

    Args:
        directory: as `keep_snapshot` left it.
        pinned_root: the root that the caller pins; the one beside the version by default, as whoever kept it vouches for it.
        at: the present.

    Raises:
        TrustListRefused: it is not a version that was ever acceptable.
        ListStorageFailed: it cannot be read.
    """
    if pinned_root is None:
        try:
            pinned_root = (directory / ROOT_NAME).read_bytes()
        except OSError as error:
            raise ListStorageFailed("there is no kept snapshot in that directory") from error
    return accept_again(read_bundle(directory, pinned_root), pinned_root, at)

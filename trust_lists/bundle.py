"""All the bytes of one published version, unverified, and the names of its files.

Owns:    `ListBundle`, file names of the published layout, and the pointers by which a reader finds the next file.
Leaves:  belief to `acceptance`: nothing read here is trusted, it only chooses which bytes to fetch.
Rules:   every name that comes out of unverified bytes is rebuilt from a checked number or hash; no path from outside is ever used.
         Sizes are bounded before anything is parsed.
Spec:    TUF specification cl. 5 and 6 (consistent snapshots): `metadata/<version>.<role>.json`, `targets/<dir>/<sha256>.<name>`;
         `log/<version>.tlog-proof` and C2SP tlog-tiles beside them.
"""

import json
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from trust_lists.document import MAX_SECTION_BYTES
from trust_lists.errors import ListMalformed
from trust_lists.log_tiles import MAX_TILE_BYTES
from trust_lists.scheme_document import MAX_SCHEME_BYTES
from trust_lists.transparency import MAX_PROOF_BYTES, proof_name, tiles_for
from trust_lists.vocabulary import Region

MAX_ROOT_BYTES = 256 * 1024
MAX_TIMESTAMP_BYTES = 16 * 1024
MAX_SNAPSHOT_BYTES = 64 * 1024
MAX_TARGETS_BYTES = 256 * 1024
MAX_ROOT_ROTATIONS = 64
"""Roots that a reader walks in one go."""

SCHEME_PATH = "scheme.json"
TIMESTAMP_NAME = "metadata/timestamp.json"
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MAX_VERSION = 2**31 - 1


def section_path(region: Region) -> str:
    """Return the target path of a region's document; only that region's role is delegated for it."""
    return f"{region.value}/list.json"


TARGET_PATHS: Mapping[str, int] = {SCHEME_PATH: MAX_SCHEME_BYTES} | {section_path(r): MAX_SECTION_BYTES for r in Region}
"""The four documents of a version, with the most bytes that each may have."""

ROLES: tuple[str, ...] = ("targets", *(region.value for region in Region))
"""The roles whose metadata a snapshot names."""


@dataclass(frozen=True, slots=True)
class ListBundle:
    """The bytes of one version as they were found; nothing in it is verified."""

    roots: tuple[bytes, ...]
    """Root metadata after the reader's own trusted one, in ascending order; usually none."""
    timestamp: bytes = field(repr=False)
    snapshot: bytes = field(repr=False)
    roles: Mapping[str, bytes] = field(repr=False)
    """Metadata of `targets`, `hk`, `mo`, `gd`."""
    documents: Mapping[str, bytes] = field(repr=False)
    """The four documents by target path."""
    proof: bytes = field(default=b"", repr=False)
    """That the snapshot stands in the log; empty where the source has none."""
    tiles: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)
    """The parts of the log that show that it continues what the reader saw last, by file name; they depend on the reader's past."""


MAX_TILES = 64


def metadata_name(role: str, version: int) -> str:
    """Return the name of a versioned metadata file."""
    return f"metadata/{version}.{role}.json"


def target_name(path: str, sha256: str) -> str:
    """Return the name of a document's file, which carries its hash."""
    directory, _, base = path.rpartition("/")
    return f"targets/{directory}/{sha256}.{base}" if directory else f"targets/{sha256}.{base}"


def check_sizes(bundle: ListBundle) -> None:
    """Refuse oversized or missing parts before anything is parsed.

    Raises:
        ListMalformed: a part is missing, unknown or too long.
    """
    if set(bundle.roles) != set(ROLES) or set(bundle.documents) != set(TARGET_PATHS):
        raise ListMalformed("a part of the list is missing or not known")
    sizes = [(len(bundle.timestamp), MAX_TIMESTAMP_BYTES), (len(bundle.snapshot), MAX_SNAPSHOT_BYTES)]
    sizes += [(len(root), MAX_ROOT_BYTES) for root in bundle.roots]
    sizes += [(len(data), MAX_TARGETS_BYTES) for data in bundle.roles.values()]
    sizes += [(len(data), TARGET_PATHS[path]) for path, data in bundle.documents.items()]
    sizes += [(len(bundle.proof), MAX_PROOF_BYTES), (len(bundle.tiles), MAX_TILES)]
    sizes += [(len(tile), MAX_TILE_BYTES) for tile in bundle.tiles.values()]
    if len(bundle.roots) > MAX_ROOT_ROTATIONS or any(size > most for size, most in sizes):
        raise ListMalformed("a part of the list is too long")


# --- unverified pointers: where the next file would be -----------------------------------------------------------------


def parse_root_version(root: bytes) -> int:
    """Return the version that a root states of itself."""
    return _version(_signed(root).get("version"))


def parse_snapshot_version(timestamp: bytes) -> int:
    """Return the snapshot version that a timestamp points to."""
    return _version(_entry(_signed(timestamp), "snapshot.json").get("version"))


def parse_role_versions(snapshot: bytes) -> dict[str, int]:
    """Return the versions of the four targets roles that a snapshot points to."""
    signed = _signed(snapshot)
    return {role: _version(_entry(signed, f"{role}.json").get("version")) for role in ROLES}


def parse_document_hash(role_metadata: bytes, path: str) -> str:
    """Return the SHA-256 by which a targets role names a document."""
    target = _signed(role_metadata).get("targets")
    entry = target.get(path) if isinstance(target, dict) else None
    hashes = entry.get("hashes") if isinstance(entry, dict) else None
    value = hashes.get("sha256") if isinstance(hashes, dict) else None
    if not isinstance(value, str) or _SHA256.fullmatch(value) is None:
        raise ListMalformed(f"no hash for {path}")
    return value


def role_of(path: str) -> str:
    """Return the role that speaks for a target path."""
    return "targets" if path == SCHEME_PATH else path.split("/", 1)[0]


@dataclass(frozen=True, slots=True)
class FileRequest:
    """A file that the collection needs next: its name in the layout, and the most bytes that it may have."""

    name: str
    max_bytes: int
    sha256: str | None = None
    """Set when the name already says which content it must be: a copy from anywhere will do."""


def collect(
    root_version: int, timestamp: bytes | None = None, log_size: int = 0
) -> Generator[FileRequest, bytes | None, ListBundle]:
    """Ask for the files of the current version one by one, and return them together; no I/O happens here.

    The driver sends each file's bytes, or None when there is no such file.

    Args:
        root_version: the version of the root that the reader trusts; the chain after it is collected.
        timestamp: the timestamp when the driver has read it already.
        log_size: the size of the log when this reader saw it last, 0 when never.

    Raises:
        ListMalformed: a file is missing, or points nowhere.
    """
    roots: list[bytes] = []
    while len(roots) <= MAX_ROOT_ROTATIONS:
        root = yield FileRequest(metadata_name("root", root_version + len(roots) + 1), MAX_ROOT_BYTES)
        if root is None:
            break
        roots.append(root)
    if timestamp is None:
        timestamp = _there((yield FileRequest(TIMESTAMP_NAME, MAX_TIMESTAMP_BYTES)))
    name = metadata_name("snapshot", parse_snapshot_version(timestamp))
    snapshot = _there((yield FileRequest(name, MAX_SNAPSHOT_BYTES)))
    roles: dict[str, bytes] = {}
    for role, version in parse_role_versions(snapshot).items():
        roles[role] = _there((yield FileRequest(metadata_name(role, version), MAX_TARGETS_BYTES)))
    documents: dict[str, bytes] = {}
    for path, most in TARGET_PATHS.items():
        sha256 = parse_document_hash(roles[role_of(path)], path)
        documents[path] = _there((yield FileRequest(target_name(path, sha256), most, sha256)))
    proof = (yield FileRequest(proof_name(parse_snapshot_version(timestamp)), MAX_PROOF_BYTES)) or b""
    tiles: dict[str, bytes] = {}
    for tile in tiles_for(proof, log_size) if proof else ():
        tiles[tile] = (
            yield FileRequest(tile, MAX_TILE_BYTES)
        ) or b""  # what is missing proves nothing: the gate says so
    return ListBundle(tuple(roots), timestamp, snapshot, roles, documents, proof, tiles)


def _there(data: bytes | None) -> bytes:
    if data is None:
        raise ListMalformed("a file that the list names is missing")
    return data


def _signed(data: bytes) -> dict[str, Any]:
    try:
        signed = json.loads(data)["signed"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ListMalformed("the metadata is not JSON of the expected form") from error
    if not isinstance(signed, dict):
        raise ListMalformed("the metadata carries nothing signed")
    return signed


def _entry(signed: dict[str, Any], name: str) -> dict[str, Any]:
    meta = signed.get("meta")
    entry = meta.get(name) if isinstance(meta, dict) else None
    if not isinstance(entry, dict):
        raise ListMalformed(f"the metadata does not name {name}")
    return entry


def _version(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MAX_VERSION:
        raise ListMalformed("a version is not a number in range")
    return value

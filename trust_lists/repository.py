"""The TUF repository of the list: which roles exist, who may sign them, and their metadata.

Owns:    the roster (officers per region, online key) and building unsigned metadata from it; adding a signature.
Leaves:  what the documents say to `publication`, verification to `envelope`, files to `store`.
Rules:   root and targets: every officer of every region, threshold 2 (`envelope` further wants two *regions*).
         `hk`, `mo`, `gd`: delegated by targets to that region's officers alone, for `<region>/*` alone, terminating.
         snapshot and timestamp: one online key. Consistent snapshots: every file but timestamp.json has its version or hash in its name.
Spec:    TUF specification 1.0.34 cl. 4 (document formats), by python-tuf's Metadata API.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from securesystemslib.signer import Key, Signer, SSlibKey  # type: ignore[attr-defined]  # its public names
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import (  # type: ignore[attr-defined]  # its public names
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Role,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

from trust_lists.bundle import ROLES, SCHEME_PATH, section_path
from trust_lists.envelope import REQUIRED_REGIONS
from trust_lists.errors import KeyRefused, ListMalformed
from trust_lists.transparency import ROOT_FIELD as LOG_FIELD
from trust_lists.transparency import LogKeys
from trust_lists.vocabulary import Region

_READABLE = JSONSerializer(compact=False)


@dataclass(frozen=True, slots=True)
class Officer:
    """A person of a region's scheme operator who signs for it."""

    region: Region
    name: str
    key: SSlibKey
    """Carries region and name as members (`signers.public_key`)."""


@dataclass(frozen=True, slots=True)
class Roster:
    """Everybody who may sign."""

    officers: tuple[Officer, ...]
    online: SSlibKey
    section_thresholds: Mapping[Region, int] = field(default_factory=dict)
    """How many of its officers a region wants on its section; one where nothing is said."""
    log: LogKeys | None = None
    """The transparency log and its witnesses; None only in a roster from before there was one."""

    def keys_of(self, region: Region) -> dict[str, SSlibKey]:
        """Return the region's keys by key id."""
        return {officer.key.keyid: officer.key for officer in self.officers if officer.region is region}


def build_root(roster: Roster, version: int, expires: datetime) -> Root:
    """Return unsigned root metadata."""
    officers: dict[str, Key] = {officer.key.keyid: officer.key for officer in roster.officers}
    return Root(
        version=version,
        expires=_whole_second(expires),
        keys=officers | {roster.online.keyid: roster.online},
        roles={
            Root.type: Role(list(officers), REQUIRED_REGIONS),
            Targets.type: Role(list(officers), REQUIRED_REGIONS),
            Snapshot.type: Role([roster.online.keyid], 1),
            Timestamp.type: Role([roster.online.keyid], 1),
        },
        consistent_snapshot=True,
        unrecognized_fields={} if roster.log is None else {LOG_FIELD: roster.log.to_json()},
    )


def build_targets(roster: Roster, scheme: bytes, version: int, expires: datetime) -> Targets:
    """Return the unsigned joint targets: the scheme document, and who writes the regions' sections."""
    keys: dict[str, Key] = {}
    roles: dict[str, DelegatedRole] = {}
    for region in Region:
        own = roster.keys_of(region)
        keys |= own
        threshold = roster.section_thresholds.get(region, 1)
        roles[region.value] = DelegatedRole(region.value, list(own), threshold, True, paths=[f"{region.value}/*"])
    return Targets(
        version=version,
        expires=_whole_second(expires),
        targets={SCHEME_PATH: TargetFile.from_data(SCHEME_PATH, scheme, ["sha256"])},
        delegations=Delegations(keys, roles),
    )


def build_section(region: Region, document: bytes, version: int, expires: datetime) -> Targets:
    """Return a region's unsigned section metadata."""
    path = section_path(region)
    return Targets(
        version=version,
        expires=_whole_second(expires),
        targets={path: TargetFile.from_data(path, document, ["sha256"])},
    )


def build_snapshot(roles: Mapping[str, bytes], version: int, expires: datetime) -> Snapshot:
    """Return unsigned snapshot metadata that names the four signed targets roles by version, length and hash."""
    meta = {
        f"{role}.json": MetaFile.from_data(_targets_of(roles[role]).version, roles[role], ["sha256"]) for role in ROLES
    }
    return Snapshot(version=version, expires=_whole_second(expires), meta=meta)


def build_timestamp(snapshot: bytes, snapshot_version: int, version: int, expires: datetime) -> Timestamp:
    """Return unsigned timestamp metadata that names the snapshot."""
    meta = MetaFile.from_data(snapshot_version, snapshot, ["sha256"])
    return Timestamp(version=version, expires=_whole_second(expires), snapshot_meta=meta)


def write_unsigned(payload: Signed) -> bytes:
    """Return the metadata file of a payload, still without signatures."""
    metadata: Metadata[Any] = Metadata(payload)
    return bytes(metadata.to_bytes(_READABLE))


def add_signature(metadata: bytes, signer: Signer) -> bytes:
    """Return the metadata file with one more signature (or the same key's renewed).

    Raises:
        ListMalformed: not metadata.
        KeyRefused: the key cannot sign.
    """
    try:
        parsed: Metadata[Targets] = Metadata.from_bytes(metadata)
        parsed.sign(signer, append=True)
    except DeserializationError as error:
        raise ListMalformed("the metadata cannot be read") from error
    except UnsignedMetadataError as error:
        raise KeyRefused("the key cannot sign") from error
    return bytes(parsed.to_bytes(_READABLE))


def signed_by(metadata: bytes) -> frozenset[str]:
    """Return the key ids that have put a signature there; the signatures are not verified."""
    try:
        return frozenset(Metadata.from_bytes(metadata).signatures)
    except DeserializationError as error:
        raise ListMalformed("the metadata cannot be read") from error


def _targets_of(metadata: bytes) -> Targets:
    try:
        signed = Metadata[Targets].from_bytes(metadata).signed
    except DeserializationError as error:
        raise ListMalformed("the metadata cannot be read") from error
    if not isinstance(signed, Targets):
        raise ListMalformed("not targets metadata")
    return signed


def role_version(metadata: bytes) -> int:
    """Return the version that a targets role states."""
    return int(_targets_of(metadata).version)


def snapshot_version(metadata: bytes) -> int:
    """Return the version that snapshot metadata states."""
    try:
        return int(Metadata[Snapshot].from_bytes(metadata).signed.version)
    except DeserializationError as error:
        raise ListMalformed("the metadata cannot be read") from error


def _whole_second(at: datetime) -> datetime:
    """TUF's expiry has whole seconds; round up, so that it never falls before the document's own next update."""
    return at if at.microsecond == 0 else at.replace(microsecond=0) + timedelta(seconds=1)

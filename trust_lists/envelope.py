"""The signed envelope of a list: TUF's rules, applied by python-tuf at one given time.

Owns:    from unverified bytes and a trusted root to a `VerifiedEnvelope`; the translation of python-tuf's errors into ours; the rule
         that a joint role is signed by two *regions*, which TUF's thresholds (counting keys) cannot say.
Leaves:  the content of the documents to `acceptance`.
Rules:   the order is TUF's detailed client workflow (specification cl. 5.3 to 5.6) and it is python-tuf that walks it.
         Of a previous version only the timestamp and snapshot bytes matter: they are the floor against rollback, unless the root has
         since replaced the keys that signed them (fast-forward recovery, cl. 5.3.11).
Spec:    TUF specification 1.0.34. `TrustedMetadataSet` is a private module of python-tuf (tuf.ngclient._internal): it is taken because
         it is the only form of that workflow that works on bytes at a stated time; `ngclient.Updater` owns network, disk and clock.
         The version is pinned, this file is its only importer, and tests/trust_lists/test_envelope.py pins what is relied upon.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from tuf.api.exceptions import (
    BadVersionNumberError,
    EqualVersionNumberError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Key, Metadata, Root, Signature, Snapshot, Targets  # type: ignore[attr-defined]  # its public names
from tuf.api.serialization import DeserializationError
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

from trust_lists.bundle import ROLES, SCHEME_PATH, TARGET_PATHS, ListBundle, role_of, section_path
from trust_lists.errors import (
    ListEquivocation,
    ListExpired,
    ListFrozen,
    ListMalformed,
    ListMixed,
    ListNotLogged,
    ListRegionOverreach,
    ListRollback,
    ListThresholdNotMet,
    TrustListError,
)
from trust_lists.transparency import ROOT_FIELD as LOG_FIELD
from trust_lists.transparency import Logged, LogKeys, check_continues, check_logged, parse_log_keys
from trust_lists.vocabulary import Region

REGION_FIELD = "x-gba-region"
"""Member of a key in root and targets that says whose officer holds it; root itself is signed by two regions, so it is believed."""
REQUIRED_REGIONS = 2

_EXPIRY_ROUNDING = timedelta(seconds=2)
"""A document's own next update lies up to a second before its role's expiry, which TUF writes in whole seconds."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class AcceptedEnvelope:
    """What a reader keeps of a version's envelope, as the floor for the next one."""

    root: bytes
    timestamp: bytes
    snapshot: bytes
    logged: Logged | None = None
    """Where the version stands in the log; None only for a publisher who is about to log it."""


@dataclass(frozen=True, slots=True)
class VerifiedEnvelope:
    """A version whose signatures, versions, hashes and expiries all hold at the given time."""

    version: int
    fresh_until: datetime
    """Expiry of the timestamp: until then the source vouches that there is nothing newer."""
    next_update: datetime
    """The first expiry of all the other parts."""
    documents: Mapping[str, bytes]
    hashes: Mapping[str, str]
    """SHA-256 of each document."""
    accepted: AcceptedEnvelope


def verify_envelope(
    bundle: ListBundle,
    trusted_root: bytes,
    previous: AcceptedEnvelope | None,
    at: datetime,
    *,
    without_log: bool = False,
) -> VerifiedEnvelope:
    """Walk TUF's client workflow over the bytes, then find the snapshot in the log.

    Args:
        bundle: the bytes.
        trusted_root: the reader's.
        previous: the floor against rollback.
        at: the present.
        without_log: take a list that is not logged yet; for its publisher, who is about to log it, and for nobody else.

    Raises:
        ListThresholdNotMet: not enough signatures, or not from two regions.
        ListExpired: a part is past its expiry (ListFrozen: the very timestamp that the reader already holds).
        ListRollback: a part is older than before.
        ListEquivocation: a version number comes back with other bytes.
        ListMixed: parts of different versions.
        ListRegionOverreach: the delegation of a region's section is not to that region alone.
        ListNotLogged, ListNotWitnessed, ListLogInconsistent: see `transparency`.
        ListMalformed: not metadata.
    """
    trusted = _translated(lambda: TrustedMetadataSet(trusted_root, EnvelopeType.METADATA), _ON_LOAD)
    trusted.reference_time = at
    root = _update_roots(trusted, trusted_root, bundle.roots)
    if previous is not None:
        _check_root_not_older(trusted, previous)
    _update_timestamp(trusted, bundle.timestamp, previous)
    _update_snapshot(trusted, bundle.snapshot, previous)
    _translated(lambda: trusted.update_targets(bundle.roles["targets"]), _ON_PART)
    _check_two_regions(trusted.root, Targets.type, bundle.roles["targets"])
    _check_delegations(trusted.targets)
    for region in Region:
        data = bundle.roles[region.value]
        _translated(lambda d=data, r=region: trusted.update_delegated_targets(d, r.value, Targets.type), _ON_PART)  # type: ignore[misc]  # loop variables bound at once
    hashes = _check_documents(trusted, bundle.documents)
    logged = _check_logged(trusted, bundle, previous, without_log=without_log)
    return VerifiedEnvelope(
        version=trusted.snapshot.version,
        fresh_until=trusted.timestamp.expires,
        next_update=min(trusted[name].expires for name in (Root.type, Snapshot.type, *ROLES)),
        documents=bundle.documents,
        hashes=hashes,
        accepted=AcceptedEnvelope(root, bundle.timestamp, bundle.snapshot, logged),
    )


def last_valid_moment(bundle: ListBundle, trusted_root: bytes, at: datetime) -> datetime:
    """Return `at`, or the last moment at which every part of the bundle was within its expiry, whichever is earlier.

    The expiries are read without verification: whoever uses the moment verifies the bundle at it.

    Raises:
        ListMalformed: not metadata.
    """
    parts = (
        bundle.roots[-1] if bundle.roots else trusted_root,
        bundle.timestamp,
        bundle.snapshot,
        *bundle.roles.values(),
    )
    expiries = [_translated(lambda d=part: Metadata.from_bytes(d).signed.expires, _ON_LOAD) for part in parts]  # type: ignore[misc]  # bound at once
    return min(at, min(expiries) - _EXPIRY_ROUNDING)


# --- root (cl. 5.3) ----------------------------------------------------------------------------------------------------


def _update_roots(trusted: TrustedMetadataSet, trusted_root: bytes, roots: tuple[bytes, ...]) -> bytes:
    """Walk the chain; each root is signed by two regions of the old one and two of its own."""
    _check_two_regions(trusted.root, Root.type, trusted_root)
    current = trusted_root
    for data in roots:
        before = trusted.root
        _translated(lambda d=data: trusted.update_root(d), _ON_LOAD)  # type: ignore[misc]  # loop variable bound at once
        _check_two_regions(before, Root.type, data)
        _check_two_regions(trusted.root, Root.type, data)
        current = data
    return current


def _check_root_not_older(trusted: TrustedMetadataSet, previous: AcceptedEnvelope) -> None:
    held = _translated(lambda: Metadata[Root].from_bytes(previous.root), _ON_LOAD).signed
    if trusted.root.version < held.version:
        raise ListRollback("the list comes with an older root than this reader has accepted")


def _check_two_regions(delegator: Root, role: str, data: bytes) -> None:
    """Count the regions behind the valid signatures of a joint role.

    One key counts for one region, and a key that two regions claim counts for none of them.
    """
    signed = _translated(lambda: _signers(delegator, role, data), _ON_LOAD)
    regions_of: dict[str, set[str]] = {}
    for key in signed.values():
        regions_of.setdefault(_public_value(key), set()).add(str(key.unrecognized_fields.get(REGION_FIELD)))
    regions = {next(iter(names)) for names in regions_of.values() if len(names) == 1}
    if len(regions & {region.value for region in Region}) < REQUIRED_REGIONS:
        raise ListThresholdNotMet(f"{role} is not signed by {REQUIRED_REGIONS} of the three regions")


def _signers(delegator: Root, role: str, data: bytes) -> dict[str, Key]:
    metadata: Metadata[Root] = Metadata.from_bytes(data)  # or Targets: what is signed does not matter here
    signatures: dict[str, Signature] = metadata.signatures
    return delegator.get_verification_result(role, metadata.signed_bytes, signatures).signed


def _public_value(key: Key) -> str:
    """Return the key itself: its keyid is only a label, and white space in PEM says nothing."""
    return "".join(str(key.keyval.get("public")).split())


# --- timestamp and snapshot (cl. 5.4, 5.5) -----------------------------------------------------------------------------


def _update_timestamp(trusted: TrustedMetadataSet, data: bytes, previous: AcceptedEnvelope | None) -> None:
    if previous is not None:
        # Loaded as the floor against rollback: expired is fine here, and so is a signature by a key that root has since replaced.
        with suppress(ExpiredMetadataError, UnsignedMetadataError):
            trusted.update_timestamp(previous.timestamp)
        if data == previous.timestamp and "timestamp" in trusted:
            if trusted.timestamp.is_expired(trusted.reference_time):
                raise ListFrozen("the source still serves the expired timestamp that this reader already holds")
            return
    _translated(lambda: trusted.update_timestamp(data), _ON_NEWER)


def _update_snapshot(trusted: TrustedMetadataSet, data: bytes, previous: AcceptedEnvelope | None) -> None:
    held: Snapshot | None = None
    if previous is not None:
        # `trusted`: its hash need not match the new timestamp. Its own version or expiry may be past; then it is only the floor.
        with suppress(ExpiredMetadataError, UnsignedMetadataError, BadVersionNumberError):
            trusted.update_snapshot(previous.snapshot, trusted=True)
        held = trusted.snapshot if Snapshot.type in trusted else None
    _translated(lambda: trusted.update_snapshot(data), _ON_NEWER)
    if held is not None:
        _check_no_equivocation(held, trusted.snapshot)


def _check_no_equivocation(held: Snapshot, new: Snapshot) -> None:
    """One version number stands for one content, for the snapshot as for each role that it names."""
    if new.version == held.version and new != held:
        raise ListEquivocation("a snapshot version that this reader knows comes back with other content")
    for name, meta in held.meta.items():
        other = new.meta.get(name)
        if other is not None and other.version == meta.version and other.hashes != meta.hashes:
            raise ListEquivocation(f"version {meta.version} of {name} comes back with other content")


# --- targets (cl. 5.6) -------------------------------------------------------------------------------------------------


def _check_delegations(targets: Targets) -> None:
    """Each region's section is delegated to keys of that region alone, for its own path alone, and to nobody else."""
    delegations = targets.delegations
    if (
        delegations is None
        or delegations.roles is None
        or set(delegations.roles) != {region.value for region in Region}
    ):
        raise ListRegionOverreach("the sections are not delegated to exactly the three regions")
    seen: set[str] = set()
    for region in Region:
        role = delegations.roles[region.value]
        if role.paths != [f"{region.value}/*"] or not role.terminating:
            raise ListRegionOverreach(f"the section of {region.value} is not delegated for its own path alone")
        for keyid in role.keyids:
            key = delegations.keys.get(keyid)
            if key is None or key.unrecognized_fields.get(REGION_FIELD) != region.value:
                raise ListRegionOverreach(f"a key of another region may sign the section of {region.value}")
            if _public_value(key) in seen:
                raise ListRegionOverreach("one key stands for two officers")
            seen.add(_public_value(key))


def _check_documents(trusted: TrustedMetadataSet, documents: Mapping[str, bytes]) -> dict[str, str]:
    """Each role names exactly its own documents, and their bytes have the named length and SHA-256; return these hashes."""
    for name in ROLES:
        role = trusted[name]
        assert isinstance(role, Targets)  # noqa: S101 - by construction of the set, for the type checker
        own = SCHEME_PATH if name == Targets.type else section_path(Region(name))
        if set(role.targets) != {own} or (name != Targets.type and role.delegations is not None):
            raise ListRegionOverreach(f"the role {name} names documents that are not its own")
    hashes: dict[str, str] = {}
    for path in TARGET_PATHS:
        role = trusted[role_of(path)]
        assert isinstance(role, Targets)  # noqa: S101 - as above
        target = role.targets[path]
        if "sha256" not in target.hashes:
            raise ListMalformed("a document is named without its SHA-256")
        hashes[path] = hashlib.sha256(documents[path]).hexdigest()  # once: these are megabytes
        if target.length != len(documents[path]) or not hmac.compare_digest(hashes[path], str(target.hashes["sha256"])):
            raise ListMixed("a part of the list is not the one that the others name")
    return hashes


# --- the log -----------------------------------------------------------------------------------------------------------


def log_keys_of(root: Root) -> LogKeys | None:
    """Return the log that a root names, None for one from before there was a log.

    Raises:
        ListMalformed: it names it in an unknown form.
    """
    value = root.unrecognized_fields.get(LOG_FIELD)
    return None if value is None else parse_log_keys(value)


def log_keys_of_bytes(root: bytes) -> LogKeys:
    """Return the log that accepted root metadata names.

    Raises:
        ListNotLogged: it names none.
    """
    keys = log_keys_of(_translated(lambda: Metadata[Root].from_bytes(root), _ON_LOAD).signed)
    if keys is None:
        raise ListNotLogged("the root of this list names no log")
    return keys


def _check_logged(
    trusted: TrustedMetadataSet, bundle: ListBundle, previous: AcceptedEnvelope | None, *, without_log: bool
) -> Logged | None:
    """The snapshot stands in the log that the root names, under witnesses' eyes, and that log was only appended to."""
    keys = log_keys_of(trusted.root)
    if without_log and (keys is None or not bundle.proof):
        return None
    if keys is None:
        raise ListNotLogged("the root of this list names no log: its operators add one with `trust-list log init`")
    logged = check_logged(keys, bundle.proof, trusted.snapshot.version, bundle.snapshot)
    if previous is not None and previous.logged is not None:
        check_continues(previous.logged.checkpoint, logged.checkpoint, bundle.tiles)
    return logged


# --- translation of errors ---------------------------------------------------------------------------------------------

_Table = tuple[tuple[type[Exception], type[TrustListError], str], ...]
_COMMON: _Table = (
    (ExpiredMetadataError, ListExpired, "a part of the list is past its expiry"),
    (UnsignedMetadataError, ListThresholdNotMet, "a part of the list is not signed by enough of its officers"),
    (DeserializationError, ListMalformed, "a part of the list is not metadata"),
    (LengthOrHashMismatchError, ListMixed, "a part of the list is not the one that the others name"),
)
_ON_LOAD: _Table = (*_COMMON, (BadVersionNumberError, ListMixed, "the roots do not follow each other"))
_ON_NEWER: _Table = (
    *_COMMON,
    (
        EqualVersionNumberError,
        ListEquivocation,
        "a timestamp version that this reader knows comes back with other content",
    ),
    (BadVersionNumberError, ListRollback, "the list is older than the one that this reader has accepted"),
    (RepositoryError, ListRollback, "a part that an earlier version had is missing"),
)
_ON_PART: _Table = (*_COMMON, (BadVersionNumberError, ListMixed, "a part of the list belongs to another version"))


def _translated(step: Callable[[], _T], table: _Table) -> _T:
    """Run one step of python-tuf; what it refuses becomes our error, and what it trips over is malformed."""
    try:
        return step()
    except Exception as error:
        for kind, ours, message in table:
            if isinstance(error, kind):
                raise ours(message) from error
        raise ListMalformed("a part of the list is not metadata of the expected form") from error

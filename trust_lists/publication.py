"""How a list is made: draft → diff → lint → stage → sign → assemble → our own gate.

Owns:    the draft, what of it needs whose signature, and putting a version together. Pure: bytes and values in, bytes and values out.
Leaves:  building metadata to `repository`, findings to `lint`, differences to `diff`, files to `store`, keys to `signers`.
Rules:   what did not change is not signed again. A changed document gets the next sequence number, its issue time and next update here,
         and nowhere else. A version that our own `acceptance` refuses is never handed out.
Spec:    ETSI TS 119 612 cl. 5.3.2, 5.3.14, 5.3.15; TUF specification cl. 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from securesystemslib.signer import Signer  # type: ignore[attr-defined]  # its public name
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp  # type: ignore[attr-defined]  # its public names

from trust_lists.acceptance import accept, accept_again
from trust_lists.bundle import ROLES, SCHEME_PATH, ListBundle, parse_snapshot_version, section_path
from trust_lists.config import PublicationPolicy
from trust_lists.document_writing import write_region_list
from trust_lists.errors import DraftRefused, KeyRefused
from trust_lists.list_log import ListLog, Notary
from trust_lists.model import RegionList, Scheme
from trust_lists.repository import (
    Roster,
    add_signature,
    build_root,
    build_section,
    build_snapshot,
    build_targets,
    build_timestamp,
    role_version,
    signed_by,
    write_unsigned,
)
from trust_lists.scheme_document import write_scheme
from trust_lists.snapshot import Snapshot as ListSnapshot
from trust_lists.vocabulary import Region


@dataclass(frozen=True, slots=True)
class Draft:
    """What shall be published next; sequence numbers and dates in it are those of the version that it was drawn from."""

    scheme: Scheme
    sections: Mapping[Region, RegionList]

    def with_section(self, section: RegionList) -> "Draft":
        """Return the draft with one section replaced."""
        return replace(self, sections=MappingProxyType({**self.sections, section.region: section}))


def draft_of(snapshot: ListSnapshot) -> Draft:
    """Return the draft that changes nothing."""
    return Draft(snapshot.scheme, snapshot.sections)


@dataclass(frozen=True, slots=True)
class Published:
    """The version that stands now: its bytes, the root under which it was accepted, and what it says."""

    bundle: ListBundle
    root: bytes
    snapshot: ListSnapshot


def reopen(bundle: ListBundle, first_root: bytes, at: datetime) -> Published:
    """Return the version that a publisher's own directory holds, also when its timestamp has run out since.

    Args:
        bundle: as read from the directory, with all roots after the first.
        first_root: the very first root.
        at: the present.

    Raises:
        TrustListRefused: the directory does not hold a version that was ever acceptable.
    """
    snapshot = accept_again(bundle, first_root, at, without_log=True)  # one from before the log is about to get one
    return Published(replace(bundle, roots=()), bundle.roots[-1] if bundle.roots else first_root, snapshot)


@dataclass(frozen=True, slots=True)
class Staged:
    """What has to be signed for the next version: metadata per role, and the new documents that it names."""

    metadata: Mapping[str, bytes]
    """Unsigned or partly signed, for `targets`, `hk`, `mo`, `gd` as far as they changed."""
    documents: Mapping[str, bytes]


def stage(draft: Draft, roster: Roster, published: Published | None, at: datetime, policy: PublicationPolicy) -> Staged:
    """Return what is to be signed so that the draft becomes the next version.

    Raises:
        DraftRefused: the clock stands before the issue of the version that it would follow.
    """
    metadata: dict[str, bytes] = {}
    documents: dict[str, bytes] = {}
    for role in ROLES:
        held = published.bundle.roles[role] if published else None
        version = role_version(held) + 1 if held else 1
        expires = at + policy.list_lifetime
        if role == Targets.type:
            path, document = SCHEME_PATH, _next_scheme(draft.scheme, published, at, policy)
            scheme = document or (published.bundle.documents[path] if published else b"")
            payload = build_targets(roster, scheme, version, expires)
            changed = document is not None or held is None or _delegations_differ(payload, held)
        else:
            region = Region(role)
            path, document = section_path(region), _next_section(draft.sections[region], published, at, policy)
            held_document = published.bundle.documents[path] if published else b""
            changed = document is not None or (held is not None and not _signed_enough(held, region, roster))
            payload = build_section(region, document or held_document, version, expires)
        if changed:
            metadata[role] = write_unsigned(payload)
        if document is not None:
            documents[path] = document
    return Staged(MappingProxyType(metadata), MappingProxyType(documents))


def _next_section(
    draft: RegionList, published: Published | None, at: datetime, policy: PublicationPolicy
) -> bytes | None:
    """Return the region's next document, None when it says what the current one says and that one still has half its life."""
    held = published.snapshot.sections[draft.region] if published else None
    if held is None:
        return write_region_list(replace(draft, sequence_number=1, issued=at, next_update=at + policy.list_lifetime))
    undated = replace(draft, sequence_number=held.sequence_number, issued=held.issued, next_update=held.next_update)
    if undated == held and held.next_update - at > policy.list_lifetime / 2:
        return None
    _check_later(held.issued, at)
    return write_region_list(
        replace(draft, sequence_number=held.sequence_number + 1, issued=at, next_update=at + policy.list_lifetime)
    )


def _next_scheme(draft: Scheme, published: Published | None, at: datetime, policy: PublicationPolicy) -> bytes | None:
    """Return the next scheme document, None when nothing changed and the current one still has half its life."""
    held = published.snapshot.scheme if published else None
    if held is None:
        return write_scheme(replace(draft, sequence_number=1, issued=at, next_update=at + policy.list_lifetime))
    undated = replace(draft, sequence_number=held.sequence_number, issued=held.issued, next_update=held.next_update)
    if undated == held and held.next_update - at > policy.list_lifetime / 2:
        return None
    _check_later(held.issued, at)
    return write_scheme(
        replace(draft, sequence_number=held.sequence_number + 1, issued=at, next_update=at + policy.list_lifetime)
    )


def _check_later(issued: datetime, at: datetime) -> None:
    if at <= issued:
        raise DraftRefused("the clock stands before the issue of the current version")


def _signed_enough(held: bytes, region: Region, roster: Roster) -> bool:
    """Tell whether officers who are still there signed the region's section; after a rotation it is signed anew, unchanged."""
    signers = signed_by(held) & roster.keys_of(region).keys()
    return len(signers) >= roster.section_thresholds.get(region, 1)


def _delegations_differ(payload: Targets, held: bytes) -> bool:
    return bool(Metadata[Targets].from_bytes(held).signed.delegations != payload.delegations)


def stage_root(roster: Roster, current: bytes | None, at: datetime, policy: PublicationPolicy) -> bytes:
    """Return unsigned root metadata for this roster: the first one, or the successor of `current`."""
    version = Metadata[Root].from_bytes(current).signed.version + 1 if current else 1
    return write_unsigned(build_root(roster, version, at + policy.root_lifetime))


def sign_role(staged: Staged, role: str, signer: Signer, allowed: frozenset[str]) -> Staged:
    """Return the staging with one more signature on a role.

    Args:
        staged: what is being signed.
        role: `targets`, `hk`, `mo` or `gd`.
        signer: the officer's key.
        allowed: key ids that may sign this role.

    Raises:
        DraftRefused: nothing is staged for that role.
        KeyRefused: the key is not one of the role's.
    """
    if role not in staged.metadata:
        raise DraftRefused(f"nothing waits for a signature in the role {role}")
    if signer.public_key.keyid not in allowed:
        raise KeyRefused(f"this key may not sign the role {role}")
    signed = add_signature(staged.metadata[role], signer)
    return replace(staged, metadata=MappingProxyType({**staged.metadata, role: signed}))


def assemble(
    staged: Staged,
    published: Published | None,
    trusted_root: bytes,
    online: Signer,
    at: datetime,
    policy: PublicationPolicy,
    *,
    log: Notary | None,
    new_roots: tuple[bytes, ...] = (),
) -> Published:
    """Put the next version together, sign it with the online key, and pass it through our own gate.

    Args:
        staged: signed by the officers.
        published: the version that it follows, None for the first.
        trusted_root: the root that readers trust now.
        online: signs snapshot and timestamp.
        at: the present.
        policy: lifetimes.
        log: takes the version into the transparency log and gives the proof; a root that names a log wants one.
        new_roots: successors of `trusted_root` that are published with this version.

    Raises:
        TrustListRefused: the gate refuses it, with the code that a reader would give.
    """
    bundle = replace(put_together(staged, published, online, at, policy, log=log), roots=new_roots)
    return _passed(bundle, published, trusted_root, at)


def put_together(
    staged: Staged,
    published: Published | None,
    online: Signer,
    at: datetime,
    policy: PublicationPolicy,
    *,
    log: Notary | None = None,
) -> ListBundle:
    """Return the next version's bytes, sealed by the online key, without asking our gate: use `assemble` to publish.

    Raises:
        TrustListRefused: the witnesses refuse.
        DraftRefused: a first version without the scheme or a section.
    """
    roles = {**(published.bundle.roles if published else {}), **staged.metadata}
    documents = {**(published.bundle.documents if published else {}), **staged.documents}
    if set(roles) != set(ROLES):
        raise DraftRefused("the first version needs the scheme and every region's section")
    sealed = seal(roles, next_version(published, log.log if log else None), online, at, policy)
    proof = log.prove(sealed.version, sealed.snapshot, at) if log else b""
    timestamp = _next_timestamp(sealed.snapshot, sealed.version, published, online, at, policy)
    tiles = log.log.tiles() if log else {}
    return ListBundle(
        (), timestamp, sealed.snapshot, MappingProxyType(roles), MappingProxyType(documents), proof, tiles
    )


@dataclass(frozen=True, slots=True)
class Sealed:
    """A snapshot that the online key has signed; what it names is settled, nobody has been told of it yet."""

    version: int
    snapshot: bytes


def seal(roles: Mapping[str, bytes], version: int, online: Signer, at: datetime, policy: PublicationPolicy) -> Sealed:
    """Sign the snapshot over these roles."""
    unsigned = write_unsigned(build_snapshot(roles, version, at + policy.snapshot_lifetime))
    return Sealed(version, add_signature(unsigned, online))


def next_version(published: Published | None, log: ListLog | None) -> int:
    """Return the version that comes next: above the published one, and above every one that the log has named.

    A publication that was cut off after it was logged has used its number: another content under it would be equivocation.
    """
    held = parse_snapshot_version(published.bundle.timestamp) if published else 0
    return max(held, log.last_version if log else 0) + 1


def complete(
    sealed: Sealed,
    log: ListLog,
    note: bytes,
    staged: Staged,
    published: Published | None,
    trusted_root: bytes,
    online: Signer,
    at: datetime,
    policy: PublicationPolicy,
    *,
    new_roots: tuple[bytes, ...] = (),
) -> Published:
    """Put a sealed version together that witnesses elsewhere have seen, and pass it through our own gate.

    Raises:
        TrustListRefused: the gate refuses it, with the code that a reader would give.
    """
    roles = {**(published.bundle.roles if published else {}), **staged.metadata}
    documents = {**(published.bundle.documents if published else {}), **staged.documents}
    timestamp = _next_timestamp(sealed.snapshot, sealed.version, published, online, at, policy)
    proof = log.proof_of(sealed.version, sealed.snapshot, note)
    bundle = ListBundle(new_roots, timestamp, sealed.snapshot, roles, documents, proof, log.tiles())
    return _passed(bundle, published, trusted_root, at)


def _passed(bundle: ListBundle, published: Published | None, trusted_root: bytes, at: datetime) -> Published:
    """Hand a version out only when our own gate accepts it."""
    snapshot = accept(bundle, trusted_root, published.snapshot if published else None, at)
    return Published(bundle, bundle.roots[-1] if bundle.roots else trusted_root, snapshot)


def _next_timestamp(
    snapshot: bytes,
    snapshot_version: int,
    published: Published | None,
    online: Signer,
    at: datetime,
    policy: PublicationPolicy,
) -> bytes:
    version = Metadata[Timestamp].from_bytes(published.bundle.timestamp).signed.version + 1 if published else 1
    unsigned = build_timestamp(snapshot, snapshot_version, version, at + policy.timestamp_lifetime)
    return add_signature(write_unsigned(unsigned), online)


def check_acceptable(
    staged: Staged,
    sealed: Sealed,
    published: Published | None,
    trusted_root: bytes,
    online: Signer,
    at: datetime,
    policy: PublicationPolicy,
    *,
    new_roots: tuple[bytes, ...] = (),
) -> None:
    """Return when our gate would take the sealed version once it is logged: nothing else may be logged.

    Raises:
        TrustListRefused: with the code that a reader would give.
    """
    roles = {**(published.bundle.roles if published else {}), **staged.metadata}
    documents = {**(published.bundle.documents if published else {}), **staged.documents}
    timestamp = _next_timestamp(sealed.snapshot, sealed.version, published, online, at, policy)
    bundle = ListBundle(new_roots, timestamp, sealed.snapshot, roles, documents)
    accept(bundle, trusted_root, published.snapshot if published else None, at, without_log=True)


def renewal_is_due(published: Published, at: datetime, policy: PublicationPolicy) -> bool:
    """Tell whether the snapshot nears its expiry: it is then sealed, logged and witnessed anew with the same content."""
    return Metadata[Snapshot].from_bytes(published.bundle.snapshot).signed.expires - at <= policy.snapshot_lifetime / 3


def refresh_timestamp(
    published: Published, online: Signer, at: datetime, policy: PublicationPolicy, *, log: Notary | None = None
) -> Published:
    """Vouch once more that there is nothing newer; with a log at hand the snapshot is renewed too when it nears its expiry.

    Raises:
        TrustListRefused: our gate refuses the result, for example because a section has expired meanwhile.
    """
    held = published.bundle
    if log is None or not renewal_is_due(published, at, policy):
        version = parse_snapshot_version(held.timestamp)
        timestamp = _next_timestamp(held.snapshot, version, published, online, at, policy)
        bundle = replace(held, roots=(), timestamp=timestamp)
    else:
        bundle = put_together(Staged({}, {}), published, online, at, policy, log=log)
    return _passed(bundle, published, published.root, at)


def allowed_signers(role: str, roster: Roster) -> frozenset[str]:
    """Return the key ids that may sign a role under this roster."""
    if role in (Root.type, Targets.type):
        return frozenset(officer.key.keyid for officer in roster.officers)
    return frozenset(roster.keys_of(Region(role)))


def roles_touched(staged: Staged) -> tuple[str, ...]:
    """Return the roles that wait for officers' signatures, joint one first."""
    return tuple(role for role in ROLES if role in staged.metadata)

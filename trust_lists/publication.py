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
from trust_lists.document import write_region_list
from trust_lists.errors import DraftRefused, KeyRefused
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
    snapshot = accept_again(bundle, first_root, at)
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
            changed = document is not None
            payload = build_section(region, document or b"", version, expires)
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
        new_roots: successors of `trusted_root` that are published with this version.

    Raises:
        TrustListRefused: the gate refuses it, with the code that a reader would give.
    """
    bundle = replace(put_together(staged, published, online, at, policy), roots=new_roots)
    snapshot = accept(bundle, trusted_root, published.snapshot if published else None, at)
    return Published(bundle, new_roots[-1] if new_roots else trusted_root, snapshot)


def put_together(
    staged: Staged, published: Published | None, online: Signer, at: datetime, policy: PublicationPolicy
) -> ListBundle:
    """Return the next version's bytes, sealed by the online key, without asking our gate: use `assemble` to publish.

    Raises:
        DraftRefused: a first version without the scheme or a section.
    """
    roles = {**(published.bundle.roles if published else {}), **staged.metadata}
    documents = {**(published.bundle.documents if published else {}), **staged.documents}
    if set(roles) != set(ROLES):
        raise DraftRefused("the first version needs the scheme and every region's section")
    version = parse_snapshot_version(published.bundle.timestamp) + 1 if published else 1
    snapshot = add_signature(write_unsigned(build_snapshot(roles, version, at + policy.snapshot_lifetime)), online)
    timestamp = _next_timestamp(snapshot, version, published, online, at, policy)
    return ListBundle((), timestamp, snapshot, MappingProxyType(roles), MappingProxyType(documents))


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


def refresh_timestamp(published: Published, online: Signer, at: datetime, policy: PublicationPolicy) -> Published:
    """Vouch once more that there is nothing newer; the snapshot is renewed too when it nears its expiry.

    Raises:
        TrustListRefused: our gate refuses the result, for example because a section has expired meanwhile.
    """
    held = published.bundle
    expires = Metadata[Snapshot].from_bytes(held.snapshot).signed.expires
    if expires - at > policy.snapshot_lifetime / 3:
        version = parse_snapshot_version(held.timestamp)
        timestamp = _next_timestamp(held.snapshot, version, published, online, at, policy)
        bundle = replace(held, roots=(), timestamp=timestamp)
    else:
        bundle = put_together(Staged({}, {}), published, online, at, policy)
    return Published(bundle, published.root, accept(bundle, published.root, published.snapshot, at))


def allowed_signers(role: str, roster: Roster) -> frozenset[str]:
    """Return the key ids that may sign a role under this roster."""
    if role in (Root.type, Targets.type):
        return frozenset(officer.key.keyid for officer in roster.officers)
    return frozenset(roster.keys_of(Region(role)))


def roles_touched(staged: Staged) -> tuple[str, ...]:
    """Return the roles that wait for officers' signatures, joint one first."""
    return tuple(role for role in ROLES if role in staged.metadata)

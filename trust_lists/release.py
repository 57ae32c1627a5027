"""From a signed draft to a public version, on a workspace: stage → signatures → seal → witnesses → publish.

Owns:    the order of these steps on disk, and what to do when one of them was cut off. Leaves the rules to `publication`, `list_log` and
         the gate, files to `workspace` and `store`, words for people to the commands.
Rules:   1 nothing is sealed that our own gate would refuse
         2 what is sealed is in the log, durably, before any witness is asked: its number is used
         3 nothing is public before witnesses of two regions have co-signed
         4 killed anywhere, the same command goes on where it was; readers see the old or the new version
         Every step on disk goes through `step`, so that a test can stop the process at each of them.
Spec:    TUF specification cl. 6; C2SP tlog-witness.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from securesystemslib.signer import Signer  # type: ignore[attr-defined]  # its public name
from tuf.api.metadata import Metadata, Root  # type: ignore[attr-defined]  # its public names

from trust_lists.checkpoint import parse_note, verify_note
from trust_lists.clock import utc_now
from trust_lists.config import PublicationPolicy
from trust_lists.errors import DraftRefused, KeyRefused, ListNotLogged, ListNotWitnessed
from trust_lists.list_log import add_line, open_checkpoint, witness
from trust_lists.publication import (
    Published,
    Sealed,
    Staged,
    allowed_signers,
    check_acceptable,
    complete,
    next_version,
    roles_touched,
    seal,
    sign_role,
    stage,
    stage_root,
)
from trust_lists.repository import Roster, add_signature, build_root, signed_by, snapshot_version
from trust_lists.store import Step, no_step, write_atomically
from trust_lists.transparency import REQUIRED_WITNESSES, LogKeys, log_entry
from trust_lists.workspace import StagedFiles, Workspace


@dataclass(frozen=True, slots=True)
class Desk:
    """What an officer looks at."""

    workspace: Workspace
    roster: Roster
    published: Published | None
    at: datetime
    policy: PublicationPolicy

    @property
    def log_keys(self) -> LogKeys:
        """The log and its witnesses.

        Raises:
            ListNotLogged: a workspace from before there was a log.
        """
        if self.roster.log is None:
            raise ListNotLogged("this list has no log yet: `trust-list log init` names one, then two regions sign")
        return self.roster.log


def open_desk(repo: Path) -> Desk:
    """Read a workspace, and verify what it has published."""
    workspace, at = Workspace(repo), utc_now()
    return Desk(workspace, workspace.roster(), workspace.published(at), at, PublicationPolicy())


# --- signatures of the officers ----------------------------------------------------------------------------------------


def stage_next(desk: Desk) -> StagedFiles:
    """Stage what differs from the published version.

    Raises:
        DraftRefused: nothing does.
    """
    roles = stage(desk.workspace.draft(), desk.roster, desk.published, desk.at, desk.policy)
    root: bytes | None = None
    if desk.published is None:
        root = stage_root(desk.roster, None, desk.at, desk.policy)
    elif root_differs(desk.roster, desk.published.root):
        root = stage_root(desk.roster, desk.published.root, desk.at, desk.policy)
    if root is None and not roles.metadata:
        raise DraftRefused("nothing differs from the published version")
    return StagedFiles(root, roles)


def root_differs(roster: Roster, current: bytes) -> bool:
    """Tell whether the roster wants another root than the current one."""
    held = Metadata[Root].from_bytes(current).signed
    wanted = build_root(roster, held.version, held.expires)
    return (wanted.keys, wanted.roles, wanted.unrecognized_fields) != (held.keys, held.roles, held.unrecognized_fields)


def sign_all(desk: Desk, staged: StagedFiles, signer: Signer) -> tuple[StagedFiles, list[str]]:
    """Put an officer's signature on everything that waits for it; a new root also wants those whom it replaces (TUF cl. 5.3.4).

    Raises:
        KeyRefused: nothing waits for this key.
    """
    keyid = signer.public_key.keyid
    signed: list[str] = []
    if staged.root is not None and keyid in allowed_signers("root", desk.roster) | _former_signers(desk):
        staged = replace(staged, root=add_signature(staged.root, signer))
        signed.append("root")
    for role in roles_touched(staged.roles):
        allowed = allowed_signers(role, desk.roster)
        if keyid in allowed:
            staged = replace(staged, roles=sign_role(staged.roles, role, signer, allowed))
            signed.append(role)
    if not signed:
        raise KeyRefused("nothing here waits for this key")
    return staged, signed


def _former_signers(desk: Desk) -> frozenset[str]:
    if desk.published is None:
        return frozenset()
    return frozenset(Metadata[Root].from_bytes(desk.published.root).signed.roles[Root.type].keyids)


def waiting_roles(staged: StagedFiles) -> list[str]:
    """Return the roles that wait for signatures."""
    return [*(["root"] if staged.root is not None else []), *roles_touched(staged.roles)]


def missing_signatures(desk: Desk, staged: StagedFiles) -> dict[str, str]:
    """Say in words who must still sign."""
    missing: dict[str, str] = {}
    for role in waiting_roles(staged):
        data = staged.root if role == "root" else staged.roles.metadata[role]
        ids = signed_by(data or b"")
        if role in ("root", "targets"):
            regions = {officer.region for officer in desk.roster.officers if officer.key.keyid in ids}
            if len(regions) < 2:
                missing[role] = f"{2 - len(regions)} more of the three regions"
        else:
            own = [officer for officer in desk.roster.officers if officer.region.value == role]
            wanted = desk.roster.section_thresholds.get(own[0].region, 1)
            short = wanted - len(ids & {officer.key.keyid for officer in own})
            if short > 0:
                missing[role] = f"{short} officer of {role}"
    return missing


# --- seal, witnesses, publication --------------------------------------------------------------------------------------


def seal_next(desk: Desk, staged: StagedFiles, online: Signer, log_signer: Signer, *, step: Step = no_step) -> Sealed:
    """Seal what the officers have signed and take it into the log; what was sealed before is taken up again.

    Raises:
        TrustListRefused: our gate would refuse it.
    """
    keys = desk.log_keys
    held = desk.workspace.sealed()
    if held is not None:
        return Sealed(snapshot_version(held), held)
    log, _ = desk.workspace.log()
    roles = {**(desk.published.bundle.roles if desk.published else {}), **staged.roles.metadata}
    sealed = seal(roles, next_version(desk.published, log), online, desk.at, desk.policy)
    root, new_roots = _roots(desk, staged)
    check_acceptable(
        staged.roles, sealed, desk.published, root, online, desk.at, desk.policy, new_roots=new_roots
    )  # rule 1
    grown = log.with_entry(log_entry(sealed.version, sealed.snapshot))
    desk.workspace.save_log(grown, open_checkpoint(grown, keys, log_signer), step=step)  # rule 2
    desk.workspace.save_sealed(sealed.snapshot, step=step)
    return sealed


def add_witness(desk: Desk, signer: Signer, seen_file: Path) -> list[str]:
    """Let a witness co-sign the log's newest checkpoint; return the regions that have.

    Args:
        desk: with a sealed version.
        signer: the witness's key.
        seen_file: where this witness keeps the checkpoint that it co-signed last.
    """
    log, note = desk.workspace.log()
    if not note:
        raise DraftRefused("nothing is logged yet: `trust-list publish` seals a version first")
    seen = seen_file.read_bytes() if seen_file.is_file() else None
    note = witness(log, desk.log_keys, note, seen, signer, desk.at)
    write_atomically(seen_file, note)  # first: a witness that forgets what it signed is worth nothing
    desk.workspace.save_log(log, note)
    return witnessed_by(desk.log_keys, note)


def add_cosignatures(desk: Desk, other: bytes) -> None:
    """Take over the co-signatures of a checkpoint that came back from a witness.

    Raises:
        ListNotWitnessed: it is another checkpoint.
    """
    log, note = desk.workspace.log()
    if not note or parse_note(other).text != parse_note(note).text:
        raise ListNotWitnessed("that is not the checkpoint which waits for witnesses")
    for line in other.decode().rpartition("\n\n")[2].split("\n")[:-1]:
        note = add_line(note, line)
    verify_note(parse_note(note), (desk.log_keys.log, *desk.log_keys.witnesses.values()))
    desk.workspace.save_log(log, note)


def witnessed_by(keys: LogKeys, note: bytes) -> list[str]:
    """Return the regions whose witnesses have co-signed."""
    signed = verify_note(parse_note(note), tuple(keys.witnesses.values()))
    return [region.value for region, key in keys.witnesses.items() if key in signed]


def publish_sealed(
    desk: Desk, staged: StagedFiles, sealed: Sealed, online: Signer, *, step: Step = no_step
) -> Published:
    """Make a sealed and witnessed version public.

    Raises:
        ListNotWitnessed: witnesses of two regions have not co-signed yet.
    """
    log, note = desk.workspace.log()
    regions = witnessed_by(desk.log_keys, note)
    if len(regions) < REQUIRED_WITNESSES:
        so_far = f" ({', '.join(regions)} has)" if regions else ""
        raise ListNotWitnessed(
            f"version {sealed.version} is sealed; {REQUIRED_WITNESSES} regions must witness it{so_far}"
        )
    root, new_roots = _roots(desk, staged)
    published = complete(
        sealed, log, note, staged.roles, desk.published, root, online, desk.at, desk.policy, new_roots=new_roots
    )
    desk.workspace.publish(published, step=step)
    return published


def _roots(desk: Desk, staged: StagedFiles) -> tuple[bytes, tuple[bytes, ...]]:
    """Return the root that readers trust, and its successor where one is published with this version."""
    if desk.published is None:
        if staged.root is None:
            raise DraftRefused("the first root is not signed")
        return staged.root, ()
    if (
        staged.root is None or staged.root == desk.published.root
    ):  # the latter: a publication that was cut off after its root
        return desk.published.root, ()
    return desk.published.root, (staged.root,)


NOTHING_STAGED = StagedFiles(None, Staged({}, {}))
"""For a renewal: the same content under a new snapshot."""

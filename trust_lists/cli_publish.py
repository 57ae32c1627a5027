"""`trust-list` commands on the way from draft to publication: diff, lint, sign, publish, refresh-timestamp.

Owns:    options and output of these commands, and the order lint → stage → sign. Leaves the rules to `publication` and `acceptance`.
Rules:   nothing is signed while lint has an error. What an officer signs is staged once; a later change of the draft drops the signatures.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]  # its public name
from tuf.api.metadata import Metadata, Root  # type: ignore[attr-defined]  # its public names

from trust_lists.cli_output import JsonOption, fail, finish, print_table, refusals
from trust_lists.cli_prepare import HERE, RepoOption, changes_json, print_changes
from trust_lists.clock import utc_now
from trust_lists.config import PublicationPolicy
from trust_lists.diff import diff as draft_diff
from trust_lists.errors import DraftRefused, KeyRefused
from trust_lists.key_password import password_for
from trust_lists.lint import Finding, errors_of
from trust_lists.lint import lint as lint_draft
from trust_lists.publication import (
    Published,
    allowed_signers,
    assemble,
    draft_of,
    refresh_timestamp,
    roles_touched,
    sign_role,
    stage,
    stage_root,
)
from trust_lists.repository import Roster, add_signature, build_root, signed_by
from trust_lists.signers import read_private_key
from trust_lists.store import write_bundle
from trust_lists.workspace import StagedFiles, Workspace

KeyOption = Annotated[Path, typer.Option("--key", help="Private key file (PEM).")]
POLICY = PublicationPolicy()


def register(app: typer.Typer) -> None:
    """Hang the commands into the application."""
    commands: dict[str, Callable[..., None]] = {
        "diff": diff,
        "lint": lint,
        "sign": sign,
        "publish": publish,
        "refresh-timestamp": refresh,
    }
    for name, command in commands.items():
        app.command(name)(command)


@dataclass(frozen=True, slots=True)
class _Desk:
    """What these commands look at."""

    workspace: Workspace
    roster: Roster
    published: Published | None
    at: datetime


def _open(repo: Path) -> _Desk:
    workspace, at = Workspace(repo), utc_now()
    return _Desk(workspace, workspace.roster(), workspace.published(at), at)


def diff(repo: RepoOption = HERE, as_json: JsonOption = False) -> None:
    """Show what the draft changes against the published version."""
    with refusals(as_json):
        desk = _open(repo)
        held = draft_of(desk.published.snapshot) if desk.published else None
        changes = draft_diff(held, desk.workspace.draft())
        finish(as_json, changes_json(changes), lambda: print_changes(changes), "`trust-list lint`")


def lint(repo: RepoOption = HERE, as_json: JsonOption = False) -> None:
    """Check the draft; exit 1 when something forbids signing."""
    with refusals(as_json):
        findings = _findings(_open(repo))
        value = {"findings": [{name: getattr(f, name) for name in f.__slots__} for f in findings]}
        rows = [(f.severity, f.code, f.subject, f.text) for f in findings]
        bad = bool(errors_of(findings))
        finish(
            as_json,
            value,
            lambda: print_table("findings", ("severity", "code", "subject", "finding"), rows),
            "mend the errors, then lint again"
            if bad
            else "`trust-list sign --key OFFICER.pem`, by each officer that is needed",
        )
        if bad:
            raise typer.Exit(1)


def _findings(desk: _Desk) -> tuple[Finding, ...]:
    held = draft_of(desk.published.snapshot) if desk.published else None
    return lint_draft(held, desk.workspace.draft(), desk.roster, desk.at)


def sign(key: KeyOption, repo: RepoOption = HERE, as_json: JsonOption = False) -> None:
    """Sign everything that waits for this officer."""
    with refusals(as_json):
        desk = _open(repo)
        errors = errors_of(_findings(desk))
        if errors:
            fail(
                "list_draft_refused",
                f"lint has {len(errors)} errors, first: {errors[0].subject}: {errors[0].text}",
                as_json,
            )
        staged = desk.workspace.staged() or _stage(desk)
        staged, roles = _sign_all(staged, desk.roster, _load(key))
        desk.workspace.save_staged(staged)
        missing = _missing(staged, desk.roster)
        value = {"signed": roles, "missing": missing}
        rows = [(role, "signed" if role in roles else "", missing.get(role, "complete")) for role in _waiting(staged)]
        next_step = "the officers named sign too" if missing else "`trust-list publish --key ONLINE.pem`"
        finish(as_json, value, lambda: print_table("signatures", ("role", "now", "still missing"), rows), next_step)


def _load(key: Path) -> CryptoSigner:
    try:
        pem = key.read_bytes()
    except OSError as error:
        raise KeyRefused("the key file cannot be read") from error
    return read_private_key(key, password_for(pem))


def _stage(desk: _Desk) -> StagedFiles:
    """Stage what differs from the published version; refuse when nothing does."""
    roles = stage(desk.workspace.draft(), desk.roster, desk.published, desk.at, POLICY)
    root: bytes | None = None
    if desk.published is None:
        root = stage_root(desk.roster, None, desk.at, POLICY)
    elif _root_differs(desk.roster, desk.published.root):
        root = stage_root(desk.roster, desk.published.root, desk.at, POLICY)
    if root is None and not roles.metadata:
        raise DraftRefused("nothing differs from the published version")
    return StagedFiles(root, roles)


def _root_differs(roster: Roster, current: bytes) -> bool:
    held = Metadata[Root].from_bytes(current).signed
    wanted = build_root(roster, held.version, held.expires)
    return bool((wanted.keys, wanted.roles) != (held.keys, held.roles))


def _sign_all(staged: StagedFiles, roster: Roster, signer: CryptoSigner) -> tuple[StagedFiles, list[str]]:
    keyid = signer.public_key.keyid
    signed: list[str] = []
    if staged.root is not None and keyid in allowed_signers("root", roster):
        staged = replace(staged, root=add_signature(staged.root, signer))
        signed.append("root")
    for role in roles_touched(staged.roles):
        allowed = allowed_signers(role, roster)
        if keyid in allowed:
            staged = replace(staged, roles=sign_role(staged.roles, role, signer, allowed))
            signed.append(role)
    if not signed:
        raise KeyRefused("nothing here waits for this key")
    return staged, signed


def _waiting(staged: StagedFiles) -> list[str]:
    return [*(["root"] if staged.root is not None else []), *roles_touched(staged.roles)]


def _missing(staged: StagedFiles, roster: Roster) -> dict[str, str]:
    """Say in words who must still sign."""
    missing: dict[str, str] = {}
    for role in _waiting(staged):
        data = staged.root if role == "root" else staged.roles.metadata[role]
        ids = signed_by(data or b"")
        if role in ("root", "targets"):
            regions = {officer.region for officer in roster.officers if officer.key.keyid in ids}
            if len(regions) < 2:
                missing[role] = f"{2 - len(regions)} more of the three regions"
        else:
            own = [officer for officer in roster.officers if officer.region.value == role]
            short = roster.section_thresholds.get(own[0].region, 1) - len(ids & {officer.key.keyid for officer in own})
            if short > 0:
                missing[role] = f"{short} officer of {role}"
    return missing


def publish(key: KeyOption, repo: RepoOption = HERE, as_json: JsonOption = False) -> None:
    """Seal the signed draft with the online key and publish it, if our own gate accepts it."""
    with refusals(as_json):
        desk = _open(repo)
        staged = desk.workspace.staged()
        if staged is None:
            raise DraftRefused("nothing is signed for this draft; run `trust-list sign`")
        published = _assemble(desk, staged, _load(key))
        desk.workspace.publish(published)
        _finish(published, as_json, "point readers to the `published` directory; cron: `trust-list refresh-timestamp`")


def _assemble(desk: _Desk, staged: StagedFiles, online: CryptoSigner) -> Published:
    if desk.published is None:
        if staged.root is None:
            raise DraftRefused("the first root is not signed")
        return assemble(staged.roles, None, staged.root, online, desk.at, POLICY)
    roots = (staged.root,) if staged.root is not None else ()
    return assemble(staged.roles, desk.published, desk.published.root, online, desk.at, POLICY, new_roots=roots)


def refresh(key: KeyOption, repo: RepoOption = HERE, as_json: JsonOption = False) -> None:
    """Vouch anew that there is nothing newer; to be run several times in a timestamp's life."""
    with refusals(as_json):
        desk = _open(repo)
        if desk.published is None:
            raise DraftRefused("nothing is published yet")
        published = refresh_timestamp(desk.published, _load(key), desk.at, POLICY)
        write_bundle(desk.workspace.published_directory, published.bundle)
        _finish(published, as_json, f"again before {published.snapshot.fresh_until}")


def _finish(published: Published, as_json: bool, next_step: str) -> None:
    snapshot = published.snapshot
    value = {
        "version": snapshot.version,
        "sha256": snapshot.sha256,
        "services": len(snapshot.services),
        "next_update": snapshot.next_update.isoformat(),
        "fresh_until": snapshot.fresh_until.isoformat(),
    }
    finish(as_json, value, lambda: print_table("published", ("what", "value"), list(value.items())), next_step)

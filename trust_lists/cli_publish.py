"""`trust-list` commands on the way from draft to publication: diff, lint, sign, publish, witness, refresh-timestamp.

Owns:    options and output of these commands. Leaves the order on disk to `release`, the rules to `publication` and `acceptance`.
Rules:   nothing is signed while lint has an error. What an officer signs is staged once; a later change of the draft drops the signatures.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from trust_lists.checkpoint import note_key
from trust_lists.cli_output import JsonOption, fail, finish, print_table, progress, refusals
from trust_lists.cli_prepare import HERE, RepoOption, changes_json, print_changes
from trust_lists.diff import diff as draft_diff
from trust_lists.errors import DraftRefused, KeyRefused, ListThresholdNotMet
from trust_lists.key_sources import KEY_HELP, load_signer
from trust_lists.lint import Finding, errors_of
from trust_lists.lint import lint as lint_draft
from trust_lists.publication import Published, draft_of, refresh_timestamp, renewal_is_due
from trust_lists.release import (
    NOTHING_STAGED,
    Desk,
    add_cosignatures,
    add_witness,
    missing_signatures,
    open_desk,
    publish_sealed,
    seal_next,
    sign_all,
    stage_next,
    waiting_roles,
)
from trust_lists.store import write_bundle

KeyOption = Annotated[str, typer.Option("--key", help=KEY_HELP)]


def register(app: typer.Typer) -> None:
    """Hang the commands into the application."""
    commands: dict[str, Callable[..., None]] = {
        "diff": diff,
        "lint": lint,
        "sign": sign,
        "publish": publish,
        "witness": witness,
        "refresh-timestamp": refresh,
    }
    for name, command in commands.items():
        app.command(name)(command)


def diff(repo: RepoOption = HERE, as_json: JsonOption = False) -> None:
    """Show what the draft changes against the published version."""
    with refusals(as_json):
        desk = open_desk(repo)
        held = draft_of(desk.published.snapshot) if desk.published else None
        changes = draft_diff(held, desk.workspace.draft())
        finish(as_json, changes_json(changes), lambda: print_changes(changes), "`trust-list lint`")


def lint(repo: RepoOption = HERE, as_json: JsonOption = False) -> None:
    """Check the draft; exit 1 when something forbids signing."""
    with refusals(as_json):
        findings = _findings(open_desk(repo))
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


def _findings(desk: Desk) -> tuple[Finding, ...]:
    held = draft_of(desk.published.snapshot) if desk.published else None
    return lint_draft(held, desk.workspace.draft(), desk.roster, desk.at)


def sign(key: KeyOption, repo: RepoOption = HERE, as_json: JsonOption = False) -> None:
    """Sign everything that waits for this officer."""
    with refusals(as_json):
        desk = open_desk(repo)
        errors = errors_of(_findings(desk))
        if errors:
            fail(
                "list_draft_refused",
                f"lint has {len(errors)} errors, first: {errors[0].subject}: {errors[0].text}",
                as_json,
            )
        staged, roles = sign_all(desk, desk.workspace.staged() or stage_next(desk), load_signer(key))
        desk.workspace.save_staged(staged)
        missing = missing_signatures(desk, staged)
        value = {"signed": roles, "missing": missing}
        waiting = waiting_roles(staged)
        rows = [(role, "signed" if role in roles else "", missing.get(role, "complete")) for role in waiting]
        next_step = "the officers named sign too" if missing else "`trust-list publish --key ONLINE.pem`"
        finish(as_json, value, lambda: print_table("signatures", ("role", "now", "still missing"), rows), next_step)


LogKeyOption = Annotated[
    str | None, typer.Option("--log-key", help="The log's key, where it is not the online key. " + KEY_HELP)
]


def publish(
    key: KeyOption,
    *,
    log_key: LogKeyOption = None,
    witness_key: Annotated[
        list[str] | None, typer.Option(help="A witness's key, where it is at hand; repeatable. " + KEY_HELP)
    ] = None,
    cosigned: Annotated[
        list[Path] | None, typer.Option(help="The checkpoint as a witness sent it back; repeatable.")
    ] = None,
    renew: Annotated[bool, typer.Option("--renew", help="Seal the same content anew before it runs out.")] = False,
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Seal the signed draft, log it, and publish it once two regions have witnessed the log."""
    with refusals(as_json), progress("publishing", as_json):
        desk = open_desk(repo)
        staged = desk.workspace.staged() or (NOTHING_STAGED if renew and desk.published else None)
        if staged is None:
            raise DraftRefused("nothing is signed for this draft; run `trust-list sign`")
        missing = missing_signatures(desk, staged)
        if missing:
            role, who = next(iter(missing.items()))
            raise ListThresholdNotMet(f"{role} still needs {who}: run `trust-list sign --key …` there")
        online = load_signer(key)
        log_signer = online if log_key is None else load_signer(log_key)
        if note_key(desk.log_keys.log.name, log_signer.public_key) != desk.log_keys.log:
            raise KeyRefused("this is not the log's key: name it with --log-key")
        sealed = seal_next(desk, staged, online, log_signer)
        for path in cosigned or ():
            add_cosignatures(desk, path.read_bytes())
        for source in witness_key or ():
            _witness(desk, source)
        published = publish_sealed(desk, staged, sealed, online)
    _finish(published, as_json, "point readers to the `published` directory; cron: `trust-list refresh-timestamp`")


def _witness(desk: Desk, source: str, seen: Path | None = None) -> list[str]:
    """Let a witness co-sign; what it has seen lies beside its key file, else in the workspace."""
    signer = load_signer(source)
    beside = Path(source + ".seen") if Path(source).is_file() else None
    folder = desk.workspace.directory / "witness"
    return add_witness(desk, signer, seen or beside or folder / f"{signer.public_key.keyid[:16]}.seen")


def witness(
    key: KeyOption,
    seen: Annotated[
        Path | None, typer.Option(help="Where this witness keeps what it co-signed last; beside its key by default.")
    ] = None,
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Co-sign the log's checkpoint for your region, when the log was only appended to since you last did."""
    with refusals(as_json):
        desk = open_desk(repo)
        regions = _witness(desk, key, seen)
        log, _ = desk.workspace.log()
        value = {"size": len(log.entries), "witnessed_by": regions}
        enough = len(regions) >= 2
        finish(
            as_json,
            value,
            lambda: print_table("checkpoint", ("what", "value"), [("size", len(log.entries)), ("witnessed by", ", ".join(regions))]),
            "`trust-list publish --key ONLINE.pem` makes it public; or send `log/checkpoint` back to whoever does"
            if enough
            else "one more region witnesses, then `trust-list publish --key ONLINE.pem`",
        )  # fmt: skip


def refresh(key: KeyOption, repo: RepoOption = HERE, as_json: JsonOption = False) -> None:
    """Vouch anew that there is nothing newer; to be run several times in a timestamp's life."""
    with refusals(as_json):
        desk = open_desk(repo)
        if desk.published is None:
            raise DraftRefused("nothing is published yet")
        published = refresh_timestamp(desk.published, load_signer(key), desk.at, desk.policy)
        write_bundle(desk.workspace.published_directory, published.bundle)
        next_step = f"again before {published.snapshot.fresh_until:%Y-%m-%d %H:%M UTC}"
        if renewal_is_due(published, desk.at, desk.policy):
            next_step = "the snapshot nears its end: `trust-list publish --renew`, with two witnesses; " + next_step
        _finish(published, as_json, next_step)


def _finish(published: Published, as_json: bool, next_step: str) -> None:
    snapshot = published.snapshot
    logged = snapshot.envelope.logged
    value: dict[str, object] = {
        "version": snapshot.version,
        "sha256": snapshot.sha256,
        "services": len(snapshot.services),
        "next_update": snapshot.next_update.isoformat(),
        "fresh_until": snapshot.fresh_until.isoformat(),
        "log_size": logged.checkpoint.size if logged else None,
        "witnesses": [region.value for region in logged.witnesses] if logged else [],
    }
    rows = [(name, ", ".join(cell) if isinstance(cell, list) else cell) for name, cell in value.items()]
    finish(as_json, value, lambda: print_table("published", ("what", "value"), rows), next_step)

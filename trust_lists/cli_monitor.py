"""`trust-list monitor` and `trust-list snapshot`: for cron, and for keeping a version to judge by later.

Owns:    options and output of these commands. Leaves the findings to `monitoring` and `supply_points`, copies to `kept_snapshots`.
Rules:   `monitor` exits 0 when nothing needs doing, 1 when something does, 3 when the list cannot be had at all.
"""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from trust_lists.cli_output import JsonOption, finish, print_table, progress, refusals
from trust_lists.cli_prepare import HERE, RepoOption
from trust_lists.cli_read import RootOption, SourceArgument, accept_from, pinned_root
from trust_lists.clock import utc_now
from trust_lists.kept_snapshots import keep_snapshot
from trust_lists.monitoring import Alert, alerts_of
from trust_lists.snapshot import Snapshot
from trust_lists.supply_points import unreachable


def register(app: typer.Typer) -> None:
    """Hang the commands into the application."""
    app.command("monitor")(monitor)
    app.command("snapshot")(snapshot)


def monitor(
    source: SourceArgument = None,
    *,
    days: Annotated[int, typer.Option(min=1, max=365, help="How far to look ahead.")] = 30,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the supply points.")] = False,
    root: RootOption = None,
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Say what runs out soon or does not answer; exit 1 when something needs doing."""
    with refusals(as_json), progress("asking the supply points", as_json or offline):
        at, accepted = utc_now(), accept_from(source, root, repo)
        alerts = alerts_of(accepted, at, timedelta(days=days))
        if not offline:
            alerts += asyncio.run(_silent_points(accepted))
    value = {
        "version": accepted.version,
        "sha256": accepted.sha256,
        "at": at.isoformat(),
        "alerts": [alert.to_json() for alert in alerts],
    }
    rows = [(a.severity, a.code, a.subject, f"{a.due:%Y-%m-%d %H:%M}" if a.due else "", a.text) for a in alerts]
    columns = ("severity", "code", "subject", "due (UTC)", "what to do")
    next_step = f"nothing until the next run: version {accepted.version} is in order"
    finish(
        as_json,
        value,
        lambda: print_table(f"trust list {accepted.version}", columns, rows or [("", "", "", "", "nothing to do")]),
        "do what the rows say, the most urgent first" if alerts else next_step,
    )
    if alerts:
        raise typer.Exit(1)


async def _silent_points(accepted: Snapshot) -> tuple[Alert, ...]:
    points = {p.uri: s.id for s in accepted.services if s.granted_at(accepted.accepted_at) for p in s.supply_points}
    silent = await unreachable(points)
    return tuple(
        Alert("unreachable", "supply_point_unreachable", points[uri], None, f"{uri} {reason}: tell its provider")
        for uri, reason in silent.items()
    )


def snapshot(
    source: SourceArgument = None,
    *,
    out: Annotated[
        Path | None, typer.Option(help="Keep the whole version in this new directory, with its root.")
    ] = None,
    root: RootOption = None,
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Name the version in use as reports cite it; with --out keep it, to judge by it again later."""
    with refusals(as_json):
        accepted = accept_from(source, root, repo)
        logged = accepted.envelope.logged
        value: dict[str, object] = {
            "version": accepted.version,
            "sha256": accepted.sha256,
            "issued": accepted.issued.isoformat(),
            "log_index": logged.index if logged else None,
            "log_size": logged.checkpoint.size if logged else None,
            "kept": str(out) if out else None,
        }
        if out is not None:
            keep_snapshot(source or (repo / "published"), pinned_root(root, repo) or b"", out)
        finish(
            as_json,
            value,
            lambda: print_table("snapshot", ("what", "value"), list(value.items())),
            f"`trust-list explain CERT --snapshot {out} --at TIME` judges by it"
            if out
            else "`trust-list snapshot --out DIR` keeps it, to judge by it later",
        )

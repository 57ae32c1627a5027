"""`trust-list` commands that read: show, history, verify, client, doctor.

Owns:    options and output of these commands. Leaves acceptance to the one gate, `explain` to `cli_explain`.
Rules:   whatever is shown of a list has passed the gate in this very run.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from trust_lists import sm2
from trust_lists.cli_output import JsonOption, finish, print_table, refusals
from trust_lists.cli_prepare import HERE, RepoOption
from trust_lists.client import TrustListClient
from trust_lists.clock import utc_now
from trust_lists.errors import DraftRefused, ListStorageFailed
from trust_lists.presentation import service_row
from trust_lists.snapshot import Snapshot
from trust_lists.workspace import Workspace

RootOption = Annotated[
    Path | None, typer.Option("--root", help="Pinned root metadata; the workspace's own by default.")
]
SourceArgument = Annotated[
    str | None, typer.Argument(help="URL or directory of a published list; the workspace's by default.")
]


def register(app: typer.Typer) -> None:
    """Hang the commands into the application."""
    commands: dict[str, Callable[..., None]] = {
        "show": show,
        "history": history,
        "verify": verify,
        "client": client,
        "doctor": doctor,
    }
    for name, command in commands.items():
        app.command(name)(command)


def pinned_root(root: Path | None, repo: Path, *, needed: bool = True) -> bytes | None:
    """Return the root that is pinned: the file named, else the workspace's own first one.

    Raises:
        DraftRefused: there is none, and one is needed.
    """
    trusted_root = _read(root) if root is not None else Workspace(repo).first_root()
    if trusted_root is None and needed:
        raise DraftRefused("name the pinned root with --root: there is no published list here")
    return trusted_root


def accept_from(source: str | None, root: Path | None, repo: Path, copy: Path | None = None) -> Snapshot:
    """Fetch and accept a list, from anywhere."""
    workspace = Workspace(repo)
    trusted_root = pinned_root(root, repo) or b""

    async def fetch() -> Snapshot:
        reader = TrustListClient(source or workspace.published_directory, copy, trusted_root, utc_now)
        try:
            return await reader.refresh()
        finally:
            await reader.aclose()

    return asyncio.run(fetch())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ListStorageFailed("the root file cannot be read") from error


def _summary(snapshot: Snapshot) -> dict[str, object]:
    return {
        "version": snapshot.version,
        "sha256": snapshot.sha256,
        "issued": snapshot.issued.isoformat(),
        "next_update": snapshot.next_update.isoformat(),
        "fresh_until": snapshot.fresh_until.isoformat(),
        "services": len(snapshot.services),
        "agreements": [
            {
                "id": agreement.id,
                "regions": [region.value for region in agreement.regions],
                "purposes": list(agreement.purposes),
                "status": agreement.periods[-1].status.value,
                "since": agreement.periods[-1].starting_time.isoformat(),
            }
            for agreement in snapshot.scheme.agreements
        ],
    }


def show(
    source: SourceArgument = None, root: RootOption = None, repo: RepoOption = HERE, as_json: JsonOption = False
) -> None:
    """Show the services and agreements of a published list."""
    with refusals(as_json):
        snapshot = accept_from(source, root, repo)
        value = {**_summary(snapshot), "services": [service_row(service) for service in snapshot.services]}
        rows = [
            (
                s.region.value,
                s.id,
                s.type.word,
                s.status.word,
                f"{s.periods[-1].starting_time:%Y-%m-%d %H:%M:%S}",
                s.name,
            )
            for s in snapshot.services
        ]
        agreements = [
            (a.id, "-".join(a.regions), ", ".join(a.purposes), a.periods[-1].status.value)
            for a in snapshot.scheme.agreements
        ]

        def print_all() -> None:
            title = f"trust list, version {snapshot.version}, sha256 {snapshot.sha256[:16]}…"
            print_table(title, ("region", "id", "type", "status", "since (UTC)", "name"), rows)
            print_table("agreements", ("id", "between", "purposes", "status"), agreements)

        finish(as_json, value, print_all, "`trust-list explain CERT` tells what a certificate is recognised for")


def history(
    service_id: Annotated[str, typer.Argument(metavar="ID")],
    root: RootOption = None,
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Show every status that a service has had."""
    with refusals(as_json):
        snapshot = accept_from(None, root, repo)
        service = snapshot.service(service_id)
        if service is None:
            raise DraftRefused(f"the list has no service {service_id}")
        rows = [(period.status.word, period.starting_time.isoformat()) for period in service.periods]
        finish(
            as_json,
            service_row(service),
            lambda: print_table(service.name, ("status", "from"), rows),
            f"`trust-list service set-status {service_id} …` adds to it; nothing is ever removed",
        )


def verify(
    source: SourceArgument = None, root: RootOption = None, repo: RepoOption = HERE, as_json: JsonOption = False
) -> None:
    """Pass a published list through the gate."""
    with refusals(as_json):
        value = _summary(accept_from(source, root, repo))
        rows = [
            (name, value[name]) for name in ("version", "sha256", "issued", "next_update", "fresh_until", "services")
        ]
        finish(as_json, value, lambda: print_table("accepted", ("what", "value"), rows), "`trust-list show`")


def client(
    source: Annotated[str, typer.Argument(help="URL or directory of a published list.")],
    directory: Annotated[Path, typer.Argument(help="Where the local copy lives.")],
    root: Annotated[Path, typer.Option("--root", help="Pinned root metadata.")],
    as_json: JsonOption = False,
) -> None:
    """Update a local copy; an older or bad list never replaces it."""
    with refusals(as_json):
        value = _summary(accept_from(source, root, HERE, directory))
        rows = [(name, value[name]) for name in ("version", "sha256", "fresh_until", "services")]
        finish(
            as_json,
            value,
            lambda: print_table("local copy", ("what", "value"), rows),
            "run it again before `fresh_until`",
        )


def doctor(repo: RepoOption = HERE, as_json: JsonOption = False) -> None:
    """Say what this machine can do, and how the published list of the workspace stands."""
    with refusals(as_json):
        value: dict[str, object] = {"sm2": sm2.backend(), "workspace": Workspace(repo).exists()}
        if Workspace(repo).first_root() is not None:
            published = Workspace(repo).published(utc_now())
            if published is not None:
                left: datetime = published.snapshot.fresh_until
                value |= {
                    "version": published.snapshot.version,
                    "fresh_until": left.isoformat(),
                    "fresh": left > utc_now(),
                }
        rows = list(value.items())
        finish(as_json, value, lambda: print_table("doctor", ("what", "value"), rows), "`trust-list verify`")

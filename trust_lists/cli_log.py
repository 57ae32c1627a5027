"""`trust-list` commands about the transparency log: log init, log show, log check, evidence.

Owns:    options and output of these commands. Leaves the log to `list_log`, evidence to `equivocation`.
Rules:   `evidence` prints what anybody can check with the pinned root alone; it exits 1 when it has found some, as an alarm would.
"""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from trust_lists.bundle import FileRequest
from trust_lists.checkpoint import MAX_NOTE_BYTES, parse_checkpoint, parse_note
from trust_lists.cli_output import JsonOption, err, finish, print_json, print_table, refusals
from trust_lists.cli_prepare import HERE, RepoOption, read_log_keys
from trust_lists.cli_read import RootOption, SourceArgument, accept_from, pinned_root
from trust_lists.config import ReaderPolicy
from trust_lists.envelope import log_keys_of_bytes
from trust_lists.equivocation import Evidence, compare, parse_evidence, verify_evidence
from trust_lists.errors import DraftRefused, ListLogInconsistent, ListMalformed, ListStorageFailed
from trust_lists.fetchers import Fetcher, fetcher_for
from trust_lists.list_log import ListLog, check_one_content_per_version
from trust_lists.log_tiles import CHECKPOINT_NAME, MAX_ENTRIES_BYTES, entry_tile_names, parse_entry_tile
from trust_lists.snapshot import Snapshot
from trust_lists.transparency import parse_log_entry, parse_proof, proof_name, verify_checkpoint
from trust_lists.workspace import Workspace

_log = typer.Typer(help="The transparency log and its witnesses.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Hang the commands into the application."""
    app.add_typer(_log, name="log")
    app.command("evidence")(evidence)


@_log.command("init")
def log_init(
    log: Annotated[Path, typer.Option(help="Public key (Ed25519) of the log.")],
    witness: Annotated[list[str], typer.Option(help="REGION=PUBLIC.pem, for two regions at least.")],
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Give a list from before there was a log its log; two regions sign the root that names it."""
    with refusals(as_json):
        workspace = Workspace(repo)
        roster = workspace.roster()
        if roster.log is not None:
            raise DraftRefused("there is a log already; `trust-list rotate-key log` replaces its key")
        roster = replace(roster, log=read_log_keys(log, witness))
        workspace.save_roster(roster, workspace.roster_pems())
        value = roster.log.to_json() if roster.log else {}
        rows = [("log", value["log"]), ("witnesses", ", ".join(roster.log.witnesses if roster.log else ()))]
        finish(
            as_json,
            value,
            lambda: print_table("log", ("what", "value"), rows),
            "`trust-list sign` by two regions, then `trust-list publish`: readers demand the log from that root on",
        )


@_log.command("show")
def log_show(repo: RepoOption = HERE, as_json: JsonOption = False) -> None:
    """Show every list that was ever logged."""
    with refusals(as_json):
        log, note = Workspace(repo).log()
        rows = [(index, *parse_log_entry(entry)) for index, entry in enumerate(log.entries)]
        value = {
            "checkpoint": note.decode(),
            "entries": [{"index": index, "version": version, "sha256": sha256} for index, version, sha256 in rows],
        }
        finish(
            as_json, value, lambda: print_table("log", ("index", "version", "sha256"), rows), "`trust-list log check`"
        )


@_log.command("check")
def log_check(
    source: SourceArgument = None, root: RootOption = None, repo: RepoOption = HERE, as_json: JsonOption = False
) -> None:
    """Read the whole log of a source, recompute its tree, and look for two lists of one version."""
    with refusals(as_json):
        snapshot = accept_from(source, root, repo)
        where = source or str(Workspace(repo).published_directory)
        log, note = asyncio.run(_whole_log(fetcher_for(where, ReaderPolicy())))
        keys = log_keys_of_bytes(snapshot.envelope.root)
        checkpoint, regions = verify_checkpoint(keys, note)
        if log.checkpoint(checkpoint.origin) != checkpoint:
            raise ListLogInconsistent("the entries of the log are not those under its checkpoint")
        check_one_content_per_version(log)
        value = {
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "root_hash": checkpoint.root_hash.hex(),
            "witnesses": [region.value for region in regions],
        }
        rows = [(name, ", ".join(cell) if isinstance(cell, list) else cell) for name, cell in value.items()]
        finish(
            as_json,
            value,
            lambda: print_table("log", ("what", "value"), rows),
            "`trust-list evidence OTHER-COPY` compares",
        )


async def _whole_log(fetcher: Fetcher) -> tuple[ListLog, bytes]:
    try:
        note = await fetcher.fetch(FileRequest(CHECKPOINT_NAME, MAX_NOTE_BYTES))
        if note is None:
            raise ListMalformed("the source has no log")
        entries: list[bytes] = []
        for name, width in entry_tile_names(parse_checkpoint(parse_note(note).text).size):
            tile = await fetcher.fetch(FileRequest(name, MAX_ENTRIES_BYTES))
            entries += parse_entry_tile(tile or b"", width)
        return ListLog(tuple(entries)), note
    finally:
        await fetcher.aclose()


def evidence(
    one: Annotated[str, typer.Argument(help="A file with evidence; or the URL or directory of one copy of the list.")],
    other: Annotated[
        str | None, typer.Argument(help="Another copy, as somebody else was shown it; the workspace's by default.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write what was found to this file.")] = None,
    root: RootOption = None,
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Print evidence that two readers were shown different lists or logs; exit 1 when there is some."""
    with refusals(as_json):
        found = _read_evidence(one) if Path(one).is_file() else _search(one, other, root, repo)
        if found is None:
            value: dict[str, object] = {"evidence": None}
            rows = [("both copies", "say the same")]
            finish(as_json, value, lambda: print_table("evidence", ("what", "finding"), rows), "nothing: they agree")
            return
        finding = verify_evidence(found)
        pinned = pinned_root(root, repo, needed=False)
        same_root = pinned is None or pinned == found.root
        if out is not None:
            out.write_bytes(found.to_bytes())
        value = {"evidence": finding.kind, "statement": finding.statement, "root_is_pinned_one": same_root}
        if as_json:
            print_json({**value, "proof": found.to_bytes().decode()})
        else:
            print_table("evidence", ("what", "finding"), [(finding.kind, finding.statement)])
            typer.echo(found.to_bytes().decode())
        err.print(
            "next: show it to the two other regions; rotate the online and log keys (`trust-list rotate-key`)",
            markup=False,
        )
        raise typer.Exit(1)


def _read_evidence(path: str) -> Evidence:
    try:
        return parse_evidence(Path(path).read_bytes())
    except OSError as error:
        raise ListStorageFailed("the evidence cannot be read") from error


def _search(one: str, other: str | None, root: Path | None, repo: Path) -> Evidence | None:
    first, second = accept_from(one, root, repo), accept_from(other, root, repo)
    sources = (one, other or str(Workspace(repo).published_directory))
    logs = [
        asyncio.run(_log_of(fetcher_for(source, ReaderPolicy()), snapshot))
        for source, snapshot in zip(sources, (first, second), strict=True)
    ]
    newest = max((first, second), key=lambda snapshot: snapshot.version)
    return compare(
        newest.envelope.root,
        (first.version, first.envelope.snapshot),
        (second.version, second.envelope.snapshot),
        logs if all(note for note, _ in logs) else (),
    )


async def _log_of(fetcher: Fetcher, snapshot: Snapshot) -> tuple[bytes, list[bytes]]:
    """Return the checkpoint under which a source's list stands, and the leaves of its whole log where the source has it."""
    try:
        log, note = await _whole_log(fetcher)
    except ListMalformed:  # a reader's copy holds the proof alone
        proof = await fetcher.fetch(FileRequest(proof_name(snapshot.version), MAX_NOTE_BYTES))
        return (parse_proof(proof).note if proof else b""), []
    return note, log.leaves

"""How `trust-list` speaks: tables for people, one JSON object for programs, and the exit codes.

Owns:    printing and exit codes. Leaves what is said to the commands.
Rules:   exit 0 done, 1 refused, 2 usage, 3 unavailable. With `--json` standard output carries exactly one JSON object, also for a refusal:
         `{"error": {"code", "detail"}}`. Every command ends by saying what to do next, on standard error.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from trust_lists.errors import TrustListError, TrustListUnavailable

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


_DISTRUST = "do not use this copy; `trust-list evidence ONE OTHER` compares two copies and prints what it finds"
_RENEW = "its publisher runs `trust-list refresh-timestamp`, or signs and publishes again; a reader asks another mirror"
_AFTER = {
    "list_not_witnessed": "`trust-list witness --key WITNESS.pem` by two regions, then `trust-list publish` again",
    "list_threshold_not_met": "whoever is missing signs (`trust-list sign --key OFFICER.pem`); a list from outside: do not use it",
    "list_not_logged": "its operators run `trust-list log init`, sign and publish; a reader asks another mirror",
    "list_equivocation": _DISTRUST,
    "list_log_inconsistent": _DISTRUST,
    "list_rollback": _DISTRUST,
    "list_mixed": _DISTRUST,
    "list_expired": _RENEW,
    "list_frozen": _RENEW,
    "list_clock": "see whether the clock of this machine is right",
    "key_refused": "check the key file and its password or PIN (GBA_TRUST_KEY_PASSWORD, or the prompt)",
    "trust_list_unavailable": "check the address, and try again later",
    "list_storage_failed": "check the path, its rights, and the space on the disk",
}


@contextmanager
def refusals(as_json: bool) -> Iterator[None]:
    """Turn domain errors into exit codes: 1 refused, 3 unavailable."""
    try:
        yield
    except TrustListError as error:
        fail(error.code, str(error), as_json, exit_code=3 if isinstance(error, TrustListUnavailable) else 1)


def fail(code: str, detail: str, as_json: bool, *, exit_code: int = 1) -> NoReturn:
    """Print a refusal and leave."""
    if as_json:
        print_json({"error": {"code": code, "detail": detail}})
    else:
        err.print(f"[bold]refused[/bold] {code}: ", detail, sep="", markup=True)
        err.print(
            f"next: {_AFTER.get(code, 'mend what is said above and run the command again')}",
            markup=False,
            soft_wrap=True,
        )
    raise typer.Exit(exit_code)


def print_json(value: object) -> None:
    """Print one JSON object on standard output, without Rich's line breaks."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=1))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; cells are text, never markup."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_plain(cell) for cell in row))
    out.print(table)


@contextmanager
def progress(what: str, as_json: bool) -> Iterator[None]:
    """Show that something is going on, where a person looks at it; nothing is written when piped or with `--json`."""
    if as_json or not err.is_terminal:
        yield
        return
    with err.status(f"{what} …"):
        yield


def _plain(cell: object) -> str:
    return str(cell).replace("[", r"\[")


def finish(as_json: bool, value: object, show: Callable[[], None], next_step: str) -> None:
    """Print a result in the wanted form, then what to do next."""
    if as_json:
        print_json(value)
    else:
        show()
    err.print(f"next: {next_step}", markup=False, soft_wrap=True)

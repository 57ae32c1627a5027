"""What the commands of this package print.

Owns:    reports as text, errors as one line with the code. Leaves JSON's shape to `report`.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from signing.errors import SigningError, SigningUnavailable
from trust_lists.errors import TrustListError, TrustListUnavailable

_out = Console(highlight=False, soft_wrap=True)


@contextmanager
def refusals(as_json: bool) -> Iterator[None]:
    """Turn domain errors into one line and an exit code: 1 refused, 3 unavailable."""
    try:
        yield
    except (SigningError, TrustListError) as error:
        if as_json:
            typer.echo(json.dumps({"error": {"code": error.code, "detail": str(error)}}))
        typer.echo(f"error: {error.code}: {error}", err=True)
        unavailable = isinstance(error, SigningUnavailable | TrustListUnavailable)
        raise typer.Exit(3 if unavailable else 1) from None


def print_report(path: Path, report: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one file's report."""
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
        return
    _out.print(Text(f"{path}: {report['indication']} (integrity: {report['integrity_verdict']})", style="bold"))
    _out.print(Text(f"  {report['sentence']}"))
    for signature in report["signatures"]:
        level = signature["level"] or "no baseline level"
        code = f" / {signature['sub_indication']}" if signature["sub_indication"] else ""
        _out.print(Text(f"  {signature['field'] or '(no field)'}: {signature['indication']}{code}, {level}"))
        if signature["standing"]:
            _out.print(_standing(signature["standing"]))
    for missing in report["missing_evidence"]:
        _out.print(Text(f"  missing: {missing}"))


def _standing(rows: list[Mapping[str, Any]]) -> Table:
    table = Table(show_edge=False, pad_edge=True)
    for title in ("region", "purpose", "effect", "reason"):
        table.add_column(title)
    for row in rows:
        table.add_row(*(Text(str(row[name])) for name in ("region", "purpose", "effect", "reason")))
    return table

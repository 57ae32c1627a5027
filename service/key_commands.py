"""`gba-trust keys …`: list, rotate, retire. All of them work beside a running service, which sees a change within a second.

Owns:    their options and what they print. Leaves the work to `key_ring`.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from service.data_folder import open_key_ring
from service.errors import SettingsRefused
from service.key_ring import SECRET, SIGNING, Group, KeyRing, Purpose, Step
from service.key_ring_file import instant_text
from service.settings import load_settings
from trust_lists.clock import utc_now

keys_app = typer.Typer(no_args_is_help=True, help="List, rotate and retire the service's keys.")

ConfigOption = Annotated[Path | None, typer.Option("--config", help="TOML file with GBA_TRUST_* names.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_TOLD = {
    "publish": "is published, and does not sign yet",
    "promote": "is current",
    "delete": "is deleted: nothing that it signed is alive",
}


@keys_app.command("list")
def list_keys(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show every key: purpose, algorithm, state, age. No private material."""
    ring = open_key_ring(load_settings(config))
    names = ("kid", "purpose", "algorithm", "state", "created", "activated", "retired")
    if as_json:
        rows = [{name: getattr(key, name) for name in names} for key in ring.keys]
        typer.echo(json.dumps({"keys": rows, "next_due": _next_due(ring)}))
        return
    table = Table("Key", "Purpose", "Algorithm", "State", "Since")
    for key in ring.keys:
        table.add_row(key.kid, key.purpose, key.algorithm, key.state, key.retired or key.activated or key.created)
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    typer.echo(f"Next step of `gba-trust keys rotate --due`: {_next_due(ring) or 'none'}.")


@keys_app.command("rotate")
def rotate_keys(
    config: ConfigOption = None,
    purpose: Annotated[
        str | None, typer.Option(help=f"{', '.join(SIGNING)}; or column. Default: all but column.")
    ] = None,
    algorithm: Annotated[str | None, typer.Option(help="Only this algorithm of the purpose: ES256, RS256, …")] = None,
    due: Annotated[bool, typer.Option("--due", help="Take the steps whose time has come, and no other.")] = False,
    now: Annotated[bool, typer.Option("--now", help="Let a key sign that readers may not have fetched yet.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take one step of a rotation: publish the next keys, or, called again after the lead time, let them sign.

    With --due (fit for a daily timer, and for calling again) every step is taken whose time has come: a key that is older than its period
    is succeeded, a published one promoted after its lead, a retired one deleted after its overlap.
    """
    settings = load_settings(config)
    if due and (purpose is not None or algorithm is not None or now):
        raise SettingsRefused("--due goes alone: it looks at every key, and takes no step before its time")
    ring = open_key_ring(settings)
    steps = (
        ring.rotate_due(at=utc_now())
        if due
        else ring.rotate(_groups(ring, purpose, algorithm), at=utc_now(), hasten=now)
    )
    _tell(ring, steps, as_json=as_json)


@keys_app.command("retire", context_settings={"ignore_unknown_options": True})  # a kid may begin with a hyphen
def retire_key(kid: str, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Delete a retired signing key whose overlap has passed."""
    open_key_ring(load_settings(config)).retire(kid, at=utc_now())
    typer.echo(json.dumps({"kid": kid, "action": "delete"}) if as_json else f"key {kid} is gone.")


def _groups(ring: KeyRing, purpose: str | None, algorithm: str | None) -> list[Group]:
    known: dict[str, Purpose] = {name: name for name in (*SIGNING, *SECRET)}
    if purpose is not None and purpose not in known:
        raise SettingsRefused(f"purposes are {', '.join(known)}")
    chosen: list[Purpose] = [*SIGNING] if purpose is None else [known[purpose]]
    groups = [group for name in chosen for group in ring.groups(name) if algorithm in (None, group[1])]
    if not groups:
        raise SettingsRefused(f"no key signs by {algorithm}")
    return groups


def _tell(ring: KeyRing, steps: list[Step], *, as_json: bool) -> None:
    due = _next_due(ring)
    if as_json:
        members = [
            {"action": step.action, "purpose": step.purpose, "algorithm": step.algorithm, "kid": step.kid}
            for step in steps
        ]
        typer.echo(json.dumps({"steps": members, "next_due": due}))
        return
    for step in steps:
        typer.echo(f"{step.purpose} key {step.kid} ({step.algorithm}) {_TOLD[step.action]}.")
    if not steps:
        typer.echo("nothing is due.")
    typer.echo(f"Next step of `gba-trust keys rotate --due`: {due or 'none'}.")


def _next_due(ring: KeyRing) -> str | None:
    due = ring.next_due()
    return None if due is None else instant_text(due)

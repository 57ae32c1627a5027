"""The service's own commands: serve, audit, db, doctor; `keys` comes from `key_commands`.

Owns:    their options and what they print. Leaves the work to `app`, `audit_store`, `data_folder`.
"""

import json
import os
import signal
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from migrations import HEAD
from service.audit_store import read_audit_file, stored_entries, verify_stored
from service.data_folder import check_databases, open_key_ring, upgrade_databases
from service.errors import SettingsRefused
from service.instance_lock import InstanceLock
from service.key_commands import keys_app
from service.settings import Mode, load_settings

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
audit_app = typer.Typer(no_args_is_help=True, help="Verify or export the audit log.")
db_app = typer.Typer(no_args_is_help=True, help="Upgrade or check the database schema.")
app.add_typer(keys_app, name="keys")
app.add_typer(audit_app, name="audit")
app.add_typer(db_app, name="db")

ConfigOption = Annotated[Path | None, typer.Option("--config", help="TOML file with GBA_TRUST_* names.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PARTS = ("idp", "signing", "liveness", "trust-lists")


@app.command()
def serve(
    config: ConfigOption = None,
    parts: Annotated[str, typer.Option(help="Which parts this process serves.")] = ",".join(PARTS),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Public port.")] = 8000,
    management_port: Annotated[int | None, typer.Option(help="Operators' port; default: public port + 1.")] = None,
    management_host: Annotated[
        str, typer.Option(help="Operators' address; keep it away from the public.")
    ] = "127.0.0.1",
    workers: Annotated[int, typer.Option(help="Processes. SQLite allows one.")] = 1,
    exit_with_parent: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Run the service. Production mode is the default: see GBA_TRUST_MODE."""
    settings = load_settings(config)
    chosen = frozenset(part.strip() for part in parts.split(","))
    if not chosen <= set(PARTS):
        raise SettingsRefused(f"--parts knows {', '.join(PARTS)}")
    if workers != 1:
        raise SettingsRefused("--workers must be 1 with SQLite: one writer per data folder")
    if exit_with_parent:
        end_with_parent()
    from service.app import create_app  # noqa: PLC0415 - slow import, after the settings are known to be good
    from service.server import listen  # noqa: PLC0415 - as above
    from service.server import serve as serve_forever  # noqa: PLC0415 - as above

    with InstanceLock(settings.data):
        public_socket = listen(host, port)
        management_socket = listen(management_host, port + 1 if management_port is None else management_port)
        check_databases(settings)
        public, management = create_app(settings, chosen)
        serve_forever(public, public_socket, management, management_socket)


@audit_app.command("verify")
def verify_audit(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Verify the hash chain and every signed checkpoint; works beside a running service."""
    settings = load_settings(config)
    keys = open_key_ring(settings).jwt_keys("audit").published()
    check_databases(settings)
    verified = read_audit_file(settings.audit_path, lambda connection: verify_stored(connection, keys))
    if as_json:
        head = {
            "ok": True,
            "entries": verified.head.seq,
            "head": verified.head.hash,
            "checkpoints": verified.checkpoints,
        }
        typer.echo(json.dumps(head))
        return
    typer.echo(f"{verified.head.seq} entries form one chain; {verified.checkpoints} signed checkpoints hold it.")
    typer.echo(f"head {verified.head.hash}")


@audit_app.command("export")
def export_audit(
    config: ConfigOption = None, after: Annotated[int, typer.Option(help="Sequence number to start after.")] = 0
) -> None:
    """Print entries as JSON lines, oldest first."""
    settings = load_settings(config)
    check_databases(settings)

    def show(connection: sqlite3.Connection) -> None:
        for entry in stored_entries(connection, after=after):
            typer.echo(json.dumps(entry.as_json(), ensure_ascii=False))

    read_audit_file(settings.audit_path, show)


@db_app.command("upgrade")
def upgrade_database(config: ConfigOption = None) -> None:
    """Bring the schema to this program's version, forward only; move an older version's audit log to its own file."""
    settings = load_settings(config)
    with InstanceLock(settings.data):
        moved = upgrade_databases(settings)
    typer.echo(f"schema {HEAD}")
    if moved:
        typer.echo(f"the audit log's {moved} entries now lie in {settings.audit_path.name}, compared row by row.")


@db_app.command("check")
def check_database(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say whether the schema is this program's; exit 1 if it is not."""
    settings = load_settings(config)
    check_databases(settings)
    typer.echo(json.dumps({"schema": HEAD}) if as_json else f"schema {HEAD}: up to date")


@app.command()
def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say what this installation has and lacks."""
    from service.diagnosis import diagnose  # noqa: PLC0415 - loads every part

    findings = diagnose(load_settings(config, default_mode=Mode.DEMO))
    if as_json:
        typer.echo(json.dumps({finding.subject: {"ok": finding.ok, "detail": finding.detail} for finding in findings}))
    else:
        table = Table("What", "State", "Detail")
        for finding in findings:
            table.add_row(finding.subject, "ok" if finding.ok else "missing", finding.detail)
        Console().print(table)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def end_with_parent() -> None:
    """End this process by SIGTERM when its standard input closes: whoever started it is gone."""

    def watch() -> None:
        while sys.stdin.buffer.read(1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()

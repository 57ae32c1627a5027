"""The sandbox's commands: `demo`, `errand`, `sandbox`. Found by `gba-trust` through its entry-point group."""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.table import Table

from sandbox.errors import SandboxRefused

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

SERVICE_URL = "http://127.0.0.1:8000"
SANDBOX_URL = "http://127.0.0.1:8100"
LIVE_CHECK_S = 1.0
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the errand.")] = False,
    data: Annotated[Path, typer.Option(help="Where everything is kept.")] = Path("var"),
    port: Annotated[int, typer.Option(help="Port of the service; the next one is the operators'.")] = 8000,
    sandbox_port: Annotated[int, typer.Option(help="Port of the sandbox.")] = 8100,
    out: Annotated[Path | None, typer.Option(help="Leave the errand's documents here.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Run service and sandbox, do the errand once, then keep serving until Ctrl-C."""
    from sandbox.errand.run import write_outputs  # noqa: PLC0415 - slow import
    from sandbox.setup import running_pair  # noqa: PLC0415 - slow import

    with running_pair(data, port=port, sandbox_port=sandbox_port) as pair:
        if not as_json:
            _say_where(pair.addresses.service, pair.addresses.sandbox)
        summary = _do_errand(pair.addresses.service, pair.addresses.sandbox, tamper=None, as_json=as_json)
        _say_outputs(write_outputs(summary, out or data / "errand"), out or data / "errand", as_json=as_json)
        if not once:
            _keep_serving(pair)
    if not summary.ok:
        raise typer.Exit(1)


@app.command()
def errand(
    region: Annotated[str, typer.Option(help="The citizen's region: hk.")] = "hk",
    to: Annotated[str, typer.Option(help="The portal's region: gd.")] = "gd",
    service: Annotated[str | None, typer.Option(help=f"Address of the service [{SERVICE_URL}].")] = None,
    sandbox: Annotated[str | None, typer.Option(help=f"Address of the sandbox [{SANDBOX_URL}].")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Leave signed.pdf, report.json, lists and redacted tokens here.")
    ] = None,
    tamper: Annotated[str | None, typer.Option(help="Inject one fault; `list` shows them.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Do the cross-border errand over HTTP, as a citizen and a portal would.

    Without addresses, and when nothing answers at the default ones, a private pair of processes is started for it.
    """
    if tamper == "list":
        _list_tampers(as_json=as_json)
        return
    if (region, to) != ("hk", "gd"):
        raise SandboxRefused("this version does the errand of a Hong Kong resident in Guangdong: --region hk --to gd")
    from sandbox.errand.run import write_outputs  # noqa: PLC0415 - slow import

    with _pair(service, sandbox) as (service_url, sandbox_url):
        summary = _do_errand(service_url, sandbox_url, tamper=tamper, as_json=as_json)
    if out is not None:
        _say_outputs(write_outputs(summary, out), out, as_json=as_json)
    if not summary.ok:
        raise typer.Exit(1)


@app.command("sandbox")
def run_sandbox(
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8100,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    data: Annotated[Path, typer.Option(help="Where everything is kept.")] = Path("var"),
    service: Annotated[str, typer.Option(help="Address of the service that the simulators call back.")] = SERVICE_URL,
    exit_with_parent: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Run the simulators alone: upstreams, permit authority, CAs, TSA, operators, sample portal."""
    if os.environ.get("GBA_TRUST_MODE") == "production":
        raise SandboxRefused("simulated parts cannot run where the service is in production mode")
    from sandbox.serving import serve_sandbox  # noqa: PLC0415 - slow import
    from service.commands import end_with_parent  # noqa: PLC0415 - slow import

    if exit_with_parent:
        end_with_parent()
    serve_sandbox(data, host=host, port=port, service_url=service)


def _do_errand(service: str, sandbox: str, *, tamper: str | None, as_json: bool):  # type: ignore[no-untyped-def]  # noqa: ANN202 - Summary is a slow import
    from sandbox.errand.context import Addresses, StepResult  # noqa: PLC0415 - slow import
    from sandbox.errand.run import run_errand  # noqa: PLC0415 - slow import
    from sandbox.setup import management_url  # noqa: PLC0415 - slow import

    def say(step: StepResult) -> None:
        if not as_json:
            typer.echo(f"{step.number}  {step.title}: {step.proven}  [{step.document}]")

    addresses = Addresses(service, management_url(service), sandbox)
    summary = asyncio.run(run_errand(addresses, tamper=tamper, say=say))
    if as_json:
        typer.echo(json.dumps(summary.as_json(), ensure_ascii=False))
    elif summary.ok:
        typer.echo(f"the errand is done: {len(summary.steps)} steps in {summary.seconds:.1f} s")
    else:
        typer.secho(f"error: {summary.error_code}: step {summary.error_step}: {summary.error_detail}", err=True)
    return summary


@contextmanager
def _pair(service: str | None, sandbox: str | None) -> Iterator[tuple[str, str]]:
    """Yield the addresses of a running pair; a private one when none was named and none runs."""
    if service is not None or sandbox is not None or (_answers(SERVICE_URL) and _answers(SANDBOX_URL)):
        yield service or SERVICE_URL, sandbox or SANDBOX_URL
        return
    from sandbox.setup import free_ports, running_pair  # noqa: PLC0415 - slow import

    with tempfile.TemporaryDirectory(prefix="gba-pair-") as folder:
        port, sandbox_port = free_ports()
        with running_pair(Path(folder), port=port, sandbox_port=sandbox_port) as pair:
            yield pair.addresses.service, pair.addresses.sandbox


def _answers(url: str) -> bool:
    try:
        httpx.get(url, timeout=LIVE_CHECK_S, trust_env=False)
    except httpx.HTTPError:
        return False
    return True


def _list_tampers(*, as_json: bool) -> None:
    from sandbox.errand.tampers import TAMPERS  # noqa: PLC0415 - only here

    if as_json:
        rows = [
            {"name": tamper.name, "what": tamper.what, "step": tamper.step, "codes": tamper.codes}
            for tamper in TAMPERS.values()
        ]
        typer.echo(json.dumps({"tampers": rows}))
        return
    table = Table("Fault", "What is done", "Step", "Must end in")
    for tamper in TAMPERS.values():
        table.add_row(tamper.name, tamper.what, str(tamper.step), " or ".join(tamper.codes))
    Console().print(table)
    typer.echo("Next: gba-trust errand --tamper NAME; it must end in exit 1 and the named error.")


def _say_where(service: str, sandbox: str) -> None:
    typer.echo(f"service  {service}   validate a PDF: {service}/validate")
    typer.echo(f"sandbox  {sandbox}   sample portal:  {sandbox}/portal")


def _say_outputs(paths: list[Path], folder: Path, *, as_json: bool) -> None:
    if not as_json:
        names = [path.name for path in paths if path.parent == folder]
        typer.echo(f"documents in {folder}: {', '.join(names)}, and the list as accepted in trust-list/")


def _keep_serving(pair) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - RunningPair is a slow import
    typer.echo("serving until Ctrl-C; do the errand yourself at the sample portal above")
    try:
        while True:
            time.sleep(1.0)
            pair.processes.check()
    except KeyboardInterrupt:
        typer.echo("stopping")

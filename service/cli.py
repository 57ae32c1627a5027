"""The `gba-trust` command: one name for every part's commands.

Owns:    which word belongs to which part, the exit codes, one-line errors. Leaves every command to its part.
Rules:   1 only the part whose command was called is imported: `gba-trust validate` does not load a database
         2 the sandbox's commands are found by the entry-point group `gba_trust.commands`; the product never imports it
         3 exit codes: 0 done, 1 refused, 2 usage, 3 unavailable; an error is one line with its code
"""

import importlib
import json
import sys
from importlib.metadata import entry_points

import typer

PARTS: dict[str, tuple[str, str]] = {
    # command: (module whose `app` has it, what it does)
    "serve": ("service.commands", "Run the service, or a subset of its parts."),
    "keys": ("service.commands", "List, rotate and retire the service's keys."),
    "audit": ("service.commands", "Verify or export the audit log."),
    "db": ("service.commands", "Upgrade or check the database schema."),
    "doctor": ("service.commands", "Say what this installation has and lacks."),
    "client": ("service.client_commands", "Add, show and change relying parties."),
    "sign": ("signing.cli", "Sign a PDF with a local key."),
    "extend": ("signing.cli", "Raise the level of an existing signature."),
    "validate": ("signing.cli", "Judge signed PDFs."),
    "permit": ("liveness.cli", "Parse permit numbers and MRZ; judge a recorded liveness session."),
    "models": ("liveness.cli", "Build or verify the face models."),
}
GROUP = "gba_trust.commands"
EXAMPLES = """
Examples:

  gba-trust demo --once            run the whole errand on this machine

  gba-trust validate signed.pdf --trust-list ./list

  gba-trust errand --tamper list   the faults that the errand can inject
"""


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its code."""
    given = sys.argv[1:] if arguments is None else arguments
    name = next((argument for argument in given if not argument.startswith("-")), None)
    try:
        _application(name)(_lift_config(given) if name == "client" else given, prog_name="gba-trust")
    except KeyboardInterrupt:
        _say("interrupted", "stopped before the end; nothing is half done")
        sys.exit(130)
    except Exception as error:  # the process door: a domain error is one line, a bug keeps its traceback
        from service.problem_details import DOMAIN_ERRORS, exit_code  # noqa: PLC0415 - only when something failed

        if isinstance(error, OSError) and error.errno is not None:
            _say("storage_failed", f"{error.strerror}: {error.filename or 'the data folder'}")
            sys.exit(3)
        if not isinstance(error, DOMAIN_ERRORS):
            raise
        if "--json" in given:
            typer.echo(json.dumps({"error": {"code": error.code, "detail": str(error)}}))
        _say(error.code, str(error))
        sys.exit(exit_code(error))


def _lift_config(arguments: list[str]) -> list[str]:
    """Put `--config FILE` right behind the first word: an option of the whole group may stand anywhere on the line."""
    if "--config" not in arguments[:-1]:
        return arguments
    at = arguments.index("--config")
    rest = arguments[:at] + arguments[at + 2 :]
    return [rest[0], *arguments[at : at + 2], *rest[1:]] if rest else arguments


def _say(code: str, text: str) -> None:
    typer.secho(f"error: {code}: {' '.join(text.split())}", err=True)


def _application(name: str | None) -> typer.Typer:
    """Return the application that has the command, or the overview when none was named."""
    if name in PARTS:
        module = importlib.import_module(PARTS[name][0])
        application: typer.Typer = module.app
        return application
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            plugged: typer.Typer = entry.load()
            return plugged
    return _overview()


def _overview() -> typer.Typer:
    """Return an application that only shows help: every command with one line."""
    application = typer.Typer(
        help="Cross-border identity, permits, signatures and their trust list." + EXAMPLES,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
    )
    for command, (_, text) in PARTS.items():
        application.command(command, help=text)(_never)
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        application.command(entry.name, help=_SANDBOX_HELP.get(entry.name, "A command of another package."))(_never)
    return application


_SANDBOX_HELP = {
    "demo": "Run service and sandbox, do the errand once, keep serving.",
    "errand": "Do the cross-border errand over HTTP, step by step.",
    "sandbox": "Run the simulators: upstreams, permit authority, CAs, TSA, portal.",
}


def _never() -> None:
    """Stand in the overview for a command that is loaded when it is called."""


if __name__ == "__main__":
    main()

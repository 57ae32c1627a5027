"""`trust-list`: the command that CA administrators live in.

Owns:    the Typer application and `main`.
Leaves:  the commands to `cli_prepare`, `cli_members`, `cli_service`, `cli_agreement` (draft), `cli_publish` (sign, publish), `cli_log`
         (log, evidence), `cli_read`, `cli_explain`, `cli_monitor` (read) and `cli_xml`.
Rules:   works on a plain directory (`--repo`), offline, with keys as `key_sources` reads them. A password or PIN comes from
         `GBA_TRUST_KEY_PASSWORD` or a prompt, never from an argument.
"""

import typer

from trust_lists import (
    cli_agreement,
    cli_explain,
    cli_log,
    cli_members,
    cli_monitor,
    cli_prepare,
    cli_publish,
    cli_read,
    cli_service,
    cli_xml,
)

app = typer.Typer(
    name="trust-list",
    help="Prepare, sign, publish and read the three-region trust list.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for part in (
    cli_prepare,
    cli_members,
    cli_service,
    cli_agreement,
    cli_publish,
    cli_log,
    cli_read,
    cli_explain,
    cli_monitor,
    cli_xml,
):
    part.register(app)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()

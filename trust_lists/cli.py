"""`trust-list`: the command that CA administrators live in.

Owns:    the Typer application and `main`.
Leaves:  the commands to `cli_prepare` and `cli_service` (draft), `cli_publish` (sign, publish) and `cli_read`.
Rules:   works on a plain directory (`--repo`), offline, with keys in PEM files. A key's password comes from
         `GBA_TRUST_KEY_PASSWORD` or a prompt, never from an argument.
"""

import typer

from trust_lists import cli_log, cli_members, cli_prepare, cli_publish, cli_read, cli_service, cli_xml

app = typer.Typer(
    name="trust-list",
    help="Prepare, sign, publish and read the three-region trust list.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
cli_prepare.register(app)
cli_service.register(app)
cli_members.register(app)
cli_publish.register(app)
cli_log.register(app)
cli_read.register(app)
cli_xml.register(app)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()

"""`gba-trust client …`: the relying parties, from the terminal.

Owns:    the commands and what is printed (RFC 7591 member names).
Leaves:  the members' options to `registration_options`, storage to the store that it is given.
Rules:   exit 0 done, 1 refused, 2 usage, 3 unavailable; a secret is printed once, when it is made
Spec:    RFC 7591 cl. 2, 3.2.1
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, TypeVar

import typer

from idp.client_administration import (
    add_client,
    list_clients,
    remove_client,
    rotate_client_secret,
    show_client,
    update_client,
)
from idp.errors import IdpError, IdpUnavailable
from idp.registration_options import registration_members, with_registration_options
from idp.store import Store

OpenStore = Callable[[], AbstractAsyncContextManager[Store]]
T = TypeVar("T")

EXIT_REFUSED, EXIT_UNAVAILABLE = 1, 3

ClientId = Annotated[str | None, typer.Option("--client-id", help="Fix the identifier (demos)")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object, nothing else")]


def build_client_app(open_store: OpenStore) -> typer.Typer:
    """Build the commands on a store that the service opens."""
    app = typer.Typer(help="Relying parties: add, show, list, update, remove, rotate-secret.", no_args_is_help=True)
    _register_changes(app, open_store)
    _register_others(app, open_store)
    return app


def _register_changes(app: typer.Typer, open_store: OpenStore) -> None:
    @app.command()
    @with_registration_options
    def add(*, client_id: ClientId = None, json_output: Json = False, **options: Any) -> None:  # noqa: ANN401 - the table's
        """Register a relying party; prints its registration, and its secret once when it has one."""
        given = registration_members(options)
        _run(open_store, lambda store: add_client(store, given, client_id=client_id), json_output)

    @app.command()
    @with_registration_options
    def update(client_id: str, *, json_output: Json = False, **options: Any) -> None:  # noqa: ANN401 - the table's
        """Change what is given; everything else stays. A null in `--registration` removes a member."""
        given = registration_members(options)
        _run(open_store, lambda store: update_client(store, client_id, given), json_output)


def _register_others(app: typer.Typer, open_store: OpenStore) -> None:
    @app.command()
    def show(client_id: str, json_output: Json = False) -> None:
        """Print a registration."""
        _run(open_store, lambda store: show_client(store, client_id), json_output)

    @app.command("list")
    def list_(json_output: Json = False) -> None:
        """Print every registration."""
        _run(open_store, list_clients, json_output)

    @app.command()
    def remove(client_id: str, json_output: Json = False) -> None:
        """Remove a relying party; its grants end at once."""
        _run(open_store, lambda store: remove_client(store, client_id), json_output)

    @app.command("rotate-secret")
    def rotate_secret(client_id: str, json_output: Json = False) -> None:
        """Make a new secret; the old one ends at once."""
        _run(open_store, lambda store: rotate_client_secret(store, client_id), json_output)


def _run(open_store: OpenStore, work: Callable[[Store], Awaitable[object]], json_output: bool) -> None:
    async def main() -> object:
        async with open_store() as store:
            return await work(store)

    try:
        result = asyncio.run(main())
    except IdpError as error:
        code = EXIT_UNAVAILABLE if isinstance(error, IdpUnavailable) else EXIT_REFUSED
        if json_output:
            typer.echo(json.dumps({"error": {"code": error.code, "detail": str(error)}}))
        else:
            typer.echo(f"{error.code}: {error}", err=True)
        raise typer.Exit(code) from error
    typer.echo(json.dumps(result, ensure_ascii=False, indent=None if json_output else 2))

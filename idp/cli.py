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
    add_initial_token,
    list_clients,
    list_initial_tokens,
    remove_client,
    remove_initial_token,
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
    app = typer.Typer(
        help="Relying parties: add, show, list, update, remove, rotate-secret, initial-token.", no_args_is_help=True
    )
    _register_changes(app, open_store)
    _register_others(app, open_store)
    app.add_typer(_initial_token_app(open_store), name="initial-token")
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


def _initial_token_app(open_store: OpenStore) -> typer.Typer:
    tokens = typer.Typer(help="Tokens with which portals register themselves: add, list, remove.", no_args_is_help=True)

    @tokens.command()
    def add(
        *,
        uses: Annotated[int, typer.Option("--uses", min=1, max=1000, help="How many portals it registers")] = 1,
        days: Annotated[int, typer.Option("--days", min=1, max=365, help="How long it lasts")] = 7,
        note: Annotated[str, typer.Option("--note", help="For whom it is, for your own list")] = "",
        json_output: Json = False,
    ) -> None:
        """Make an initial access token (RFC 7591); it is printed once, here."""
        _run(open_store, lambda store: add_initial_token(store, uses=uses, days=days, note=note), json_output)

    @tokens.command("list")
    def list_(json_output: Json = False) -> None:
        """Print what is left of each token; the tokens themselves are not kept."""
        _run(open_store, list_initial_tokens, json_output)

    @tokens.command()
    def remove(identifier: str, json_output: Json = False) -> None:
        """End a token; who registered with it stays registered."""
        _run(open_store, lambda store: remove_initial_token(store, identifier), json_output)

    return tokens


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

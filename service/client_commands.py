"""`gba-trust client …` on the service's own database. Owns the opening of the store; leaves every command to `idp.cli`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

from idp.cli import build_client_app
from idp.store import Store
from idp.stores.choice import store_on
from service.data_folder import check_databases, open_key_ring
from service.provider_database import open_provider_database
from service.settings import load_settings

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
_chosen: dict[str, Path | None] = {"config": None}


@asynccontextmanager
async def open_store() -> AsyncIterator[Store]:
    """Open the provider's store of the configured data folder, beside a running service if need be."""
    settings = load_settings(_chosen["config"])
    await asyncio.to_thread(check_databases, settings)
    ring = open_key_ring(settings)
    database = open_provider_database(settings)
    try:
        yield store_on(database, ring.personal_data_cipher())
    finally:
        await database.close()


client_app = build_client_app(open_store)


@client_app.callback()
def choose(
    config: Annotated[Path | None, typer.Option("--config", help="TOML file with GBA_TRUST_* names.")] = None,
) -> None:
    """Relying parties: add, show, list, update, remove, rotate-secret, initial-token."""
    _chosen["config"] = config


app.add_typer(client_app, name="client")


@app.callback()
def root() -> None:
    """Keep `client` a word of its own."""

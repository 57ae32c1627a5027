"""`gba-trust client …`: the relying parties, from the terminal.

Owns:    the options and what is printed (RFC 7591 member names). Leaves storage to the store that it is given.
Rules:   exit 0 done, 1 refused, 2 usage, 3 unavailable; a secret is printed once, when it is made
Spec:    RFC 7591 cl. 2, 3.2.1
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated, TypeVar

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
from idp.store import Store

OpenStore = Callable[[], AbstractAsyncContextManager[Store]]
T = TypeVar("T")

EXIT_REFUSED, EXIT_UNAVAILABLE = 1, 3

Name = Annotated[str | None, typer.Option("--name", help="Name shown to people")]
RedirectUris = Annotated[list[str] | None, typer.Option("--redirect-uri", help="Exact redirect URI; repeatable")]
Auth = Annotated[str | None, typer.Option("--auth", help="private_key_jwt, client_secret_basic or none")]
Jwks = Annotated[Path | None, typer.Option("--jwks", help="File with the public keys (JWK set)")]
RegionOption = Annotated[str | None, typer.Option("--region", help="hk, mo or gd: where the portal's law is")]
Profile = Annotated[str | None, typer.Option("--profile", help="basic")]
Grants = Annotated[list[str] | None, typer.Option("--grant", help="authorization_code")]
ScopeOption = Annotated[
    str | None, typer.Option("--scope", help='Space separated, for example "openid profile permit"')
]
LogoutUris = Annotated[list[str] | None, typer.Option("--post-logout-redirect-uri")]
SubjectType = Annotated[str | None, typer.Option("--subject-type", help="pairwise")]
Sector = Annotated[str | None, typer.Option("--sector-identifier-uri")]
Purpose = Annotated[str | None, typer.Option("--purpose", help="Why the portal asks; shown on the consent page")]
ApplicationType = Annotated[str | None, typer.Option("--application-type", help="web or native")]
Registration = Annotated[
    Path | None, typer.Option("--registration", help="RFC 7591 document to start from; options go before it")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object, nothing else")]


def build_client_app(open_store: OpenStore) -> typer.Typer:
    """Build the commands on a store that the service opens."""
    app = typer.Typer(help="Relying parties: add, show, list, update, remove, rotate-secret.", no_args_is_help=True)
    _register_add(app, open_store)
    _register_update(app, open_store)
    _register_others(app, open_store)
    return app


def _register_add(app: typer.Typer, open_store: OpenStore) -> None:
    @app.command()
    def add(
        *,
        name: Name = None,
        redirect_uri: RedirectUris = None,
        auth: Auth = None,
        jwks: Jwks = None,
        region: RegionOption = None,
        profile: Profile = None,
        grant: Grants = None,
        scope: ScopeOption = None,
        post_logout_redirect_uri: LogoutUris = None,
        subject_type: SubjectType = None,
        sector_identifier_uri: Sector = None,
        purpose: Purpose = None,
        application_type: ApplicationType = None,
        client_id: Annotated[str | None, typer.Option("--client-id", help="Fix the identifier (demos)")] = None,
        registration: Registration = None,
        json_output: Json = False,
    ) -> None:
        """Register a relying party; prints its registration, and its secret once when it has one."""
        given = _members(
            registration=registration,
            name=name,
            redirect_uris=redirect_uri,
            auth=auth,
            jwks=jwks,
            region=region,
            profile=profile,
            grants=grant,
            scope=scope,
            logout_uris=post_logout_redirect_uri,
            subject_type=subject_type,
            sector=sector_identifier_uri,
            purpose=purpose,
            application_type=application_type,
        )
        _run(open_store, lambda store: add_client(store, given, client_id=client_id), json_output)


def _register_update(app: typer.Typer, open_store: OpenStore) -> None:
    @app.command()
    def update(
        client_id: str,
        *,
        name: Name = None,
        redirect_uri: RedirectUris = None,
        auth: Auth = None,
        jwks: Jwks = None,
        region: RegionOption = None,
        profile: Profile = None,
        grant: Grants = None,
        scope: ScopeOption = None,
        post_logout_redirect_uri: LogoutUris = None,
        subject_type: SubjectType = None,
        sector_identifier_uri: Sector = None,
        purpose: Purpose = None,
        application_type: ApplicationType = None,
        registration: Registration = None,
        json_output: Json = False,
    ) -> None:
        """Change what is given; everything else stays."""
        given = _members(
            registration=registration,
            name=name,
            redirect_uris=redirect_uri,
            auth=auth,
            jwks=jwks,
            region=region,
            profile=profile,
            grants=grant,
            scope=scope,
            logout_uris=post_logout_redirect_uri,
            subject_type=subject_type,
            sector=sector_identifier_uri,
            purpose=purpose,
            application_type=application_type,
        )
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


def _members(
    *,
    registration: Path | None,
    name: str | None,
    redirect_uris: list[str] | None,
    auth: str | None,
    jwks: Path | None,
    region: str | None,
    profile: str | None,
    grants: list[str] | None,
    scope: str | None,
    logout_uris: list[str] | None,
    subject_type: str | None,
    sector: str | None,
    purpose: str | None,
    application_type: str | None,
) -> dict[str, object]:
    members: dict[str, object | None] = {
        "client_name": name,
        "redirect_uris": redirect_uris or None,
        "token_endpoint_auth_method": auth,
        "jwks": None if jwks is None else _read_json(jwks),
        "gba_region": region,
        "gba_profile": profile,
        "grant_types": grants or None,
        "scope": scope,
        "post_logout_redirect_uris": logout_uris or None,
        "subject_type": subject_type,
        "sector_identifier_uri": sector,
        "gba_purpose": purpose,
        "application_type": application_type,
    }
    start = {} if registration is None else _read_json(registration)
    return {**start, **{member: value for member, value in members.items() if value is not None}}


def _read_json(path: Path) -> dict[str, object]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{path} cannot be read as JSON") from error
    if not isinstance(document, dict):
        raise typer.BadParameter(f"{path} holds no JSON object")
    return document


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

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

from idp.errors import IdpError, IdpUnavailable, InvalidClientMetadata, UnknownClient
from idp.protocol import ClientAuthMethod
from idp.relying_parties import (
    RelyingParty,
    hash_secret,
    new_client_id,
    new_secret,
    parse_registration,
    registration_document,
)
from idp.store import Store
from trust_lists.clock import utc_now

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
Json = Annotated[bool, typer.Option("--json", help="One JSON object, nothing else")]


def build_client_app(open_store: OpenStore) -> typer.Typer:
    """Build the commands on a store that the service opens."""
    app = typer.Typer(help="Relying parties: add, show, list, update, remove, rotate-secret.", no_args_is_help=True)

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
        registration: Annotated[
            Path | None, typer.Option("--registration", help="RFC 7591 document to start from")
        ] = None,
        json_output: Json = False,
    ) -> None:
        """Register a relying party; prints its registration, and its secret once when it has one."""
        given = _members(
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
        base = {} if registration is None else _read_json(registration)
        _run(open_store, lambda store: add_client(store, {**base, **given}, client_id=client_id), json_output)

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
        json_output: Json = False,
    ) -> None:
        """Change what is given; everything else stays."""
        given = _members(
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

    return app


async def add_client(store: Store, document: dict[str, object], *, client_id: str | None = None) -> dict[str, object]:
    """Register a relying party; return its registration, with `client_secret` when one was made.

    Raises:
        InvalidClientMetadata: the registration is not acceptable, or the identifier is taken.
    """
    secret = (
        new_secret() if document.get("token_endpoint_auth_method") == ClientAuthMethod.CLIENT_SECRET_BASIC else None
    )
    secret_hash = None if secret is None else hash_secret(secret)
    party = parse_registration(document, client_id=client_id or new_client_id(), secret_hash=secret_hash)
    if await store.load_client(party.client_id) is not None:
        raise InvalidClientMetadata("client_id is taken: update or remove it")
    await store.save_client(party, at=utc_now())
    return _with_secret(party, secret)


async def update_client(store: Store, client_id: str, changes: dict[str, object]) -> dict[str, object]:
    """Change a registration; a relying party that now needs a secret gets one.

    Raises:
        UnknownClient: no such relying party.
        InvalidClientMetadata: the changed registration is not acceptable.
    """
    known = await _known(store, client_id)
    document = {**registration_document(known), **changes}
    needs_secret = document["token_endpoint_auth_method"] == ClientAuthMethod.CLIENT_SECRET_BASIC
    secret = new_secret() if needs_secret and known.secret_hash is None else None
    kept_hash = (hash_secret(secret) if secret else known.secret_hash) if needs_secret else None
    party = parse_registration(document, client_id=client_id, secret_hash=kept_hash)
    await store.save_client(party, at=utc_now())
    return _with_secret(party, secret)


async def show_client(store: Store, client_id: str) -> dict[str, object]:
    """Return a registration."""
    return registration_document(await _known(store, client_id))


async def list_clients(store: Store) -> list[dict[str, object]]:
    """Return every registration."""
    return [registration_document(client.party) for client in await store.list_clients()]


async def remove_client(store: Store, client_id: str) -> dict[str, object]:
    """Remove a relying party."""
    if not await store.remove_client(client_id):
        raise UnknownClient
    return {"client_id": client_id, "removed": True}


async def rotate_client_secret(store: Store, client_id: str) -> dict[str, object]:
    """Make a new secret.

    Raises:
        InvalidClientMetadata: this relying party authenticates without a secret.
    """
    known = await _known(store, client_id)
    if known.auth_method is not ClientAuthMethod.CLIENT_SECRET_BASIC:
        raise InvalidClientMetadata("this relying party has no secret")
    secret = new_secret()
    party = parse_registration(registration_document(known), client_id=client_id, secret_hash=hash_secret(secret))
    await store.save_client(party, at=utc_now())
    return _with_secret(party, secret)


async def _known(store: Store, client_id: str) -> RelyingParty:
    party = await store.load_client(client_id)
    if party is None:
        raise UnknownClient
    return party


def _with_secret(party: RelyingParty, secret: str | None) -> dict[str, object]:
    document = registration_document(party)
    return document if secret is None else {**document, "client_secret": secret}


def _members(
    *,
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
    return {member: value for member, value in members.items() if value is not None}


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

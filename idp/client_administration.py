"""What an operator does with relying parties: add, change, show, remove, rotate a secret, let in strangers.

Owns:    these acts on a store. Leaves options and printing to `cli`, the rules of a registration to `relying_parties`.
Rules:   a secret is ours to make, returned once, kept as its hash
Spec:    RFC 7591 cl. 2, 3 (initial access token), 3.2.1
"""

import secrets
from collections.abc import Mapping
from datetime import timedelta

from idp.errors import InvalidClientMetadata, UnknownClient, UnknownInitialToken
from idp.hashes import hash_token
from idp.model import InitialAccessToken
from idp.protocol import ClientAuthMethod
from idp.relying_parties import (
    RelyingParty,
    TlsSubjectKind,
    hash_secret,
    new_client_id,
    new_secret,
    parse_registration,
    registration_document,
)
from idp.store import Store
from trust_lists.clock import utc_now

MAX_NOTE = 200


async def add_client(store: Store, document: dict[str, object], *, client_id: str | None = None) -> dict[str, object]:
    """Register a relying party; return its registration, with `client_secret` when one was made.

    Raises:
        InvalidClientMetadata: the registration is not acceptable, or the identifier is taken.
    """
    secret = new_secret() if _needs_secret(document) else None
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
    document = _changed(registration_document(known), changes)
    needs_secret = _needs_secret(document)
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
    if not known.auth_method.by_secret:
        raise InvalidClientMetadata("this relying party has no secret")
    secret = new_secret()
    party = parse_registration(registration_document(known), client_id=client_id, secret_hash=hash_secret(secret))
    await store.save_client(party, at=utc_now())
    return _with_secret(party, secret)


async def add_initial_token(store: Store, *, uses: int, days: int, note: str) -> dict[str, object]:
    """Make an initial access token; return it, this once.

    Raises:
        InvalidClientMetadata: the note is not a short printable text.
    """
    if len(note) > MAX_NOTE or not note.isprintable():
        raise InvalidClientMetadata(f"the note must be a printable text of at most {MAX_NOTE} characters")
    secret = new_secret()
    token = InitialAccessToken(secrets.token_hex(4), note, uses, utc_now() + timedelta(days=days))
    await store.save_initial_token(token, token_hash=hash_token(secret))
    return {**_shown(token), "initial_access_token": secret}


async def list_initial_tokens(store: Store) -> list[dict[str, object]]:
    """Return every initial access token, without its secret."""
    return [_shown(token) for token in await store.list_initial_tokens()]


async def remove_initial_token(store: Store, identifier: str) -> dict[str, object]:
    """End an initial access token.

    Raises:
        UnknownInitialToken: there is none under this identifier.
    """
    if not await store.remove_initial_token(identifier):
        raise UnknownInitialToken
    return {"id": identifier, "removed": True}


def _shown(token: InitialAccessToken) -> dict[str, object]:
    return {
        "id": token.id,
        "note": token.note,
        "uses_left": token.uses_left,
        "expires_at": token.expires_at.isoformat(timespec="seconds"),
    }


def _needs_secret(document: Mapping[str, object]) -> bool:
    return any(
        document.get("token_endpoint_auth_method") == method.value for method in ClientAuthMethod if method.by_secret
    )


def _changed(document: dict[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """Apply changes (null removes a member); a member that follows from a changed one is not kept against it."""
    kept = dict(document)
    if "grant_types" in changes:
        kept.pop("response_types")
    subjects = {kind.value for kind in TlsSubjectKind}
    method = changes.get("token_endpoint_auth_method", ClientAuthMethod.TLS_CLIENT_AUTH)
    if subjects & changes.keys() or method != ClientAuthMethod.TLS_CLIENT_AUTH:
        kept = {name: value for name, value in kept.items() if name not in subjects}
    return {**kept, **changes}


async def _known(store: Store, client_id: str) -> RelyingParty:
    party = await store.load_client(client_id)
    if party is None:
        raise UnknownClient
    return party


def _with_secret(party: RelyingParty, secret: str | None) -> dict[str, object]:
    document = registration_document(party)
    return document if secret is None else {**document, "client_secret": secret}

"""Relying parties in SQL, and the tokens that let one be registered.

Owns:    the statements on `idp_clients` and `idp_initial_tokens`. Leaves parsing to `relying_parties`: what is stored passes the same
         parser when read.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from idp.account import ACCOUNT_PARTY
from idp.model import InitialAccessToken
from idp.ports import SqlDatabase, SqlRow
from idp.relying_parties import RegisteredClient, RelyingParty
from idp.stores.rows import RowSealer, instant, registration_of, registration_text, seconds

parsed_registration = lru_cache(maxsize=4096)(registration_of)
"""A registration is parsed once, not at every request; a changed text is another key."""


class SqlClients:
    """Registrations."""

    def __init__(self, database: SqlDatabase, sealer: RowSealer) -> None:
        self._database = database
        self._sealer = sealer

    async def load_client(self, client_id: str) -> RelyingParty | None:
        """Return a relying party."""
        row = await self._database.read_row(
            "SELECT registration, secret_hash FROM idp_clients WHERE client_id = $1", client_id
        )
        return None if row is None else parsed_registration(client_id, row[0], row[1])

    async def load_registration(self, client_id: str) -> tuple[RelyingParty, str | None] | None:
        """Return a relying party and the hash of its registration access token."""
        row = await self._database.read_row(
            "SELECT registration, secret_hash, registration_token_hash FROM idp_clients WHERE client_id = $1", client_id
        )
        return None if row is None else (parsed_registration(client_id, row[0], row[1]), row[2])

    async def list_clients(self) -> Sequence[RegisteredClient]:
        """Return every relying party, by client_id."""
        async with self._database.reading() as transaction:
            rows = await transaction.fetch_all(
                "SELECT client_id, registration, secret_hash, created_at_s, updated_at_s FROM idp_clients ORDER BY client_id"
            )
        return [RegisteredClient(parsed_registration(*row[:3]), instant(row[3]), instant(row[4])) for row in rows]

    async def save_client(
        self, party: RelyingParty, *, at: datetime, registration_token_hash: str | None = None
    ) -> None:
        """Add or replace a relying party; without a token's hash the kept one stays."""
        await self._database.write_row(
            "INSERT INTO idp_clients (client_id, registration, secret_hash, registration_token_hash, created_at_s, updated_at_s)"
            " VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (client_id) DO UPDATE SET registration = excluded.registration,"
            " secret_hash = excluded.secret_hash, updated_at_s = excluded.updated_at_s, registration_token_hash ="
            " COALESCE(excluded.registration_token_hash, idp_clients.registration_token_hash) RETURNING client_id",
            party.client_id,
            registration_text(party),
            party.secret_hash,
            registration_token_hash,
            seconds(at),
        )

    async def remove_client(self, client_id: str) -> bool:
        """Remove a relying party with what it has in progress; its grants stand no longer, for nobody vouches for them."""
        async with self._database.writing() as transaction:
            removed = await transaction.execute("DELETE FROM idp_clients WHERE client_id = $1", client_id)
            for table in ("idp_logins", "idp_pushed_requests", "idp_decoupled"):
                await transaction.execute(f"DELETE FROM {table} WHERE client_id = $1", client_id)
        return removed == 1

    async def save_initial_token(self, token: InitialAccessToken, *, token_hash: str) -> None:
        """Keep an initial access token."""
        await self._database.write_row(
            "INSERT INTO idp_initial_tokens (token_hash, id, note, uses_left, expires_at_s) VALUES ($1, $2, $3, $4, $5)"
            " RETURNING id",
            token_hash,
            token.id,
            token.note,
            token.uses_left,
            seconds(token.expires_at),
        )

    async def use_initial_token(self, token_hash: str, *, at: datetime) -> InitialAccessToken | None:
        """Take one use of an initial access token; None when there is none left."""
        row = await self._database.write_row(
            "UPDATE idp_initial_tokens SET uses_left = uses_left - 1 WHERE token_hash = $1 AND uses_left > 0"
            " AND expires_at_s > $2 RETURNING id, note, uses_left, expires_at_s",
            token_hash,
            seconds(at),
        )
        return None if row is None else _initial_token(row)

    async def list_initial_tokens(self) -> Sequence[InitialAccessToken]:
        """Return every initial access token, without its secret."""
        async with self._database.reading() as transaction:
            rows = await transaction.fetch_all(
                "SELECT id, note, uses_left, expires_at_s FROM idp_initial_tokens ORDER BY expires_at_s"
            )
        return [_initial_token(row) for row in rows]

    async def remove_initial_token(self, identifier: str) -> bool:
        """Remove an initial access token; tell whether it was there."""
        row = await self._database.write_row("DELETE FROM idp_initial_tokens WHERE id = $1 RETURNING id", identifier)
        return row is not None


def _initial_token(row: SqlRow) -> InitialAccessToken:
    identifier, note, uses_left, expires_at_s = row
    return InitialAccessToken(identifier, note, uses_left, instant(expires_at_s))


def party_of(client_id: str, registration: str | None, secret_hash: str | None) -> RelyingParty | None:
    """Rebuild the relying party of a joined row; the account page's own is not in the table."""
    if client_id == ACCOUNT_PARTY.client_id:
        return ACCOUNT_PARTY
    return None if registration is None else parsed_registration(client_id, registration, secret_hash)

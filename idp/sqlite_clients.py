"""Relying parties in SQLite: the part of `sqlite_store` that holds registrations.

Owns:    the statements on `idp_clients`. Leaves parsing to `relying_parties` (what is stored passes the same parser when read).
"""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from idp.ports import SqlTransactions
from idp.relying_parties import RegisteredClient, RelyingParty
from idp.sealed_rows import RowSealer, instant, registration_of, registration_text, seconds

parsed_registration = lru_cache(maxsize=1024)(registration_of)
"""A registration is parsed once, not at every request; a changed text is another key."""


class SqliteClients:
    """Registrations."""

    def __init__(self, database: SqlTransactions, sealer: RowSealer) -> None:
        self._database = database
        self._sealer = sealer

    async def load_client(self, client_id: str) -> RelyingParty | None:
        """Return a relying party."""
        return await self._database.read(lambda connection: select_client(connection, client_id))

    async def list_clients(self) -> Sequence[RegisteredClient]:
        """Return every relying party, by client_id."""

        def work(connection: sqlite3.Connection) -> list[RegisteredClient]:
            rows = connection.execute(
                "SELECT client_id, registration, secret_hash, created_at_s, updated_at_s FROM idp_clients ORDER BY client_id"
            )
            return [RegisteredClient(parsed_registration(*row[:3]), instant(row[3]), instant(row[4])) for row in rows]

        return await self._database.read(work)

    async def save_client(self, party: RelyingParty, *, at: datetime) -> None:
        """Add or replace a relying party."""
        row = (party.client_id, registration_text(party), party.secret_hash, seconds(at), seconds(at))
        await self._database.write(
            lambda connection: connection.execute(
                "INSERT INTO idp_clients (client_id, registration, secret_hash, created_at_s, updated_at_s)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT (client_id) DO UPDATE SET registration = excluded.registration,"
                " secret_hash = excluded.secret_hash, updated_at_s = excluded.updated_at_s",
                row,
            )
        )

    async def remove_client(self, client_id: str) -> bool:
        """Remove a relying party with its grants, codes and logins; tell whether it was there."""

        def work(connection: sqlite3.Connection) -> bool:
            removed = connection.execute("DELETE FROM idp_clients WHERE client_id = ?", (client_id,)).rowcount
            for table in ("idp_grants", "idp_codes", "idp_logins"):
                connection.execute(f"DELETE FROM {table} WHERE client_id = ?", (client_id,))  # noqa: S608 - fixed names
            return removed == 1

        return await self._database.write(work)


def select_client(connection: sqlite3.Connection, client_id: str) -> RelyingParty | None:
    """Read one relying party."""
    row = connection.execute(
        "SELECT registration, secret_hash FROM idp_clients WHERE client_id = ?", (client_id,)
    ).fetchone()
    return None if row is None else parsed_registration(client_id, *row)

"""The whole store: every capability over one database.

Owns:    the joining of the capabilities, and the purge. Leaves statements to the capabilities' files.
"""

import asyncio
from datetime import datetime

from idp.ports import PersonalDataCipher, SqlDatabase
from idp.stores.clients import SqlClients
from idp.stores.grants import SqlGrants
from idp.stores.logins import SqlLogins
from idp.stores.notices import SqlNotices
from idp.stores.requests import SqlRequests
from idp.stores.rows import RowSealer, seconds
from idp.stores.sessions import SqlSessions

_EXPIRING = {
    "idp_logins": "handle_hash",
    "idp_sessions": "session",
    "idp_grants": "grant_id",
    "idp_replays": "(space, identifier_hash)",
    "idp_pushed_requests": "uri_hash",
    "idp_decoupled": "id",
    "idp_logout_notices": "id",
    "idp_initial_tokens": "token_hash",
}
"""Tables whose rows end by themselves, with their keys."""
PURGE_ROWS = 500
PURGE_ROUNDS = 100
"""So many rows at once, and so many times a purge: the writer and the event loop are held for milliseconds, whatever has piled up."""


class SqlStore(SqlClients, SqlLogins, SqlSessions, SqlGrants, SqlRequests, SqlNotices):
    """Everything that the provider keeps, in one SQL database."""

    def __init__(self, database: SqlDatabase, cipher: PersonalDataCipher) -> None:
        self._database = database
        self._sealer = RowSealer(cipher)

    async def purge(self, *, at: datetime) -> int:
        """Delete what has expired; a spent code stays known as long as its grant."""
        removed = 0
        for table, key in _EXPIRING.items():
            columns = key.strip("()")
            statement = (
                f"DELETE FROM {table} WHERE {key} IN"
                f" (SELECT {columns} FROM {table} WHERE expires_at_s <= $1 LIMIT {PURGE_ROWS})"
            )
            for _ in range(PURGE_ROUNDS):
                async with self._database.writing() as work:
                    went = await work.execute(statement, seconds(at))
                removed += went
                if went < PURGE_ROWS:
                    break
                await asyncio.sleep(0)  # whoever waits has a turn
        return removed

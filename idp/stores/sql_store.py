"""The whole store: every capability over one database.

Owns:    the joining of the capabilities, and the purge. Leaves statements to the capabilities' files.
"""

from datetime import datetime

from idp.ports import PersonalDataCipher, SqlDatabase
from idp.stores.clients import SqlClients
from idp.stores.grants import SqlGrants
from idp.stores.logins import SqlLogins
from idp.stores.notices import SqlNotices
from idp.stores.requests import SqlRequests
from idp.stores.rows import RowSealer, seconds
from idp.stores.sessions import SqlSessions

_EXPIRING = (
    "idp_logins",
    "idp_sessions",
    "idp_grants",
    "idp_replays",
    "idp_pushed_requests",
    "idp_decoupled",
    "idp_logout_notices",
    "idp_initial_tokens",
)


class SqlStore(SqlClients, SqlLogins, SqlSessions, SqlGrants, SqlRequests, SqlNotices):
    """Everything that the provider keeps, in one SQL database."""

    def __init__(self, database: SqlDatabase, cipher: PersonalDataCipher) -> None:
        self._database = database
        self._sealer = RowSealer(cipher)

    async def purge(self, *, at: datetime) -> int:
        """Delete what has expired; a spent code stays known as long as its grant."""
        removed = 0
        for table in _EXPIRING:  # one transaction each: a long purge must not hold the writer
            async with self._database.writing() as work:
                removed += await work.execute(f"DELETE FROM {table} WHERE expires_at_s <= $1", seconds(at))
        return removed


class SqliteStore(SqlStore):
    """The store of one process, in one SQLite file."""

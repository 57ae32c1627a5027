"""Which store a database gets. Owns the choice by dialect; every process, command, test and bench asks here, so all run the same."""

from idp.ports import PersonalDataCipher, SqlDatabase
from idp.stores.postgres_store import PostgresStore
from idp.stores.sql_store import SqlStore


def store_on(database: SqlDatabase, cipher: PersonalDataCipher) -> SqlStore:
    """Return the provider's store on a database."""
    return PostgresStore(database, cipher) if database.dialect == "postgresql" else SqlStore(database, cipher)

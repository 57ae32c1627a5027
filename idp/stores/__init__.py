"""The provider's store in SQL: one set of statements for SQLite and PostgreSQL, a file for each capability of `idp.store`.

Statements are portable (`$1` parameters, `ON CONFLICT`, `RETURNING`); where PostgreSQL can do in one round trip what SQLite does in a
transaction of several statements, `postgres_store` says so in its own words.
"""

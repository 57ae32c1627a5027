"""What a PostgreSQL URL may say, and where its password comes from.

Owns:    the checks of `GBA_TRUST_DATABASE_URL=postgresql://…`. Leaves the environment to `settings`, connections to `postgres`.
Rules:   1 a password stands in a file, never in the URL: addresses are printed, logged and listed
         2 production speaks to a server on another machine by TLS that proves who the server is
         3 the file is read for every new connection: a changed password needs no restart
Spec:    PostgreSQL documentation cl. 34.1.1.2 (connection URIs) and 34.19 (sslmode)
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from service.errors import ServiceUnavailable, SettingsRefused

MAX_PASSWORD_BYTES = 4096
_LOCAL = ("localhost", "127.0.0.1", "::1")
_PROVEN = ("verify-full", "verify-ca")


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """Where the provider's tables lie when they are not in SQLite."""

    url: str
    password_file: Path | None
    pool_size: int

    def read_password(self) -> str | None:
        """Return the password as the file has it now, or None when none is configured.

        Raises:
            ServiceUnavailable: the file cannot be read, or others may read it.
        """
        if self.password_file is None:
            return None
        try:
            if self.password_file.stat().st_mode & 0o077:
                raise ServiceUnavailable(
                    "GBA_TRUST_DATABASE_PASSWORD_FILE must be readable by its owner only (chmod 600)"
                )
            with self.password_file.open("rb") as file:
                return file.read(MAX_PASSWORD_BYTES).decode().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ServiceUnavailable("GBA_TRUST_DATABASE_PASSWORD_FILE cannot be read") from error


def parse_postgres(url: str, password_file: Path | None, pool_size: str, *, production: bool) -> PostgresSettings:
    """Return the settings of a PostgreSQL database.

    Raises:
        SettingsRefused: a password in the URL, no database named, or a connection that production does not allow.
    """
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query, strict_parsing=bool(parts.query))
        host = query.get("host", [parts.hostname or ""])[-1]
        password = parts.password is not None or "password" in query
        _ = parts.port
    except ValueError as error:
        raise SettingsRefused("GBA_TRUST_DATABASE_URL is not a PostgreSQL URL") from error
    if password:
        raise SettingsRefused("GBA_TRUST_DATABASE_URL holds a password: put it into GBA_TRUST_DATABASE_PASSWORD_FILE")
    if len(parts.path) < 2 or not host or "," in host:
        raise SettingsRefused(
            "GBA_TRUST_DATABASE_URL must name one host and a database: postgresql://user@host/database"
        )
    if production and not host.startswith("/") and host not in _LOCAL and query.get("sslmode", [""])[-1] not in _PROVEN:
        raise SettingsRefused("GBA_TRUST_DATABASE_URL needs sslmode=verify-full (and sslrootcert) in production mode")
    if not pool_size.isdecimal() or not 1 <= int(pool_size) <= 200:
        raise SettingsRefused("GBA_TRUST_DATABASE_POOL_SIZE must be a whole number from 1 to 200")
    return PostgresSettings(url, password_file, int(pool_size))

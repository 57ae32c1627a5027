"""Sealing of rows: every personal column is encrypted under a purpose that names its table, column and row.

Owns:    the purposes and the joining of codec and cipher, shared by all stores. Leaves SQL to them.
Rules:   a sealed value opens only in the place where it was put: moved to another row or column it does not.
"""

import json
from datetime import UTC, datetime
from typing import TypeVar

from idp.errors import StoreUnavailable
from idp.ports import PersonalDataCipher
from idp.records import dump_record, load_record
from idp.relying_parties import RelyingParty, parse_registration, registration_document

T = TypeVar("T")


class RowSealer:
    """Seals and opens the values of rows."""

    def __init__(self, cipher: PersonalDataCipher) -> None:
        self.cipher = cipher

    def seal_record(self, value: object, *, table: str, row: str) -> bytes:
        """Seal a whole value."""
        return self.cipher.seal(dump_record(value), purpose=f"{table}.sealed:{row}")

    def open_record(self, kind: type[T], sealed: bytes, *, table: str, row: str) -> T:
        """Open a whole value.

        Raises:
            StoreUnavailable: the row does not open, or is of another version of this program.
        """
        try:
            return load_record(kind, self.cipher.open(bytes(sealed), purpose=f"{table}.sealed:{row}"))
        except ValueError as error:
            raise StoreUnavailable("A stored record cannot be opened") from error

    def seal_text(self, text: str, *, column: str, row: str) -> bytes:
        """Seal one column."""
        return self.cipher.seal(text.encode(), purpose=f"{column}:{row}")

    def open_text(self, sealed: bytes, *, column: str, row: str) -> str:
        """Open one column.

        Raises:
            StoreUnavailable: the column does not open.
        """
        try:
            return self.cipher.open(bytes(sealed), purpose=f"{column}:{row}").decode()
        except ValueError as error:
            raise StoreUnavailable("A stored value cannot be opened") from error


def registration_text(party: RelyingParty) -> str:
    """Return a registration as it is stored."""
    return json.dumps(registration_document(party), ensure_ascii=False, sort_keys=True)


def registration_of(client_id: str, text: str, secret_hash: str | None) -> RelyingParty:
    """Rebuild a stored registration."""
    return parse_registration(json.loads(text), client_id=client_id, secret_hash=secret_hash)


def seconds(at: datetime) -> int:
    """Whole seconds since the epoch."""
    return int(at.timestamp())


def microseconds(at: datetime) -> int:
    """Microseconds since the epoch."""
    return round(at.timestamp() * 1_000_000)


def instant(at_s: int) -> datetime:
    """The time of stored seconds."""
    return datetime.fromtimestamp(at_s, UTC)

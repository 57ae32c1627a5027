"""One-time values that find their row by key: `identifier.secret`. Codes, device codes and back-channel request ids have this form.

Owns:    making and reading them. Leaves what they open to the grants.
Rules:   1 the identifier is a key, never a secret; the secret is 192 random bits, kept only as its hash
         2 identifiers begin with the time, so that rows made together lie together: an index stays quick at any size
"""

import re
import secrets
import struct
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime

from idp.hashes import hash_token

_HANDLE = re.compile(r"([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{32})")


@dataclass(frozen=True, slots=True)
class Handle:
    """A presented value, taken apart; nothing is proved yet."""

    identifier: str
    secret_hash: str


def new_identifier(at: datetime) -> str:
    """Make a row's key: 48 bits of time, 80 random bits."""
    return (
        urlsafe_b64encode(struct.pack(">Q", int(at.timestamp() * 1000))[2:] + secrets.token_bytes(10))
        .rstrip(b"=")
        .decode()
    )


def new_handle(identifier: str) -> tuple[str, str]:
    """Make the value that opens a row; return it, and the hash to keep."""
    secret = secrets.token_urlsafe(24)
    return f"{identifier}.{secret}", hash_token(secret)


def parse_handle(value: str | None) -> Handle | None:
    """Take a presented value apart; None when it cannot be one of ours."""
    match = _HANDLE.fullmatch(value or "")
    return None if match is None else Handle(match[1], hash_token(match[2]))

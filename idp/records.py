"""Frozen values to JSON and back, by their own type hints.

Owns:    the codec that the stores use for sealed payloads (msgspec's, which knows dataclasses, enums, times and tuples).
Leaves:  sealing and SQL to the stores.
Rules:   1 strict on the way back: a missing or wrongly typed member is an error; a member that a later version added has its default
         2 a time written as seconds since the epoch (version 0.1's first form) is still read
"""

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
_ENCODER = msgspec.json.Encoder()


def dump_record(value: object) -> bytes:
    """Serialise a frozen dataclass to compact JSON."""
    return _ENCODER.encode(value)


def load_record(kind: type[T], raw: bytes | str) -> T:
    """Rebuild a value of `kind`.

    Raises:
        ValueError: the bytes are not the record of such a value.
    """
    try:
        value: T = _decoder(kind).decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"not a record of {kind.__name__}") from error
    return value


_DECODERS: dict[type, msgspec.json.Decoder[Any]] = {}
"""One for each kind of record; there are a dozen."""


def _decoder(kind: type[Any]) -> msgspec.json.Decoder[Any]:
    known = _DECODERS.get(kind)
    if known is None:
        known = _DECODERS[kind] = msgspec.json.Decoder(kind, strict=False)
    return known

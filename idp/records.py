"""Frozen values to JSON and back, by their own type hints.

Owns:    the codec that the stores use for sealed payloads. Leaves sealing and SQL to the stores.
Rules:   strict on the way back: a missing or wrongly typed member is an error, never a default that nobody wrote.
"""

import dataclasses
import json
import types
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def dump_record(value: object) -> bytes:
    """Serialise a frozen dataclass to compact JSON."""
    return json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=False).encode()


def load_record(kind: type[T], raw: bytes) -> T:
    """Rebuild a value of `kind`.

    Raises:
        ValueError: the bytes are not the record of such a value.
    """
    try:
        value: T = _typed(kind, json.loads(raw))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"not a record of {kind.__name__}") from error
    return value


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in _members(type(value))}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


@lru_cache(maxsize=64)
def _members(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _typed(kind: Any, value: Any) -> Any:  # noqa: ANN401 - JSON by type hint
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        return _typed(next(arm for arm in get_args(kind) if arm is not type(None)), value)
    if origin is tuple:
        return tuple(_typed(get_args(kind)[0], item) for item in value)
    if origin is dict:
        if not isinstance(value, dict):
            raise TypeError("not an object")
        return value
    return _plain_to(kind, value)


def _plain_to(kind: Any, value: Any) -> Any:  # noqa: ANN401 - JSON by type hint
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return kind(**{name: _typed(hint, value[name]) for name, hint in _members(kind).items()})
    if kind is datetime:
        return datetime.fromtimestamp(value, UTC)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is not {kind}")
    return value

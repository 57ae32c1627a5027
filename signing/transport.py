"""Frozen values to JSON and back, for the pipe between a limited process and us.

Owns:    one generic codec over dataclasses, enums, instants, bytes, tuples. Leaves what is sent to `worker`.
Rules:   what comes back from a process that read hostile bytes is JSON, checked against the declared types; never pickle.
"""

import base64
import dataclasses
import types
import typing
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")


def encode(value: object) -> Any:  # noqa: ANN401 - JSON
    """Return plain JSON data for a value."""
    if value is None or (isinstance(value, bool | int) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {item.name: encode(getattr(value, item.name)) for item in dataclasses.fields(value)}
    raise TypeError(f"no JSON form for {type(value).__name__}")


def decode(kind: type[T], data: Any) -> T:  # noqa: ANN401 - JSON
    """Return the value of the declared type.

    Raises:
        ValueError: the data is not of that type.
    """
    try:
        return typing.cast(T, _decode(kind, data))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("not the expected answer") from error


def _decode(kind: Any, data: Any) -> Any:  # noqa: ANN401 - any declared type
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        choices = [item for item in typing.get_args(kind) if item is not type(None)]
        if data is None and len(choices) < len(typing.get_args(kind)):
            return None
        if len(choices) != 1:
            raise TypeError("only optional types travel")
        return _decode(choices[0], data)
    if origin is tuple:
        return _decode_tuple(typing.get_args(kind), data)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{item.name: _decode(hints[item.name], data[item.name]) for item in dataclasses.fields(kind)})
    return _decode_plain(kind, data)


def _decode_tuple(items: tuple[Any, ...], data: Any) -> tuple[Any, ...]:  # noqa: ANN401 - JSON
    if not isinstance(data, list):
        raise TypeError("a list is expected")
    if len(items) == 2 and items[1] is Ellipsis:
        return tuple(_decode(items[0], item) for item in data)
    return tuple(_decode(item, part) for item, part in zip(items, data, strict=True))


def _decode_plain(kind: Any, data: Any) -> Any:  # noqa: ANN401 - JSON
    if issubclass(kind, Enum):
        return kind[data]
    if kind is datetime:
        return datetime.fromisoformat(data)
    if kind is bytes:
        return base64.b64decode(data, validate=True)
    if kind in (str, int, bool) and type(data) is kind:
        return data
    raise TypeError("not of the declared type")


@lru_cache(maxsize=64)
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)

"""JSON read strictly, with bounds: the reader behind every document of the list.

Owns:    `parse_object`, and accessors that say where a member is wrong. Leaves the shape of documents to `document`.
Rules:   UTF-8, one object, no duplicate or unknown members, no NaN, bounded bytes (and depth, by the interpreter's
         recursion limit); every departure is `list_malformed`.
Spec:    RFC 8259, RFC 7493 (I-JSON: duplicate names are errors).
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeVar

from trust_lists.errors import ListMalformed

MAX_TEXT = 1024

T = TypeVar("T")
Json = dict[str, Any]

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def refuse(where: str, what: str) -> NoReturn:
    """Refuse a member, saying where."""
    raise ListMalformed(f"{where}: {what}")


def parse_object(data: bytes, *, max_bytes: int) -> Json:
    """Return the object that the bytes hold.

    Raises:
        ListMalformed: too long, too deep, not JSON, not an object, a member twice.
    """
    if len(data) > max_bytes:
        raise ListMalformed("the document is too long")
    value = parse_value(data)
    if not isinstance(value, dict):
        raise ListMalformed("the document is not a JSON object")
    return value


def parse_value(data: bytes) -> object:
    """Return the JSON value that the bytes hold; the caller has bounded them.

    Raises:
        ListMalformed: too deep, not JSON, a member twice.
    """
    try:
        return _decode(data.decode("utf-8"))
    except (
        ValueError,
        RecursionError,
    ) as error:  # CPython's parser ends deep nesting with RecursionError, without a crash
        raise ListMalformed("the document is not strict JSON") from error


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member occurs twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decode = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant).decode


def members(value: object, where: str, required: frozenset[str], optional: frozenset[str] = frozenset()) -> Json:
    """Return the object when it has all required members and no unknown one."""
    if not isinstance(value, dict):
        refuse(where, "not an object")
    names = value.keys()
    if not required <= names:
        refuse(where, f"missing {', '.join(sorted(required - names))}")
    if not names <= required | optional:
        refuse(where, "unknown member")
    return value


def sequence(
    value: object, where: str, parse: Callable[[object, str], T], *, least: int = 0, most: int
) -> tuple[T, ...]:
    """Return the items of an array, each parsed."""
    if not isinstance(value, list) or not least <= len(value) <= most:
        refuse(where, f"not an array of {least} to {most} items")
    return tuple(parse(item, f"{where}[{index}]") for index, item in enumerate(value))


def text(value: object, where: str, *, pattern: re.Pattern[str] | None = None, most: int = MAX_TEXT) -> str:
    """Return a non-empty text without control characters."""
    if not isinstance(value, str) or not 1 <= len(value) <= most or _CONTROL.search(value):
        refuse(where, "not a short text")
    if pattern is not None and pattern.fullmatch(value) is None:
        refuse(where, "not of the expected form")
    return value


def number(value: object, where: str, *, least: int = 1, most: int = 2**31 - 1) -> int:
    """Return a whole number."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        refuse(where, "not a number in range")
    return value


def instant(value: object, where: str) -> datetime:
    """Return an aware UTC instant from `YYYY-MM-DDTHH:MM:SS[.ffffff]Z` (TS 119 612 cl. 5.1.3: UTC, "Z")."""
    if not isinstance(value, str) or _DATE_TIME.fullmatch(value) is None:
        refuse(where, "not a UTC date and time")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        refuse(where, "no such date")


def write_instant(at: datetime) -> str:
    """Write an instant, always with microseconds, so that equal instants are equal bytes."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def write_value(value: object) -> bytes:
    """Write a value on one line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def write_object(value: Json) -> bytes:
    """Write a document: readable, in member order as built, one newline at the end."""
    return (json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()

"""Reading a JSON object that came from outside.

Owns:    the one strict reader. Leaves the members' meaning to whoever asked.
Rules:   1 UTF-8 only; the top is an object; a member that occurs twice, at any depth, refuses the whole (RFC 8725 cl. 2.4)
         2 no NaN, no Infinity, no half of a surrogate pair: what was read can be written again
         3 no deeper than `MAX_DEPTH`, so that nobody who walks through it later runs out of stack
         4 whatever the bytes, the answer is a value or `JoseRefused`
Spec:    RFC 8259; RFC 7515 cl. 4, 5.2; RFC 7519 cl. 4
"""

import json
from typing import Final, NoReturn

from idp.errors import JoseRefused

MAX_DEPTH: Final = 32


def parse_json_object(data: bytes) -> dict[str, object]:
    """Parse an object.

    Raises:
        JoseRefused: it is none, or breaks a rule.
    """
    try:
        text = data.decode("utf-8")
        value = _DECODER.decode(text)
        if "\\u" in text:  # an escape can smuggle in a lone surrogate, which no encoder takes later
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise JoseRefused("Not a JSON object") from error
    if not isinstance(value, dict):
        raise JoseRefused("Not a JSON object")
    if text.count("{") + text.count("[") > MAX_DEPTH:  # else it cannot be too deep
        _check_depth(value)
    return value


def _check_depth(value: object) -> None:
    layer, depth = [value], 0
    while layer:
        depth += 1
        if depth > MAX_DEPTH:
            raise JoseRefused("The object is nested too deeply")
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(inner, (dict, list))
        ]


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a member occurs twice")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)

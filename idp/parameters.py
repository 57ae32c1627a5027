"""From raw query or form bytes to parameters: strict, bounded, and aware of repetition.

Owns:    decoding. Leaves the meaning of every parameter to the checks.
Rules:   1 a parameter without a value counts as absent (RFC 6749 cl. 3.1)
         2 a repeated parameter keeps its first value and is remembered as repeated; who may repeat is the checks' matter
         3 what is not UTF-8, or exceeds a limit, is refused whole
Spec:    RFC 6749 cl. 3.1, 3.2, appendix B
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import parse_qsl

from idp.config import IdpConfig
from idp.page_errors import MalformedRequest


@dataclass(frozen=True, slots=True)
class Parameters:
    """Decoded and not yet believed."""

    values: Mapping[str, str]
    repeated: frozenset[str]
    every: tuple[tuple[str, str], ...] = ()
    """All pairs in order, for parameters that may repeat."""

    def get(self, name: str) -> str | None:
        """Return the value, or None when absent or empty."""
        return self.values.get(name)

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a parameter that may repeat."""
        return tuple(value for key, value in self.every if key == name)


def parse_parameters(raw: bytes, config: IdpConfig, *, max_bytes: int) -> Parameters:
    """Decode `application/x-www-form-urlencoded` bytes.

    Raises:
        MalformedRequest: too large, too many, or not UTF-8.
    """
    if len(raw) > max_bytes:
        raise MalformedRequest("The request is too large")
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=False,
            max_num_fields=config.max_parameters,
            encoding="utf-8",
            errors="strict",
        )
    except ValueError as error:  # UnicodeError is one, too
        raise MalformedRequest("The request is not correctly encoded, or has too many parameters") from error
    if any(len(value) > config.max_parameter_bytes or len(key) > 128 for key, value in pairs):
        raise MalformedRequest("A parameter of the request is too large")
    values: dict[str, str] = {}
    repeated: set[str] = set()
    for key, value in pairs:
        if key in values:
            repeated.add(key)
        else:
            values[key] = value
    return Parameters(MappingProxyType(values), frozenset(repeated), tuple(pairs))

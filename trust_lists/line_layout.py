"""One entry a line: the layout in which documents are published, so that what did not change need not be parsed again.

Owns:    writing a document with one service (or admission) on each line, and finding those lines again.
Leaves:  what an entry says to `document` and `scheme_document`.
Rules:   the layout is a convenience and never a condition: bytes that depart from it are parsed whole, to the same result. Where it holds,
         the pieces between the fixed words are complete JSON values, each parsed strictly, so together they are exactly the document.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_SECTION = b'{"ListAndSchemeInformation": '
_PROVIDERS = b'"TrustedEntitiesList": ['
_PROVIDER = b'{"TrustedEntityInformation": '
_SERVICES = b', "TrustedEntityServices": ['
_SCHEME = b'{"SchemeInformation": '
_PURPOSES = b'"Purposes": '
_AGREEMENTS = b'"Agreements": '
_ADMISSIONS = b'"AdmittedServices": ['
_END = b"]}"


@dataclass(frozen=True, slots=True)
class SectionLines:
    """A region's document in pieces, each a JSON value."""

    information: bytes
    providers: tuple[tuple[bytes, tuple[bytes, ...]], ...]
    """Each provider's information, and its services."""


@dataclass(frozen=True, slots=True)
class SchemeLines:
    """The scheme document in pieces, each a JSON value."""

    information: bytes
    purposes: bytes
    agreements: bytes
    admissions: tuple[bytes, ...]


def split_section(data: bytes) -> SectionLines | None:
    """Return the pieces of a region's document, None when it is laid out otherwise."""
    lines = iter(data.split(b"\n"))
    information = _between(next(lines, b""), _SECTION, b",")
    if information is None or next(lines, b"") != _PROVIDERS:
        return None
    providers: list[tuple[bytes, tuple[bytes, ...]]] = []
    more = True  # whether another provider may or must follow
    for line in lines:
        if line == _END:
            rest, complete = list(lines), not providers or not more
            return SectionLines(information, tuple(providers)) if rest == [b""] and complete else None
        head, entries = _between(line, _PROVIDER, _SERVICES), _entries(lines)
        if not more or head is None or entries is None:
            return None
        providers.append((head, entries[0]))
        more = entries[1]
    return None


def split_scheme(data: bytes) -> SchemeLines | None:
    """Return the pieces of the scheme document, None when it is laid out otherwise."""
    lines = iter(data.split(b"\n"))
    information = _between(next(lines, b""), _SCHEME, b",")
    purposes = _between(next(lines, b""), _PURPOSES, b",")
    agreements = _between(next(lines, b""), _AGREEMENTS, b",")
    if information is None or purposes is None or agreements is None or next(lines, b"") != _ADMISSIONS:
        return None
    entries = _entries(lines)
    if entries is None or entries[1] or list(lines) != [b""]:
        return None
    return SchemeLines(information, purposes, agreements, entries[0])


def _entries(lines: Iterator[bytes]) -> tuple[tuple[bytes, ...], bool] | None:
    """Return the entries up to the array's end, and whether a comma follows it; None where the commas are not as JSON wants them."""
    found: list[bytes] = []
    comma = False
    for line in lines:
        if line in (_END, _END + b","):
            return (tuple(found), line != _END) if not comma else None
        if found and not comma:
            return None
        comma = line.endswith(b",")
        found.append(line[:-1] if comma else line)
    return None


def _between(line: bytes, prefix: bytes, suffix: bytes) -> bytes | None:
    if len(line) < len(prefix) + len(suffix) or not line.startswith(prefix) or not line.endswith(suffix):
        return None
    return line[len(prefix) : len(line) - len(suffix)]


def join_section(information: bytes, providers: Iterable[tuple[bytes, Iterable[bytes]]]) -> bytes:
    """Write a region's document in this layout."""
    blocks = [_PROVIDER + head + _SERVICES + b"\n" + _lines(services) + _END for head, services in providers]
    return _SECTION + information + b",\n" + _PROVIDERS + b"\n" + _lines(blocks) + _END + b"\n"


def join_scheme(information: bytes, purposes: bytes, agreements: bytes, admissions: Iterable[bytes]) -> bytes:
    """Write the scheme document in this layout."""
    head = _SCHEME + information + b",\n" + _PURPOSES + purposes + b",\n" + _AGREEMENTS + agreements + b",\n"
    return head + _ADMISSIONS + b"\n" + _lines(admissions) + _END + b"\n"


def _lines(entries: Iterable[bytes]) -> bytes:
    joined = b",\n".join(entries)
    return joined + b"\n" if joined else b""

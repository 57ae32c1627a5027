"""How one value of a registration is read: a text, a switch, a list, a URI.

Owns:    the parsers of single values. Leaves which member takes which to `registration_members`.
Rules:   each takes the member's name (for the refusal) and what was given; it returns a bounded value of the promised type or refuses
Spec:    RFC 7591 cl. 2; RFC 8705 cl. 2.1.2; RFC 4514
"""

import ipaddress
import re
from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlsplit

from cryptography import x509

from idp.config import LOOPBACK_HOSTS
from idp.errors import InvalidClientMetadata, InvalidRedirectUri
from idp.protocol import Scope
from idp.registration_values import TlsSubject, TlsSubjectKind

E = TypeVar("E", bound=StrEnum)

CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,63}")
_URL_CHARACTERS = re.compile(r"[!$&'()*+,\-./0-9:;=?@A-Z_a-z~%\[\]]+")
_DNS_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62}))*")
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]{1,500}")
_EMAIL = re.compile(r"[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,253}")


def parse_text(longest: int, name: str, value: object) -> str:
    """Return a printable text of bounded length."""
    if not isinstance(value, str) or not 1 <= len(value) <= longest or not value.isprintable():
        raise InvalidClientMetadata(f"{name} must be a text of 1 to {longest} characters")
    return value


def parse_optional_text(longest: int, name: str, value: object) -> str:
    """Return a text that may be empty."""
    return "" if value == "" else parse_text(longest, name, value)


def parse_switch(name: str, value: object) -> bool:
    """Return true or false; a word or a number is neither."""
    if not isinstance(value, bool):
        raise InvalidClientMetadata(f"{name} must be true or false")
    return value


def parse_whole_seconds(name: str, value: object) -> int:
    """Return a number of seconds."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise InvalidClientMetadata(f"{name} must be a number of seconds")
    return value


def parse_one_of(offered: tuple[str, ...], name: str, value: object) -> str:
    """Return one of the offered words."""
    if not isinstance(value, str) or value not in offered:
        raise InvalidClientMetadata(f"{name} must be one of {', '.join(offered)}")
    return value


def parse_enum(kind: type[E], name: str, value: object) -> E:
    """Return the member of an enum whose word was given."""
    return kind(parse_one_of(tuple(member.value for member in kind), name, value))


def parse_list(item: Callable[[str, object], str], longest: int, name: str, value: object) -> tuple[str, ...]:
    """Return a bounded list without repetitions."""
    if not isinstance(value, list) or len(value) > longest:
        raise InvalidClientMetadata(f"{name} must be a list of at most {longest} values")
    return tuple(dict.fromkeys(item(name, one) for one in value))


def parse_https_uri(name: str, value: object) -> str:
    """Return a URI that we show or link."""
    return _uri(frozenset(), name, value)


def parse_logout_uri(name: str, value: object) -> str:
    """Return a URI that hears of a logout: like a redirect URI, http on loopback serves a developer's own machine."""
    return _uri(LOOPBACK_HOSTS, name, value)


def _uri(http_hosts: frozenset[str], name: str, value: object) -> str:
    text = parse_text(500, name, value)
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidClientMetadata(f"{name} cannot be read as a URL") from error
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in http_hosts)
    if not (secure and host) or not _URL_CHARACTERS.fullmatch(text) or "@" in parts.netloc:
        raise InvalidClientMetadata(f"{name} must be an https URL in ASCII, without user or fragment")
    return text


def parse_redirect_uri(_: str, value: object) -> str:
    """Return what may be a redirect URI; which may be registered depends on the kind of application."""
    if not isinstance(value, str):
        raise InvalidRedirectUri("A redirect URI must be a text")
    return value


def parse_client_id(name: str, value: object) -> str:
    """Return a client identifier."""
    if not isinstance(value, str) or not CLIENT_ID.fullmatch(value):
        raise InvalidClientMetadata(f"{name} must hold client identifiers")
    return value


def parse_scope(name: str, value: object) -> tuple[str, ...]:
    """Return the words of a scope; all must exist here."""
    words = tuple(dict.fromkeys(parse_text(200, name, value).split(" ")))
    if unknown := [word for word in words if word not in set(Scope)]:
        raise InvalidClientMetadata(f"scope: {unknown[0]!r} does not exist")
    return words


def parse_tls_subject(kind: TlsSubjectKind, value: object) -> TlsSubject:
    """Return the expected subject of a client certificate, when it is well-formed for its kind."""
    text = parse_text(500, kind.value, value)
    patterns = {TlsSubjectKind.DNS: _DNS_NAME, TlsSubjectKind.URI: _URI, TlsSubjectKind.EMAIL: _EMAIL}
    try:
        if kind is TlsSubjectKind.DN:
            readable = bool(list(x509.Name.from_rfc4514_string(text)))
        elif kind is TlsSubjectKind.IP:
            readable = bool(ipaddress.ip_address(text))
        else:
            readable = patterns[kind].fullmatch(text) is not None
    except (ValueError, TypeError) as error:
        raise InvalidClientMetadata(f"{kind.value} cannot be read") from error
    if not readable:
        raise InvalidClientMetadata(f"{kind.value} cannot be read")
    return TlsSubject(kind, text)

"""The members of a registration: their names, how each is read and written.

Owns:    `MEMBERS`, the one table from which a registration is read and written back.
Leaves:  rules over several members to `registration_rules`.
Rules:   1 what is registered is either understood or refused; members that mean nothing here are dropped
         2 null counts as absent (RFC 7592 cl. 2.2); an absent member takes the field's default
         3 every row inverts itself: what it writes, it reads as the same value
Spec:    RFC 7591 cl. 2; OpenID Connect Dynamic Client Registration 1.0 cl. 2; RFC 7592; RFC 8705 cl. 2.1.2, 3.4; RFC 9101 cl. 10.5;
         RFC 9126 cl. 6; RFC 9396 cl. 10; RFC 9449 cl. 5.2; RFC 9701 cl. 6; JARM cl. 3; OpenID Connect logout specifications
"""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from cryptography import x509

from idp.config import LOOPBACK_HOSTS
from idp.errors import InvalidClientMetadata
from idp.protocol import (
    ASSERTION_ALGORITHMS,
    AUTHORIZATION_DETAILS_TYPES,
    CONTENT_ENCRYPTIONS,
    ENCRYPTION_ALGORITHMS,
    REQUEST_OBJECT_ALGORITHMS,
    SIGNING_ALGORITHMS,
    ClientAuthMethod,
    GrantType,
    Scope,
)
from idp.registration_keys import parse_jwks
from idp.registration_values import Encryption, RelyingParty, TlsSubject, TlsSubjectKind
from trust_lists.vocabulary import AssuranceLevel, Region

T = TypeVar("T")
Document = Mapping[str, object]

MAX_URIS = 20
PROFILE_NAMES = ("basic", "fapi2")
CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,63}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")
_DNS_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62}))*")
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]{1,500}")
_EMAIL = re.compile(r"[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,253}")


class _Absent:
    """Stands for a member that was not given."""


ABSENT: Final = _Absent()


@dataclass(frozen=True, slots=True)
class Member:
    """One row: the field of `RelyingParty`, and the two ways between it and the document."""

    field: str
    read: Callable[[Document], object]
    """Returns `ABSENT`, or the field's value; raises InvalidClientMetadata."""
    write: Callable[[Any], dict[str, object]]


def read_members(document: Document) -> dict[str, Any]:
    """Read every row; return the fields that were given.

    Raises:
        InvalidClientMetadata: a member is missing or not acceptable.
    """
    given = {name: value for name, value in document.items() if value is not None}
    values = {row.field: row.read(given) for row in MEMBERS}
    return {field: value for field, value in values.items() if value is not ABSENT}


def write_members(party: RelyingParty) -> dict[str, object]:
    """Write every row, but those that are empty by default."""
    document: dict[str, object] = {}
    for row in MEMBERS:
        value = getattr(party, row.field)
        if value or value != _DEFAULTS[row.field]:
            document |= row.write(value)
    return document


# --- one value -------------------------------------------------------------------------------------------------------


def _text(longest: int, name: str, value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= longest or not value.isprintable():
        raise InvalidClientMetadata(f"{name} must be a text of 1 to {longest} characters")
    return value


def _optional_text(longest: int, name: str, value: object) -> str:
    return "" if value == "" else _text(longest, name, value)


def _switch(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidClientMetadata(f"{name} must be true or false")
    return value


def _whole_seconds(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise InvalidClientMetadata(f"{name} must be a number of seconds")
    return value


def _one_of(offered: tuple[str, ...], name: str, value: object) -> str:
    if not isinstance(value, str) or value not in offered:
        raise InvalidClientMetadata(f"{name} must be one of {', '.join(offered)}")
    return value


def _enum(kind: type[T], name: str, value: object) -> T:
    offered = tuple(str(member.value) for member in kind)  # type: ignore[attr-defined]  # an enum is iterable
    return kind(_one_of(offered, name, value))  # type: ignore[call-arg]  # and is called with a value


def _list(item: Callable[[str, object], str], longest: int, name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > longest:
        raise InvalidClientMetadata(f"{name} must be a list of at most {longest} values")
    return tuple(dict.fromkeys(item(name, one) for one in value))


def _https(name: str, value: object) -> str:
    """A URI that we show or link."""
    return _uri(frozenset(), name, value)


def _logout_uri(name: str, value: object) -> str:
    """A URI that hears of a logout: like a redirect URI, http on loopback serves a developer's own machine."""
    return _uri(LOOPBACK_HOSTS, name, value)


def _uri(http_hosts: frozenset[str], name: str, value: object) -> str:
    text = _text(500, name, value)
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidClientMetadata(f"{name} cannot be read as a URL") from error
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in http_hosts)
    if (
        not secure
        or not host
        or "@" in parts.netloc
        or "#" in text
        or not text.isascii()
        or set(text) & set(' "<>\\^`{|}')
    ):
        raise InvalidClientMetadata(f"{name} must be an https URL in ASCII, without user or fragment")
    return text


def _client_id(name: str, value: object) -> str:
    if not isinstance(value, str) or not CLIENT_ID.fullmatch(value):
        raise InvalidClientMetadata(f"{name} must hold client identifiers")
    return value


def _scope(name: str, value: object) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(_text(200, name, value).split(" ")))
    if unknown := [word for word in words if word not in set(Scope)]:
        raise InvalidClientMetadata(f"scope: {unknown[0]!r} does not exist")
    return words


# --- one row ---------------------------------------------------------------------------------------------------------


def _row(field: str, name: str, parse: Callable[[str, object], object]) -> Member:
    """A field that is one member."""

    def read(document: Document) -> object:
        return parse(name, document[name]) if name in document else ABSENT

    def write(value: object) -> dict[str, object]:
        return {name: list(value) if isinstance(value, tuple) else value}

    return Member(field, read, write)


def _list_row(field: str, name: str, item: Callable[[str, object], str], longest: int = MAX_URIS) -> Member:
    return _row(field, name, partial(_list, item, longest))


def _encryption_row(field: str, prefix: str) -> Member:
    """`…_alg` and `…_enc`: the second has a default, and means nothing alone (Dynamic Client Registration cl. 2)."""
    alg, enc = f"{prefix}_alg", f"{prefix}_enc"

    def read(document: Document) -> object:
        if alg not in document:
            if enc in document:
                raise InvalidClientMetadata(f"{enc} needs {alg}")
            return ABSENT
        content = document.get(enc, CONTENT_ENCRYPTIONS[0])
        return Encryption(
            _one_of(ENCRYPTION_ALGORITHMS, alg, document[alg]), _one_of(CONTENT_ENCRYPTIONS, enc, content)
        )

    return Member(field, read, lambda value: {alg: value.alg, enc: value.enc})


def _tls_subject_row() -> Member:
    def read(document: Document) -> object:
        given = [kind for kind in TlsSubjectKind if kind.value in document]
        if len(given) > 1:
            raise InvalidClientMetadata("only one tls_client_auth_… member may be registered (RFC 8705 cl. 2.1.2)")
        return _tls_subject(given[0], document[given[0].value]) if given else ABSENT

    return Member("tls_subject", read, lambda value: {value.kind.value: value.value})


def _tls_subject(kind: TlsSubjectKind, value: object) -> TlsSubject:
    text = _text(500, kind.value, value)
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


def _localized_names_row() -> Member:
    prefix = "client_name#"

    def read(document: Document) -> object:
        names = sorted(member for member in document if member.startswith(prefix))
        if len(names) > MAX_URIS or not all(_LANGUAGE.fullmatch(name.removeprefix(prefix)) for name in names):
            raise InvalidClientMetadata("client_name# must be followed by a language tag, at most 20 times")
        return tuple((name.removeprefix(prefix), _text(120, name, document[name])) for name in names)

    return Member("localized_names", read, lambda value: {f"{prefix}{tag}": name for tag, name in value})


def _jwks_row() -> Member:
    def read(document: Document) -> object:
        return parse_jwks(document["jwks"]) if "jwks" in document else ABSENT

    return Member("jwks", read, lambda value: {"jwks": json.loads(value)})


_signing = partial(_one_of, SIGNING_ALGORITHMS)
_acr = partial(_one_of, tuple(level.acr for level in AssuranceLevel))
_GRANTS = tuple(grant.value for grant in GrantType)

MEMBERS: Final[tuple[Member, ...]] = (
    _row("client_name", "client_name", partial(_text, 120)),
    _localized_names_row(),
    _list_row("redirect_uris", "redirect_uris", partial(_text, 2000)),
    _list_row("grant_types", "grant_types", partial(_one_of, _GRANTS)),
    _row("auth_method", "token_endpoint_auth_method", partial(_enum, ClientAuthMethod)),
    _row("auth_alg", "token_endpoint_auth_signing_alg", partial(_one_of, ASSERTION_ALGORITHMS)),
    _tls_subject_row(),
    _jwks_row(),
    _row("application_type", "application_type", partial(_one_of, ("web", "native"))),
    Member(
        "scope",
        lambda document: _scope("scope", document.get("scope", Scope.OPENID.value)),
        lambda value: {"scope": " ".join(value)},
    ),
    _row("sector_identifier_uri", "sector_identifier_uri", _https),
    # what it gets, and how
    _row("id_token_alg", "id_token_signed_response_alg", _signing),
    _encryption_row("id_token_encryption", "id_token_encrypted_response"),
    _row("userinfo_alg", "userinfo_signed_response_alg", _signing),
    _encryption_row("userinfo_encryption", "userinfo_encrypted_response"),
    _row("introspection_alg", "introspection_signed_response_alg", _signing),
    _row("authorization_response_alg", "authorization_signed_response_alg", _signing),
    _encryption_row("authorization_response_encryption", "authorization_encrypted_response"),
    # what it must bring
    _row("request_object_alg", "request_object_signing_alg", partial(_one_of, REQUEST_OBJECT_ALGORITHMS)),
    _row("require_signed_request", "require_signed_request_object", _switch),
    _row("require_par", "require_pushed_authorization_requests", _switch),
    _row("dpop_bound", "dpop_bound_access_tokens", _switch),
    _row("mtls_bound", "tls_client_certificate_bound_access_tokens", _switch),
    # its defaults for a request
    _row("default_max_age_s", "default_max_age", _whole_seconds),
    _row("require_auth_time", "require_auth_time", _switch),
    _list_row("default_acr_values", "default_acr_values", _acr),
    _list_row(
        "authorization_details_types", "authorization_details_types", partial(_one_of, AUTHORIZATION_DETAILS_TYPES)
    ),
    # where it hears of a logout
    _list_row("post_logout_redirect_uris", "post_logout_redirect_uris", partial(_text, 2000)),
    _row("backchannel_logout_uri", "backchannel_logout_uri", _logout_uri),
    _row("backchannel_logout_session_required", "backchannel_logout_session_required", _switch),
    _row("frontchannel_logout_uri", "frontchannel_logout_uri", _logout_uri),
    _row("frontchannel_logout_session_required", "frontchannel_logout_session_required", _switch),
    # about it
    _row("initiate_login_uri", "initiate_login_uri", _https),
    _row("logo_uri", "logo_uri", _https),
    _row("policy_uri", "policy_uri", _https),
    _row("tos_uri", "tos_uri", _https),
    _row("client_uri", "client_uri", _https),
    _list_row("contacts", "contacts", partial(_text, 200)),
    _row("software_id", "software_id", partial(_text, 100)),
    _row("software_version", "software_version", partial(_text, 100)),
    # our own members
    _row("region", "gba_region", partial(_enum, Region)),
    _row("profile", "gba_profile", partial(_one_of, PROFILE_NAMES)),
    _row("purpose", "gba_purpose", partial(_optional_text, 300)),
    _row("access_token_format", "gba_access_token_format", partial(_one_of, ("jwt", "opaque"))),
    _list_row("delegates", "gba_delegates", _client_id),
)
_DEFAULTS = {field.name: field.default for field in fields(RelyingParty)}
REQUIRED: Final = tuple(row.field for row in MEMBERS if row.field in _DEFAULTS and _DEFAULTS[row.field] is MISSING)

"""The members of a registration: their names, how each is read and written.

Owns:    `MEMBERS`, the one table from which a registration is read and written back.
Leaves:  rules over several members to `registration_rules`.
Rules:   1 what is registered is either understood or refused; members that mean nothing here are dropped
         2 null counts as absent (RFC 7592 cl. 2.2); an absent member takes the field's default
         3 every row inverts itself: what it writes, it reads as the same value
Spec:    RFC 7591 cl. 2; OpenID Connect Dynamic Client Registration 1.0 cl. 2; RFC 7592; RFC 8705 cl. 2.1.2, 3.4; RFC 9101 cl. 10.5;
         RFC 9126 cl. 6; RFC 9396 cl. 10; RFC 9449 cl. 5.2; RFC 9701 cl. 6; JARM cl. 3; OpenID Connect logout specifications
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import partial
from typing import Any, Final

from idp.errors import InvalidClientMetadata
from idp.jose.algorithms import Encryption
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
from idp.registration_parsers import (
    parse_client_id,
    parse_enum,
    parse_https_uri,
    parse_list,
    parse_logout_uri,
    parse_one_of,
    parse_optional_text,
    parse_redirect_uri,
    parse_scope,
    parse_switch,
    parse_text,
    parse_tls_subject,
    parse_whole_seconds,
)
from idp.registration_values import RelyingParty, TlsSubjectKind
from trust_lists.vocabulary import AssuranceLevel, Region

Document = Mapping[str, object]

MAX_URIS = 20
PROFILE_NAMES = ("basic", "fapi2")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")


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


# --- rows ---------------------------------------------------------------------------------------------------------


def _row(field: str, name: str, parse: Callable[[str, object], object]) -> Member:
    """A field that is one member."""

    def read(document: Document) -> object:
        return parse(name, document[name]) if name in document else ABSENT

    def write(value: object) -> dict[str, object]:
        return {name: list(value) if isinstance(value, tuple) else value}

    return Member(field, read, write)


def _list_row(field: str, name: str, item: Callable[[str, object], str], longest: int = MAX_URIS) -> Member:
    return _row(field, name, partial(parse_list, item, longest))


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
            parse_one_of(ENCRYPTION_ALGORITHMS, alg, document[alg]), parse_one_of(CONTENT_ENCRYPTIONS, enc, content)
        )

    return Member(field, read, lambda value: {alg: value.alg, enc: value.enc})


def _tls_subject_row() -> Member:
    def read(document: Document) -> object:
        given = [kind for kind in TlsSubjectKind if kind.value in document]
        if len(given) > 1:
            raise InvalidClientMetadata("only one tls_client_auth_… member may be registered (RFC 8705 cl. 2.1.2)")
        return parse_tls_subject(given[0], document[given[0].value]) if given else ABSENT

    return Member("tls_subject", read, lambda value: {value.kind.value: value.value})


def _localized_names_row() -> Member:
    prefix = "client_name#"

    def read(document: Document) -> object:
        names = sorted(member for member in document if member.startswith(prefix))
        if len(names) > MAX_URIS or not all(_LANGUAGE.fullmatch(name.removeprefix(prefix)) for name in names):
            raise InvalidClientMetadata("client_name# must be followed by a language tag, at most 20 times")
        return tuple((name.removeprefix(prefix), parse_text(120, name, document[name])) for name in names)

    return Member("localized_names", read, lambda value: {f"{prefix}{tag}": name for tag, name in value})


def _jwks_row() -> Member:
    def read(document: Document) -> object:
        return parse_jwks(document["jwks"]) if "jwks" in document else ABSENT

    return Member("jwks", read, lambda value: {"jwks": json.loads(value)})


_signing = partial(parse_one_of, SIGNING_ALGORITHMS)
_acr = partial(parse_one_of, tuple(level.acr for level in AssuranceLevel))
_GRANTS = tuple(grant.value for grant in GrantType)

MEMBERS: Final[tuple[Member, ...]] = (
    _row("client_name", "client_name", partial(parse_text, 120)),
    _localized_names_row(),
    _list_row("redirect_uris", "redirect_uris", parse_redirect_uri),
    _list_row("grant_types", "grant_types", partial(parse_one_of, _GRANTS)),
    _row("auth_method", "token_endpoint_auth_method", partial(parse_enum, ClientAuthMethod)),
    _row("auth_alg", "token_endpoint_auth_signing_alg", partial(parse_one_of, ASSERTION_ALGORITHMS)),
    _tls_subject_row(),
    _jwks_row(),
    _row("application_type", "application_type", partial(parse_one_of, ("web", "native"))),
    Member(
        "scope",
        lambda document: parse_scope("scope", document.get("scope", Scope.OPENID.value)),
        lambda value: {"scope": " ".join(value)},
    ),
    _row("sector_identifier_uri", "sector_identifier_uri", parse_https_uri),
    # what it gets, and how
    _row("id_token_alg", "id_token_signed_response_alg", _signing),
    _encryption_row("id_token_encryption", "id_token_encrypted_response"),
    _row("userinfo_alg", "userinfo_signed_response_alg", _signing),
    _encryption_row("userinfo_encryption", "userinfo_encrypted_response"),
    _row("introspection_alg", "introspection_signed_response_alg", _signing),
    _row("authorization_response_alg", "authorization_signed_response_alg", _signing),
    _encryption_row("authorization_response_encryption", "authorization_encrypted_response"),
    # what it must bring
    _row("request_object_alg", "request_object_signing_alg", partial(parse_one_of, REQUEST_OBJECT_ALGORITHMS)),
    _row("require_signed_request", "require_signed_request_object", parse_switch),
    _row("require_par", "require_pushed_authorization_requests", parse_switch),
    _row("dpop_bound", "dpop_bound_access_tokens", parse_switch),
    _row("mtls_bound", "tls_client_certificate_bound_access_tokens", parse_switch),
    # its defaults for a request
    _row("default_max_age_s", "default_max_age", parse_whole_seconds),
    _row("require_auth_time", "require_auth_time", parse_switch),
    _list_row("default_acr_values", "default_acr_values", _acr),
    _list_row(
        "authorization_details_types", "authorization_details_types", partial(parse_one_of, AUTHORIZATION_DETAILS_TYPES)
    ),
    # where it hears of a logout
    _list_row("post_logout_redirect_uris", "post_logout_redirect_uris", parse_redirect_uri),
    _row("backchannel_logout_uri", "backchannel_logout_uri", parse_logout_uri),
    _row("backchannel_logout_session_required", "backchannel_logout_session_required", parse_switch),
    _row("frontchannel_logout_uri", "frontchannel_logout_uri", parse_logout_uri),
    _row("frontchannel_logout_session_required", "frontchannel_logout_session_required", parse_switch),
    # about it
    _row("initiate_login_uri", "initiate_login_uri", parse_https_uri),
    _row("logo_uri", "logo_uri", parse_https_uri),
    _row("policy_uri", "policy_uri", parse_https_uri),
    _row("tos_uri", "tos_uri", parse_https_uri),
    _row("client_uri", "client_uri", parse_https_uri),
    _list_row("contacts", "contacts", partial(parse_text, 200)),
    _row("software_id", "software_id", partial(parse_text, 100)),
    _row("software_version", "software_version", partial(parse_text, 100)),
    # our own members
    _row("region", "gba_region", partial(parse_enum, Region)),
    _row("profile", "gba_profile", partial(parse_one_of, PROFILE_NAMES)),
    _row("purpose", "gba_purpose", partial(parse_optional_text, 300)),
    _row("access_token_format", "gba_access_token_format", partial(parse_one_of, ("jwt", "opaque"))),
    _list_row("delegates", "gba_delegates", parse_client_id),
)
_DEFAULTS = {field.name: field.default for field in fields(RelyingParty)}
REQUIRED: Final = tuple(row.field for row in MEMBERS if row.field in _DEFAULTS and _DEFAULTS[row.field] is MISSING)

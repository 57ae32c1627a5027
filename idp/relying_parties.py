"""Relying parties: what a portal registers, in the member names of RFC 7591.

Owns:    the registration's value, its checks, its keys. Leaves storage to the stores, the person's words about it to pages.
Rules:   1 what is registered is either understood or refused; members that mean nothing here are dropped
         2 keys come by value (`jwks`), public and suitable only: nothing is fetched from a relying party
         3 a secret is ours to make, shown once, kept as its hash
         4 the sector is the host of `sector_identifier_uri`, else the one host of the redirect URIs
Spec:    RFC 7591 cl. 2; OpenID Connect Dynamic Client Registration 1.0 cl. 2, 5; OpenID Connect Core cl. 8.1
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet, RSAKey

from idp.errors import InvalidClientMetadata
from idp.protocol import ClientAuthMethod, GrantType, Scope
from idp.redirect_uris import check_registrable
from trust_lists.vocabulary import Region

E = TypeVar("E", bound=StrEnum)

MAX_KEYS = 10
MAX_REDIRECT_URIS = 20
PROFILE_NAMES = ("basic",)
"""The profiles whose tuples of checks stand in `authorization_checks.PROFILES`."""
_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,63}")
_CURVES_OF_TYPE: dict[str, set[object]] = {"EC": {"P-256"}, "OKP": {"Ed25519"}, "RSA": {None}}
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """One registered portal."""

    client_id: str
    client_name: str
    redirect_uris: tuple[str, ...]
    auth_method: ClientAuthMethod
    region: Region
    """The region under whose law the portal works: where released data goes."""
    scope: tuple[str, ...]
    grant_types: tuple[str, ...] = (GrantType.AUTHORIZATION_CODE.value,)
    jwks: str | None = None
    """Public keys as JSON text."""
    secret_hash: str | None = None
    application_type: str = "web"
    profile: str = "basic"
    sector_identifier_uri: str | None = None
    post_logout_redirect_uris: tuple[str, ...] = ()
    purpose: str = ""
    """Why the portal asks, in its own words, shown on the consent page."""
    localized_names: tuple[tuple[str, str], ...] = ()
    """`client_name#zh-Hant` and the like (RFC 7591 cl. 2.2)."""

    @property
    def native(self) -> bool:
        """Whether this is an app on the person's own device."""
        return self.application_type == "native"

    @property
    def sector(self) -> str:
        """The sector within which subjects are the same (OpenID Connect Core cl. 8.1)."""
        source = self.sector_identifier_uri or self.redirect_uris[0]
        return urlsplit(source).hostname or urlsplit(source).scheme

    @property
    def keys(self) -> KeySet:
        """The registered public keys."""
        return KeySet([]) if self.jwks is None else _key_set(self.jwks)

    def named(self, locale: str) -> str:
        """Return the portal's name in a language, else its plain name."""
        return dict(self.localized_names).get(locale, self.client_name)

    def accepts_secret(self, secret: str) -> bool:
        """Tell, in constant time, whether this is the relying party's secret."""
        return self.secret_hash is not None and hmac.compare_digest(hash_secret(secret), self.secret_hash)


def hash_secret(secret: str) -> str:
    """Hash one of our own 256-bit random secrets; as such it needs no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new_secret() -> str:
    """Make a client secret."""
    return secrets.token_urlsafe(32)


def new_client_id() -> str:
    """Make a client identifier."""
    return f"rp-{secrets.token_hex(10)}"


def parse_registration(
    document: Mapping[str, object], *, client_id: str, secret_hash: str | None = None
) -> RelyingParty:
    """Turn a registration in RFC 7591 member names into a relying party.

    `gba_region`, `gba_profile` and `gba_purpose` are our own members.

    Raises:
        InvalidClientMetadata: a member is missing or not acceptable.
        InvalidRedirectUri: a redirect URI is not acceptable.
    """
    if not _CLIENT_ID.fullmatch(client_id):
        raise InvalidClientMetadata("client_id must be 3 to 64 characters of A-Z a-z 0-9 . _ -")
    method = _choice(ClientAuthMethod, document, "token_endpoint_auth_method", ClientAuthMethod.PRIVATE_KEY_JWT)
    application_type = _text(document, "application_type", "web", 10)
    if application_type not in {"web", "native"}:
        raise InvalidClientMetadata("application_type must be web or native")
    native = application_type == "native"
    _check_unsupported(document)
    party = RelyingParty(
        client_id=client_id,
        client_name=_text(document, "client_name", None, 120),
        redirect_uris=_uris(document, "redirect_uris", native=native, required=True),
        auth_method=method,
        region=_choice(Region, document, "gba_region", None),
        scope=_scope(document),
        jwks=_jwks(document),
        secret_hash=secret_hash,
        application_type=application_type,
        profile=_text(document, "gba_profile", "basic", 20),
        sector_identifier_uri=_text(document, "sector_identifier_uri", "", 500) or None,
        post_logout_redirect_uris=_uris(document, "post_logout_redirect_uris", native=native, required=False),
        purpose=_text(document, "gba_purpose", "", 300),
        localized_names=_localized_names(document),
    )
    _check_whole(party)
    return party


def registration_document(party: RelyingParty) -> dict[str, object]:
    """Return the registration in RFC 7591 member names; never a secret or its hash."""
    document: dict[str, object] = {
        "client_id": party.client_id,
        "client_name": party.client_name,
        "redirect_uris": list(party.redirect_uris),
        "token_endpoint_auth_method": party.auth_method.value,
        "grant_types": list(party.grant_types),
        "response_types": ["code"],
        "application_type": party.application_type,
        "scope": " ".join(party.scope),
        "subject_type": "pairwise",
        "id_token_signed_response_alg": "ES256",
        "gba_region": party.region.value,
        "gba_profile": party.profile,
        "gba_purpose": party.purpose,
    }
    document |= {f"client_name#{locale}": name for locale, name in party.localized_names}
    if party.jwks:
        document["jwks"] = json.loads(party.jwks)
    if party.sector_identifier_uri:
        document["sector_identifier_uri"] = party.sector_identifier_uri
    if party.post_logout_redirect_uris:
        document["post_logout_redirect_uris"] = list(party.post_logout_redirect_uris)
    return document


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """A relying party as stored."""

    party: RelyingParty
    created_at: datetime
    updated_at: datetime


@lru_cache(maxsize=1024)
def _key_set(jwks: str) -> KeySet:
    return KeySet.import_key_set(json.loads(jwks))


def _check_unsupported(document: Mapping[str, object]) -> None:
    only = {
        "response_types": ["code"],
        "grant_types": [GrantType.AUTHORIZATION_CODE.value],
        "subject_type": "pairwise",
        "id_token_signed_response_alg": "ES256",
    }
    for member, supported in only.items():
        if member in document and document[member] != supported:
            raise InvalidClientMetadata(f"{member}: only {json.dumps(supported)} is offered")
    if "jwks_uri" in document:
        raise InvalidClientMetadata("jwks_uri is not fetched: register the keys by value in jwks")


def _check_whole(party: RelyingParty) -> None:
    if party.profile not in PROFILE_NAMES:
        raise InvalidClientMetadata("gba_profile is not one of the offered profiles")
    if party.auth_method is ClientAuthMethod.PRIVATE_KEY_JWT and not party.keys.keys:
        raise InvalidClientMetadata("private_key_jwt needs jwks with at least one public key")
    if party.auth_method is ClientAuthMethod.NONE and not party.native:
        raise InvalidClientMetadata("only a native app may go without client authentication")
    if party.sector_identifier_uri:
        if urlsplit(party.sector_identifier_uri).scheme != "https":
            raise InvalidClientMetadata("sector_identifier_uri must be https")
    elif len({urlsplit(uri).hostname for uri in party.redirect_uris}) != 1:
        raise InvalidClientMetadata("redirect URIs on several hosts need a sector_identifier_uri (OIDC Core cl. 8.1)")


def _text(document: Mapping[str, object], member: str, default: str | None, longest: int) -> str:
    value = document.get(member, default)
    if not isinstance(value, str) or len(value) > longest or not (value or default == "") or not value.isprintable():
        raise InvalidClientMetadata(f"{member} must be a text of at most {longest} characters")
    return value


def _choice(kind: type[E], document: Mapping[str, object], member: str, default: E | None) -> E:
    try:
        return kind(str(document.get(member, default)))
    except ValueError as error:
        raise InvalidClientMetadata(f"{member} must be one of {', '.join(v.value for v in kind)}") from error


def _uris(document: Mapping[str, object], member: str, *, native: bool, required: bool) -> tuple[str, ...]:
    value = document.get(member, [])
    if not isinstance(value, list) or len(value) > MAX_REDIRECT_URIS or (required and not value):
        raise InvalidClientMetadata(f"{member} must be a list of 1 to {MAX_REDIRECT_URIS} URIs")
    return tuple(check_registrable(uri, native=native) for uri in value)


def _scope(document: Mapping[str, object]) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(_text(document, "scope", "openid", 200).split(" ")))
    if unknown := [word for word in words if word not in set(Scope)]:
        raise InvalidClientMetadata(f"scope: {unknown[0]!r} does not exist")
    if Scope.OPENID not in words:
        raise InvalidClientMetadata("scope must contain openid")
    return words


def _localized_names(document: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    names = [member for member in document if member.startswith("client_name#")]
    return tuple((member.partition("#")[2], _text(document, member, None, 120)) for member in sorted(names))


def _jwks(document: Mapping[str, object]) -> str | None:
    value = document.get("jwks")
    if value is None:
        return None
    members = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(members, list) or not 1 <= len(members) <= MAX_KEYS:
        raise InvalidClientMetadata(f"jwks must hold 1 to {MAX_KEYS} keys")
    for member in members:
        _check_key(member)
    text = json.dumps({"keys": members}, sort_keys=True)
    try:
        keys = _key_set(text)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise InvalidClientMetadata("jwks holds a key that cannot be read") from error
    for key in keys:
        _check_strength(key)
    return text


def _check_key(member: object) -> None:
    if not isinstance(member, dict) or str(member.get("kty")) not in _CURVES_OF_TYPE:
        raise InvalidClientMetadata("jwks: only EC P-256, OKP Ed25519 and RSA keys are taken")
    if _PRIVATE_MEMBERS & member.keys():
        raise InvalidClientMetadata("jwks must hold public keys only")
    if member.get("crv") not in _CURVES_OF_TYPE[str(member["kty"])] or member.get("use", "sig") != "sig":
        raise InvalidClientMetadata("jwks: a key is of an unsuitable curve or use")


def _check_strength(key: Key) -> None:
    if isinstance(key, RSAKey) and key.public_key.key_size < 2048:  # FAPI 2.0 Security Profile cl. 5.4.1
        raise InvalidClientMetadata("jwks: RSA keys must have at least 2048 bits")

"""The registration of a relying party as one frozen value.

Owns:    `RelyingParty` and its parts, and our own client secrets. Leaves members and rules to `relying_parties` and its modules.
Rules:   1 a secret is ours to make, shown once, kept as its hash
         2 the sector is the host of `sector_identifier_uri`, else the one host of the redirect URIs
Spec:    RFC 7591 cl. 2; RFC 8705 cl. 2.1.2; OpenID Connect Core 1.0 cl. 8.1
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit

from joserfc.jwk import KeySet

from idp.jose.algorithms import Encryption
from idp.protocol import GRANTS_WITH_A_PERSON, ClientAuthMethod, GrantType
from idp.registration_keys import encryption_keys, signature_keys
from trust_lists.vocabulary import Region


class TlsSubjectKind(StrEnum):
    """What of a client certificate names the relying party: exactly one is registered (RFC 8705 cl. 2.1.2)."""

    DN = "tls_client_auth_subject_dn"
    DNS = "tls_client_auth_san_dns"
    URI = "tls_client_auth_san_uri"
    IP = "tls_client_auth_san_ip"
    EMAIL = "tls_client_auth_san_email"


@dataclass(frozen=True, slots=True)
class TlsSubject:
    """The expected subject of the client certificate of `tls_client_auth`."""

    kind: TlsSubjectKind
    value: str


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

    # what it gets, and how
    id_token_alg: str = "ES256"  # noqa: S105 - an algorithm
    id_token_encryption: Encryption | None = None
    userinfo_alg: str | None = None
    userinfo_encryption: Encryption | None = None
    introspection_alg: str | None = None
    authorization_response_alg: str = "ES256"
    authorization_response_encryption: Encryption | None = None
    access_token_format: str = "jwt"  # noqa: S105 - a format

    # what it must bring
    request_object_alg: str | None = None
    require_signed_request: bool = False
    auth_alg: str | None = None
    require_par: bool = False
    dpop_bound: bool = False
    mtls_bound: bool = False
    tls_subject: TlsSubject | None = None

    # its defaults for a request
    default_max_age_s: int | None = None
    require_auth_time: bool = False
    default_acr_values: tuple[str, ...] = ()
    authorization_details_types: tuple[str, ...] = ()
    delegates: tuple[str, ...] = ()
    """The relying parties that may exchange tokens of this one's users (RFC 8693)."""

    # where it hears of a logout; whoever calls these URIs guards against its own network
    backchannel_logout_uri: str | None = None
    backchannel_logout_session_required: bool = False
    frontchannel_logout_uri: str | None = None
    frontchannel_logout_session_required: bool = False

    # about it; shown or linked, never fetched by us
    initiate_login_uri: str | None = None
    logo_uri: str | None = None
    policy_uri: str | None = None
    tos_uri: str | None = None
    client_uri: str | None = None
    contacts: tuple[str, ...] = ()
    software_id: str | None = None
    software_version: str | None = None

    @property
    def native(self) -> bool:
        """Whether this is an app on the person's own device."""
        return self.application_type == "native"

    @property
    def has_users(self) -> bool:
        """Whether people sign in for this relying party."""
        return bool(GRANTS_WITH_A_PERSON & set(self.grant_types))

    @property
    def sector(self) -> str:
        """The sector within which subjects are the same (OpenID Connect Core cl. 8.1).

        A relying party without people has its own, which no host can equal.
        """
        if self.sector_identifier_uri is None and not self.redirect_uris:
            return f"client:{self.client_id}"
        source = self.sector_identifier_uri or self.redirect_uris[0]
        return urlsplit(source).hostname or urlsplit(source).scheme

    @property
    def keys(self) -> KeySet:
        """The registered public keys for signatures."""
        return signature_keys(self.jwks)

    @property
    def encryption_keys(self) -> KeySet:
        """The registered public keys for encryption (`use` is `enc`)."""
        return encryption_keys(self.jwks)

    @property
    def encryptions(self) -> tuple[Encryption, ...]:
        """Every encryption that this relying party asks for."""
        wanted = (self.id_token_encryption, self.userinfo_encryption, self.authorization_response_encryption)
        return tuple(encryption for encryption in wanted if encryption is not None)

    def named(self, locale: str) -> str:
        """Return the portal's name in a language, else its plain name."""
        return dict(self.localized_names).get(locale, self.client_name)

    def accepts_secret(self, secret: str) -> bool:
        """Tell, in constant time, whether this is the relying party's secret."""
        return self.secret_hash is not None and hmac.compare_digest(hash_secret(secret), self.secret_hash)


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """A relying party as stored."""

    party: RelyingParty
    created_at: datetime
    updated_at: datetime


def hash_secret(secret: str) -> str:
    """Hash one of our own 256-bit random secrets; as such it needs no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new_secret() -> str:
    """Make a client secret."""
    return secrets.token_urlsafe(32)


def new_client_id() -> str:
    """Make a client identifier."""
    return f"rp-{secrets.token_hex(10)}"

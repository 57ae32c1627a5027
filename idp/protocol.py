"""The words of OAuth 2.0 and OpenID Connect that we speak, as enums and tuples.

Owns:    which values exist here. Leaves what they mean to the checks that use them.
Spec:    OpenID Connect Core 1.0, CIBA Core 1.0; RFC 6749, 7521, 7523, 7518, 7636, 8176, 8628, 8693, 8705, 9207, 9396
"""

from enum import StrEnum
from typing import Final

CLIENT_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_ALGORITHMS: Final = ("ES256", "PS256", "EdDSA", "Ed25519")
"""What a relying party may sign with. RS256 is left out: FAPI 2.0 Security Profile cl. 5.4. `EdDSA` and its RFC 9864 name."""
DPOP_ALGORITHMS: Final = ("ES256", "PS256", "EdDSA", "Ed25519")
"""What a DPoP proof may be signed with (RFC 9449 cl. 4.2; FAPI 2.0 Security Profile cl. 5.4)."""
REQUEST_OBJECT_ALGORITHMS: Final = ("ES256", "PS256", "EdDSA", "Ed25519", "RS256")
"""What a relying party may sign a request object with; the `fapi2` profile leaves RS256 out."""
SIGNING_ALGORITHMS: Final = ("ES256", "RS256", "PS256", "EdDSA")
"""What we sign with, as a relying party registers it. RS256 because OpenID Connect Core cl. 15.1 asks it of every provider."""
ENCRYPTION_ALGORITHMS: Final = ("ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW", "RSA-OAEP-256")
"""How a content key reaches a relying party. RSA1_5 and RSA-OAEP (SHA-1) are left out (RFC 8725 cl. 3.2)."""
CONTENT_ENCRYPTIONS: Final = ("A128CBC-HS256", "A128GCM", "A256GCM")
"""How content is encrypted; the first is the default (OpenID Connect Dynamic Client Registration cl. 2)."""
AUTHORIZATION_DETAILS_TYPES: Final = ("sign_document",)
"""RFC 9396 cl. 2: one named document to sign."""
PERMIT_FRAMEWORK: Final = "gba_mutual_recognition"
UPSTREAM_FRAMEWORKS: Final = ("hk_iam_smart", "mo_one_account", "cn_gd_unified_identity")
LOCALES: Final = ("zh-Hant", "zh-Hans", "pt", "en")


class Scope(StrEnum):
    """The scopes that exist."""

    OPENID = "openid"
    PROFILE = "profile"
    PERMIT = "permit"
    """The portal needs to know that the person holds an exit-entry permit and was present and alive."""
    SIGNING = "signing"
    """The portal may ask the person to sign documents through our signing API."""
    OFFLINE_ACCESS = "offline_access"
    """The portal may come back without the person, for a time (OpenID Connect Core cl. 11)."""


class Prompt(StrEnum):
    """OpenID Connect Core cl. 3.1.2.1."""

    NONE = "none"
    LOGIN = "login"
    CONSENT = "consent"
    SELECT_ACCOUNT = "select_account"


class ClientAuthMethod(StrEnum):
    """How a relying party proves itself (RFC 7591 cl. 2; RFC 8705 cl. 2)."""

    PRIVATE_KEY_JWT = "private_key_jwt"
    CLIENT_SECRET_BASIC = "client_secret_basic"  # noqa: S105 - the standard's name of a method
    CLIENT_SECRET_POST = "client_secret_post"  # noqa: S105 - the standard's name of a method
    TLS_CLIENT_AUTH = "tls_client_auth"
    SELF_SIGNED_TLS_CLIENT_AUTH = "self_signed_tls_client_auth"
    NONE = "none"

    @property
    def by_secret(self) -> bool:
        """Whether the relying party proves itself with a secret that we made."""
        return self in {ClientAuthMethod.CLIENT_SECRET_BASIC, ClientAuthMethod.CLIENT_SECRET_POST}

    @property
    def by_certificate(self) -> bool:
        """Whether the proof is the certificate of the TLS connection."""
        return self in {ClientAuthMethod.TLS_CLIENT_AUTH, ClientAuthMethod.SELF_SIGNED_TLS_CLIENT_AUTH}


class GrantType(StrEnum):
    """The grants that are offered."""

    AUTHORIZATION_CODE = "authorization_code"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the standard's name of a grant
    CLIENT_CREDENTIALS = "client_credentials"
    DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
    TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - the standard's name of a grant
    CIBA = "urn:openid:params:grant-type:ciba"


GRANTS_WITH_A_PERSON: Final = frozenset({GrantType.AUTHORIZATION_CODE, GrantType.DEVICE_CODE, GrantType.CIBA})
"""The grants in which a person signs in, so that there is a subject and something to refresh."""


class ReleasedItem(StrEnum):
    """What a person can agree to hand over; the unit of consent."""

    NAME = "name"
    BIRTHDATE = "birthdate"
    GENDER = "gender"
    PERMIT = "permit"
    SIGNING = "signing"
    DOCUMENT = "document"
    """To sign the documents that `authorization_details` name, and no others."""
    OFFLINE = "offline"
    """To come back without the person."""


CLAIMS_OF_ITEM: Final[dict[ReleasedItem, tuple[str, ...]]] = {
    ReleasedItem.NAME: ("name", "given_name", "family_name"),
    ReleasedItem.BIRTHDATE: ("birthdate",),
    ReleasedItem.GENDER: ("gender",),
    ReleasedItem.PERMIT: ("exit_entry_permit_holder",),
}
ITEM_OF_CLAIM: Final = {claim: item for item, claims in CLAIMS_OF_ITEM.items() for claim in claims}
PROFILE_ITEMS: Final = (ReleasedItem.NAME, ReleasedItem.BIRTHDATE, ReleasedItem.GENDER)

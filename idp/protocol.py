"""The words of OAuth 2.0 and OpenID Connect that we speak, as enums and tuples.

Owns:    which values exist here. Leaves what they mean to the checks that use them.
Spec:    OpenID Connect Core 1.0; RFC 6749, 7521, 7523, 7636, 8176, 9207
"""

from enum import StrEnum
from typing import Final

CLIENT_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_ALGORITHMS: Final = ("ES256", "PS256", "EdDSA", "Ed25519")
"""What a relying party may sign with. RS256 is left out: FAPI 2.0 Security Profile cl. 5.4. `EdDSA` and its RFC 9864 name."""
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


class Prompt(StrEnum):
    """OpenID Connect Core cl. 3.1.2.1."""

    NONE = "none"
    LOGIN = "login"
    CONSENT = "consent"
    SELECT_ACCOUNT = "select_account"


class ClientAuthMethod(StrEnum):
    """How a relying party proves itself (RFC 7591 cl. 2)."""

    PRIVATE_KEY_JWT = "private_key_jwt"
    CLIENT_SECRET_BASIC = "client_secret_basic"  # noqa: S105 - the standard's name of a method
    NONE = "none"


class GrantType(StrEnum):
    """The grants that are offered."""

    AUTHORIZATION_CODE = "authorization_code"


class ReleasedItem(StrEnum):
    """What a person can agree to hand over; the unit of consent."""

    NAME = "name"
    BIRTHDATE = "birthdate"
    GENDER = "gender"
    PERMIT = "permit"
    SIGNING = "signing"


CLAIMS_OF_ITEM: Final[dict[ReleasedItem, tuple[str, ...]]] = {
    ReleasedItem.NAME: ("name", "given_name", "family_name"),
    ReleasedItem.BIRTHDATE: ("birthdate",),
    ReleasedItem.GENDER: ("gender",),
    ReleasedItem.PERMIT: ("exit_entry_permit_holder",),
}
ITEM_OF_CLAIM: Final = {claim: item for item, claims in CLAIMS_OF_ITEM.items() for claim in claims}
PROFILE_ITEMS: Final = (ReleasedItem.NAME, ReleasedItem.BIRTHDATE, ReleasedItem.GENDER)

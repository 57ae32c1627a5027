"""The rules that hold over several members of a registration.

Owns:    `CHECKS`, in the order in which a refusal is told, and what `fapi2` demands at registration.
Leaves:  single members to `registration_members`.
Rules:   a check takes the whole relying party, returns None or raises the standard's error
Spec:    RFC 7591 cl. 2; RFC 6749 cl. 4.4; RFC 8705 cl. 2; RFC 8707; OpenID Connect Core 1.0 cl. 8.1; CIBA Core cl. 4;
         OpenID Connect Front-Channel Logout 1.0 cl. 2; FAPI 2.0 Security Profile (final) cl. 5.3.2.1, 5.4
"""

from collections.abc import Callable
from urllib.parse import urlsplit

from idp.errors import InvalidClientMetadata, InvalidRedirectUri
from idp.jose.algorithms import fits_encryption
from idp.protocol import ClientAuthMethod, GrantType, Scope
from idp.redirect_uris import check_registrable
from idp.registration_values import RelyingParty

Check = Callable[[RelyingParty], None]

_NEEDS_PROOF = frozenset({GrantType.CLIENT_CREDENTIALS, GrantType.TOKEN_EXCHANGE, GrantType.CIBA})
_FAPI2_METHODS = frozenset({
    ClientAuthMethod.PRIVATE_KEY_JWT, ClientAuthMethod.TLS_CLIENT_AUTH, ClientAuthMethod.SELF_SIGNED_TLS_CLIENT_AUTH,
})  # fmt: skip


def check_redirect_uris(party: RelyingParty) -> None:
    """Each may be registered, and there is one where codes are sent to."""
    for uri in (*party.redirect_uris, *party.post_logout_redirect_uris):
        check_registrable(uri, native=party.native)
    if GrantType.AUTHORIZATION_CODE in party.grant_types and not party.redirect_uris:
        raise InvalidClientMetadata("authorization_code needs at least one of redirect_uris")


def check_grants(party: RelyingParty) -> None:
    """Grants that go together, and grants that need a relying party which can prove itself."""
    if not party.grant_types:
        raise InvalidClientMetadata("grant_types must hold at least one grant")
    if set(party.grant_types) == {GrantType.REFRESH_TOKEN}:
        raise InvalidClientMetadata("refresh_token needs a grant in which a person signs in")
    if GrantType.REFRESH_TOKEN in party.grant_types and not party.has_users:
        raise InvalidClientMetadata("refresh_token needs a grant in which a person signs in")
    if party.auth_method is ClientAuthMethod.NONE and _NEEDS_PROOF & set(party.grant_types):
        raise InvalidClientMetadata("a grant needs client authentication")  # RFC 6749 cl. 4.4; CIBA Core cl. 7.1
    if party.has_users and Scope.OPENID not in party.scope:
        raise InvalidClientMetadata("scope must contain openid")


def check_authentication(party: RelyingParty) -> None:
    """The registered method has what it needs, and nothing that belongs to another."""
    method = party.auth_method
    if method is ClientAuthMethod.PRIVATE_KEY_JWT and not party.keys.keys:
        raise InvalidClientMetadata("private_key_jwt needs jwks with at least one public key")
    if method is ClientAuthMethod.SELF_SIGNED_TLS_CLIENT_AUTH and not party.keys.keys:
        raise InvalidClientMetadata("self_signed_tls_client_auth needs jwks with the certificate's public key")
    if method is ClientAuthMethod.NONE and not party.native:
        raise InvalidClientMetadata("only a native app may go without client authentication")
    if (method is ClientAuthMethod.TLS_CLIENT_AUTH) != (party.tls_subject is not None):
        raise InvalidClientMetadata("tls_client_auth, and only it, needs exactly one tls_client_auth_… member")


def check_sector(party: RelyingParty) -> None:
    """OpenID Connect Core cl. 8.1: people get one subject for one sector, so the sector must be clear."""
    if party.sector_identifier_uri is not None:
        return
    hosts = {urlsplit(uri).hostname for uri in party.redirect_uris}
    if len(hosts) > 1:
        raise InvalidClientMetadata("redirect URIs on several hosts need a sector_identifier_uri (OIDC Core cl. 8.1)")
    if not hosts and party.has_users:
        raise InvalidClientMetadata("without redirect URIs a sector_identifier_uri is needed (OIDC Core cl. 8.1)")


def check_encryption_keys(party: RelyingParty) -> None:
    """What is to be encrypted has a key that fits."""
    for encryption in party.encryptions:
        if not any(fits_encryption(key, encryption.alg) for key in party.encryption_keys):
            raise InvalidClientMetadata(f"jwks holds no key with use=enc for {encryption.alg}")


def check_signed_requests(party: RelyingParty) -> None:
    """Request objects are verified under registered keys only."""
    if (party.require_signed_request or party.request_object_alg is not None) and not party.keys.keys:
        raise InvalidClientMetadata("signed request objects need jwks with at least one public key")


def check_logout_uris(party: RelyingParty) -> None:
    """Front-Channel Logout cl. 2: the same scheme, host and port as a redirect URI."""
    if party.frontchannel_logout_uri is not None:
        origins = {_origin(uri) for uri in party.redirect_uris}
        if _origin(party.frontchannel_logout_uri) not in origins:
            raise InvalidClientMetadata("frontchannel_logout_uri must have the origin of a redirect URI")
    for member in ("backchannel_logout", "frontchannel_logout"):
        if getattr(party, f"{member}_session_required") and getattr(party, f"{member}_uri") is None:
            raise InvalidClientMetadata(f"{member}_session_required needs {member}_uri")


def check_delegates(party: RelyingParty) -> None:
    """A relying party needs no leave to use its own users' tokens."""
    if party.client_id in party.delegates:
        raise InvalidClientMetadata("gba_delegates names others, not the relying party itself")


def check_profile(party: RelyingParty) -> None:
    """Run the profile's own tuple."""
    for check in PROFILE_CHECKS[party.profile]:
        check(party)


def check_fapi2_authentication(party: RelyingParty) -> None:
    """FAPI 2.0 Security Profile cl. 5.3.2.1 (6): `private_key_jwt` or mutual TLS."""
    if party.auth_method not in _FAPI2_METHODS:
        raise InvalidClientMetadata("fapi2 needs private_key_jwt, tls_client_auth or self_signed_tls_client_auth")


def check_fapi2_sender_constrained(party: RelyingParty) -> None:
    """FAPI 2.0 Security Profile cl. 5.3.2.1 (4): only sender-constrained access tokens."""
    if not (party.dpop_bound or party.mtls_bound):
        raise InvalidClientMetadata(
            "fapi2 needs dpop_bound_access_tokens or tls_client_certificate_bound_access_tokens"
        )


def check_fapi2_algorithms(party: RelyingParty) -> None:
    """FAPI 2.0 Security Profile cl. 5.4.1: PS256, ES256 or EdDSA."""
    used = (
        party.auth_alg, party.request_object_alg, party.id_token_alg, party.userinfo_alg, party.introspection_alg,
        party.authorization_response_alg,
    )  # fmt: skip
    if "RS256" in used:
        raise InvalidClientMetadata("fapi2 does not allow RS256")


def check_fapi2_redirect_uris(party: RelyingParty) -> None:
    """FAPI 2.0 Security Profile cl. 5.3.2.2 (8): https only."""
    if any(urlsplit(uri).scheme != "https" for uri in party.redirect_uris):
        raise InvalidRedirectUri("fapi2 needs https redirect URIs")


def _origin(uri: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(uri)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


CHECKS: tuple[Check, ...] = (
    check_redirect_uris,
    check_grants,
    check_authentication,
    check_sector,
    check_encryption_keys,
    check_signed_requests,
    check_logout_uris,
    check_delegates,
    check_profile,
)
PROFILE_CHECKS: dict[str, tuple[Check, ...]] = {
    "basic": (),
    "fapi2": (
        check_fapi2_authentication,
        check_fapi2_sender_constrained,
        check_fapi2_algorithms,
        check_fapi2_redirect_uris,
    ),
}
"""What a profile asks at registration, beyond what all are asked."""

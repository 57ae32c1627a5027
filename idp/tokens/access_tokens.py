"""Access tokens: minted here, and accepted here when they come back, as JWT or opaque.

Owns:    their claims' layout and both forms. Leaves keys to the key ring, revocation to the store, binding to `proof`.
Rules:   1 the JWT form is ES256, typ `at+jwt`: an ID token is never an access token
         2 the opaque form is sealed under our own cipher: nobody but us reads it, and it needs no row of its own
         3 verification pins algorithm, type and issuer; audience, scope and binding are the resource's to check, times are checked here
         4 an access token never outlives its grant
Spec:    RFC 9068; RFC 7519; RFC 7800 (cnf); RFC 8693 cl. 4.1 (act); RFC 9396 cl. 9.1; RFC 8725
"""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from idp.authorization_details import details_of, documents_of
from idp.config import IdpConfig
from idp.errors import InvalidToken, JoseRefused
from idp.jose.compact import sign_compact, verify_compact
from idp.model import DocumentToSign
from idp.ports import JwtKeys, PersonalDataCipher
from idp.records import dump_record, load_record
from idp.resources import resources_of

MAX_TOKEN_CHARS = 8_192
MINTED_KEPT = 2_048
_OPAQUE = "at."
_PURPOSE = "idp.access_token"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token of ours; whether its grant still stands is the store's to say."""

    grant: str
    client_id: str
    subject: str
    scope: tuple[str, ...]
    audience: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    jti: str
    cnf: dict[str, str]
    """The key it is bound to: `jkt` or `x5t#S256`; empty = a bearer token."""
    acr: str | None = None
    auth_time: int | None = None
    documents: tuple[DocumentToSign, ...] = ()
    act: dict[str, object] | None = None


def new_jti() -> str:
    """Make an access token's identifier."""
    return secrets.token_urlsafe(12)


class AccessTokens:
    """Mints and accepts access tokens."""

    def __init__(self, keys: JwtKeys, cipher: PersonalDataCipher, config: IdpConfig) -> None:
        self._keys = keys
        self._cipher = cipher
        self._config = config
        self._minted: dict[str, AccessToken] = {}
        """What this process minted last, byte for byte: its own signature need not be verified again."""

    def mint(self, token: AccessToken, *, opaque: bool) -> str:
        """Return the token in the form that the relying party registered."""
        if opaque:
            sealed = self._cipher.seal(dump_record(token), purpose=_PURPOSE)
            minted = _OPAQUE + base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
        else:
            claims = access_token_claims(token, self._config.issuer)
            minted = sign_compact(self._keys.current("ES256"), "ES256", "at+jwt", claims)
        if len(self._minted) >= MINTED_KEPT:
            del self._minted[next(iter(self._minted))]  # the oldest: a dict keeps its order
        self._minted[minted] = token
        return minted

    def verify(self, presented: str, *, at: datetime) -> AccessToken:
        """Accept an access token that comes back (RFC 9068 cl. 4).

        Raises:
            InvalidToken: not ours, altered, expired, or not an access token.
        """
        if len(presented) > MAX_TOKEN_CHARS:
            raise InvalidToken
        token = self._minted.get(presented) or self._accept(presented)
        if at >= token.expires_at:
            raise InvalidToken("The access token has expired")
        return token

    def _accept(self, presented: str) -> AccessToken:
        return self._open(presented) if presented.startswith(_OPAQUE) else self._verify_jwt(presented)

    def _open(self, presented: str) -> AccessToken:
        encoded = presented.removeprefix(_OPAQUE)
        try:
            sealed = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
            return load_record(AccessToken, self._cipher.open(sealed, purpose=_PURPOSE))
        except ValueError as error:
            raise InvalidToken from error

    def _verify_jwt(self, presented: str) -> AccessToken:
        try:
            verified = verify_compact(
                presented, self._keys.published(), ("ES256",), types=("at+jwt",), max_chars=MAX_TOKEN_CHARS
            )
        except JoseRefused as error:
            raise InvalidToken from error
        if verified.claims.get("iss") != self._config.issuer:
            raise InvalidToken
        token = _from_claims(verified.claims)
        if not set(token.audience) & set(resources_of(self._config)):
            raise InvalidToken
        return token


def access_token_claims(token: AccessToken, issuer: str) -> dict[str, object]:
    """Return the claims of the JWT form (RFC 9068 cl. 2.2)."""
    claims: dict[str, object] = {
        "iss": issuer,
        "aud": token.audience[0] if len(token.audience) == 1 else list(token.audience),
        "sub": token.subject,
        "client_id": token.client_id,
        "iat": int(token.issued_at.timestamp()),
        "exp": int(token.expires_at.timestamp()),
        "jti": token.jti,
        "scope": " ".join(token.scope),
        "grant": token.grant,
    }
    if token.auth_time is not None:
        claims |= {"auth_time": token.auth_time, "acr": token.acr}
    if token.cnf:
        claims["cnf"] = token.cnf
    if token.act is not None:
        claims["act"] = token.act
    if token.documents:
        claims["authorization_details"] = details_of(token.documents)
    return claims


def _from_claims(claims: Mapping[str, object]) -> AccessToken:
    """Read our own claims back; a token of ours always has them, so anything else is no access token."""
    audience, cnf, act, auth_time = claims.get("aud"), claims.get("cnf", {}), claims.get("act"), claims.get("auth_time")
    try:
        return AccessToken(
            grant=_text(claims["grant"]),
            client_id=_text(claims["client_id"]),
            subject=_text(claims["sub"]),
            scope=tuple(_text(claims["scope"]).split()),
            audience=(audience,) if isinstance(audience, str) else tuple(map(_text, _list(audience))),
            issued_at=_instant(claims["iat"]),
            expires_at=_instant(claims["exp"]),
            jti=_text(claims["jti"]),
            cnf={str(name): _text(value) for name, value in _object(cnf).items()},
            acr=None if auth_time is None else _text(claims["acr"]),
            auth_time=auth_time if isinstance(auth_time, int) else None,
            documents=documents_of(claims.get("authorization_details")),
            act=None if act is None else _object(act),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InvalidToken from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def _instant(value: object) -> datetime:
    if not isinstance(value, int):
        raise TypeError("not a time")
    return datetime.fromtimestamp(value, UTC)

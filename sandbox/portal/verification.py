"""What the portal checks before it believes: the authorization response, the ID token, userinfo.

Owns:    the checks of OpenID Connect Core cl. 3.1.3.7, with python-jose and pinned algorithms; a second opinion on our own tokens.
Leaves:  HTTP to `relying_party`.
Rules:   1 ES256 only, the key by `kid` from the provider's set: python-jose without a pinned list would take HS256 under a public key
         2 every value that we sent is compared with what came back: state, nonce, issuer, audience, level
Spec:    OpenID Connect Core 1.0 cl. 3.1.3.7, 5.3.2; RFC 9207 cl. 2.4
"""

import hmac
from collections.abc import Mapping
from datetime import datetime

from jose import jwt
from jose.exceptions import JOSEError

from sandbox.portal.errors import ProviderRefused, TokenRefused
from trust_lists.vocabulary import AssuranceLevel

LEEWAY_S = 5
Claims = dict[str, object]


def check_response(parameters: Mapping[str, str], *, issuer: str) -> str:
    """Return the code of an authorization response whose state is known.

    Raises:
        TokenRefused: another issuer speaks (mix-up), or there is no code.
        ProviderRefused: the response is an error.
    """
    if parameters.get("iss") != issuer:
        raise TokenRefused("issuer_mismatch", "The response does not name the provider that was asked (RFC 9207)")
    if "error" in parameters:
        raise ProviderRefused(parameters["error"], parameters.get("error_description", ""))
    if not parameters.get("code"):
        raise TokenRefused("code_missing", "The response carries no code")
    return parameters["code"]


def verify_id_token(
    token: str, keys: Mapping[str, object], *, issuer: str, client_id: str, nonce: str, access_token: str, at: datetime
) -> Claims:
    """Verify the ID token of an errand, step by step.

    Raises:
        TokenRefused: with the step that failed.
    """
    # 1, 2 signature, issuer, audience, at_hash, times
    claims = verify_signed_id_token(token, keys, issuer=issuer, client_id=client_id, access_token=access_token, at=at)
    # 3 nonce
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise TokenRefused("nonce_mismatch", "The ID token belongs to another request")
    # 4 level: what was asked must be checked, not assumed
    level = AssuranceLevel.from_acr(str(claims.get("acr", "")))
    if level is None or level < AssuranceLevel.SUBSTANTIAL:
        raise TokenRefused("acr_too_low", "The sign-in is below the level that this portal needs")
    # 5 the permit evidence, without which this errand makes no sense
    if not permit_evidence(claims):
        raise TokenRefused("permit_evidence_missing", "The ID token carries no permit evidence")
    return claims


def verify_signed_id_token(
    token: str, keys: Mapping[str, object], *, issuer: str, client_id: str, access_token: str, at: datetime
) -> Claims:
    """Verify what every ID token must have, whatever grant it came by.

    Raises:
        TokenRefused: with the step that failed.
    """
    # 1 signature, issuer, audience, at_hash: python-jose, algorithm pinned
    try:
        key = _key_of(token, keys)
        claims: Claims = jwt.decode(
            token,
            key,
            algorithms=["ES256"],
            audience=client_id,
            issuer=issuer,
            access_token=access_token,
            # times are checked below, against the portal's own clock
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "require_at_hash": True},
        )
    except JOSEError as error:
        raise TokenRefused("id_token_invalid", "The ID token does not verify") from error
    # 2 times
    now, expires, issued = at.timestamp(), claims.get("exp"), claims.get("iat")
    if not isinstance(expires, int) or not isinstance(issued, int):
        raise TokenRefused("id_token_invalid", "The ID token carries no times")
    if now >= expires + LEEWAY_S or issued > now + LEEWAY_S:
        raise TokenRefused("id_token_expired", "The ID token is not valid now")
    return claims


def permit_evidence(claims: Mapping[str, object]) -> bool:
    """Tell whether the permit framework's verified claims are there, with at least two checks (document, living holder)."""
    elements = claims.get("verified_claims")
    for element in elements if isinstance(elements, list) else []:
        verification = element.get("verification", {})
        evidence = verification.get("evidence", [])
        checks = [check for entry in evidence for check in entry.get("check_details", [])]
        held = element.get("claims", {}).get("exit_entry_permit_holder") is True
        if verification.get("trust_framework") == "gba_mutual_recognition" and held and len(checks) >= 2:
            return True
    return False


def verified_holder(claims: Mapping[str, object]) -> dict[str, str]:
    """Return what the verified claims tell of the person: `name`, `name_chinese`, `birthdate`, each where known."""
    elements = claims.get("verified_claims")
    told: dict[str, str] = {}
    for element in elements if isinstance(elements, list) else []:
        for name, value in element.get("claims", {}).items():
            known_as = "name_chinese" if name.startswith("name#") else name
            if known_as in {"name", "name_chinese", "birthdate"} and isinstance(value, str):
                told.setdefault(known_as, value)
    return told


def check_userinfo(userinfo: Mapping[str, object], id_token: Mapping[str, object]) -> None:
    """Core cl. 5.3.2: userinfo speaks of the same person, or is not used.

    Raises:
        TokenRefused: it does not.
    """
    if userinfo.get("sub") != id_token.get("sub"):
        raise TokenRefused("userinfo_mismatch", "Userinfo speaks of another person")


def without_signature(token: str) -> str:
    """Return a compact token that proves nothing any more, for showing."""
    header, payload, _ = token.split(".")
    return f"{header}.{payload}."


def _key_of(token: str, keys: Mapping[str, object]) -> object:
    kid = jwt.get_unverified_header(token).get("kid")
    listed = keys.get("keys")
    for key in listed if isinstance(listed, list) else []:
        if key.get("kid") == kid and kid is not None:
            return key
    raise TokenRefused("key_unknown", "The ID token names a key that the provider does not publish")

"""Encrypting for a relying party.

Owns:    the choice of the key and the compact form. Leaves the mathematics to joserfc, what is encrypted to the caller.
Rules:   1 the key is registered, says `use: enc`, and fits the algorithm in type and `alg`
         2 signed first, then encrypted: `cty` says what is inside (RFC 7519 cl. 11.2)
Spec:    RFC 7516 cl. 3.1, 7.1; RFC 7518 cl. 4, 5; RFC 8037 cl. 3.2; OpenID Connect Core 1.0 cl. 10.2
"""

from collections.abc import Iterable

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import Key

from idp.errors import JoseRefused
from idp.jose.algorithms import Encryption, fits_encryption
from idp.protocol import CONTENT_ENCRYPTIONS


def encrypt_for(
    keys: Iterable[Key], encryption: Encryption, plaintext: str | bytes, *, cty: str | None, typ: str | None
) -> str:
    """Encrypt to the first registered key that fits; return the compact form.

    Raises:
        JoseRefused: no key fits, or the algorithms are not ours.
    """
    key = next((key for key in keys if fits_encryption(key, encryption.alg)), None)
    if key is None or encryption.enc not in CONTENT_ENCRYPTIONS:
        raise JoseRefused("No registered key fits the encryption")
    header = {"alg": encryption.alg, "enc": encryption.enc, "kid": key.kid, "cty": cty, "typ": typ}
    protected = {name: value for name, value in header.items() if value is not None}
    try:
        return jwe.encrypt_compact(protected, plaintext, key, algorithms=[encryption.alg, encryption.enc])
    except (JoseError, ValueError) as error:
        raise JoseRefused("The object cannot be encrypted") from error

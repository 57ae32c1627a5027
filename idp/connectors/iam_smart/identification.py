"""The two values of a signing request that both sides compute: the identification code and the identity card hash. Pure.

Owns:    `identification_code`, `hkic_hash`. Leaves showing them to `signing` and sending them to `remote_signer`.
Rules:   the texts go in as they are sent: hashCode as Base64 text, openID URL-encoded as received, never decoded.
Spec:    fact sheet upstreams.md §1.4.
"""

import base64
import hashlib

CODE_DIGITS = 4


def identification_code(hash_code: str, open_id: str) -> str:
    """Return the four digits that the person compares between our page and the phone."""
    digests = hashlib.sha256(hash_code.encode()).digest() + hashlib.sha256(open_id.encode()).digest()
    # MD5 only spreads a SHA-512 into digits here; it protects nothing by itself.
    mixed = hashlib.md5(hashlib.sha512(digests).digest(), usedforsecurity=False).digest()
    return "".join(str((mixed[4 * i] >> 4) % 10) for i in range(CODE_DIGITS))


def hkic_hash(identifier: str) -> str:
    """Return Base64(SHA-256) of an identity card's identifier without its check digit, for example `A123456`."""
    return base64.b64encode(hashlib.sha256(identifier.encode()).digest()).decode()

"""What binds a token to a key, and whether its key was shown.

Owns:    `cnf` and its comparison. Leaves proofs to `dpop`, certificates to `mutual_tls`, and who must show what to the doors.
Spec:    RFC 7800 cl. 3.1; RFC 8705 cl. 3.1; RFC 9449 cl. 6.1, 7.1
"""

import hmac
from collections.abc import Mapping

from idp.errors import InvalidToken


def confirmation(*, jkt: str | None = None, x5t: str | None = None) -> dict[str, str]:
    """Return the `cnf` of a token that is bound to a DPoP key, a certificate, both, or (empty) nothing.

    Args:
        jkt: RFC 7638 thumbprint of the key.
        x5t: base64url SHA-256 of the certificate's DER.
    """
    members = {"jkt": jkt, "x5t#S256": x5t}
    return {name: value for name, value in members.items() if value is not None}


def check_binding(cnf: Mapping[str, object] | None, *, jkt: str | None, x5t: str | None) -> None:
    """Check that everything a token is bound to was shown.

    Raises:
        InvalidToken: it was not.
    """
    shown = confirmation(jkt=jkt, x5t=x5t)
    for name, expected in (cnf or {}).items():  # a member that we do not know cannot be shown, so it refuses
        value = shown.get(name)
        if value is None or not isinstance(expected, str) or not hmac.compare_digest(value.encode(), expected.encode()):
            raise InvalidToken("The access token is bound to another key")

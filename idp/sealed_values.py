"""Small values that travel through a browser and come back unread and unchanged.

Owns:    their form: JSON, sealed under a purpose, base64url. Leaves what is in them to their makers.
Rules:   what does not open under the purpose it was sealed for is no value, whatever is wrong with it
"""

import base64
import json

from idp.ports import PersonalDataCipher

MAX_CHARS = 8_192


def seal_value(cipher: PersonalDataCipher, value: object, *, purpose: str) -> str:
    """Seal a JSON value for a URL."""
    return base64.urlsafe_b64encode(cipher.seal(json.dumps(value).encode(), purpose=purpose)).rstrip(b"=").decode()


def open_value(cipher: PersonalDataCipher, text: str | None, *, purpose: str) -> object:
    """Return a sealed value, or None when it is not one of ours."""
    if text is None or len(text) > MAX_CHARS:
        return None
    try:
        sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return json.loads(cipher.open(sealed, purpose=purpose))
    except ValueError:
        return None

"""The `htu` of a DPoP proof: the request's URI, normalised so far as RFC 3986 makes two spellings one resource, and no further.

Owns:    that comparison's one form. Leaves the request's own URI to the caller, who makes it from the issuer.
Rules:   1 scheme and host without case, the default port left out, an empty path is `/` (RFC 3986 cl. 6.2.2.1, 6.2.3)
         2 percent-encoded unreserved characters are decoded, other escapes are in capitals: `%2F` never becomes `/` (cl. 6.2.2.2)
         3 query and fragment do not count (RFC 9449 cl. 4.3 (9))
         4 what only a trick needs is refused: user, dot segments, backslash, control or non-ASCII characters, an escaped host,
           a port with leading zeros
Spec:    RFC 9449 cl. 4.2, 4.3; RFC 3986 cl. 3, 6
"""

import re
from typing import Final

from idp.errors import InvalidDpopProof

MAX_URI_CHARS: Final = 2_000
_PARTS: Final = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::([1-9][0-9]{0,4})?)?(/[^?#]*)?(?:[?#].*)?")
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PATH: Final = re.compile(r"[!$&'()*+,\-./0-9:;=@A-Z_a-z~%]*")
_DEFAULT_PORTS: Final = {"https": "443", "http": "80"}


def normalise_target(uri: str) -> str:
    """Return the one form of a request URI.

    Raises:
        InvalidDpopProof: it is none, or has a part that only a trick needs.
    """
    if len(uri) > MAX_URI_CHARS or not uri.isascii() or not uri.isprintable():
        raise InvalidDpopProof("htu is too long, or not printable ASCII")
    authority = re.match(r"[A-Za-z]+://[^/?#]*", uri)  # the part without case: scheme and host
    match = _PARTS.fullmatch(authority[0].lower() + uri[authority.end() :]) if authority else None
    if match is None or not _PATH.fullmatch(match[4] or ""):
        raise InvalidDpopProof("htu is no plain http URI")
    scheme, host, port = match[1], match[2], match[3]
    path = _ESCAPE.sub(_normal_escape, match[4] or "/")
    if any(segment in {".", ".."} for segment in path.split("/")):
        raise InvalidDpopProof("htu has dot segments")
    shown_port = "" if port in {None, _DEFAULT_PORTS[scheme]} else f":{port}"
    return f"{scheme}://{host}{shown_port}{path}"


def _normal_escape(match: re.Match[str]) -> str:
    if match[1] is None:
        raise InvalidDpopProof("htu has a broken escape")
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()

"""Redirect URIs: which may be registered, and which arriving one is the registered one.

Owns:    both rules. Leaves the place where a refusal is shown to the caller.
Rules:   1 an arriving URI is compared as a string, never normalised (RFC 9700 cl. 2.1)
         2 the one exception: the port of a native app's loopback http URI (RFC 8252 cl. 7.3)
         3 a registered URI has no fragment, user, dot segment, wildcard, control or non-ASCII character
Spec:    RFC 6749 cl. 3.1.2; RFC 8252 cl. 7; RFC 9700 cl. 2.1, 4.1
"""

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from idp.config import LOOPBACK_HOSTS
from idp.errors import InvalidRedirectUri

_ACCEPTABLE = re.compile(r"[!#$&'()*+,\-./0-9:;=?@A-Z_a-z~%\[\]]{8,2000}")
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")


def check_registrable(uri: object, *, native: bool) -> str:
    """Return the URI when it may be registered.

    Raises:
        InvalidRedirectUri: it may not.
    """
    if not isinstance(uri, str) or not _ACCEPTABLE.fullmatch(uri) or "#" in uri or "*" in uri:
        raise InvalidRedirectUri("A redirect URI must be absolute, in ASCII, without fragment or wildcard")
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidRedirectUri("A redirect URI has an unreadable host or port") from error
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise InvalidRedirectUri("A redirect URI must not contain a user")
    if any(segment in {".", ".."} for segment in parts.path.replace("%2e", ".").replace("%2E", ".").split("/")):
        raise InvalidRedirectUri("A redirect URI must not contain dot segments")
    if native and _PRIVATE_SCHEME.fullmatch(parts.scheme):  # RFC 8252 cl. 7.1: a reversed domain name
        return uri
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK_HOSTS)):
        raise InvalidRedirectUri("A redirect URI must be https (http only to the person's own machine)")
    return uri


def match_redirect_uri(arriving: str, registered: Sequence[str], *, native: bool) -> bool:
    """Tell whether the arriving URI is one that was registered (rules 1 and 2)."""
    if arriving in registered:
        return True
    return native and any(_same_but_port(arriving, candidate) for candidate in registered)


def _same_but_port(arriving: str, registered: str) -> bool:
    """RFC 8252 cl. 7.3: loopback IP literals only, never `localhost` (cl. 8.3)."""
    pattern = re.compile(r"http://(127\.0\.0\.1|\[::1\])(?::([0-9]{1,5}))?(/[^#]*)?")
    ours, theirs = pattern.fullmatch(registered), pattern.fullmatch(arriving)
    if ours is None or theirs is None or not ipaddress.ip_address(ours[1].strip("[]")).is_loopback:
        return False
    return (ours[1], ours[3]) == (theirs[1], theirs[3]) and 0 < int(theirs[2] or 80) < 65_536

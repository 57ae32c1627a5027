"""What goes through the browser: the redirect to the broker page, and the query string that comes back. Pure.

Owns:    building the address; reading the return strictly.
Rules:   1 the return is percent-decoded exactly once, and `+` stands for itself (RFC 3986): a code is Base64 and has no
           space in it, while `%2B` and `+` both occur in the wild; decoding twice would turn another code into this one
         2 each parameter comes at most once; a broken escape is refused
         3 first the state must be ours, then only the rest is looked at
         4 state with neither code nor error_code is a denial
Spec:    fact sheet upstreams.md §1.2.
"""

import hmac
import re
from urllib.parse import quote, unquote_to_bytes

from idp.connectors.iam_smart.codes import error_for, is_return_code, is_success
from idp.connectors.iam_smart.config import IamSmartConfig
from idp.connectors.iam_smart.errors import ReturnMalformed, StateMismatch
from idp.errors import UpstreamDenied

MAX_QUERY_CHARS = 4_096
MAX_CODE_CHARS = 1_024
_STATE = re.compile(r"[A-Za-z0-9_-]{1,36}")
_ESCAPED = re.compile(r"(?:[^%]|%[0-9A-Fa-f]{2})*")
_LANGUAGES = {"zh-hant": "zh-HK", "zh-hans": "zh-CN"}
OTHER_LANGUAGE = "en-US"


def build_broker_url(config: IamSmartConfig, *, state: str, locale: str, ticket: str | None = None) -> str:
    """Return the address of the upstream's broker page.

    Args:
        config: addresses, scopes and source.
        state: at most 36 characters of `[A-Za-z0-9_-]`.
        locale: ours; the upstream knows zh-HK, zh-CN and en-US.
        ticket: of a request that goes on in the app, or None for a login.

    Raises:
        ValueError: the state is not one that the upstream takes.
    """
    if not _STATE.fullmatch(state):
        raise ValueError("iAM Smart takes a state of at most 36 characters of [A-Za-z0-9_-]")
    parameters = {
        "clientID": config.credentials.client_id,
        "responseType": "code",
        "source": config.source,
        "redirectURI": config.redirect_uri,
        "scope": " ".join(config.scopes),
        "lang": _LANGUAGES.get(locale.replace("_", "-").lower(), OTHER_LANGUAGE),
        "state": state,
        "brokerPage": "true" if config.broker_page else "false",
    }
    if ticket is not None:
        parameters["ticketID"] = ticket
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
    return f"{config.base_url}/api/v1/auth/getQR?{query}"


def accept_return(query: str, *, state: str) -> str:
    """Return the authorization code of the browser's return.

    Raises:
        ReturnMalformed: the query cannot be read.
        StateMismatch: no state, or another login's.
        UpstreamDenied: only the state came back.
        UpstreamError: the error that the return's error_code stands for.
    """
    parameters = _parse_query(query)
    if not hmac.compare_digest(parameters.get("state", "").encode(), state.encode()):
        raise StateMismatch
    failure = parameters.get("error_code")
    if failure is not None:
        # A code of success in the place of an error says nothing that could be trusted.
        raise ReturnMalformed if not is_return_code(failure) or is_success(failure) else error_for(failure)
    code = parameters.get("code")
    if code is None:
        raise UpstreamDenied
    if not code or len(code) > MAX_CODE_CHARS or not code.isascii() or not code.isprintable():
        raise ReturnMalformed
    return code


def _parse_query(query: str) -> dict[str, str]:
    if len(query) > MAX_QUERY_CHARS or not query.isascii() or not _ESCAPED.fullmatch(query):
        raise ReturnMalformed
    parameters: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        name, value = _decode_once(name), _decode_once(value)
        if name in parameters:
            raise ReturnMalformed
        if name:
            parameters[name] = value
    return parameters


def _decode_once(text: str) -> str:
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError as error:
        raise ReturnMalformed from error

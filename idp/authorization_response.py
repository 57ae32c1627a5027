"""The authorization response: success or refusal, in the query or signed, always with `iss`.

Owns:    where and how an answer travels back to the portal. Leaves the signing of it to `response_modes`.
Rules:   1 an answer goes to a verified redirect URI only; its values are percent-encoded, so none breaks out of the query or the header
         2 in the query `iss` stands beside the answer (RFC 9207 cl. 2); in a signed response it is inside (JARM cl. 2.1)
Spec:    RFC 6749 cl. 4.1.2, 4.1.2.1; RFC 9207; JWT Secured Authorization Response Mode for OAuth 2.0 (JARM) cl. 2.1, 2.3.1
"""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode

from idp.authorization import RefusedRequest
from idp.config import IdpConfig
from idp.ports import JwtKeys
from idp.relying_parties import RelyingParty
from idp.response_modes import jarm_response

Answer = Mapping[str, str | None]


def response_location(redirect_uri: str, answer: Answer, *, issuer: str | None) -> str:
    """Return the redirect URI with an answer in its query; `issuer` is named beside it unless None."""
    present = {name: value for name, value in {**answer, "iss": issuer}.items() if value is not None}
    separator = "&" if "?" in redirect_uri else "?"
    return f"{redirect_uri}{separator}{urlencode(present)}" if present else redirect_uri


def answer_location(
    redirect_uri: str,
    answer: Answer,
    *,
    response_mode: str,
    party: RelyingParty,
    keys: JwtKeys,
    config: IdpConfig,
    at: datetime,
) -> str:
    """Return where the browser takes an answer, in the mode that the request asked for."""
    if response_mode != "jwt":
        return response_location(redirect_uri, answer, issuer=config.issuer)
    signed = jarm_response({k: v for k, v in answer.items() if v is not None}, party, keys, config, at=at)
    return response_location(redirect_uri, {"response": signed}, issuer=None)


def error_answer(refused: RefusedRequest) -> dict[str, str | None]:
    """Return the parameters of an error response (RFC 6749 cl. 4.1.2.1)."""
    error = refused.error
    return {"error": error.code, "error_description": error.description, "state": refused.state}

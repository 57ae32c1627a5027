"""The wire to the permit authority: JSON under an SM2 signature, each way.

Owns:    bodies, headers and what is signed. Leaves HTTP to `authority_client` and, on the other side, to the sandbox.
Rules:   1 a request is signed by the caller over method, path, client id, time, nonce and body
         2 an answer is signed by the authority over status, the request's nonce, time and body: it cannot be moved to
           another question
         3 either side refuses a time more than two minutes off; the authority refuses a nonce seen before
         4 the real platform's fields are not public: this form is ours (`docs/divergences.md`)
Spec:    GB/T 32918 (SM2 with SM3, default user id)
"""

import base64
import binascii
import json
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

from liveness.authority import HolderQuery, HolderResult, IdentityResult, PortraitResult
from liveness.errors import AuthorityUntrusted, RequestMalformed
from liveness.model import DocumentType

PATH = "/v1/holder-verifications"
CLIENT_HEADER = "X-Permit-Client"
TIME_HEADER = "X-Permit-Time"
NONCE_HEADER = "X-Permit-Nonce"
SIGNATURE_HEADER = "X-Permit-Signature"
MAX_SKEW = timedelta(minutes=2)
MAX_REQUEST_BYTES = 400_000
MAX_RESPONSE_BYTES = 16_384


def request_to_sign(method: str, path: str, client: str, time: str, nonce: str, body: bytes) -> bytes:
    """Return the bytes that the caller signs."""
    return b"\n".join([method.encode(), path.encode(), client.encode(), time.encode(), nonce.encode(), body])


def response_to_sign(status: int, request_nonce: str, time: str, body: bytes) -> bytes:
    """Return the bytes that the authority signs."""
    return b"\n".join([str(status).encode(), request_nonce.encode(), time.encode(), body])


def write_time(at: datetime) -> str:
    """Return an instant as both sides write it: unix seconds."""
    return str(int(at.timestamp()))


def is_timely(time: str, at: datetime) -> bool:
    """Whether a written time is close to `at`."""
    return (
        time.isascii()
        and time.isdigit()
        and len(time) <= 12
        and abs(int(time) - at.timestamp()) <= MAX_SKEW.total_seconds()
    )


def write_query(query: HolderQuery) -> bytes:
    """Return a query's body."""
    fields = asdict(query) | {
        "birthdate": query.birthdate.isoformat(), "portrait": base64.b64encode(query.portrait).decode(),
    }  # fmt: skip
    return json.dumps(fields, ensure_ascii=False, sort_keys=True).encode()


def parse_query(body: bytes) -> HolderQuery:
    """Return the query of a body.

    Raises:
        RequestMalformed: it has another form.
    """
    try:
        fields: dict[str, Any] = json.loads(body)
        return HolderQuery(
            reference=_text(fields, "reference"),
            document_type=DocumentType(fields["document_type"]),
            number=_text(fields, "number"),
            name_latin=_text(fields, "name_latin"),
            name_chinese=_text(fields, "name_chinese"),
            birthdate=date.fromisoformat(_text(fields, "birthdate")),
            portrait=base64.b64decode(_text(fields, "portrait"), validate=True),
        )
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError) as error:
        raise RequestMalformed("the holder query is malformed") from error


def write_result(result: HolderResult) -> bytes:
    """Return a result's body."""
    return json.dumps(asdict(result) | {"at": int(result.at.timestamp())}, sort_keys=True).encode()


def parse_result(body: bytes) -> HolderResult:
    """Return the result of a body.

    Raises:
        AuthorityUntrusted: it has another form.
    """
    try:
        fields: dict[str, Any] = json.loads(body)
        return HolderResult(
            reference=_text(fields, "reference"),
            identity=IdentityResult(fields["identity"]),
            portrait=PortraitResult(fields["portrait"]),
            organisation=_text(fields, "organisation"),
            txn=_text(fields, "txn"),
            at=datetime.fromtimestamp(int(fields["at"]), UTC),
        )
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError) as error:
        raise AuthorityUntrusted("the permit authority's answer is malformed") from error


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str) or (not value and name != "name_chinese"):
        raise TypeError(name)
    return value

"""One call of iAM Smart as it arrives and as it is answered: its body, its content, its reply.

Owns:    `Call`, reading and opening a body, building a reply. Leaves authentication and every rule to `api`.
Spec:    fact sheet upstreams.md §1.1.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.iam_smart import wire
from sandbox.iam_smart.codes import MESSAGES, CallRefused
from sandbox.iam_smart.registry import RelyingParty

MAX_REQUEST_BYTES = 10 * 1024 * 1024
Content = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Call:
    """One call whose sender is known and whose content is open."""

    party: RelyingParty
    content: Content
    at: datetime

    def text(self, name: str) -> str:
        """Return a text member.

        Raises:
            CallRefused: D20001 missing, D20002 empty, D20003 not a text.
        """
        if name not in self.content:
            raise CallRefused("D20001")
        value = self.content[name]
        if value == "":
            raise CallRefused("D20002")
        if not isinstance(value, str):
            raise CallRefused("D20003")
        return value


async def read_body(request: Request) -> bytes | None:
    """Return the body, or None when it is larger than the service takes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_REQUEST_BYTES:
            return None
    return bytes(body)


def parse_content(key: bytes, body: bytes) -> Content:
    """Open the encrypted body of a call.

    Raises:
        CallRefused: D20001 no content, D20003 not JSON, D30004 not under this key.
    """
    try:
        outer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise CallRefused("D20003") from error
    sealed = outer.get("content") if isinstance(outer, dict) else None
    if not isinstance(sealed, str):
        raise CallRefused("D20001")
    try:
        content = json.loads(wire.open_content(key, sealed))
    except (ValueError, RecursionError) as error:
        raise CallRefused("D20003") from error
    if not isinstance(content, dict):
        raise CallRefused("D20003")
    return content


def envelope(code: str, content: object) -> Response:
    """Return the reply of a call: its code, and its content where there is one."""
    members: dict[str, object] = {"txID": f"T={secrets.token_hex(12)}", "code": code, "message": MESSAGES[code]}
    if content is not None:
        members["content"] = content
    return JSONResponse(members)

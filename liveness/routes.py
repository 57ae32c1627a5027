"""The doors of the permit check: the citizen's page and its API.

Owns:    parsing and rendering. Leaves every rule to `check`; statuses to `service.problem_details`.
Rules:   bodies are read up to a limit before they are parsed; the API is called by our own page from our own origin
"""

import base64
import binascii
from typing import Annotated, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from liveness.check import PermitChecks
from liveness.config import FrameLimits
from liveness.errors import CheckUnknown, RequestMalformed
from liveness.frame_chain import MAX_T_MS, decode_base64url
from liveness.frames import Frame
from liveness.model import Decision, Reason
from liveness.ports import PageRenderer

MAX_SMALL_BODY_BYTES = 4096
NO_STORE = {"Cache-Control": "no-store"}
API = "/api/v1/permits"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Model = TypeVar("Model", bound=_Strict)


class DocumentBody(_Strict):
    """A travel document as typed or scanned."""

    number: Annotated[str, Field(max_length=40)]
    mrz: Annotated[list[Annotated[str, Field(max_length=120)]], Field(max_length=3)] = []


class SessionBody(_Strict):
    """The key that the page made for this session (public P-256 JWK, RFC 7517)."""

    public_key: dict[str, object]


class FrameBody(_Strict):
    """One frame."""

    index: Annotated[int, Field(ge=0, le=10_000)]
    t_ms: Annotated[int, Field(ge=0, le=MAX_T_MS)]
    """Milliseconds since the session was given out."""
    jpeg: str
    """Base64 (RFC 4648 section 4)."""


class FramesBody(_Strict):
    """A batch of frames, in order."""

    frames: Annotated[list[FrameBody], Field(min_length=1, max_length=64)]


class AnswerBody(_Strict):
    """The signed end of the frames' hash chain."""

    frame_count: Annotated[int, Field(ge=0, le=10_000)]
    chain_head: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    signature: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{86}$")]
    """ES256, raw r and s, base64url."""


async def _read(request: Request, model: type[Model], limit: int) -> Model:
    """Return the body as a value.

    Raises:
        RequestMalformed: too long, not JSON, or not of that form.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise RequestMalformed("the request is too long")
    try:
        return model.model_validate_json(bytes(body))
    except (ValidationError, RecursionError) as error:
        raise RequestMalformed("the request's body is not of the documented form") from error


def _frames(body: FramesBody) -> list[Frame]:
    try:
        return [Frame(f.index, f.t_ms, base64.b64decode(f.jpeg, validate=True)) for f in body.frames]
    except (binascii.Error, ValueError) as error:
        raise RequestMalformed("a frame is not base64") from error


def _schema(model: type[BaseModel]) -> dict[str, object]:
    """Return the OpenAPI description of a body that is read by hand."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}}}


def build_router(checks: PermitChecks, pages: PageRenderer, limits: FrameLimits) -> APIRouter:
    """Return the page and the API of permit checks."""
    router = APIRouter(tags=["permits"])
    _add_check_routes(router, checks, pages)
    _add_session_routes(router, checks, limits)
    return router


def _add_check_routes(router: APIRouter, checks: PermitChecks, pages: PageRenderer) -> None:
    """Add what is about the check as a whole: its page, its document."""

    @router.get("/permit", include_in_schema=False)
    async def permit_page(request: Request) -> Response:
        check = request.query_params.get("check", "")
        try:
            asked = await checks.find_request(check)
        except CheckUnknown as refusal:
            return pages(request, "liveness_ended.html", {"code": refusal.code}, status=404)
        context = {
            "check": check,
            "documents": [kind.value for kind in asked.accepted_documents],
            "ui_locales": asked.locale,
        }
        return pages(request, "liveness_permit.html", context)

    @router.post(API + "/checks/{check}/document", openapi_extra=_schema(DocumentBody))
    async def submit_document(request: Request, check: str) -> JSONResponse:
        """Check a document's number and MRZ against each other and the person asked for."""
        body = await _read(request, DocumentBody, MAX_SMALL_BODY_BYTES)
        document = await checks.submit_document(check, body.number, [line for line in body.mrz if line.strip()])
        return JSONResponse(
            {"type": document.type.value, "issuing_country": document.issuing_country, "next": "liveness"},
            headers=NO_STORE,
        )


def _add_session_routes(router: APIRouter, checks: PermitChecks, limits: FrameLimits) -> None:
    """Add what is about one liveness session: challenge, frames, answer."""

    @router.post(API + "/checks/{check}/liveness", status_code=201, openapi_extra=_schema(SessionBody))
    async def start_liveness(request: Request, check: str) -> JSONResponse:
        """Give out a challenge: a one-use nonce, three actions in random order, colours."""
        body = await _read(request, SessionBody, MAX_SMALL_BODY_BYTES)
        started = await checks.start_session(check, body.public_key)
        challenge = started.challenge
        return JSONResponse(
            {
                "session": started.session, "nonce": challenge.nonce, "actions": [a.value for a in challenge.actions],
                "colours": [c.value for c in challenge.colours], "expires_in": started.expires_in_s,
                "max_frames": started.max_frames, "max_batch_frames": started.max_batch_frames,
                "max_frame_bytes": limits.max_frame_bytes, "min_frames": limits.min_frames,
                "attempts_left": started.attempts_left,
            },
            201, headers=NO_STORE,
        )  # fmt: skip

    @router.post(API + "/liveness/{session}/frames", openapi_extra=_schema(FramesBody))
    async def receive_frames(request: Request, session: str) -> JSONResponse:
        """Take a batch of frames, in order; answer how many of the actions were seen so far."""
        body = await _read(request, FramesBody, limits.max_batch_body_bytes)
        progress = await checks.receive_frames(session, _frames(body))
        return JSONResponse({"received": progress.received, "performed": progress.performed}, headers=NO_STORE)

    @router.post(API + "/liveness/{session}/answer", openapi_extra=_schema(AnswerBody))
    async def answer(request: Request, session: str) -> JSONResponse:
        """Judge the session: pass, review or fail, with reasons and where the browser goes on."""
        body = await _read(request, AnswerBody, MAX_SMALL_BODY_BYTES)
        given = await checks.answer(
            session, frame_count=body.frame_count, chain_head=bytes.fromhex(body.chain_head),
            signature=decode_base64url(body.signature, length=64),
        )  # fmt: skip
        return JSONResponse(
            {
                "decision": Decision(given.decision).value, "reasons": [Reason(r).value for r in given.reasons],
                "next": given.next, "attempts_left": given.attempts_left,
            },
            headers=NO_STORE,
        )  # fmt: skip

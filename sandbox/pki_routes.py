"""HTTP of the sandbox PKI: CRL, OCSP, issuing certificate, certificate search, time stamps.

Owns:    media types and limits of these services. Leaves every answer to `pki`.
Rules:   request bodies are bounded; the clock is injected.
Spec:    RFC 6960 app. A (OCSP over HTTP), RFC 3161 sec. 3.4, RFC 4387 sec. 2 (certificate store), RFC 5280 sec. 4.2.1.13
"""

import base64
import binascii
from urllib.parse import unquote_to_bytes

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sandbox.pki import Authority, SandboxPki
from trust_lists.clock import Clock, utc_now

MAX_REQUEST_BYTES = 10_000
_MULTIPART_BOUNDARY = "gba-trust-sandbox-certificates"


def build_pki_routes(pki: SandboxPki, clock: Clock = utc_now) -> list[Route]:
    """Return the routes of all authorities and of the TSA."""
    services = _Services(pki, clock)
    return [
        Route("/pki/{authority}/crl", services.crl),
        Route("/pki/{authority}/ca.cer", services.ca_certificate),
        Route("/pki/{authority}/ocsp", services.ocsp, methods=["POST"]),
        Route("/pki/{authority}/ocsp/{request:path}", services.ocsp, methods=["GET"]),
        Route("/pki/{authority}/search", services.search),
        Route("/tsa", services.timestamp, methods=["POST"]),
    ]


class _Services:
    """Each method answers one request."""

    def __init__(self, pki: SandboxPki, clock: Clock) -> None:
        self._pki = pki
        self._clock = clock

    def _authority(self, request: Request) -> Authority | None:
        return self._pki.authorities.get(request.path_params["authority"])

    async def crl(self, request: Request) -> Response:
        """The authority's CRL as of now."""
        authority = self._authority(request)
        if authority is None:
            return _not_found()
        return Response(await run_in_threadpool(authority.crl, self._clock()), media_type="application/pkix-crl")

    async def ca_certificate(self, request: Request) -> Response:
        """The authority's own certificate."""
        authority = self._authority(request)
        return (
            _not_found() if authority is None else Response(authority.certificate, media_type="application/pkix-cert")
        )

    async def ocsp(self, request: Request) -> Response:
        """An OCSP answer, to POST or GET."""
        authority = self._authority(request)
        if authority is None:
            return _not_found()
        body = await _body(request) if request.method == "POST" else _decode(request.path_params["request"])
        if body is None:
            return PlainTextResponse("request too large or not base64", 400)
        answer = await run_in_threadpool(authority.ocsp, body, self._clock())
        return Response(answer, media_type="application/ocsp-response")

    async def search(self, request: Request) -> Response:
        """The certificates under a common name."""
        authority = self._authority(request)
        name = request.query_params.get("name")
        if authority is None or not name or len(name) > 200:
            return _not_found()
        return _certificates(await run_in_threadpool(authority.find, name))

    async def timestamp(self, request: Request) -> Response:
        """A time stamp."""
        body = await _body(request)
        if body is None or not request.headers.get("content-type", "").startswith("application/timestamp-query"):
            return PlainTextResponse("application/timestamp-query of at most 10 000 bytes is expected", 400)
        answer = await run_in_threadpool(self._pki.timestamp, body, self._clock())
        return Response(answer, media_type="application/timestamp-reply")


async def _body(request: Request) -> bytes | None:
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > MAX_REQUEST_BYTES:
            return None
    return bytes(received)


def _decode(path: str) -> bytes | None:
    if len(path) > MAX_REQUEST_BYTES:
        return None
    try:
        return base64.b64decode(unquote_to_bytes(path), validate=True)
    except binascii.Error:
        return None


def _certificates(found: list[bytes]) -> Response:
    # RFC 4387 sec. 2.1: none is 404, one is application/pkix-cert, several are multipart/mixed.
    if not found:
        return _not_found()
    if len(found) == 1:
        return Response(found[0], media_type="application/pkix-cert")
    parts = b"".join(
        b"--"
        + _MULTIPART_BOUNDARY.encode()
        + b"\r\nContent-Type: application/pkix-cert\r\n\r\n"
        + certificate
        + b"\r\n"
        for certificate in found
    )
    body = parts + b"--" + _MULTIPART_BOUNDARY.encode() + b"--\r\n"
    return Response(body, media_type=f"multipart/mixed; boundary={_MULTIPART_BOUNDARY}")


def _not_found() -> Response:
    return PlainTextResponse("not found", 404)

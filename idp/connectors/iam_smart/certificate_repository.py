"""The public certificate repository of the CA behind iAM Smart, searched by name.

Owns:    one bounded HTTP GET and reading its answer. Leaves the choice among candidates to `certificates`.
Rules:   nothing that comes from here is trusted: the signature that comes back decides, and validation after it.
Spec:    RFC 4387 cl. 2 (search by `name`; one certificate, or several as multipart/mixed). That the CA offers it is *assumed*.
"""

import asyncio
from datetime import timedelta
from email import policy
from email.errors import MessageError
from email.parser import BytesParser

import httpx

from idp.errors import UpstreamUnavailable

MAX_ANSWER_BYTES = 512 * 1024
MAX_CANDIDATES = 32
CERTIFICATE_TYPES = frozenset({"application/pkix-cert", "application/x-x509-ca-cert"})
NOTHING_FOUND = frozenset({204, 404})


class CertificateRepository:
    """Searches the repository."""

    def __init__(self, http: httpx.AsyncClient, address: str, *, timeout: timedelta) -> None:
        self._http = http
        self._address = address
        self._timeout = timeout

    async def fetch_by_name(self, name: str) -> tuple[bytes, ...]:
        """Return the DER certificates filed under this common name, at most `MAX_CANDIDATES`, judged by nobody yet.

        Raises:
            UpstreamUnavailable: the repository fails, or answers with something else.
        """
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                status, content_type, body = await self._get(name)
        except (TimeoutError, httpx.HTTPError) as error:
            raise UpstreamUnavailable("the certificate repository does not answer") from error
        if status in NOTHING_FOUND:
            return ()
        if status != 200:
            raise UpstreamUnavailable("the certificate repository fails")
        return parse_certificates(content_type, body)

    async def _get(self, name: str) -> tuple[int, str, bytes]:
        body = bytearray()
        async with self._http.stream(
            "GET",
            self._address,
            params={"name": name},
            headers={"Accept-Encoding": "identity"},
            timeout=self._timeout.total_seconds(),
            follow_redirects=False,
        ) as response:
            async for chunk in response.aiter_raw():  # never unpacked: a packed reply is no reply
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise UpstreamUnavailable("the certificate repository answers with too much")
            return response.status_code, response.headers.get("content-type", ""), bytes(body)


def parse_certificates(content_type: str, body: bytes) -> tuple[bytes, ...]:
    """Read a repository's answer: one certificate, or several as parts.

    Raises:
        UpstreamUnavailable: another type of content.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in CERTIFICATE_TYPES:
        return (body,)
    if kind != "multipart/mixed" or "\r" in content_type or "\n" in content_type or not content_type.isascii():
        raise UpstreamUnavailable("the certificate repository answers with something else")
    try:
        message = BytesParser(policy=policy.HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
        parts = [part for part in message.iter_parts() if part.get_content_type() in CERTIFICATE_TYPES]
        found = tuple(part.get_payload(decode=True) for part in parts[:MAX_CANDIDATES])
    except (MessageError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UpstreamUnavailable("the certificate repository answers with something else") from error
    return tuple(der for der in found if isinstance(der, bytes))

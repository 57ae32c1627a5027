"""One bounded HTTP request, for the edges of this package.

Owns:    limits of size and time, and that nothing is followed elsewhere. Leaves what is asked to `tsa` and `evidence`.
"""

import httpx

from signing.config import FetchLimits


def build_http_client(limits: FetchLimits | None = None) -> httpx.AsyncClient:
    """Return a client for status services and time stamps: no redirects, no environment proxies of a stranger's choosing."""
    timeout = (limits or FetchLimits()).timeout.total_seconds()
    return httpx.AsyncClient(timeout=timeout, follow_redirects=False, headers={"User-Agent": "gba-trust"})


async def read_bounded(
    http: httpx.AsyncClient,
    method: str,
    url: str,
    limits: FetchLimits,
    *,
    content: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> bytes:
    """Return the body of a 200 answer.

    Raises:
        httpx.HTTPError: no answer, or another status.
        ValueError: a scheme that is not allowed, or too many bytes.
    """
    if httpx.URL(url).scheme not in limits.schemes:
        raise ValueError("the scheme of the address is not allowed")
    received = bytearray()
    async with http.stream(
        method, url, content=content, headers=headers, timeout=limits.timeout.total_seconds()
    ) as response:
        if response.status_code != 200:
            raise httpx.HTTPStatusError("unexpected status", request=response.request, response=response)
        async for chunk in response.aiter_bytes():
            received += chunk
            if len(received) > limits.max_bytes:
                raise ValueError("the answer is too long")
    return bytes(received)

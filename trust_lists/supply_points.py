"""Asking the supply points of a list whether they are there.

Owns:    one bounded request per address. Leaves what the answer says (OCSP, CRL) to `signing`.
Rules:   any answer below 500 counts as there: an OCSP responder says 400 or 405 to a plain GET. No redirect is followed, no more than a few
         bytes are read, few requests at a time; ldap is not asked.
"""

import asyncio
from collections.abc import Iterable

import httpx

TIMEOUT_S = 5.0
_AT_A_TIME = 8


async def unreachable(uris: Iterable[str], http: httpx.AsyncClient | None = None) -> dict[str, str]:
    """Return the http(s) addresses that do not answer, with the reason in a few words."""
    wanted = sorted({uri for uri in uris if uri.startswith(("http://", "https://"))})
    gate = asyncio.Semaphore(_AT_A_TIME)
    client = http or httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)
    try:
        answers = await asyncio.gather(*(_ask(client, gate, uri) for uri in wanted))
    finally:
        await client.aclose()
    return {uri: reason for uri, reason in zip(wanted, answers, strict=True) if reason is not None}


async def _ask(client: httpx.AsyncClient, gate: asyncio.Semaphore, uri: str) -> str | None:
    async with gate:
        try:
            async with asyncio.timeout(TIMEOUT_S), client.stream("GET", uri) as response:
                return f"answers {response.status_code}" if response.status_code >= 500 else None
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            return f"does not answer ({type(error).__name__})"

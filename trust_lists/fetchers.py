"""Where the bytes of a list come from: HTTP, a directory, or a copy that is already there.

Owns:    transport with bounds. Leaves what is asked for to `bundle.collect`, belief to `acceptance`.
Rules:   no more bytes are read than the request allows, no redirect is followed, every request has a time limit.
         Not found is None; everything else that is not an answer is `trust_list_unavailable`.
"""

import asyncio
import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import httpx

from trust_lists.bundle import FileRequest
from trust_lists.config import ReaderPolicy
from trust_lists.errors import ListMalformed, TrustListError, TrustListNotLoaded
from trust_lists.store import read_file


class Fetcher(Protocol):
    """Something that has the files of a published list."""

    async def fetch(self, request: FileRequest) -> bytes | None:
        """Return the file's bytes, None when there is no such file."""
        ...

    async def aclose(self) -> None:
        """Let go of what it holds."""
        ...


class HttpFetcher:
    """Files under a base URL."""

    def __init__(self, base_url: str, policy: ReaderPolicy, http: httpx.AsyncClient | None = None) -> None:
        """Hold a connection pool; proxies of the environment are used only when the caller brings such a client."""
        self._base = base_url.rstrip("/")
        timeout = policy.request_timeout.total_seconds()
        self._http = http or httpx.AsyncClient(timeout=timeout, follow_redirects=False, trust_env=False)

    async def fetch(self, request: FileRequest) -> bytes | None:
        """Stream the file, up to its limit.

        Raises:
            ListMalformed: longer than it may be.
            TrustListNotLoaded: no answer, or not a success.
        """
        try:
            async with self._http.stream("GET", f"{self._base}/{request.name}") as response:
                if response.status_code in (403, 404):  # static hosting answers 403 for what is not there
                    return None
                if response.status_code != 200:
                    raise TrustListNotLoaded(f"the source of the trust list answers {response.status_code}")
                return await _read(response, request.max_bytes)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TrustListNotLoaded("the source of the trust list does not answer") from error

    async def aclose(self) -> None:
        """Close the pool."""
        await self._http.aclose()


async def _read(response: httpx.Response, max_bytes: int) -> bytes:
    parts, length = [], 0
    async for part in response.aiter_bytes():
        length += len(part)
        if length > max_bytes:
            raise ListMalformed("a file of the list is too long")
        parts.append(part)
    return b"".join(parts)


class DirectoryFetcher:
    """Files in a published directory on this machine."""

    def __init__(self, directory: Path) -> None:
        """Read under this directory."""
        self._directory = directory

    async def fetch(self, request: FileRequest) -> bytes | None:
        """Read the file off the event loop."""
        return await asyncio.to_thread(read_file, self._directory, request)

    async def aclose(self) -> None:
        """Nothing is held."""


class CopyFetcher:
    """Takes files whose content is known by hash from a copy, when it has them; asks another fetcher for the rest."""

    def __init__(self, copy: Path, other: Fetcher) -> None:
        """Look into `copy` first."""
        self._copy = copy
        self._other = other

    async def fetch(self, request: FileRequest) -> bytes | None:
        """Return the copy's bytes when they have the hash that the request names."""
        if request.sha256 is not None:
            held: bytes | None = None
            with suppress(TrustListError):  # a copy that cannot be read is as good as none
                held = await asyncio.to_thread(read_file, self._copy, request)
            if held is not None and hashlib.sha256(held).hexdigest() == request.sha256:
                return held
        return await self._other.fetch(request)

    async def aclose(self) -> None:
        """The other fetcher belongs to its owner."""


def fetcher_for(source: str | Path | Fetcher, policy: ReaderPolicy) -> Fetcher:
    """Return the fetcher that a source names: an http(s) URL, a directory, or a fetcher itself."""
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        return HttpFetcher(source, policy)
    if isinstance(source, str | Path):
        return DirectoryFetcher(Path(source))
    return source

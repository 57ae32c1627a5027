"""A reader of the list: fetch → the one gate → last-good copy; goes on offline for a while, then fails closed.

Owns:    `TrustListClient`: the version in use, its copy on disk, its freshness, what went wrong last.
Leaves:  belief to `acceptance`, transport to `fetchers`, files to `store`.
Rules:   a list that is refused never replaces the one in use. A timestamp that has not changed is not parsed again.
         The copy on disk is verified again at every start, and is the floor against rollback.
         `current` hands out nothing past the list's next update, nor past the timestamp's expiry by more than the offline grace:
         then `trust_list_stale`, which is not the same as "not trusted".
Spec:    TUF specification cl. 5; ETSI TS 119 615 cl. 4.2 (next update).
"""

import asyncio
import hashlib
import logging
from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from trust_lists.acceptance import accept, accept_again
from trust_lists.bundle import (
    TARGET_PATHS,
    TIMESTAMP_NAME,
    FileRequest,
    ListBundle,
    collect,
    parse_root_version,
    target_name,
)
from trust_lists.clock import Clock
from trust_lists.collector import collector_paused
from trust_lists.config import ReaderPolicy
from trust_lists.equivocation import evidence_between
from trust_lists.errors import (
    ListEquivocation,
    ListFrozen,
    ListLogInconsistent,
    ListStorageFailed,
    TrustListError,
    TrustListNotLoaded,
    TrustListStale,
)
from trust_lists.fetchers import CopyFetcher, Fetcher, fetcher_for
from trust_lists.snapshot import Snapshot
from trust_lists.store import is_published, prune, read_bundle, write_atomically, write_bundle

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReaderStatus:
    """What a reader can say of itself, for readiness checks, metrics and `doctor`."""

    version: int | None
    sha256: str | None
    issued: datetime | None
    next_update: datetime | None
    fresh_until: datetime | None
    accepted_at: datetime | None
    checked_at: datetime | None
    """When the source last answered with a good list, new or not."""
    anchors: int
    usable: bool
    """Whether `current` would hand out the list now."""
    last_error_code: str | None
    """Code of the last refresh when it failed, else None."""

    def to_json(self) -> dict[str, object]:
        """Return it with ISO times."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()}


def _accept(bundle: ListBundle, trusted_root: bytes, held: Snapshot | None, at: datetime) -> Snapshot:
    with collector_paused():
        return accept(bundle, trusted_root, held, at)


def _log_size(held: Snapshot | None) -> int:
    return held.envelope.logged.checkpoint.size if held is not None and held.envelope.logged is not None else 0


class TrustListClient:
    """The reader that a service, a command or a test holds."""

    def __init__(
        self,
        source: str | Path | Fetcher,
        cache_dir: Path | None,
        trusted_root: bytes,
        clock: Clock,
        policy: ReaderPolicy | None = None,
    ) -> None:
        """Prepare a reader; nothing is read or fetched yet.

        Args:
            source: base URL of a published list, its directory, or anything that fetches.
            cache_dir: where the last-good copy lives; None keeps it in memory only.
            trusted_root: the pinned root metadata.
            clock: time.
            policy: limits and grace.
        """
        self._policy = policy or ReaderPolicy()
        self._fetcher = fetcher_for(source, self._policy)
        self._cache = cache_dir
        self._pinned = trusted_root
        self._clock = clock
        self._held: Snapshot | None = None
        self._roots: tuple[bytes, ...] = ()
        self._checked_at: datetime | None = None
        self._last_error: str | None = None
        self._loaded = False
        self._exports: dict[tuple[str, str], bytes] = {}
        self._lock = asyncio.Lock()

    def current(self, at: datetime | None = None) -> Snapshot:
        """Return the list in use.

        Args:
            at: the present; the clock's by default.

        Raises:
            TrustListNotLoaded: no list has been accepted.
            TrustListStale: it is too old to be used.
        """
        if self._held is None:
            raise TrustListNotLoaded("no trust list has been accepted yet")
        if (at or self._clock()) >= self._usable_until(self._held):
            raise TrustListStale("the last accepted trust list is too old to be used")
        return self._held

    def _usable_until(self, held: Snapshot) -> datetime:
        return min(held.next_update, held.fresh_until + self._policy.offline_grace)

    def status(self) -> ReaderStatus:
        """Return what this reader can say of itself."""
        held = self._held
        return ReaderStatus(
            version=held.version if held else None,
            sha256=held.sha256 if held else None,
            issued=held.issued if held else None,
            next_update=held.next_update if held else None,
            fresh_until=held.fresh_until if held else None,
            accepted_at=held.accepted_at if held else None,
            checked_at=self._checked_at,
            anchors=len(held.anchors()) if held else 0,
            usable=held is not None and self._clock() < self._usable_until(held),
            last_error_code=self._last_error,
        )

    async def load(self) -> Snapshot | None:
        """Take the last-good copy from disk, verified anew; None when there is none or it is not good any more."""
        async with self._lock:
            await self._load()
            return self._held

    async def refresh(self) -> Snapshot:
        """Fetch what the source serves now and accept it.

        Raises:
            TrustListRefused: the list is bad; the one in use stays.
            TrustListUnavailable: the source does not answer; the one in use stays.
        """
        async with self._lock:
            await self._load()
            try:
                async with asyncio.timeout(self._policy.refresh_timeout.total_seconds()):
                    self._held = await self._refresh()
            except TimeoutError as error:
                self._last_error = TrustListNotLoaded.code
                raise TrustListNotLoaded("the source of the trust list is too slow") from error
            except TrustListError as error:
                self._last_error = error.code
                raise
            self._checked_at = self._clock()
            self._last_error = None
            return self._held

    async def document(self, snapshot: Snapshot, path: str) -> bytes:
        """Return a signed document of an accepted version, byte for byte, from the copy or the source.

        Raises:
            TrustListNotLoaded: neither has it any more.
        """
        sha256 = snapshot.document_hashes[path]
        fetcher = CopyFetcher(self._cache, self._fetcher) if self._cache else self._fetcher
        data = await fetcher.fetch(FileRequest(target_name(path, sha256), TARGET_PATHS[path], sha256))
        if data is None or hashlib.sha256(data).hexdigest() != sha256:
            raise TrustListNotLoaded("the source does not have this document any more")
        return data

    async def export(self, snapshot: Snapshot, part: str) -> bytes | None:
        """Return an XML export of an accepted version when the source has one that says the same; None when it has none.

        Raises:
            ListMixed, SignatureInvalid, ListMalformed: what the source has does not say what the list says.
        """
        from trust_lists.xml_publication import check_export, export_request  # noqa: PLC0415 - lxml, only where it is asked for

        held = self._exports.get((snapshot.sha256, part))
        if held is not None:
            return held
        data = await self._fetcher.fetch(export_request(snapshot.version, part))
        if data is None:
            return None
        checked = await asyncio.to_thread(check_export, snapshot, part, data)
        self._exports = {key: value for key, value in self._exports.items() if key[0] == snapshot.sha256}
        self._exports[snapshot.sha256, part] = checked
        return checked

    async def keep_refreshing(self) -> None:
        """Refresh for ever at the policy's interval; what goes wrong is kept in `status`. Ends when cancelled."""
        while True:
            try:
                await self.refresh()
            except TrustListError as error:
                logger.warning("trust list not refreshed: %s", error.code)
            await asyncio.sleep(self._policy.refresh_interval.total_seconds())

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self._fetcher.aclose()

    # --- inside --------------------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        if self._cache is None or not is_published(self._cache):
            return
        try:
            self._held, self._roots = await asyncio.to_thread(self._read_copy, self._cache)
        except TrustListError as error:
            self._last_error = error.code
            logger.warning("the copy of the trust list on disk is not used: %s", error.code)

    def _read_copy(self, cache: Path) -> tuple[Snapshot, tuple[bytes, ...]]:
        bundle = read_bundle(cache, self._pinned)
        with collector_paused():
            return accept_again(bundle, self._pinned, self._clock()), bundle.roots

    async def _refresh(self) -> Snapshot:
        held = self._held
        trusted_root = held.envelope.root if held else self._pinned
        bundle = await self._fetch(collect(parse_root_version(trusted_root), log_size=_log_size(held)), held)
        if bundle is None:
            assert held is not None  # noqa: S101 - only an unchanged timestamp ends the collection early
            if held.fresh_until <= self._clock():
                raise ListFrozen("the source still serves the expired timestamp that this reader already holds")
            return held
        try:
            accepted = await asyncio.to_thread(_accept, bundle, trusted_root, held, self._clock())
        except (ListEquivocation, ListLogInconsistent):
            if held is not None:
                await asyncio.to_thread(self._keep_evidence, held, bundle)
            raise
        self._roots = (*self._roots, *bundle.roots)
        await self._keep_copy(replace(bundle, roots=self._roots))
        return accepted

    async def _fetch(
        self, collection: Generator[FileRequest, bytes | None, ListBundle], held: Snapshot | None
    ) -> ListBundle | None:
        """Drive the collection; None when neither root nor timestamp has changed since the version in use."""
        fetcher = CopyFetcher(self._cache, self._fetcher) if self._cache else self._fetcher
        new_root = False
        try:
            request = next(collection)
            while True:
                data = await fetcher.fetch(request)
                if request.name == TIMESTAMP_NAME:
                    if data is None:
                        raise TrustListNotLoaded("the source publishes no trust list")
                    if held is not None and not new_root and data == held.envelope.timestamp:
                        return None
                new_root = new_root or data is not None
                request = collection.send(data)
        except StopIteration as done:
            bundle: ListBundle = done.value
            return bundle

    def _keep_evidence(self, held: Snapshot, bundle: ListBundle) -> None:
        """Save what proves that the source says two things; `trust-list evidence FILE` prints it."""
        found = evidence_between(held, bundle)
        if self._cache is None or found is None:
            return
        name = f"evidence/{held.version}-{hashlib.sha256(found.second).hexdigest()[:16]}.json"
        try:
            write_atomically(self._cache / name, found.to_bytes())
            logger.error("the source of the trust list equivocates: evidence kept in %s", name)
        except ListStorageFailed as error:
            logger.warning("the source of the trust list equivocates, and the evidence was not saved: %s", error.code)

    async def _keep_copy(self, bundle: ListBundle) -> None:
        """Save the last-good copy; a full disk does not take the accepted list away."""
        if self._cache is None:
            return
        try:
            await asyncio.to_thread(write_bundle, self._cache, bundle)
            await asyncio.to_thread(prune, self._cache, bundle)
        except ListStorageFailed as error:
            logger.warning("the trust list was accepted but not saved: %s", error.code)

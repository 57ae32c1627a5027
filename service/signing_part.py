"""The signing part of this process: workers, TSA client, remote signers, transactions, routes, joined by hand.

Owns:    building and running the part. Leaves every rule to `signing`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter
from starlette.requests import Request

from idp.connectors.iam_smart.connector import IamSmartConnector
from service.errors import SettingsRefused
from service.foundation import Foundation
from signing.config import SigningConfig
from signing.doors import SigningDoors
from signing.errors import AccessRefused
from signing.evidence import EvidenceFetcher
from signing.ports import Authorisations, PortalAccess, SignedInCitizen
from signing.remote_signing import RemoteSigner
from signing.routes import build_routes
from signing.sqlite_store import SqliteStore
from signing.transactions import SigningParts, SigningTransactions
from signing.tsa import TimestampClient
from signing.worker_client import PdfWorkers
from trust_lists.errors import TrustListNotLoaded
from trust_lists.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class SigningPart:
    """The part, built and not yet running."""

    workers: PdfWorkers
    router: APIRouter

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold the part while the process serves; its worker starts beside the first requests."""
        warming = asyncio.create_task(self.workers.warm(), name="pdf-workers")
        try:
            yield
        finally:
            await asyncio.gather(warming, return_exceptions=True)
            await self.workers.close()


class NobodyAuthorised:
    """Where this process has no provider, nobody can ask for a signature; judging needs no token."""

    async def portal_access(self, request: Request, *, scope: str) -> PortalAccess:
        """Refuse.

        Raises:
            AccessRefused: always.
        """
        raise AccessRefused(
            "this process serves no sign-in: signatures are asked for at the full service", "invalid_token"
        )

    async def citizen(self, request: Request) -> SignedInCitizen | None:
        """Return None: nobody is signed in here."""
        return None


def build_signing_part(
    base: Foundation,
    authorisations: Authorisations | None,
    iam_smart: IamSmartConnector | None,
    authorities: Callable[[], Sequence[bytes]],
) -> SigningPart:
    """Build the part.

    Args:
        base: the foundation.
        authorisations: tokens and sessions; None where this process has no provider.
        iam_smart: the connector whose remote keys sign; None where it is not connected.
        authorities: certificates of the listed CAs, now.

    Raises:
        SettingsRefused: no TSA or no trust list is configured.
    """
    if base.settings.tsa_url is None or base.trust_list is None:
        raise SettingsRefused("GBA_TRUST_TSA_URL and GBA_TRUST_TRUST_LIST_URL are needed for signing")
    config = SigningConfig(public_url=base.settings.issuer, tsa_url=base.settings.tsa_url)
    workers = PdfWorkers(config.worker, config.document)
    evidence = EvidenceFetcher(base.http, config.fetch)
    remote_signers: dict[str, RemoteSigner] = {}
    transactions = SigningTransactions(
        SigningParts(
            store=SqliteStore(base.database, base.cipher),
            workers=workers,
            remote_signers=remote_signers,
            timestamps=TimestampClient(config.tsa_url, base.http, config.fetch),
            evidence=evidence,
            snapshot=_snapshot_source(base),
            audit=base.audit,
            clock=base.clock,
            config=config,
        )
    )
    if iam_smart is not None:
        remote_signers[iam_smart.name] = iam_smart.remote_signer(transactions, authorities=authorities)
    doors = SigningDoors(
        transactions=transactions,
        workers=workers,
        evidence=evidence,
        snapshot=_snapshot_source(base),
        authorisations=authorisations or NobodyAuthorised(),
        pages=base.render,
        cipher=base.cipher,
        clock=base.clock,
        config=config,
    )
    router = APIRouter()
    router.routes.extend(build_routes(doors))
    return SigningPart(workers, router)


def _snapshot_source(base: Foundation) -> Callable[[datetime], Snapshot]:
    def snapshot(at: datetime) -> Snapshot:
        if base.trust_list is None:
            raise TrustListNotLoaded("no trust list is configured")
        return base.trust_list.current(at)

    return snapshot

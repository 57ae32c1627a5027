"""The permit part of this process: models, threads, authority, checks, routes, joined by hand.

Owns:    building and running the part. Leaves every rule to `liveness`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import APIRouter

from liveness.authority_client import HttpPermitAuthority
from liveness.check import PermitChecks
from liveness.config import LivenessConfig
from liveness.deepface_engine import DeepFaceEngine
from liveness.mesh_landmarks import MeshReader
from liveness.models import EMBEDDED, ModelSet
from liveness.routes import build_router
from liveness.sqlite_store import SqliteStore
from liveness.workers import FaceWorkers
from service.errors import SettingsRefused
from service.foundation import Foundation
from trust_lists.errors import TrustListError
from trust_lists.sm2 import SM2PrivateKey, SM2PublicKey


@dataclass(frozen=True, slots=True)
class PermitPart:
    """The part, built and not yet running."""

    checks: PermitChecks
    workers: FaceWorkers
    router: APIRouter

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold the part while the process serves."""
        await self.workers.warm()
        try:
            yield
        finally:
            self.workers.close()


def build_permit_part(base: Foundation) -> PermitPart:
    """Build the part.

    Raises:
        SettingsRefused: a key of the permit authority cannot be read.
        ModelsRefused: the models folder is not the one of its manifest.
    """
    config = LivenessConfig(issuer=base.settings.issuer, audience=base.settings.issuer, public_url=base.settings.issuer)
    models = ModelSet.load(base.settings.models, pinned_manifest=base.settings.models_manifest_sha256)
    if models.name != EMBEDDED and base.settings.models_manifest_sha256 is None:
        raise SettingsRefused("GBA_TRUST_MODELS_MANIFEST_SHA256 is missing: a mounted models set must be pinned")
    workers = FaceWorkers(lambda: MeshReader(models), threads=config.workers, queue=config.queue)
    checks = PermitChecks(
        config,
        store=SqliteStore(base.database),
        cipher=base.cipher,
        keys=base.keys("attestation"),
        authority=_authority(base, config),
        engine=DeepFaceEngine(models),
        workers=workers,
        audit=base.audit,
        clock=base.clock,
    )
    return PermitPart(checks, workers, build_router(checks, base.render, config.frames))


def _authority(base: Foundation, config: LivenessConfig) -> HttpPermitAuthority:
    settings = base.settings.permit_authority
    if settings is None:
        raise SettingsRefused("GBA_TRUST_PERMIT_AUTHORITY_URL is missing")
    try:
        key = SM2PrivateKey.from_der(settings.key_file.read_bytes())
        authority_key = SM2PublicKey.from_spki(settings.authority_key_file.read_bytes())
    except (OSError, TrustListError) as error:
        raise SettingsRefused("a key of the permit authority cannot be read") from error
    return HttpPermitAuthority(
        base.http,
        url=settings.url,
        client_id=settings.client_id,
        key=key,
        authority_key=authority_key,
        clock=base.clock,
        timeout_s=config.authority_timeout.total_seconds(),
    )

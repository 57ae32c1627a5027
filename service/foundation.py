"""What every part of this process stands on: database, keys, audit, pages, outbound HTTP, the trust list's reader.

Owns:    `Foundation` and its building. Leaves the parts to `app`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from service.audit_store import AuditLog
from service.data_folder import open_key_ring
from service.database import SqliteDatabase
from service.errors import SettingsRefused
from service.key_ring import JwtKeys, PersonalDataCipher, Purpose
from service.page_renderer import PageRenderer
from service.provider_database import open_provider_database
from service.settings import Mode, Settings
from service.sqlite_loop import LoopSqliteDatabase
from service.telemetry import Metrics
from trust_lists.client import TrustListClient
from trust_lists.clock import Clock
from trust_lists.config import ReaderPolicy

if TYPE_CHECKING:
    from service.postgres import PostgresDatabase

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("service", "idp", "signing", "liveness", "trust_lists")
OUTBOUND_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Foundation:
    """What every part stands on."""

    settings: Settings
    clock: Clock
    database: SqliteDatabase
    provider_database: "LoopSqliteDatabase | PostgresDatabase"
    """The provider's tables: the hot path."""
    cipher: PersonalDataCipher
    keys: Callable[[Purpose], JwtKeys]
    http: httpx.AsyncClient
    """Follows no redirects and reads no proxy or certificate settings of the environment."""
    audit: AuditLog
    metrics: Metrics
    render: PageRenderer
    trust_list: TrustListClient | None


def build_foundation(settings: Settings, clock: Clock) -> Foundation:
    """Open keys and databases.

    Raises:
        KeyRefused, DataFolderRefused: the keys cannot be opened.
        SettingsRefused: the trust list's root cannot be read.
    """
    ring = open_key_ring(settings, clock)
    return Foundation(
        settings=settings,
        clock=clock,
        database=SqliteDatabase(settings.database_path),
        provider_database=open_provider_database(settings),
        cipher=ring.personal_data_cipher(),
        keys=ring.jwt_keys,
        http=httpx.AsyncClient(timeout=OUTBOUND_TIMEOUT_S, follow_redirects=False, trust_env=False),
        audit=AuditLog(settings.audit_path, ring, clock, beside=(settings.database_path,)),
        metrics=Metrics(),
        render=PageRenderer([ROOT / name for name in PACKAGES], demo=settings.mode is Mode.DEMO),
        trust_list=_trust_list(settings, clock),
    )


def _trust_list(settings: Settings, clock: Clock) -> TrustListClient | None:
    if settings.trust_list_url is None or settings.trust_list_root_file is None:
        return None
    try:
        root = settings.trust_list_root_file.read_bytes()
    except OSError as error:
        raise SettingsRefused(f"GBA_TRUST_TRUST_LIST_ROOT_FILE cannot be read: {error.strerror}") from error
    policy = ReaderPolicy(offline_grace=settings.trust_list_grace, refresh_interval=settings.trust_list_refresh)
    return TrustListClient(settings.trust_list_url, settings.data / "trust-list", root, clock, policy)

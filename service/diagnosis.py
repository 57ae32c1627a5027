"""What `gba-trust doctor` finds out: one line per thing that this installation needs or may have.

Owns:    the list of questions. Leaves every answer to the part that knows it.
Rules:   nothing is changed, nothing is fetched; a part that is broken is a finding, not a crash
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

from liveness.errors import LivenessError
from liveness.models import ModelSet
from service.data_folder import check_databases, open_key_ring
from service.errors import ServiceError
from service.key_ring_file import instant_text
from service.settings import Settings
from trust_lists import sm2
from trust_lists.errors import TrustListError

OPTIONAL_PACKAGES = ("pyhanko", "endesive", "deepface", "onnxruntime", "cv2", "sandbox")


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer."""

    subject: str
    ok: bool
    detail: str


def diagnose(settings: Settings) -> list[Finding]:
    """Ask every question."""
    return [
        Finding("mode", True, settings.mode.value),
        Finding("issuer", True, settings.issuer),
        _ask("database", lambda: _database(settings)),
        _ask("keys", lambda: _keys(settings)),
        _ask("sm2", sm2.backend),
        _ask("face models", lambda: _models(settings)),
        *(_package(name) for name in OPTIONAL_PACKAGES),
        _configured("trust list", settings.trust_list_url),
        _configured("time-stamping authority", settings.tsa_url),
        _configured("iAM Smart", settings.iam_smart.base_url if settings.iam_smart else None),
        _configured("permit authority", settings.permit_authority.url if settings.permit_authority else None),
    ]


def _ask(subject: str, question: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, True, question())
    except (ServiceError, LivenessError, TrustListError) as error:
        return Finding(subject, False, f"{error.code}: {error}")


def _database(settings: Settings) -> str:
    check_databases(settings)
    kind = "SQLite" if settings.postgres is None else "PostgreSQL for the provider, SQLite for the other parts"
    return f"{kind}, schema up to date ({settings.database_path.name}, audit log in {settings.audit_path.name})"


def _keys(settings: Settings) -> str:
    ring = open_key_ring(settings, complete=False)
    due = ring.next_due()
    rotation = "" if due is None else f"; next rotation step {instant_text(due)}"
    return f"{len(ring.keys)} keys, sealed at rest{rotation}"


def _models(settings: Settings) -> str:
    models = ModelSet.load(settings.models)
    passive = "with" if models.has_passive_detection else "without"
    return f"{models.label}, {passive} a passive detection net"


def _package(name: str) -> Finding:
    found = importlib.util.find_spec(name) is not None
    return Finding(f"package {name}", found, "installed" if found else "not installed: its part cannot run here")


def _configured(subject: str, address: str | None) -> Finding:
    return Finding(subject, address is not None, address or "not configured")

"""Settings: the only reader of the environment and of the configuration file.

Owns:    the `GBA_TRUST_*` names, their types, units and defaults, and what production mode refuses.
Leaves:  the packages' own configuration values to their `config` modules; `app` builds those from here.
Rules:   1 a name that is not in the table stops the start: a misspelt setting is not a default
         2 the environment goes before the file
         3 production refuses simulated parts (loopback endpoints), http issuers and missing secrets
         4 secrets come by file, never by value, so that no process listing or crash report shows them
"""

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from service.errors import SettingsRefused
from service.key_rotation import RotationPolicy
from service.postgres_settings import PostgresSettings, parse_postgres
from service.provider_settings import NAMES as PROVIDER_NAMES
from service.provider_settings import ProviderSettings, read_provider_settings

PREFIX = "GBA_TRUST_"
KEY_PASSWORD = "GBA_TRUST_KEY_PASSWORD"  # noqa: S105 - the name of a variable; read by `gba-trust sign` alone


class Mode(StrEnum):
    """Demo allows simulated parts and plain http on loopback; production does not."""

    DEMO = "demo"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class IamSmartSettings:
    """How to reach iAM Smart, and where the relying party's secrets lie."""

    base_url: str
    credentials_file: Path
    """JSON with client id, secret and encipherment key, as `idp.connectors.iam_smart.config.parse_credentials` reads it."""
    certificate_repository_url: str
    """RFC 4387 store of the recognised CA that issues citizens' certificates. *Assumed*: see docs/divergences.md."""


@dataclass(frozen=True, slots=True)
class PermitAuthoritySettings:
    """How to reach the permit authority: SM2 keys on both sides."""

    url: str
    key_file: Path
    """Our SM2 private key, PKCS#8 DER."""
    authority_key_file: Path
    """The authority's SM2 public key, SubjectPublicKeyInfo DER."""
    client_id: str


@dataclass(frozen=True, slots=True)
class NotifierSettings:
    """How to reach the operator's gateway for notices to people (CIBA)."""

    url: str
    secret_file: Path
    """The bearer secret by which the gateway knows us."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the service can be told, read once."""

    mode: Mode
    data: Path
    issuer: str
    database_url: str
    postgres: PostgresSettings | None
    """The provider's tables lie there; those of the other parts stay in SQLite, in the data folder."""
    key_encryption_key_file: Path
    key_rotation: RotationPolicy
    models: Path
    models_manifest_sha256: str | None
    """Pins a mounted models set; the embedded set is pinned in the program."""
    trust_list_url: str | None
    trust_list_root_file: Path | None
    trust_list_refresh: timedelta
    trust_list_grace: timedelta
    tsa_url: str | None
    iam_smart: IamSmartSettings | None
    permit_authority: PermitAuthoritySettings | None
    rate_limits: bool
    notifier: NotifierSettings | None = None
    provider: ProviderSettings = field(default_factory=ProviderSettings)

    @property
    def database_path(self) -> Path:
        """The SQLite file that `database_url` names; with PostgreSQL, that of the parts which do not use it."""
        if self.postgres is not None:
            return self.data / "service.db"
        return Path(self.database_url.removeprefix("sqlite:///"))

    @property
    def audit_path(self) -> Path:
        """The SQLite file of the audit log."""
        return self.data / "audit.db"


NAMES: tuple[str, ...] = (
    *PROVIDER_NAMES,
    "MODE",
    "DATA",
    "ISSUER",
    "DATABASE_URL",
    "DATABASE_PASSWORD_FILE",
    "DATABASE_POOL_SIZE",
    "KEY_ENCRYPTION_KEY_FILE",
    "KEY_PERIOD_S",
    "KEY_LEAD_S",
    "KEY_OVERLAP_S",
    "MODELS_DIR",
    "MODELS_MANIFEST_SHA256",
    "TRUST_LIST_URL",
    "TRUST_LIST_ROOT_FILE",
    "TRUST_LIST_REFRESH_S",
    "TRUST_LIST_GRACE_S",
    "TSA_URL",
    "IAM_SMART_BASE_URL",
    "IAM_SMART_CREDENTIALS_FILE",
    "IAM_SMART_CERTIFICATE_REPOSITORY_URL",
    "PERMIT_AUTHORITY_URL",
    "PERMIT_AUTHORITY_KEY_FILE",
    "PERMIT_AUTHORITY_PUBLIC_KEY_FILE",
    "PERMIT_AUTHORITY_CLIENT_ID",
    "RATE_LIMITS",
    "NOTIFIER_URL",
    "NOTIFIER_SECRET_FILE",
)


def load_settings(
    config_file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    default_mode: Mode = Mode.PRODUCTION,
) -> Settings:
    """Read the configuration file and the environment.

    Raises:
        SettingsRefused: naming the setting and what is wrong with it.
    """
    values = _merged(config_file, os.environ if environment is None else environment)
    mode = _mode(values.pop("MODE", default_mode.value))
    data = Path(values.pop("DATA", "var/service")).absolute()
    settings = Settings(
        mode=mode,
        data=data,
        issuer=_issuer(values.get("ISSUER", "http://127.0.0.1:8000")),
        database_url=_database_url(values.get("DATABASE_URL", f"sqlite:///{data / 'service.db'}")),
        postgres=_postgres(values, mode),
        key_encryption_key_file=_path(values.get("KEY_ENCRYPTION_KEY_FILE"), data / "keys" / "kek.bin"),
        key_rotation=RotationPolicy(
            period=_seconds("KEY_PERIOD_S", values, 7_776_000, least=3_600),
            lead=_seconds("KEY_LEAD_S", values, 600, least=60),
            overlap=_seconds("KEY_OVERLAP_S", values, 86_400, least=3_600),
        ),
        models=_path(values.get("MODELS_DIR"), default_models_folder()),
        models_manifest_sha256=_sha256(values.get("MODELS_MANIFEST_SHA256")),
        trust_list_url=_url("TRUST_LIST_URL", values.get("TRUST_LIST_URL")),
        trust_list_root_file=_optional_path(values.get("TRUST_LIST_ROOT_FILE")),
        trust_list_refresh=_seconds("TRUST_LIST_REFRESH_S", values, 300, least=1),
        trust_list_grace=_seconds("TRUST_LIST_GRACE_S", values, 86_400, least=0),
        tsa_url=_url("TSA_URL", values.get("TSA_URL")),
        iam_smart=_iam_smart(values),
        permit_authority=_permit_authority(values),
        rate_limits=_switch("RATE_LIMITS", values.get("RATE_LIMITS", "on")),
        notifier=_notifier(values),
        provider=read_provider_settings(values),
    )
    check_mode(settings, values)
    return settings


def default_models_folder() -> Path:
    """Return ./models where it exists, else the one beside the source tree (where `gba-trust models build` puts it)."""
    here = Path("models").absolute()
    return here if here.is_dir() else Path(__file__).resolve().parents[1] / "models"


def check_mode(settings: Settings, values: Mapping[str, str]) -> None:
    """Refuse what the mode does not allow.

    Raises:
        SettingsRefused: production with a simulated part, an http issuer, a missing secret, or limits off.
    """
    if settings.mode is Mode.DEMO:
        return
    if urlsplit(settings.issuer).scheme != "https":
        raise SettingsRefused("GBA_TRUST_ISSUER must be https in production mode")
    if "KEY_ENCRYPTION_KEY_FILE" not in values:
        raise SettingsRefused("GBA_TRUST_KEY_ENCRYPTION_KEY_FILE is missing: production does not make its own secrets")
    if not settings.rate_limits:
        raise SettingsRefused("GBA_TRUST_RATE_LIMITS=off is for demo mode only")
    for name in ("TRUST_LIST_URL", "TSA_URL", "IAM_SMART_BASE_URL", "PERMIT_AUTHORITY_URL", "NOTIFIER_URL"):
        url = values.get(name)
        if url is not None and _is_loopback(url):
            raise SettingsRefused(f"{PREFIX}{name} points at this machine: simulated parts cannot serve production")
        if url is not None and name != "TSA_URL" and urlsplit(url).scheme != "https":
            raise SettingsRefused(f"{PREFIX}{name} must be https in production mode")


def _merged(config_file: Path | None, environment: Mapping[str, str]) -> dict[str, str]:
    merged: dict[str, str] = {}
    for source, members in (("file", _file_members(config_file)), ("environment", environment)):
        for name, value in members.items():
            if not name.startswith(PREFIX) or name == KEY_PASSWORD:
                if source == "file":
                    raise SettingsRefused(f"{name} in the configuration file is not a setting")
                continue
            if name.removeprefix(PREFIX) not in NAMES:
                raise SettingsRefused(f"{name} is not a setting")
            merged[name.removeprefix(PREFIX)] = value
    return merged


def _file_members(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        members = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsRefused(f"the configuration file {path} cannot be read: {error}") from error
    if any(isinstance(value, dict | list) for value in members.values()):
        raise SettingsRefused("the configuration file holds single values only")
    return {name: str(value) for name, value in members.items()}


def _iam_smart(values: Mapping[str, str]) -> IamSmartSettings | None:
    members = _group("IAM_SMART_", values, "BASE_URL", "CREDENTIALS_FILE", "CERTIFICATE_REPOSITORY_URL")
    if members is None:
        return None
    return IamSmartSettings(
        base_url=_checked_url("IAM_SMART_BASE_URL", members["BASE_URL"]),
        credentials_file=Path(members["CREDENTIALS_FILE"]),
        certificate_repository_url=_checked_url(
            "IAM_SMART_CERTIFICATE_REPOSITORY_URL", members["CERTIFICATE_REPOSITORY_URL"]
        ),
    )


def _permit_authority(values: Mapping[str, str]) -> PermitAuthoritySettings | None:
    members = _group("PERMIT_AUTHORITY_", values, "URL", "KEY_FILE", "PUBLIC_KEY_FILE", "CLIENT_ID")
    if members is None:
        return None
    return PermitAuthoritySettings(
        url=_checked_url("PERMIT_AUTHORITY_URL", members["URL"]),
        key_file=Path(members["KEY_FILE"]),
        authority_key_file=Path(members["PUBLIC_KEY_FILE"]),
        client_id=members["CLIENT_ID"],
    )


def _notifier(values: Mapping[str, str]) -> NotifierSettings | None:
    members = _group("NOTIFIER_", values, "URL", "SECRET_FILE")
    if members is None:
        return None
    url = _checked_url("NOTIFIER_URL", members["URL"])
    return NotifierSettings(url=url, secret_file=Path(members["SECRET_FILE"]).absolute())


def _group(prefix: str, values: Mapping[str, str], *names: str) -> dict[str, str] | None:
    """Return the members of a group of settings that belong together: all of them, or None when none is given."""
    members = {name: values[prefix + name] for name in names if prefix + name in values}
    if not members:
        return None
    missing = [name for name in names if name not in members]
    if missing:
        raise SettingsRefused(f"{PREFIX}{prefix}{missing[0]} is missing: these settings belong together")
    return members


def _mode(text: str) -> Mode:
    try:
        return Mode(text)
    except ValueError as error:
        raise SettingsRefused("GBA_TRUST_MODE must be demo or production") from error


def _issuer(text: str) -> str:
    issuer = _checked_url("ISSUER", text)
    parts = urlsplit(issuer)
    if parts.query or parts.fragment or parts.path not in ("", "/"):
        raise SettingsRefused("GBA_TRUST_ISSUER must be an origin: scheme, host and port only")
    return issuer.rstrip("/")


def _database_url(text: str) -> str:
    if not text.startswith(("sqlite:///", "postgresql://")):
        raise SettingsRefused("GBA_TRUST_DATABASE_URL must be sqlite:///PATH or postgresql://user@host/database")
    return text


def _postgres(values: Mapping[str, str], mode: Mode) -> PostgresSettings | None:
    url = values.get("DATABASE_URL", "")
    if not url.startswith("postgresql://"):
        if "DATABASE_PASSWORD_FILE" in values or "DATABASE_POOL_SIZE" in values:
            raise SettingsRefused("GBA_TRUST_DATABASE_PASSWORD_FILE and _POOL_SIZE are for postgresql:// alone")
        return None
    password_file = _optional_path(values.get("DATABASE_PASSWORD_FILE"))
    pool_size = values.get("DATABASE_POOL_SIZE", "10")
    return parse_postgres(url, password_file, pool_size, production=mode is Mode.PRODUCTION)


def _url(name: str, text: str | None) -> str | None:
    return None if text is None else _checked_url(name, text)


def _checked_url(name: str, text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise SettingsRefused(f"{PREFIX}{name} must be an http or https URL without user information")
    return text


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _path(text: str | None, default: Path) -> Path:
    return default if text is None else Path(text).absolute()


def _sha256(text: str | None) -> str | None:
    if text is not None and re.fullmatch("[0-9a-fA-F]{64}", text) is None:
        raise SettingsRefused("GBA_TRUST_MODELS_MANIFEST_SHA256 must be 64 hexadecimal digits")
    return text


def _optional_path(text: str | None) -> Path | None:
    return None if text is None else Path(text).absolute()


def _seconds(name: str, values: Mapping[str, str], default: int, *, least: int) -> timedelta:
    text = values.get(name, str(default))
    if not text.isdecimal() or not least <= int(text) <= 31_536_000:
        raise SettingsRefused(f"{PREFIX}{name} must be whole seconds, at least {least}")
    return timedelta(seconds=int(text))


def _switch(name: str, text: str) -> bool:
    if text not in ("on", "off"):
        raise SettingsRefused(f"{PREFIX}{name} must be on or off")
    return text == "on"

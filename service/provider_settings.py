"""From settings to the provider's own configuration: certificates of clients, nonces, who may vouch for software.

Owns:    the reading of the files that these settings name, and what their combination means. Leaves the rules to `idp.config`.
Rules:   1 what is off by default stays off until it is named: no header is believed, no statement is trusted
         2 a file that cannot be read, or holds something else, stops the start
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from idp.config import IdpConfig, RateLimit
from idp.proof.software_statements import issuer_keys
from service.errors import SettingsRefused

NAMES = (
    "MTLS_HEADER",
    "MTLS_TRUSTED_PROXIES",
    "MTLS_ANCHORS_FILE",
    "MTLS_BASE_URL",
    "DPOP_NONCES",
    "SOFTWARE_STATEMENT_ISSUERS_FILE",
)


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """How strict clients prove themselves here."""

    mtls_header: str = ""
    """`client-cert` (RFC 9440) or `x-ssl-client-cert` (nginx); empty = no certificate is ever seen."""
    mtls_trusted_proxies: tuple[str, ...] = ()
    """Networks of the proxies that end TLS; the header counts from them alone."""
    mtls_anchors_file: Path | None = None
    mtls_base_url: str = ""
    dpop_nonces: bool = False
    software_statement_issuers_file: Path | None = None
    """JSON: issuer → JWK set."""


def read_provider_settings(values: Mapping[str, str]) -> ProviderSettings:
    """Read these settings.

    Raises:
        SettingsRefused: a switch that is neither on nor off.
    """
    nonces = values.get("DPOP_NONCES", "off")
    if nonces not in ("on", "off"):
        raise SettingsRefused("GBA_TRUST_DPOP_NONCES must be on or off")
    return ProviderSettings(
        mtls_header=values.get("MTLS_HEADER", ""),
        mtls_trusted_proxies=tuple(
            part.strip() for part in values.get("MTLS_TRUSTED_PROXIES", "").split(",") if part.strip()
        ),
        mtls_anchors_file=_path(values.get("MTLS_ANCHORS_FILE")),
        mtls_base_url=values.get("MTLS_BASE_URL", "").rstrip("/"),
        dpop_nonces=nonces == "on",
        software_statement_issuers_file=_path(values.get("SOFTWARE_STATEMENT_ISSUERS_FILE")),
    )


def build_idp_config(settings: ProviderSettings, *, issuer: str, demo: bool, rate_limits: bool) -> IdpConfig:
    """Build the provider's configuration.

    Raises:
        SettingsRefused: a file cannot be read, or the values do not fit together.
    """
    try:
        config = IdpConfig(
            issuer=issuer,
            loopback_http=demo,
            private_callbacks=demo,
            mtls_header=settings.mtls_header,
            mtls_trusted_proxies=settings.mtls_trusted_proxies,
            mtls_anchors=b"" if settings.mtls_anchors_file is None else settings.mtls_anchors_file.read_bytes(),
            mtls_base=settings.mtls_base_url,
            dpop_nonces=settings.dpop_nonces,
            software_statement_issuers=_issuers(settings.software_statement_issuers_file),
        )
    except OSError as error:
        raise SettingsRefused(f"{error.filename} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsRefused(f"the provider's settings do not fit together: {error}") from error
    if rate_limits:
        return config
    off = RateLimit(0, 0)
    return replace(config, address_limit=off, client_limit=off, user_code_limit=off)


def _issuers(path: Path | None) -> tuple[tuple[str, str], ...]:
    if path is None:
        return ()
    document = json.loads(path.read_bytes())
    if not isinstance(document, dict):
        raise ValueError(f"{path.name} must hold an object of issuers and their JWK sets")  # noqa: TRY004 - one class for the caller
    issuers = tuple((str(issuer), json.dumps(jwks)) for issuer, jwks in document.items())
    for _, jwks in issuers:
        issuer_keys(jwks)  # a key that cannot be read stops the start, not the first request
    return issuers


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text).absolute()

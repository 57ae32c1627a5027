"""What this connector must be told: addresses, credentials, and every fact that is only *assumed* about the upstream.

Owns:    `IamSmartConfig`, `parse_credentials`. Leaves the environment and files to `service.settings`.
Rules:   1 the upstream and the certificate repository are https; http only on loopback (the simulator)
         2 fields marked *assumed* stand for what the fact sheet marks [I], [Cc] or a guess; check them against the operator's
           own specification before production
Spec:    fact sheet upstreams.md §1.
"""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
MAX_CREDENTIALS_BYTES = 64 * 1024


class KekPadding(StrEnum):
    """How the upstream wraps content keys under our RSA key."""

    PKCS1V15 = "pkcs1v15"
    OAEP_SHA1 = "oaep-sha1"
    OAEP_SHA256 = "oaep-sha256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the operator of iAM Smart, or its simulator, gave to this service."""

    client_id: str
    client_secret: str = field(repr=False)
    kek_private_keys: tuple[str, ...] = field(repr=False)
    """PEM, the newest first; an older one stays until the last content key under it has ended."""
    kek_padding: KekPadding = KekPadding.PKCS1V15
    """*Assumed*: the padding is not stated; clients in the wild try three."""


@dataclass(frozen=True, slots=True)
class IamSmartConfig:
    """How this connector behaves."""

    base_url: str
    """Up to, without, `/api/v1`."""
    redirect_uri: str
    """Front-channel address as registered, `{issuer}/callback/iam_smart`."""
    credentials: Credentials
    department: str = "GBA Trust"
    """Shown to the citizen with a signing request; at most 100 characters."""
    scopes: tuple[str, ...] = ("eidapi_auth", "eidapi_profiles", "eidapi_sign")
    """Asked for at login, all at once; each must be approved by the operator."""
    source: str = "PC_Browser"
    broker_page: bool = False
    certificate_repository: str | None = None
    """*Assumed*: search address (RFC 4387) of the CA that issues the citizens' certificates; None: only from callbacks."""
    session_method: str = "fido_app"
    """*Assumed*: the app authenticates by FIDO; no message says how the person signed in."""
    amr: tuple[str, ...] = ("hwk", "user", "mfa")
    """*Assumed*, RFC 8176 values for that."""
    sign_algorithm: str = "NONEwithRSA"
    """The digest that we send is signed as it is: RSA PKCS #1 v1.5 with the SHA-256 DigestInfo (*assumed*)."""
    timestamp_refusals: frozenset[str] = frozenset({"20003", "20004"})
    """*Assumed*: digits of the codes that a timestamp smaller than an earlier one may get; tried again with a new one."""
    callback_certificates: frozenset[str] = frozenset()
    """SHA-256 (hex) of the client certificates that may call back; empty: mutual TLS is not used."""
    callback_certificate_header: str = "client-cert"
    """Header in which the TLS proxy passes the client certificate on (RFC 9440); the proxy must drop it from outside."""
    flow_lifetime: timedelta = timedelta(minutes=18)
    """The upstream's own ceiling for a flow."""
    max_clock_skew: timedelta = timedelta(minutes=5)
    connect_timeout: timedelta = timedelta(seconds=3)
    call_timeout: timedelta = timedelta(seconds=10)
    """For one call in all."""
    max_reply_bytes: int = 256 * 1024
    max_callback_bytes: int = 256 * 1024

    def __post_init__(self) -> None:
        """Refuse nonsense at the start.

        Raises:
            ValueError: an address or a bound is not usable.
        """
        for url in (self.base_url, self.certificate_repository):
            if url is not None:
                _check_address(url)
        if self.base_url.endswith("/"):
            raise ValueError("iAM Smart: the base address ends with a slash")
        if not 1 <= len(self.department) <= 100:
            raise ValueError("iAM Smart: department must have 1 to 100 characters")
        if not self.scopes or any(" " in scope or not scope for scope in self.scopes):
            raise ValueError("iAM Smart: scopes must be a list of words")
        if any(len(digest) != 64 or digest.lower() != digest for digest in self.callback_certificates):
            raise ValueError("iAM Smart: callback certificates are SHA-256 fingerprints in lower-case hex")


def parse_credentials(data: bytes) -> Credentials:
    """Read a credentials file: JSON with client_id, client_secret, kek_private_key (PEM; text or list), kek_padding.

    Raises:
        ValueError: not such a file; the message names the member, never a value.
    """
    if len(data) > MAX_CREDENTIALS_BYTES:
        raise ValueError("iAM Smart credentials: the file is too large")
    try:
        members = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError("iAM Smart credentials: not JSON") from error
    if not isinstance(members, dict):
        raise ValueError("iAM Smart credentials: not a JSON object")  # noqa: TRY004 - one error for a bad file
    for name in ("client_id", "client_secret"):
        if not isinstance(members.get(name), str) or not members[name]:
            raise ValueError(f"iAM Smart credentials: {name} is missing")
    keys = members.get("kek_private_key")
    keys = [keys] if isinstance(keys, str) else keys
    if not isinstance(keys, list) or not keys or not all(isinstance(key, str) for key in keys):
        raise ValueError("iAM Smart credentials: kek_private_key is missing")
    padding = members.get("kek_padding", KekPadding.PKCS1V15.value)
    if padding not in set(KekPadding):
        raise ValueError("iAM Smart credentials: kek_padding is unknown")
    return Credentials(members["client_id"], members["client_secret"], tuple(keys), KekPadding(padding))


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    loopback = parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS
    if (
        not parts.hostname
        or (parts.scheme != "https" and not loopback)
        or parts.query
        or parts.fragment
        or parts.username
    ):
        raise ValueError("iAM Smart: an address must be https (http only on loopback), without query, fragment or user")

"""Credentials for a relying party of the simulator, as its owner would get them from the self-service portal.

Owns:    `provision`: client id, secret, encipherment key and certificate, registered and written for the relying party.
Rules:   1 asked again for the same name, the same credentials come back, with the addresses brought up to date
         2 the credentials file is readable by its owner alone
Spec:    fact sheet upstreams.md §1.1 (KEK: an RSA certificate that the relying party uploads).
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from sandbox.iam_smart.registry import Registry, RegistryBroken, RelyingParty, write_private
from sandbox.iam_smart.wire import KekPadding

KEK_BITS = 2048
KEK_LIFE = timedelta(days=3 * 365)


@dataclass(frozen=True, slots=True)
class ProvisionedClient:
    """What the owner of the online service takes home."""

    client_id: str
    client_secret: str = field(repr=False)
    kek_private_key_pem: str = field(repr=False)
    kek_certificate_pem: str = field(repr=False)
    kek_padding: KekPadding = KekPadding.PKCS1V15

    def to_json(self) -> bytes:
        """Write the credentials in the form that the connector's configuration reads."""
        return json.dumps(
            {
                "client_id": self.client_id,
                "client_secret": self.client_secret,
                "kek_private_key": self.kek_private_key_pem,
                "kek_certificate": self.kek_certificate_pem,
                "kek_padding": self.kek_padding.value,
            },
            indent=1,
        ).encode()


def credentials_path(directory: Path, name: str) -> Path:
    """Return where the credentials of a provisioned relying party lie in the simulator's folder."""
    return directory / f"client-{name}.json"


def provision(
    directory: Path,
    *,
    name: str = "gba-trust",
    redirect_uris: tuple[str, ...],
    callback_urls: Mapping[str, str],
    at: datetime,
    padding: KekPadding = KekPadding.PKCS1V15,
) -> ProvisionedClient:
    """Make or load the credentials of the relying party `name` and register it with these addresses.

    Args:
        directory: the simulator's folder; `client-NAME.json` is left in it for the service's configuration.
        name: file-name-safe name of the relying party.
        redirect_uris: front-channel addresses.
        callback_urls: server callback addresses by kind (`profile`, `signing`).
        at: now; the encipherment certificate begins an hour before.
        padding: how content keys are to be wrapped for it.
    """
    path = credentials_path(directory, name)
    client = _load(path) if path.exists() else _make(name, at, padding)
    if client.kek_padding is not padding:
        client = ProvisionedClient(
            client.client_id, client.client_secret, client.kek_private_key_pem, client.kek_certificate_pem, padding
        )
    certificate = x509.load_pem_x509_certificate(client.kek_certificate_pem.encode())
    Registry(directory).register(
        RelyingParty(
            client_id=client.client_id,
            client_secret=client.client_secret,
            kek_certificate=certificate.public_bytes(serialization.Encoding.DER),
            redirect_uris=redirect_uris,
            callback_urls=dict(callback_urls),
            padding=padding,
        )
    )
    write_private(path, client.to_json())
    return client


def _make(name: str, at: datetime, padding: KekPadding) -> ProvisionedClient:
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEK_BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} encipherment (simulated)")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(hours=1))
        .not_valid_after(at + KEK_LIFE)
        .sign(key, hashes.SHA256())
    )
    return ProvisionedClient(
        client_id=secrets.token_hex(16),
        client_secret=secrets.token_hex(32),
        kek_private_key_pem=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        kek_certificate_pem=certificate.public_bytes(serialization.Encoding.PEM).decode(),
        kek_padding=padding,
    )


def _load(path: Path) -> ProvisionedClient:
    try:
        row = json.loads(path.read_bytes())
        return ProvisionedClient(
            client_id=row["client_id"],
            client_secret=row["client_secret"],
            kek_private_key_pem=row["kek_private_key"],
            kek_certificate_pem=row["kek_certificate"],
            kek_padding=KekPadding(row["kek_padding"]),
        )
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise RegistryBroken(f"{path} cannot be read: {error}") from error

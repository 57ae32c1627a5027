"""The relying parties that this simulator knows, kept in one file of its folder.

Owns:    `RelyingParty`, `Registry`. Leaves the making of credentials to `provision`.
Rules:   a file that cannot be read as ours stops the start with its name; a change replaces the file in one step.
"""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from sandbox.iam_smart.wire import KekPadding

FILE_NAME = "relying-parties.json"
ALL_SCOPES = frozenset(
    {"eidapi_auth", "eidapi_profiles", "eidapi_formFilling", "eidapi_sign", "eidapi_fr", "eidapi_bulksign"}
)


class RegistryBroken(Exception):
    """The simulator's folder cannot be read."""


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """One online service as its owner registered it on the self-service portal."""

    client_id: str
    client_secret: str = field(repr=False)
    kek_certificate: bytes = field(repr=False)
    """DER of the RSA encipherment certificate under which content keys are wrapped."""
    redirect_uris: tuple[str, ...]
    callback_urls: Mapping[str, str]
    """Server callback addresses by kind: `profile`, `signing`."""
    name: str = "GBA Trust"
    scopes: frozenset[str] = ALL_SCOPES
    padding: KekPadding = KekPadding.PKCS1V15
    callback_key_as_base64: bool = True
    """In callbacks the content key is wrapped as 44 Base64 characters (seen by one client) and not as 32 bytes."""

    def kek(self) -> RSAPublicKey:
        """Return the public key of the encipherment certificate."""
        key = x509.load_der_x509_certificate(self.kek_certificate).public_key()
        if not isinstance(key, RSAPublicKey):
            raise RegistryBroken(f"{self.client_id}: the encipherment certificate is not RSA")
        return key


class Registry:
    """The registered relying parties; every change is written at once."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME
        self._parties: dict[str, RelyingParty] = {}
        if self._path.exists():
            self._parties = {party.client_id: party for party in _read(self._path)}

    def find(self, client_id: str) -> RelyingParty | None:
        """Return the relying party, or None when nobody has this id."""
        return self._parties.get(client_id)

    def register(self, party: RelyingParty) -> None:
        """Add or replace a relying party and write the file."""
        party.kek()
        self._parties[party.client_id] = party
        write_private(self._path, json.dumps([_to_json(each) for each in self._parties.values()], indent=1).encode())


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, replacing an older one in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    draft.replace(path)


def _to_json(party: RelyingParty) -> dict[str, object]:
    return {
        "client_id": party.client_id,
        "client_secret": party.client_secret,
        "kek_certificate": base64.b64encode(party.kek_certificate).decode(),
        "redirect_uris": list(party.redirect_uris),
        "callback_urls": dict(party.callback_urls),
        "name": party.name,
        "scopes": sorted(party.scopes),
        "padding": party.padding.value,
        "callback_key_as_base64": party.callback_key_as_base64,
    }


def _read(path: Path) -> list[RelyingParty]:
    try:
        return [
            RelyingParty(
                client_id=row["client_id"],
                client_secret=row["client_secret"],
                kek_certificate=base64.b64decode(row["kek_certificate"]),
                redirect_uris=tuple(row["redirect_uris"]),
                callback_urls=row["callback_urls"],
                name=row["name"],
                scopes=frozenset(row["scopes"]),
                padding=KekPadding(row["padding"]),
                callback_key_as_base64=row["callback_key_as_base64"],
            )
            for row in json.loads(path.read_bytes())
        ]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise RegistryBroken(f"{path} cannot be read: {error}") from error

"""The simulated account holders: which personas have iAM Smart, their pairwise openID, their core profile.

Owns:    `open_id`, `profile_of`, `card_identifier`, `account_holders`. Leaves the persons to `sandbox.personas`.
Spec:    fact sheet upstreams.md §1.2 (openID: URL-encoded Base64 of 32 bytes, pairwise), §1.3 (value shapes).
"""

import base64
import hmac
import secrets
from pathlib import Path
from urllib.parse import quote_plus

from sandbox.iam_smart.registry import write_private
from sandbox.personas import PERSONAS, Persona
from trust_lists.vocabulary import Region

SIGNING_USER = "sign"
OTHER_USER = "basic"
"""What the real service writes for an account that cannot sign is in no source: *assumed*."""

PROFILE_FIELDS = ("idNo", "enName", "chName", "birthDate", "gender")
_PAIRWISE_KEY_FILE = "pairwise.key"


def account_holders() -> tuple[Persona, ...]:
    """Return the personas that have an iAM Smart account: the residents of Hong Kong."""
    return tuple(persona for persona in PERSONAS.values() if persona.region is Region.HK)


def find_holder(persona_id: str | None) -> Persona | None:
    """Return the account holder with this id, or None when there is none."""
    return next((persona for persona in account_holders() if persona.id == persona_id), None)


def load_pairwise_key(directory: Path) -> bytes:
    """Load or make the key from which every openID is derived, so that it survives a restart."""
    path = directory / _PAIRWISE_KEY_FILE
    if not path.exists():
        write_private(path, secrets.token_bytes(32))
    return path.read_bytes()


def open_id(pairwise_key: bytes, client_id: str, persona: Persona) -> str:
    """Return the holder's identifier for one online service: URL-encoded Base64 of 32 bytes."""
    derived = hmac.digest(pairwise_key, f"{client_id}\0{persona.id}".encode(), "sha256")
    return quote_plus(base64.b64encode(derived))


def user_type(persona: Persona) -> str:
    """Return `sign` for a holder with digital signing (iAM Smart+), else the assumed other word."""
    return SIGNING_USER if persona.upstream_level == "sign" else OTHER_USER


def card_identifier(persona: Persona) -> str:
    """Return the identity card's identifier without its check digit."""
    return persona.home_id[:-1]


def profile_of(persona: Persona, fields: frozenset[str]) -> dict[str, object]:
    """Return the asked core profile fields in the shapes of the wire."""
    everything: dict[str, object] = {
        "idNo": {"Identification": card_identifier(persona), "CheckDigit": persona.home_id[-1]},
        "enName": {"UnstructuredName": persona.name_latin},
        "chName": {"ChineseName": persona.name_chinese},
        "birthDate": f"{persona.birthdate:%Y%m%d}",
        "gender": persona.sex,
    }
    return {name: value for name, value in everything.items() if name in fields}

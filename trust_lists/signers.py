"""The keys of officers and of the online roles, as python-tuf wants them.

Owns:    software keys in PEM files: make, save, load; the public form with its region.
Leaves:  what may be signed to `publication`; hardware keys to a later signer of the same type (`securesystemslib.signer.Signer`).
Rules:   a private key file is created for its owner alone (0600) and never overwritten. A password is bytes from the environment or
         a prompt, never an argument. ECDSA P-256 and Ed25519 only: what every TUF client verifies.
"""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, SSlibKey  # type: ignore[attr-defined]  # its public names

from trust_lists.envelope import REGION_FIELD
from trust_lists.errors import KeyRefused, ListStorageFailed
from trust_lists.vocabulary import Region

OFFICER_FIELD = "x-gba-officer"
_MAX_PEM_BYTES = 16 * 1024


def generate_key(kind: str = "ed25519") -> CryptoSigner:
    """Make a key: `ed25519` or `p256`.

    Raises:
        KeyRefused: another kind.
    """
    if kind == "ed25519":
        return CryptoSigner.generate_ed25519()
    if kind == "p256":
        return CryptoSigner.generate_ecdsa()
    raise KeyRefused("a key is ed25519 or p256")


def write_private_key(path: Path, signer: CryptoSigner, password: bytes | None) -> None:
    """Save a key as PKCS#8 PEM, encrypted when there is a password.

    Raises:
        KeyRefused: the file exists already.
        ListStorageFailed: the disk refused.
    """
    key = load_pem_private_key(signer.private_bytes, None)
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise KeyRefused("a key file of that name exists already") from error
    except OSError as error:
        raise ListStorageFailed("the key file cannot be written") from error


def read_private_key(path: Path, password: bytes | None) -> CryptoSigner:
    """Load a key.

    Raises:
        KeyRefused: not a key of these kinds, or the password does not open it.
        ListStorageFailed: the file cannot be read.
    """
    pem = _read_pem(path)
    try:
        key = load_pem_private_key(pem, password if b"ENCRYPTED" in pem else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyRefused("the key cannot be opened; is the password right?") from error
    if not isinstance(key, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey):
        raise KeyRefused("not an Ed25519 or ECDSA P-256 key")
    return CryptoSigner(key, _checked_key(key.public_key()))


def _read_pem(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_PEM_BYTES)
    except OSError as error:
        raise ListStorageFailed("the key file cannot be read") from error


def public_pem(signer: CryptoSigner) -> str:
    """Return the public half as PEM."""
    key = load_pem_private_key(signer.private_bytes, None).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def public_key(pem: str, region: Region | None = None, officer: str | None = None) -> SSlibKey:
    """Read a public key from PEM; with a region it becomes that region's officer's key.

    Raises:
        KeyRefused: not an Ed25519 or ECDSA P-256 key.
    """
    try:
        tuf_key = _checked_key(load_pem_public_key(pem.encode("ascii")))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyRefused("not an Ed25519 or ECDSA P-256 key") from error
    if region is not None:
        tuf_key.unrecognized_fields[REGION_FIELD] = region.value
    if officer is not None:
        tuf_key.unrecognized_fields[OFFICER_FIELD] = officer
    return tuf_key


def _checked_key(key: object) -> SSlibKey:
    if isinstance(key, ed25519.Ed25519PublicKey) or (
        isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"
    ):
        return SSlibKey.from_crypto(key)
    raise KeyRefused("not an Ed25519 or ECDSA P-256 key")

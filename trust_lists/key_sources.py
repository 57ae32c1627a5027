"""Where an officer's key is: a PEM file, a PKCS#11 token, or behind a program.

Owns:    reading `--key` and building the signer that it names. Leaves the keys themselves to `signers`, `pkcs11_signer`, `command_signer`.
Rules:   `FILE.pem` · `pkcs11:token=…;object=…?module-path=…` · `command:PUBLIC.pem:PROGRAM ARGUMENTS`. Passwords and PINs come from
         `GBA_TRUST_KEY_PASSWORD` or a prompt, never from an argument.
"""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import Signer, SSlibKey  # type: ignore[attr-defined]  # its public names

from trust_lists.command_signer import CommandSigner
from trust_lists.errors import KeyRefused
from trust_lists.key_password import ask_pin, password_for
from trust_lists.pkcs11_signer import open_pkcs11
from trust_lists.signers import public_key, read_private_key

KEY_HELP = "PEM file, pkcs11:token=…;object=…?module-path=…, or command:PUBLIC.pem:PROGRAM ARGUMENTS."


def load_signer(source: str) -> Signer:
    """Return the signer that `--key` names.

    Raises:
        KeyRefused: no such key, wrong password or PIN.
        ListStorageFailed: a file, library or program is missing.
    """
    if source.startswith("pkcs11:"):
        return open_pkcs11(source, ask_pin())
    if source.startswith("command:"):
        public, separator, command = source.removeprefix("command:").partition(":")
        if not separator:
            raise KeyRefused("expected command:PUBLIC.pem:PROGRAM ARGUMENTS")
        return CommandSigner.parse(public_key(read_text(Path(public))), command)
    path = Path(source)
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise KeyRefused("the key file cannot be read") from error
    return read_private_key(path, password_for(pem))


def read_text(path: Path) -> str:
    """Read a small text file that the administrator names.

    Raises:
        KeyRefused: it cannot be read.
    """
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyRefused(f"{path.name} cannot be read") from error


def pem_of(key: SSlibKey) -> str:
    """Return a public key as PEM: what `init` and `officer add` want."""
    crypto = (
        ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.keyval["public"]))
        if key.keytype == "ed25519"
        else None
    )
    if crypto is None:
        return str(key.keyval["public"])
    return crypto.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")

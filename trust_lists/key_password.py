"""The password of a key file: from the environment or a prompt, never from an argument.

Owns:    asking. `GBA_TRUST_KEY_PASSWORD` is read here because `trust-list` runs without the service and its settings.
"""

import os

import typer

VARIABLE = "GBA_TRUST_KEY_PASSWORD"


def password_for(pem: bytes) -> bytes | None:
    """Return the password for this key file, None when the file is not encrypted."""
    return _ask(confirm=False) if b"ENCRYPTED" in pem else None


def new_password() -> bytes | None:
    """Return the password for a new key file; an empty one leaves the file unencrypted."""
    return _ask(confirm=True) or None


def ask_pin() -> str:
    """Return the PIN of a token."""
    value = os.environ.get(VARIABLE)
    return str(typer.prompt("PIN of the token", hide_input=True)) if value is None else value


def _ask(*, confirm: bool) -> bytes:
    value = os.environ.get(VARIABLE)
    if value is None:
        value = typer.prompt(
            "password of the key", hide_input=True, confirmation_prompt=confirm, default="", show_default=False
        )
    return str(value).encode()

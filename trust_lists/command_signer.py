"""Signing by somebody else's program: a smart card's own tool, a remote key service, a colleague's script.

Owns:    running the program and checking what it gives back. Leaves what is signed to the callers.
Rules:   the program gets the bytes to sign on standard input and writes the bare signature to standard output: 64 bytes for Ed25519, DER
         for ECDSA P-256. It is run without a shell, for a limited time. A signature that does not verify is refused here and goes nowhere.
"""

import shlex
import subprocess
from collections.abc import Sequence

from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import Key, SecretsHandler, Signature, Signer, SSlibKey  # type: ignore[attr-defined]  # its public names

from trust_lists.errors import KeyRefused, ListStorageFailed

TIMEOUT_S = 120.0
_MAX_SIGNATURE_BYTES = 512


class CommandSigner(Signer):
    """A key behind a program."""

    def __init__(self, public_key: SSlibKey, command: Sequence[str]) -> None:
        """Take the public half and the program with its arguments."""
        self._public_key = public_key
        self._command = tuple(command)

    @classmethod
    def parse(cls, public_key: SSlibKey, command: str) -> "CommandSigner":
        """Split a command line as a shell would, without running one.

        Raises:
            KeyRefused: it is empty, or a quote is open.
        """
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise KeyRefused("the signing command cannot be read") from error
        if not words:
            raise KeyRefused("the signing command is empty")
        return cls(public_key, words)

    @property
    def public_key(self) -> SSlibKey:
        """The public half."""
        return self._public_key

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> Signer:
        """Not used: `key_sources` builds these."""
        raise NotImplementedError

    def sign(self, payload: bytes) -> Signature:
        """Run the program.

        Raises:
            ListStorageFailed: it cannot be run, or takes too long.
            KeyRefused: it fails, or its signature is not one.
        """
        try:
            done = subprocess.run(  # noqa: S603 - the administrator names the program; no shell
                self._command, input=payload, capture_output=True, timeout=TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ListStorageFailed("the signing command cannot be run, or takes too long") from error
        if done.returncode != 0 or not 0 < len(done.stdout) <= _MAX_SIGNATURE_BYTES:
            raise KeyRefused(f"the signing command gave no signature (exit code {done.returncode})")
        return verified(self._public_key, payload, done.stdout)


def verified(public_key: SSlibKey, payload: bytes, value: bytes) -> Signature:
    """Return a signature that verifies.

    Raises:
        KeyRefused: it does not.
    """
    signature = Signature(public_key.keyid, value.hex())
    try:
        public_key.verify_signature(signature, payload)
    except (UnverifiedSignatureError, VerificationError) as error:
        raise KeyRefused("what came back is not this key's signature") from error
    return signature

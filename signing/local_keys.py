"""Keys in a file, for the `sign` command.

Owns:    PKCS #12 with RSA, ECDSA and Ed25519 keys. Leaves passwords to `cli`, remote keys to `remote_signing`.
Rules:   the key signs the DER signed attributes itself; nothing of it is kept or printed.
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from signing.cms_builder import Suite
from signing.errors import KeyRefused

_MAX_KEY_FILE_BYTES = 1_000_000
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class LocalKey:
    """A private key with its certificate and chain, DER."""

    key: PrivateKey
    certificate: bytes
    chain: tuple[bytes, ...]

    def sign(self, data: bytes, suite: Suite) -> bytes:
        """Sign the bytes under the suite.

        Raises:
            KeyRefused: the key is of another kind than the suite.
        """
        key = self.key
        if isinstance(key, rsa.RSAPrivateKey) and suite is Suite.RSA_SHA256:
            return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        if isinstance(key, rsa.RSAPrivateKey) and suite is Suite.RSA_PSS_SHA256:
            return key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        if isinstance(key, ec.EllipticCurvePrivateKey) and suite in (Suite.ECDSA_SHA256, Suite.ECDSA_SHA384):
            digest = hashes.SHA256() if suite is Suite.ECDSA_SHA256 else hashes.SHA384()
            return key.sign(data, ec.ECDSA(digest))
        if isinstance(key, ed25519.Ed25519PrivateKey) and suite is Suite.ED25519:
            return key.sign(data)
        raise KeyRefused("the key does not fit its certificate")


def load_pkcs12(path: Path, password: str) -> LocalKey:
    """Load a key file.

    Raises:
        KeyRefused: not a key file, a wrong password, or a kind of key that does not sign here.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(_MAX_KEY_FILE_BYTES + 1)
    except OSError as error:
        raise KeyRefused("the key file cannot be read") from error
    try:
        key, certificate, further = pkcs12.load_key_and_certificates(content, password.encode() or None)
    except ValueError as error:
        raise KeyRefused("the key file cannot be opened: wrong password, or not PKCS #12") from error
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise KeyRefused("the key file holds no key that signs documents here")
    if certificate is None:
        raise KeyRefused("the key file holds no certificate for its key")
    chain = tuple(item.public_bytes(Encoding.DER) for item in further)
    return LocalKey(key, certificate.public_bytes(Encoding.DER), chain)

"""Loading a certificate that came from outside.

Owns:    the one loader. Leaves what a certificate proves to its reader.
Rules:   1 DER, bounded, and well-formed: what the library only tolerates for now is refused
         2 whatever the bytes, the answer is a certificate or `JoseRefused`
Spec:    RFC 5280 cl. 4
"""

import warnings
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.utils import CryptographyDeprecationWarning

from idp.errors import JoseRefused

MAX_CERTIFICATE_BYTES: Final = 12_288
BAD_CERTIFICATE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.UnsupportedGeneralNameType,
    CryptographyDeprecationWarning,
)
"""What the library raises for a certificate that is broken somewhere; parts of it are read only when they are asked for."""


@lru_cache(maxsize=256)
def load_certificate(der: bytes) -> x509.Certificate:
    """Load a certificate.

    Raises:
        JoseRefused: it is none, too large, or of a form that is only tolerated.
    """
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise JoseRefused("a certificate is too large")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", CryptographyDeprecationWarning)
            return x509.load_der_x509_certificate(der)
    except BAD_CERTIFICATE as error:
        raise JoseRefused("a certificate cannot be read") from error


def key_of_certificate(certificate: x509.Certificate) -> bytes:
    """Return the SubjectPublicKeyInfo.

    Raises:
        JoseRefused: the key cannot be read.
    """
    try:
        return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except BAD_CERTIFICATE as error:
        raise JoseRefused("a certificate's key cannot be read") from error

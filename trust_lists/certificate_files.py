"""Certificates in files: PEM or DER, one at a time.

Owns:    reading a certificate for the commands. Leaves its content to `certificates`.
"""

from pathlib import Path

from asn1crypto import pem

from trust_lists.certificates import MAX_CERTIFICATE_BYTES, public_key_info
from trust_lists.errors import CertificateMalformed, ListStorageFailed


def read_certificate(path: Path) -> bytes:
    """Return the DER of the certificate in a file.

    Raises:
        CertificateMalformed: not one certificate.
        ListStorageFailed: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(2 * MAX_CERTIFICATE_BYTES)
    except OSError as error:
        raise ListStorageFailed("the certificate file cannot be read") from error
    return certificate_in(data)


def certificate_in(data: bytes) -> bytes:
    """Return the DER of the one certificate in these bytes, PEM or DER.

    Raises:
        CertificateMalformed: not one certificate.
    """
    if pem.detect(data):
        try:
            _, _, data = pem.unarmor(data)
        except ValueError as error:
            raise CertificateMalformed("the file is not one PEM certificate") from error
    public_key_info(data)
    return data

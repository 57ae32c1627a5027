"""The signers' certificates inside a PDF, so that `explain` can be asked about a document.

Owns:    finding the signatures' CMS values in the raw bytes, and each signer's certificate in them.
Leaves:  whether the document is whole, unchanged and well signed to `gba-trust validate`: nothing here says so.
Rules:   bounded in bytes and number; what cannot be read is passed over; the last signature comes first.
Spec:    ISO 32000-2 cl. 12.8.1 (Contents), RFC 5652 cl. 5.3 (signer identifier).
"""

import re
from dataclasses import dataclass

from asn1crypto import cms

from trust_lists import asn1_oids  # noqa: F401 - registers the SM names before anything is parsed
from trust_lists.errors import CertificateMalformed

MAX_PDF_BYTES = 128 * 1024 * 1024
MAX_SIGNATURES = 32
_MAX_CMS_BYTES = 1024 * 1024
_CONTENTS = re.compile(rb"/Contents\s*<([0-9A-Fa-f\s]{64,%d})>" % (2 * _MAX_CMS_BYTES))


@dataclass(frozen=True, slots=True)
class PdfSigner:
    """One signature's certificate, and the others that came with it."""

    certificate: bytes
    others: tuple[bytes, ...]


def is_pdf(data: bytes) -> bool:
    """Tell whether the bytes begin as a PDF does."""
    return b"%PDF-" in data[:1024]


def signers_of(data: bytes) -> tuple[PdfSigner, ...]:
    """Return the signers of a PDF, the last signature first.

    Raises:
        CertificateMalformed: there is no signature with a certificate that can be read, or too many.
    """
    values = [
        bytes.fromhex(match.group(1).decode("ascii")) for match in _CONTENTS.finditer(data) if _is_hex(match.group(1))
    ]
    if len(data) > MAX_PDF_BYTES or len(values) > MAX_SIGNATURES:
        raise CertificateMalformed("the PDF is too long, or has too many signatures")
    found = [signer for value in reversed(values) if (signer := _signer(value)) is not None]
    if not found:
        raise CertificateMalformed("the PDF carries no signature with a certificate that can be read")
    return tuple(found)


def _is_hex(value: bytes) -> bool:
    return len(b"".join(value.split())) % 2 == 0


def _signer(value: bytes) -> PdfSigner | None:
    """Return the signer of one CMS value; a document time stamp has a TSA for its signer and counts too."""
    try:
        signed = cms.ContentInfo.load(value)["content"]
        certificates = [choice.chosen for choice in signed["certificates"] if choice.name == "certificate"]
        sid = signed["signer_infos"][0]["sid"]
        if sid.name == "issuer_and_serial_number":
            wanted = (sid.chosen["issuer"].dump(), sid.chosen["serial_number"].native)
            own = [c for c in certificates if (c.issuer.dump(), c.serial_number) == wanted]
        else:
            own = [c for c in certificates if c.key_identifier == sid.chosen.native]
        if not own:
            return None
        return PdfSigner(own[0].dump(), tuple(c.dump() for c in certificates if c is not own[0]))
    except Exception:  # noqa: BLE001 - asn1crypto on hostile bytes: what cannot be read is passed over
        return None

"""The default PDF container writer: pyHanko's incremental writer.

Owns:    the only use of pyHanko for writing. Leaves signing to `creation`, reading to `pyhanko_diff`.
Rules:   works on every kind of cross-reference; keeps what the document has; exact /Contents size.
"""

import io

from asn1crypto import crl, ocsp, x509
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.layout import AxisAlignment, Margins, SimpleBoxLayoutRule
from pyhanko.sign.fields import SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigAppearanceSetup, SigIOSetup, SigObjSetup
from pyhanko.sign.signers.pdf_byterange import DocumentTimestamp, PdfSignedData, SignatureObject
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.stamp import TextStampStyle

from signing.engine import FieldRequest, ReservedDocument
from signing.errors import DocumentRefused, SigningError


class PyHankoEngine:
    """Writes containers with pyHanko."""

    name = "pyhanko"

    def reserve(self, document: bytes, field: FieldRequest, contents_bytes: int) -> ReservedDocument:
        """See `PdfEngine.reserve`."""
        try:
            return _reserve(document, field, contents_bytes)
        except SigningError:
            raise
        except Exception as error:
            raise DocumentRefused("the document cannot be prepared for signing") from error


def _reserve(document: bytes, field: FieldRequest, contents_bytes: int) -> ReservedDocument:
    writer = IncrementalPdfFileWriter(io.BytesIO(document), strict=False)
    page, *rectangle = field.box or (0,)
    specification = SigFieldSpec(
        field.name,
        on_page=page,
        box=tuple(rectangle) if field.box else None,
    )
    steps = PdfCMSEmbedder(new_field_spec=specification).write_cms(field.name, writer)
    next(steps)
    appearance = None
    if field.appearance:
        appearance = SigAppearanceSetup(style=_style(field.appearance), timestamp=field.signing_time, name=None)
    steps.send(SigObjSetup(sig_placeholder=_placeholder(field, contents_bytes), appearance_setup=appearance))
    # The digest that pyHanko computes here is not used: creation hashes with the suite's own algorithm.
    prepared, output = steps.send(SigIOSetup(md_algorithm="sha256", output=io.BytesIO()))
    return ReservedDocument(output.getvalue(), prepared.reserved_region_start, prepared.reserved_region_end)


def _placeholder(field: FieldRequest, contents_bytes: int) -> PdfSignedData:
    if field.sub_filter == "ETSI.RFC3161":
        return DocumentTimestamp(bytes_reserved=2 * contents_bytes)
    placeholder = SignatureObject(
        timestamp=field.signing_time,
        subfilter=SigSeedSubFilter.PADES,
        reason=field.reason,
        location=field.location,
        bytes_reserved=2 * contents_bytes,
    )
    placeholder[pdf_name("/SubFilter")] = SigSeedSubFilter.PADES.value
    return placeholder


def _style(lines: tuple[str, ...]) -> TextStampStyle:
    # "%" would be read as interpolation by pyHanko.
    text = "\n".join(line.replace("%", "%%") for line in lines)
    layout = SimpleBoxLayoutRule(AxisAlignment.ALIGN_MIN, AxisAlignment.ALIGN_MID, margins=Margins(4, 4, 4, 4))
    return TextStampStyle(stamp_text=text, inner_content_layout=layout, border_width=0, background_opacity=0)


def add_validation_data(
    document: bytes, certificates: tuple[bytes, ...], crls: tuple[bytes, ...], ocsp_responses: tuple[bytes, ...]
) -> bytes:
    """Return the document with validation data added to its DSS in an incremental update (EN 319 142-1 cl. 5.4.2).

    What the store holds already stays. No VRI dictionary is written: it is optional and says nothing that a validator may trust.

    Raises:
        DocumentRefused: the document or the data cannot be used.
    """
    try:
        writer = IncrementalPdfFileWriter(io.BytesIO(document), strict=False)
        DocumentSecurityStore.supply_dss_in_writer(
            writer,
            None,
            certs=[x509.Certificate.load(item) for item in certificates],
            ocsps=[ocsp.OCSPResponse.load(item) for item in ocsp_responses],
            crls=[crl.CertificateList.load(item) for item in crls],
        )
        output = io.BytesIO()
        writer.write(output)
    except Exception as error:
        raise DocumentRefused("validation data cannot be added to the document") from error
    return output.getvalue()

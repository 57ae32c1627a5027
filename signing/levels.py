"""Which PAdES baseline level a signature reaches.

Owns:    the level checker over structure. Leaves trust to the other rules: a level says what is there, not that it is good.
Spec:    ETSI EN 319 142-1 cl. 6.3 table 1
"""

from collections.abc import Sequence

from signing.cms import ParsedSignedData
from signing.document import EmbeddedSignature, SignedDocument
from signing.document_times import DocumentTime
from signing.model import IntegrityVerdict, SignatureLevel


def level_of(
    embedded: EmbeddedSignature,
    parsed: ParsedSignedData | None,
    signed: SignedDocument,
    times: Sequence[DocumentTime],
    *,
    has_token: bool,
) -> SignatureLevel | None:
    """Return the level, or None where it is no baseline signature.

    Args:
        embedded: its place.
        parsed: its CMS.
        signed: the file.
        times: judged document time stamps.
        has_token: an intact signature time stamp is present.
    """
    baseline = (
        embedded.sub_filter == "ETSI.CAdES.detached"
        and parsed is not None
        and bool(parsed.ess)
        and parsed.claimed_time is None  # table 1: signing-time shall not be present, /M carries the claim
        and embedded.signing_time is not None
    )
    if not baseline:
        return None
    covering = [item for item in times if item.covers(embedded) and item.integrity is not IntegrityVerdict.BROKEN]
    if not has_token and not covering:
        return SignatureLevel.B_B
    store = signed.security_store
    if not store.certificates or not (store.crls or store.ocsp_responses):
        return SignatureLevel.B_T
    # B-LTA: a document time stamp over the validation data, which is written after the signature.
    archived = [item for item in covering if item.covered_end > signed.security_store_end]
    return SignatureLevel.B_LTA if archived else SignatureLevel.B_LT

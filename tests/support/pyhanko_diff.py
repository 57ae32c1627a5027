"""What later revisions changed, by pyHanko's change analysis.

Owns:    the only use of pyHanko for reading. Leaves what a change means for the verdict to `modification`.
Rules:   two policies, from narrow to wide: validation data and further signatures; then also the filling of form fields.
         Every exception means that the change could not be explained.
"""

import io
import logging

from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import (
    CatalogModificationRule,
    DocInfoRule,
    DSSCompareRule,
    FormUpdatingRule,
    GenericFieldModificationRule,
    MetadataUpdateRule,
    ModificationLevel,
    ObjectStreamRule,
    SigFieldCreationRule,
    SigFieldModificationRule,
    StandardDiffPolicy,
    XrefStreamRule,
)
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from signing.model import Modification

logging.getLogger("pyhanko").setLevel(logging.CRITICAL)  # its warnings repeat hostile content; the verdict is ours


def _policy(*, form_filling: bool) -> StandardDiffPolicy:
    field_rules = [SigFieldCreationRule(), SigFieldModificationRule()]
    if form_filling:
        field_rules.append(GenericFieldModificationRule())
    return StandardDiffPolicy(
        global_rules=[
            CatalogModificationRule(),
            DocInfoRule().as_qualified(ModificationLevel.LTA_UPDATES),
            XrefStreamRule().as_qualified(ModificationLevel.LTA_UPDATES),
            ObjectStreamRule().as_qualified(ModificationLevel.LTA_UPDATES),
            DSSCompareRule().as_qualified(ModificationLevel.LTA_UPDATES),
            MetadataUpdateRule().as_qualified(ModificationLevel.LTA_UPDATES),
        ],
        form_rule=FormUpdatingRule(field_rules=field_rules),
    )


_SIGNATURES_ONLY = _policy(form_filling=False)
_FORM_FILLING = _policy(form_filling=True)


def classify_changes(data: bytes, field: str, covered_end: int) -> Modification:
    """Say what the revisions after a signature changed.

    Args:
        data: the whole file.
        field: the signature's field name.
        covered_end: end of its ByteRange, which must be the end of a revision.
    """
    try:
        reader = PdfFileReader(io.BytesIO(data), strict=True)
        signature = _find(reader, field, covered_end)
        if signature is None:
            return Modification.OTHER
        for policy, meaning in (
            (_SIGNATURES_ONLY, Modification.VALIDATION_DATA),
            (_FORM_FILLING, Modification.FORM_FILLING),
        ):
            result = signature.evaluate_modifications(policy)
            level = getattr(result, "modification_level", ModificationLevel.OTHER)
            if level <= ModificationLevel.FORM_FILLING and _permitted(signature, level):
                return Modification.NONE if level is ModificationLevel.NONE else meaning
    except Exception:
        return Modification.OTHER
    return Modification.OTHER


def _find(reader: PdfFileReader, field: str, covered_end: int) -> EmbeddedPdfSignature | None:
    for signature in reader.embedded_signatures:
        numbers = [int(number) for number in signature.byte_range]
        if signature.field_name == field and len(numbers) == 4 and numbers[2] + numbers[3] == covered_end:
            signature.compute_integrity_info()
            return signature
    return None


def _permitted(signature: EmbeddedPdfSignature, level: ModificationLevel) -> bool:
    # DocMDP of the document's certification bounds every later change (ISO 32000-2 cl. 12.8.2.2.2).
    permission = signature.docmdp_level
    return permission is None or permission.value > 1 or level <= ModificationLevel.LTA_UPDATES

"""What later revisions of a document mean for a signature.

Owns:    the rule that turns a kind of change into a permission or a refusal. Leaves finding the change to `pyhanko_diff`.
Rules:   validation data and further signatures are permitted; filling of fields only where the signature itself declared it
         (DocMDP 2 or 3, FieldMDP) and the policy agrees; everything else, and what cannot be explained, is not.
Spec:    ISO 32000-2:2020 cl. 12.8.2.2 and 12.8.2.4; EN 319 142-1 cl. 5.5
"""

from signing.document import EmbeddedSignature, SignedDocument
from signing.model import Coverage, Modification, SubIndication, Unsatisfied
from signing.policy import Policy


def classify(document: SignedDocument, signature: EmbeddedSignature) -> Modification:
    """Say what was changed after this signature; the analysis runs only where something follows."""
    if signature.coverage is Coverage.WHOLE_FILE:
        return Modification.NONE
    if signature.coverage is Coverage.UNCLEAR:
        return Modification.OTHER
    # pyHanko costs 0.4 s to import and most files need no analysis.
    from signing.pyhanko_diff import classify_changes  # noqa: PLC0415 - slow import

    return classify_changes(document.data, signature.field, signature.covered_end)


def check_permitted(change: Modification, signature: EmbeddedSignature, policy: Policy) -> None:
    """Check a later change.

    Raises:
        Unsatisfied: SIG_CONSTRAINTS_FAILURE.
    """
    if change is Modification.OTHER:
        raise Unsatisfied(
            SubIndication.SIG_CONSTRAINTS_FAILURE,
            "the document was changed after signing in a way that is not permitted",
        )
    if change is Modification.FORM_FILLING:
        declared = signature.locks_fields or (signature.declared_permission or 0) >= 2
        if not declared or not policy.allows_declared_form_filling:
            raise Unsatisfied(
                SubIndication.SIG_CONSTRAINTS_FAILURE,
                "form fields were filled after signing, and the signature does not say that they may be",
            )

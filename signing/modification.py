"""What later revisions of a document mean for a signature.

Owns:    the rule that turns a kind of change into a permission or a refusal. Leaves finding the change to `changes`.
Rules:   1 validation data and document time stamps are permitted always
         2 further signatures, unless this signature forbids every change (DocMDP 1)
         3 filling of fields only where this signature declares it (DocMDP 2 or 3, FieldMDP), the field is not locked, and the
           policy agrees: without a declaration nobody can tell filling from shadowing
         4 everything else, and what cannot be explained, is not
Spec:    ISO 32000-2:2020 cl. 12.8.2.2 and 12.8.2.4; EN 319 142-1 cl. 5.5
"""

from signing.changes import Changes, find_changes
from signing.config import DocumentLimits
from signing.document import EmbeddedSignature, SignedDocument
from signing.model import Coverage, Modification, SubIndication, Unsatisfied
from signing.policy import Policy


def classify(document: SignedDocument, signature: EmbeddedSignature, limits: DocumentLimits | None = None) -> Changes:
    """Say what was changed after this signature; the comparison runs only where something follows."""
    if signature.coverage is Coverage.WHOLE_FILE:
        return Changes(Modification.NONE)
    if signature.coverage is Coverage.UNCLEAR:
        return Changes(Modification.OTHER)
    return find_changes(document.data, signature.covered_end, limits or DocumentLimits())


def check_permitted(changes: Changes, signature: EmbeddedSignature, policy: Policy) -> None:
    """Check a later change.

    Raises:
        Unsatisfied: SIG_CONSTRAINTS_FAILURE.
    """
    permission = signature.declared_permission
    if changes.kind is Modification.OTHER:
        _refuse("the document was changed after signing in a way that is not permitted")
    if changes.kind in (Modification.SIGNATURES, Modification.FORM_FILLING) and permission == 1:
        _refuse("the signature forbids every later change, and there is one")
    if changes.kind is Modification.FORM_FILLING:
        if any(signature.locks(name) for name in changes.fields):
            _refuse("a form field that the signature locks was changed")
        declared = signature.lock_action is not None or (permission or 0) >= 2
        if not declared or not policy.allows_declared_form_filling:
            _refuse("form fields were filled after signing, and nothing says that they may be")


def _refuse(detail: str) -> None:
    raise Unsatisfied(SubIndication.SIG_CONSTRAINTS_FAILURE, detail)

"""Acceptance of a permit attestation: the only file here that reads the document of `liveness`.

Owns:    the translation of an accepted attestation into the evidence that a token can carry.
Leaves:  signature, issuer, audience, transaction, subject and expiry to `liveness.attestation.verify`, the gate of that document.
"""

from datetime import datetime

from joserfc.jwk import KeySet

from idp.model import CheckDetail, PermitEvidence
from liveness.attestation import verify


def accept_attestation(
    token: str,
    keys: KeySet,
    *,
    issuer: str,
    audience: str,
    transaction: str,
    subject: str,
    person: str,
    at: datetime,
) -> PermitEvidence:
    """Accept an attestation for one person in one login.

    Raises:
        liveness.errors.AttestationRefused: not genuine, not for us, not for this login or person, or expired.
    """
    attestation = verify(token, keys, issuer=issuer, audience=audience, transaction=transaction, subject=subject, at=at)
    return PermitEvidence(
        person=person,
        verified_at=attestation.issued_at,
        attestation=attestation.jti,
        document_type=str(attestation.document.type),
        issuing_country=attestation.document.issuing_country,
        document_reference=attestation.document.reference,
        checks=tuple(
            CheckDetail(check.check_method, check.organization, check.txn, check.time) for check in attestation.checks
        ),
    )

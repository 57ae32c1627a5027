"""What a passed check states, and where the browser goes on.

Owns:    the attestation's contents, the return address. Leaves signing and the gate to `attestation`.
Spec:    check methods of OpenID Connect for Identity Assurance 1.0: `data` (compared with the issuer's data), `bvr` (face compared with
         the portrait held, remotely). `liveness` (a living person was seen, remotely) is a word of our trust framework: the
         standard leaves the list of methods to frameworks and has none for it.
"""

import secrets
from dataclasses import asdict
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from liveness.attestation import AttestedCheck, AttestedDocument, PermitAttestation
from liveness.authority import HolderResult
from liveness.config import LivenessConfig
from liveness.model import PermitCheckRequest, PermitDocument

OURSELVES = "gba-trust"


def describe(
    config: LivenessConfig,
    request: PermitCheckRequest,
    document: PermitDocument,
    result: HolderResult,
    *,
    reference: str,
    model_set: str,
    at: datetime,
) -> PermitAttestation:
    """Return what a passed check states.

    Args:
        config: issuer, lifetime and the thresholds that were applied.
        request: whose check it is.
        document: the document shown.
        result: the authority's answer.
        reference: keyed hash of the document's number.
        model_set: label of the models that judged.
        at: now.
    """
    issued_at = at.replace(microsecond=0)
    return PermitAttestation(
        jti=secrets.token_urlsafe(24),
        issuer=config.issuer,
        subject=request.subject,
        transaction=request.transaction,
        issued_at=issued_at,
        expires_at=issued_at + config.attestation_lifetime,
        document=AttestedDocument(document.type, document.issuing_country, reference),
        checks=(
            AttestedCheck("data", result.organisation, result.txn, _write(result.at)),
            AttestedCheck("liveness", OURSELVES, secrets.token_urlsafe(12), _write(at)),
            AttestedCheck("bvr", result.organisation, result.txn, _write(result.at)),
        ),
        portrait_source="permit_authority",
        model_set=model_set,
        thresholds={name: float(value) for name, value in asdict(config.thresholds).items()},
    )


def _write(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def with_query(uri: str, **values: str) -> str:
    """Return an address with more query parameters, whatever it already has."""
    parts = urlsplit(uri)
    query = [*parse_qsl(parts.query, keep_blank_values=True), *values.items()]
    return urlunsplit(parts._replace(query=urlencode(query)))

"""X.509 validation of one certificate at the time that counts.

Owns:    the order in which path, validity, anchor status, revocation and algorithms are asked, and what each failure is called.
Leaves:  each question to its own module. Keeps a note of the certificates whose revocation data is missing.
Spec:    ETSI EN 319 102-1 cl. 5.2.6 (X.509 certificate validation), 5.5.4 step 5 (best-signature-time against the bounds)
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from signing import revocation
from signing.certificates import Certificate
from signing.model import SubIndication, Unsatisfied
from signing.path import Path, check_algorithms, check_constraints
from signing.policy import Policy


@dataclass(frozen=True, slots=True)
class ProvenTime:
    """The time at which something is judged.

    Attributes:
        at: the instant.
        proven: a time stamp proves existence then; otherwise it is the validation time.
        source: what proves it.
    """

    at: datetime
    proven: bool = False
    source: str = "validation time"


@dataclass
class TrustMaterial:
    """All certificates and revocation data at hand, and what turned out to be missing.

    Attributes:
        certificates: from the signatures, the document's store, and outside.
        crls: DER.
        ocsp_responses: DER.
        now: validation time.
        policy: the constraints.
        lacking: (certificate, issuer) pairs without fresh revocation data; the caller may fetch it and judge again.
    """

    certificates: tuple[Certificate, ...]
    crls: tuple[bytes, ...]
    ocsp_responses: tuple[bytes, ...]
    now: datetime
    policy: Policy
    lacking: dict[tuple[bytes, bytes], None] = field(default_factory=dict)


def verify_chain(
    paths: Iterable[Path],
    material: TrustMaterial,
    control: ProvenTime,
    *,
    check_usage: Callable[[Certificate], None],
    digest: str,
) -> Path:
    """Return the first of the paths that holds at the control time.

    Raises:
        Unsatisfied: the failure of the first path, where none holds.
    """
    first: Unsatisfied | None = None
    for path in paths:
        try:
            check_usage(path.end_entity)
            _verify_path(path, material, control, digest)
        except Unsatisfied as failure:
            first = first or failure
            continue
        return path
    if first is not None:
        raise first
    raise Unsatisfied(SubIndication.NO_CERTIFICATE_CHAIN_FOUND, "the certificate leads to no trusted service")


def _verify_path(path: Path, material: TrustMaterial, control: ProvenTime, digest: str) -> None:
    check_constraints(path)
    _check_validity(path, control)
    _check_anchor(path, control)
    for index, certificate in enumerate(path.certificates):
        if certificate.spki != path.anchor.certificate.spki:
            _check_revocation(certificate, path.issuer_of(index), material, control)
    region = path.anchor.region or material.policy.suitability_region
    check_algorithms(path, region, control.at, digest=digest, proven=control.proven)


def _check_validity(path: Path, control: ProvenTime) -> None:
    if control.at < path.end_entity.not_before:
        raise Unsatisfied(SubIndication.NOT_YET_VALID, "the certificate was not valid yet")  # cl. 5.5.4 step 5 a i
    for certificate in path.certificates:
        if not certificate.covers(control.at):
            raise Unsatisfied(
                SubIndication.OUT_OF_BOUNDS_NO_POE, "a certificate had expired, and nothing proves an earlier time"
            )


def _check_anchor(path: Path, control: ProvenTime) -> None:
    if path.anchor.granted_at(control.at):
        return
    # cl. 5.2.6: the anchor's sunset date; an earlier proof of existence would have kept the signature good.
    if path.anchor.sunset_before(control.at) is not None:
        raise Unsatisfied(
            SubIndication.NO_CERTIFICATE_CHAIN_FOUND_NO_POE,
            "the trusted service had ended when the signature is first proven to exist",
        )
    raise Unsatisfied(SubIndication.NO_CERTIFICATE_CHAIN_FOUND, "the service was not trusted at that time")


def _check_revocation(
    certificate: Certificate, issuer: Certificate, material: TrustMaterial, control: ProvenTime
) -> None:
    found = revocation.statements(certificate, issuer, material.crls, material.ocsp_responses, material.now)
    revoked = revocation.revocation_of(found)
    if revoked is not None and revoked.revoked_at is not None:
        if control.proven and control.at < revoked.revoked_at:
            return  # cl. 5.5.4 step 5 b: the proof is older than the revocation
        code = SubIndication.REVOKED_CA_NO_POE if certificate.is_ca else SubIndication.REVOKED_NO_POE
        raise Unsatisfied(code, f"the certificate was revoked at {revoked.revoked_at:%Y-%m-%dT%H:%M:%SZ}")
    if certificate.ocsp_no_check:
        return
    if revocation.fresh_statement(found, certificate, control.at, material.policy) is None:
        material.lacking[(certificate.der, issuer.der)] = None
        raise Unsatisfied(SubIndication.TRY_LATER, "no fresh revocation data for a certificate on the path")

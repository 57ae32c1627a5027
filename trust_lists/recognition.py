"""The recognition rule: for what, and where, a certificate counts, and why.

Owns:    one row for each region and purpose, with the effect and one sentence. Leaves the path, revocation and validity period of the
         certificate to `signing.path`, which must have passed before a row means anything.
Rules:   default deny. A row says `recognised` only when all of `CHECKS` hold, in this order:
         the issuer's key is listed and admitted, it signed the certificate, its service issues to people, the service counts at that
         time, the certificate is of an admitted type (policy OID under the prefix, key usage), the type is admitted for the purpose,
         the key is suitable in that region, and the two regions have an enacted agreement for the purpose (none is needed at home).
         The time is that of the signature where it is proven, else the present: the caller chooses, the rule never reads a clock.
Spec:    HK-Guangdong mutual recognition trust list (issuer, type, policy OID without its last three arcs, date: facts §2.1);
         ETSI TS 119 615 cl. 4.4 (status at a given time); TS 119 612 MRA extension (enacted, repealed).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from trust_lists.algorithms import check_suitable, key_kind, verify_signature
from trust_lists.certificates import CertificateFacts, parse_certificate
from trust_lists.errors import AlgorithmRefused, KeyRefused, SignatureInvalid
from trust_lists.model import Agreement, CertificateType, Purpose, ServiceStatus, TrustService
from trust_lists.snapshot import Snapshot
from trust_lists.vocabulary import Region


class Effect(StrEnum):
    """What the list says of a certificate for one purpose in one region."""

    RECOGNISED = "recognised"
    NOT_RECOGNISED = "not_recognised"


@dataclass(frozen=True, slots=True)
class StandingRow:
    """The answer for one region and purpose."""

    region: Region
    purpose: str
    effect: Effect
    service: str | None
    """Identifier of the listed service, None when the issuer is not listed."""
    agreement: str | None
    """Identifier of the agreement that carries a recognition abroad; None at home and where nothing is recognised."""
    reason: str
    """One sentence for people."""

    def to_json(self) -> dict[str, str | None]:
        """Return the row with the member names of the validation report."""
        return {
            "region": self.region.value,
            "purpose": self.purpose,
            "effect": self.effect.value,
            "service": self.service,
            "agreement": self.agreement,
            "reason": self.reason,
        }


class NotRecognised(Exception):
    """One check does not hold; its text is the row's reason."""


@dataclass(frozen=True, slots=True)
class Question:
    """One certificate, one purpose, one moment."""

    snapshot: Snapshot
    facts: CertificateFacts
    issuer: CertificateFacts
    service: TrustService | None
    purpose: Purpose
    at: datetime


def standing(snapshot: Snapshot, certificate: bytes, issuer: bytes, at: datetime) -> tuple[StandingRow, ...]:
    """Return one row for every region and purpose of the scheme.

    Args:
        snapshot: the accepted list.
        certificate: the end entity's, DER.
        issuer: the certificate of its direct issuer, DER.
        at: the moment to judge (best signature time).

    Raises:
        CertificateMalformed: one of the two cannot be read.
    """
    facts, issuer_facts = parse_certificate(certificate), parse_certificate(issuer)
    service = snapshot.service_for(issuer)
    return tuple(
        _decide(Question(snapshot, facts, issuer_facts, service, purpose, at)) for purpose in snapshot.scheme.purposes
    )


def find_issuer(snapshot: Snapshot, certificate: bytes) -> bytes | None:
    """Return the listed certificate whose key signed this one, None when no listed key did; the name only narrows the search.

    Raises:
        CertificateMalformed: the certificate cannot be read.
    """
    facts = parse_certificate(certificate)
    for anchor in snapshot.anchors():
        issuer = parse_certificate(anchor.certificate)
        if issuer.subject_name != facts.issuer_name:
            continue
        with suppress(SignatureInvalid, AlgorithmRefused, KeyRefused):
            verify_signature(issuer.spki, facts.algorithm, facts.signature, facts.signed_bytes)
            return anchor.certificate
    return None


def _decide(question: Question) -> StandingRow:
    service = question.service.id if question.service else None
    try:
        for check in CHECKS:
            check(question)
        agreement = check_agreement(question)
    except NotRecognised as answer:
        return StandingRow(
            question.purpose.region, question.purpose.name, Effect.NOT_RECOGNISED, service, None, str(answer)
        )
    reason = (
        f"{_listed(question).name} is granted and admitted, and the certificate is of its type “{_type(question).name}”"
    )
    reason += f", recognised here under the agreement {agreement.id}." if agreement else ", at home in this region."
    return StandingRow(
        question.purpose.region,
        question.purpose.name,
        Effect.RECOGNISED,
        service,
        agreement.id if agreement else None,
        reason,
    )


def _listed(question: Question) -> TrustService:
    if question.service is None:
        raise NotRecognised("The issuer's key is not on the trust list.")
    return question.service


def check_listed(question: Question) -> None:
    """The issuer's public key is that of a listed and admitted service."""
    _listed(question)


def check_issued(question: Question) -> None:
    """The certificate really comes from that key: a name says nothing."""
    facts, issuer = question.facts, question.issuer
    if facts.issuer_name != issuer.subject_name:
        raise NotRecognised("The certificate names another issuer.")
    try:
        verify_signature(issuer.spki, facts.algorithm, facts.signature, facts.signed_bytes)
    except SignatureInvalid:
        raise NotRecognised("The certificate was not signed by the listed issuer's key.") from None
    except (AlgorithmRefused, KeyRefused):
        raise NotRecognised("The certificate is signed with an algorithm that is not accepted.") from None


def check_service_type(question: Question) -> None:
    """Certificates of people hang under CA services only."""
    if not _listed(question).type.is_ca:
        raise NotRecognised("The listed service does not issue certificates to people.")
    if question.facts.is_ca:
        raise NotRecognised("The certificate is a CA's own and not one of a person or organisation.")


def check_admission(question: Question) -> None:
    """The scheme admitted the service at that time."""
    service = _listed(question)
    if not service.admitted_at(question.at):
        raise NotRecognised(f"{service.name} was not admitted to the scheme at that time.")


def check_status(question: Question) -> None:
    """The region had granted the service at that time."""
    service = _listed(question)
    period = service.period_at(question.at)
    if period is None:
        raise NotRecognised(f"{service.name} had no status yet at that time.")
    if period.status is not ServiceStatus.GRANTED:
        since = period.starting_time.strftime("%Y-%m-%d %H:%M:%S UTC")
        raise NotRecognised(f"{service.name} had been {period.status.word} since {since}.")


def _type(question: Question) -> CertificateType:
    """Return the admitted product that the certificate is; the most specific prefix wins."""
    service, facts = _listed(question), question.facts
    covering = [
        kind
        for kind in service.certificate_types
        if kind.holds_at(question.at) and any(kind.covers_policy(policy) for policy in facts.policies)
    ]
    if not covering:
        raise NotRecognised("The certificate carries no policy of an admitted certificate type of its issuer.")
    fitting = [kind for kind in covering if set(kind.key_usage) <= facts.key_usage]
    if not fitting:
        raise NotRecognised("The certificate's key usage does not allow what its type is admitted for.")
    fitting.sort(key=lambda kind: kind.policy_oid_prefix.count("."), reverse=True)
    return next((kind for kind in fitting if question.purpose.name in kind.purposes), fitting[0])


def check_certificate_type(question: Question) -> None:
    """The certificate is of a product that was admitted at that time."""
    _type(question)


def check_purpose(question: Question) -> None:
    """The product is admitted for this purpose."""
    kind = _type(question)
    if question.purpose.name not in kind.purposes:
        raise NotRecognised(f"The certificate type “{kind.name}” is not admitted for this purpose.")


def check_algorithm(question: Question) -> None:
    """The relying region considers the certificate's key, and its issuer's, suitable at that time."""
    try:
        for facts in (question.facts, question.issuer):
            check_suitable(key_kind(facts.spki), question.purpose.region, question.at, digest=question.facts.digest)
    except (AlgorithmRefused, KeyRefused):
        raise NotRecognised("The certificate's algorithms are not suitable in this region at that time.") from None


CHECKS: tuple[Callable[[Question], None], ...] = (
    check_listed,
    check_issued,
    check_service_type,
    check_admission,
    check_status,
    check_certificate_type,
    check_purpose,
    check_algorithm,
)
"""The rule, in order; the agreement comes last because its answer is also part of the row."""


def check_agreement(question: Question) -> Agreement | None:
    """Return the enacted agreement that carries the recognition abroad, None at home."""
    home, here = _listed(question).region, question.purpose.region
    if home is here:
        return None
    between = [agreement for agreement in question.snapshot.scheme.agreements if agreement.joins(home, here)]
    enacted = [agreement for agreement in between if agreement.enacted_at(question.at)]
    if not enacted:
        state = "has no agreement" if not between else "had no agreement in force at that time"
        raise NotRecognised(f"{here.territory} {state} with {home.territory}.")
    for agreement in enacted:
        if question.purpose.name in agreement.purposes:
            return agreement
    raise NotRecognised(f"The agreement between {home.territory} and {here.territory} does not cover this purpose.")
